"""Where the chart cannot be had, a person is asked how it is to be got."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rich.text import Text

from wizard.console import screen
from wizard.problems import Problem
from wizard.systems.access import Systems
from wizard.systems.chart_repository import MISSING, STALE, alias_of
from wizard.target import STORED
from wizard.walks.answers import Answers, Declined

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
