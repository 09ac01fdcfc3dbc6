"""What an apply that was killed or stopped has done of its plan, as the journal tells it."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.records.journal import Run, runs
from wizard.records.run_states import Outcome, made
from wizard.target import Place


@dataclass(frozen=True)
class Left:
    """How far an apply came.

    Attributes:
        done: the steps whose change the journal knows to be made.
        begun: these, and the steps whose change was registered: it may have been made.
    """

    done: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()


NOTHING_LEFT = Left()


def left_of(run: Run) -> Left:
    """How far this run came."""
    found = made(run)
    return Left(
        frozenset(it.step for it in found if it.outcome is Outcome.DONE),
        frozenset(it.step for it in found),
    )


def left_run(place: Place, plan: str) -> Run | None:
    """The run of this plan on this release that did not come to its end.

    None when another run has changed the release since: the plan is stale then.
    """
    mine = [run for run in runs() if run.place == place.as_json()]
    told = [run for run in mine if run.plan == plan or run.changed or run.ended]
    last = told[-1] if told else None
    return last if last and last.plan == plan and not last.ended else None
