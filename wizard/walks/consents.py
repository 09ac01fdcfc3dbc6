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
    lacking = {it.option: it.refusal for change in changes for it in change.consents}
    for option, refusal in lacking.items():
        if not answers.confirms:
            raise refusal
        screen.talk().print(screen.refusal_block(refusal))
        if not answers.consent(option):
            raise Declined
    if lacking:
        systems.answer(answers.target())
