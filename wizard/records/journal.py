"""The journal: every change is registered before it is made, one folder a run.

A run's folder holds `journal.ndjson` (append-only, one JSON object a line, on disk before the act
that it tells of), the copies that undo will need, and the debug log. Folders are 0700 and files
0600. A torn last line, as a power loss leaves it, is passed over when reading, and what is
appended after it begins on a line of its own.

Any other line that cannot be read makes the run one that is not put back: undo would claim too
much.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wizard import __version__
from wizard.files import create_private, open_private, sync_folder, write_private
from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.records.changes import Change, Done
from wizard.records.entries import Entry, entries_of
from wizard.records.findings import Evidence
from wizard.records.state import (
    RUNS,
    made_private,
    not_written,
    refuse_foreign,
    state_folder,
    told_as_problem,
)
from wizard.safe import safe_json
from wizard.settings import Place

VERSION = 1
IN_DOUBT = "LSA547"
"""The one failure of the update after which it may be in nevertheless."""

ROOM = 1 << 20
"""Bytes that must still go to the disk before a change is made: what it did has to fit too."""


class Journal:
    """The journal of one run, open for writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder.name

    @classmethod
    def begin(cls, place: Place, **about: Any) -> Journal:
        """A new run's journal, with its first line written.

        `about` is what else the first line tells: plain JSON, no secret. `undoes` in it is the id
        of the run that this one puts back, `skipped` the steps of that run that it leaves out.

        Raises:
            Problem: the state folder cannot be written.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = made_private(RUNS, f"{stamp}-{os.urandom(3).hex()}")
        journal = cls(folder)
        with _writing(folder):
            os.close(create_private(journal.path))
        journal._write("begin", target=place.as_json(), tool=__version__, journal=VERSION, **about)
        journal._make_sure_of_room()
        with _writing(folder):
            for each in (folder, folder.parent, folder.parent.parent):
                sync_folder(each)
        from wizard.records import debug_log

        debug_log.into(folder)
        return journal

    @classmethod
    def resume(cls, run: Run) -> Journal:
        """The journal of an earlier run, to go on with it.

        Raises:
            Problem: it cannot be written.
        """
        journal = cls(run.folder)
        journal._write("resume", tool=__version__)
        journal._make_sure_of_room()
        from wizard.records import debug_log

        debug_log.into(run.folder)
        return journal

    @property
    def path(self) -> Path:
        """The file with the entries."""
        return self.folder / "journal.ndjson"

    def intent(self, change: Change) -> None:
        """Register a change before it is made.

        Raises:
            Problem: it cannot be written, or there is no room for what the change did.
        """
        self._make_sure_of_room()
        self._write(
            "intent",
            step=change.step,
            items=list(change.items),
            exact=[exact.as_json() for exact in change.exact],
            preconditions={name: fact.value for name, fact in change.preconditions.items()},
            register=dict(change.register),
        )

    def done(self, step: str, done: Done) -> None:
        """Record what a change did."""
        self._write(
            "done",
            step=step,
            summary=done.summary,
            evidence=list(done.evidence),
            undo=dict(done.undo),
        )

    def failed(self, step: str, problem: Problem) -> None:
        """Record that a change did not come to its end."""
        detail = list(problem.detail)
        self._write("failed", step=step, id=problem.id, what=problem.what, detail=detail)

    def evidence(self, step: str, evidence: Evidence) -> Path:
        """Keep what a failure looked like in the run's folder, before anything else is done.

        Raises:
            Problem: it cannot be written.
        """
        path = self.backup_path("evidence.txt")
        with _writing(path):
            write_private(path, evidence.text.encode())
        self._write("evidence", step=step, file=path.name, summary=list(evidence.summary))
        return path

    def note(self, **facts: str | int) -> None:
        """Keep facts of what is under way."""
        self._write("note", **facts)

    def undoing(self, change: Change) -> None:
        """Register that a change of this run is about to be put back."""
        exact = [each.as_json() for each in change.exact]
        self._write("undoing", step=change.step, items=list(change.items), exact=exact)

    def undone(self, step: str, done: Done) -> None:
        """Record that the last change of a step was put back within this run."""
        self._write("undone", step=step, summary=done.summary, undo=dict(done.undo))

    def left(self, step: str, id: str, why: str) -> None:
        """Record that an undo left a step's change as it is, and why."""
        self._write("left", step=step, id=id, what=why)

    def end(self, exit: Exit) -> None:
        """Record that the run came to its own end."""
        self._write("end", exit=int(exit))

    def backup_path(self, name: str) -> Path:
        """A new path in the run's folder for a copy of a file."""
        taken = [path.name[:2] for path in self.folder.glob("[0-9][0-9]-*")]
        return self.folder / f"{int(max(taken, default='0')) + 1:02}-{Path(name).name}"

    def _write(self, event: str, **facts: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"at": now, "event": event, **facts}
        line = safe_json(json.dumps(entry, ensure_ascii=False)) + "\n"
        with _writing(self.path):
            # Never made anew: a journal that lost its beginning tells no truth.
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND)
            try:
                _append(handle, line.encode())
                os.fsync(handle)
            finally:
                os.close(handle)

    def _make_sure_of_room(self) -> None:
        room = self.folder / ".room"
        with _writing(room):
            handle = open_private(room, os.O_RDWR | os.O_APPEND)
            try:
                _append(handle, bytes(ROOM))
                os.fsync(handle)
            finally:
                os.close(handle)
                room.unlink()


