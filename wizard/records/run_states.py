"""What became of each run, and the changes that it made, as the journals tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from wizard.exits import Exit
from wizard.records.journal import IN_DOUBT, Run


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
            found.append(_begun(run, entry))
        elif event == "undone" and found and found[-1].step == entry.get("step"):
            found.pop()
        elif found and event in ("done", "failed") and found[-1].step == entry.get("step"):
            found[-1] = _ended(found[-1], entry)
    return found


def _begun(run: Run, entry: Mapping[str, Any]) -> Made:
    register, items = entry.get("register", {}), tuple(entry.get("items", ()))
    return Made(entry["step"], run.folder, entry["at"], items, Outcome.IN_DOUBT, register, register)


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
