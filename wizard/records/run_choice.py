"""Which run is meant."""

from __future__ import annotations

from collections.abc import Sequence

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.journal import Run
from wizard.records.run_states import undone_by
from wizard.target import Place


def the_run(text: str, all_runs: Sequence[Run]) -> Run:
    """The run of this id; its beginning is enough where no other run's id begins so.

    Raises:
        Problem: LSA930, none or several.
    """
    found = [run for run in all_runs if run.id == text] or [
        run for run in all_runs if text and run.id.startswith(text)
    ]
    if len(found) == 1:
        return found[0]
    several = tuple(run.id for run in found[:10])
    raise Problem(
        "LSA930",
        f"{len(several)} runs' ids begin so" if several else "There is no such run on this machine",
        on=f"run {text}",
        next_step="langsmith-audit runs lists all runs",
        exit=Exit.USAGE,
        detail=several,
    )


def last_not_undone(place: Place, all_runs: Sequence[Run]) -> Run | None:
    """The newest run that changed this release and was not put back; an undo is no such run."""
    for run in reversed(all_runs):
        ours = run.place == place.as_json() and run.changed and not run.undoes
        if ours and not undone_by(run, all_runs):
            return run
    return None