def _append(handle: int, data: bytes) -> None:
    """Write all of it at the end, on a line of its own; a torn line before it stays torn."""
    size = os.fstat(handle).st_size
    if size:
        os.lseek(handle, size - 1, os.SEEK_SET)
        if os.read(handle, 1) != b"\n":
            data = b"\n" + data
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise not_written("The journal cannot be written", error, path) from error


@dataclass(frozen=True)
class Run:
    """A run as its journal tells it.

    Attributes:
        odd: how many lines of the journal are no entries, and were not torn either.
    """

    id: str
    folder: Path
    entries: tuple[Entry, ...]
    odd: int = 0

    @property
    def place(self) -> Mapping[str, str]:
        """The release that the run acted on; empty when the first line is torn."""
        first = self.entries[0] if self.entries else {}
        return first.get("target", {}) if first.get("event") == "begin" else {}

    @property
    def newer(self) -> bool:
        """Whether a later langsmith-audit wrote it; its entries may mean something else."""
        told = self.entries[0].get("journal") if self.entries else None
        return isinstance(told, int) and told > VERSION

    @property
    def ended(self) -> bool:
        """Whether the run came to its own end."""
        return any(entry["event"] == "end" for entry in self.entries)

    @property
    def changed(self) -> tuple[str, ...]:
        """The steps that made a change, or may have made one."""
        return tuple(dict.fromkeys(e["step"] for e in self.entries if e["event"] == "intent"))

    @property
    def plan(self) -> str:
        """The id of the plan that the run applies; empty for any other run."""
        return str(self.entries[0].get("plan", "")) if self.entries else ""

    @property
    def undoes(self) -> str:
        """The id of the run that this one puts back; empty for any other run."""
        return str(self.entries[0].get("undoes", "")) if self.entries else ""

    @property
    def in_part(self) -> bool:
        """Whether this undo was told to leave out steps that the run it puts back has changed."""
        return bool(self.entries and self.entries[0].get("skipped"))


def runs() -> list[Run]:
    """All runs of this machine, oldest first.

    Raises:
        Problem: LSA902 the state folder cannot be read, LSA940 it, a run's folder or a journal may
            have been written by somebody else.
    """
    folder = state_folder() / RUNS
    with told_as_problem(folder):
        try:
            folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            return []
        refuse_foreign(folder.parent)
        refuse_foreign(folder)
        found = [_read(path) for path in folder.iterdir() if path.is_dir()]
    return sorted(found, key=lambda run: (str(run.entries[0]["at"]) if run.entries else "", run.id))


def known_runs() -> list[Run]:
    """The same for what only looks: none where they cannot be read or believed."""
    try:
        return runs()
    except Problem:
        return []


def is_here(run: str) -> bool:
    """Whether a run with this id was made from this state folder."""
    return any(known.id == run for known in known_runs())


def _read(folder: Path) -> Run:
    refuse_foreign(folder)
    path = folder / "journal.ndjson"
    if not path.is_file():
        return Run(folder.name, folder, ())
    refuse_foreign(path)
    return Run(folder.name, folder, *entries_of(path.read_bytes()))


def unfinished(place: Place) -> Run | None:
    """The newest run on this release that made a change and never came to its end."""
    told = [
        run for run in runs() if run.changed or run.ended
    ]  # one that was declined tells nothing
    mine = [run for run in told if run.place == place.as_json()]
    last = mine[-1] if mine else None
    return last if last and last.changed and not last.ended else None
