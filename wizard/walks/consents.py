"""What goes beyond the documented change is asked for by itself, before the first change."""

from __future__ import annotations

from collections.abc import Sequence

from wizard.console import screen
from wizard.records.changes import Change
from wizard.systems.access import Systems
from wizard.walks.answers import Answers, Declined


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
