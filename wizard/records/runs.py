"""What the journals tell of runs: which one is meant, what became of it, what it changed.

Also how far an apply came that was killed or stopped, and how long a step took in earlier runs from
this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.records.journal import IN_DOUBT, Run, known_runs, runs
from wizard.settings import Place


class RunState(StrEnum):
    """What became of a run.

    UNCHANGED: it registered no change. FAILED: its last change did not come to its end, or what
    it left behind was wrong when it looked. UNDONE: another run has put its changes back.
    """

    DONE = "done"
    UNFINISHED = "unfinished"
    FAILED = "failed"
    UNDONE = "undone"
    UNCHANGED = "unchanged"


class Outcome(StrEnum):
    """What the journal says of one change; in doubt: it was registered, and nothing followed."""

    DONE = "done"
    FAILED = "failed"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True)
class Made:
    """One change as the journal tells it.

    Attributes:
        folder: the run's, with the copies.
        register: what was known before the change.
        undo: what was known after it, the register's facts too; the register alone when the
            journal does not tell that it was done.
    """

    step: str
    folder: Path
    at: str
    items: tuple[str, ...]
    outcome: Outcome
    register: Mapping[str, Any]
    undo: Mapping[str, Any]
    summary: str = ""


def made(run: Run) -> list[Made]:
    """The changes of a run, the oldest first, but for those that the run itself put back."""
    found: list[Made] = []
    for entry in run.entries:
        event = entry["event"]
        if event == "intent":
            register, items = entry.get("register", {}), tuple(entry.get("items", ()))
            begun = Made(
                entry["step"], run.folder, entry["at"], items, Outcome.IN_DOUBT, register, register
            )
            found.append(begun)
        elif event == "undone" and found and found[-1].step == entry.get("step"):
            found.pop()
        elif found and event in ("done", "failed") and found[-1].step == entry.get("step"):
            found[-1] = _ended(found[-1], entry)
    return found


def _ended(begun: Made, entry: Mapping[str, Any]) -> Made:
    done = entry["event"] == "done"
    outcome = Outcome.DONE if done else Outcome.FAILED
    if entry.get("id") == IN_DOUBT:
        outcome = Outcome.IN_DOUBT
    undo = entry.get("undo", {}) if done else begun.register
    told = str(entry.get("summary", "") if done else entry.get("what", ""))
    return Made(
        begun.step, begun.folder, begun.at, begun.items, outcome, begun.register, undo, told
    )


def undone_by(run: Run, all_runs: Iterable[Run]) -> str:
    """The run that has put all of this one back, and was not put back itself; empty for none."""
    all_runs = list(all_runs)
    for other in reversed(all_runs):
        whole = other.undoes == run.id and other.ended and not other.in_part
        if whole and not undone_by(other, all_runs):
            return other.id
    return ""


def state(run: Run, all_runs: Iterable[Run]) -> RunState:
    """What became of a run."""
    if undone_by(run, all_runs):
        return RunState.UNDONE
    exits = [entry.get("exit") for entry in run.entries if entry["event"] == "end"]
    if exits and exits[-1] == Exit.UNDONE:
        return RunState.UNDONE
    if not run.changed:
        return RunState.DONE if exits else RunState.UNCHANGED
    last = [entry["event"] for entry in run.entries][-1]
    if last == "failed" or (exits and exits[-1] != 0):
        return RunState.FAILED
    return RunState.DONE if exits else RunState.UNFINISHED


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
        ours = run.place == place.as_json() and (run.changed or run.odd) and not run.undoes
        if ours and not undone_by(run, all_runs):
            return run
    return None


NEWEST = 10
"""Runs further back say little about the cluster of today."""


def expected_seconds(place: Place, step: str) -> tuple[int, int] | None:
    """The median in whole seconds, and of how many runs; None where no run tells."""
    from statistics import median

    mine = [run for run in known_runs() if run.place == place.as_json()]
    found = [seconds for run in mine for seconds in _took(run, step)][-NEWEST:]
    return (round(median(found)), len(found)) if found else None


def _took(run: Run, step: str) -> Iterator[float]:
    began = ""
    for entry in run.entries:
        if entry.get("step") != step:
            continue
        if entry["event"] == "intent":
            began = str(entry["at"])
        elif entry["event"] == "done" and began:
            try:
                ended = datetime.fromisoformat(str(entry["at"]))
                yield (ended - datetime.fromisoformat(began)).total_seconds()
            except ValueError:
                continue


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
