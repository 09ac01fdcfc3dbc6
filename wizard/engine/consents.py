"""What goes beyond the documented change is asked for by itself, before the first change.

So is how the chart is to be got, where it cannot be had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.text import Text

from wizard.console import screen
from wizard.engine.answers import Answers, Declined
from wizard.problems import Problem
from wizard.records.changes import Change
from wizard.settings import STORED
from wizard.systems.access import Systems
from wizard.systems.helm.charts import MISSING, STALE, alias_of


def obtain(systems: Systems, answers: Answers, changes: Sequence[Change]) -> None:
    """Ask for every consent that is lacking.

    Raises:
        Problem: one is lacking, and may not be asked for.
        Declined: the person said no.
    """
    asked: set[str] = set()
    for change in changes:
        for consent in change.consents:
            if consent.option in asked:
                continue
            asked.add(consent.option)
            if not answers.confirms:
                raise consent.refusal
            screen.talk().print(screen.refusal_block(consent.refusal))
            if consent.instead and answers.consent(consent.instead):
                break  # it becomes another change, which the others are not about
            if not answers.consent(consent.option):
                raise Declined
    if asked:
        systems.answer(answers.target())


LATE = {"LSA588": "accept_trigger"}
"""What only the change itself can tell, and rolls back; each with the switch that accepts it."""


def given_late(systems: Systems, answers: Answers, problem: Problem) -> bool:
    """Whether the change may be made again with what it met: a yes of its own, in a terminal.

    Raises:
        Declined: the person said no.
    """
    option = LATE.get(problem.id)
    if not option or not answers.confirms:
        return False
    screen.talk().print(screen.refusal_block(problem))
    if not answers.consent(option):
        raise Declined
    systems.answer(answers.target())
    return True


T = TypeVar("T")


def with_chart(systems: Systems, answers: Answers, propose: Callable[[], T]) -> T:
    """What `propose` gives; where it lacks the chart, a way to it is asked for first.

    Raises:
        Problem: of `propose`; also about the chart, where nobody may be asked.
        Declined: the person wanted none of the ways.
    """
    while True:
        try:
            return propose()
        except Problem as problem:
            ways = _ways(systems, answers, problem) if answers.confirms else ()
            if not ways:
                raise
            screen.talk().print(screen.refusal_block(problem))
            screen.talk().print(screen.hanging(Text(problem.next_step)))
            if not any(way() for way in ways):
                raise Declined from None
            systems.answer(answers.target())


def _ways(systems: Systems, answers: Answers, problem: Problem) -> tuple[Callable[[], bool], ...]:
    """The questions that may lead to the chart, the kindest first."""
    target = systems.target
    if problem.id not in (MISSING, STALE) or not alias_of(target.chart):
        return ()
    refresh = () if target.repository else (lambda: answers.consent("repo_update"),)
    stored = () if target.chart_version else (lambda: answers.consent("chart", STORED),)
    return (*refresh, *stored)
