"""How far a reading of the log has come, in a file that the person names.

The file holds a moment up to which everything was given, and the ids of what was given since: the
next reading begins at the moment and leaves those out. It is replaced as a whole, and one process
at a time has it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wizard.files import read_file, replace_file
from wizard.problems import Exit, Problem

LARGEST = 50_000_000
COARSE = timedelta(seconds=1)
"""How much older an event may look than it is: some servers tell whole seconds."""


def reached(path: Path) -> datetime:
    """The moment up to which the reading with this file has given everything.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no state.
    """
    try:
        told = json.loads(read_file(path, LARGEST))["through"]
        return datetime.fromisoformat(told).astimezone(UTC)
    except (KeyError, TypeError):
        raise ValueError("it is no state of events") from None


class Checkpoint:
    """The state of one reading; use it as a context manager, which holds the file's lock.

    Attributes:
        through: everything before it was given; None before the first reading.
        seen: ids and moments of what was given after that.
    """

    def __init__(self, path: Path | None, query: Mapping[str, str]) -> None:
        """Without a path it is kept for the time of this process alone."""
        self.path = path
        self.through: datetime | None = None
        self.seen: dict[str, datetime] = {}
        self._query = dict(query)
        self._lock: int | None = None

    def __enter__(self) -> Checkpoint:
        """Take the lock and read the file.

        Raises:
            Problem: LSA833 another process has it, LSA834 it is of another query, LSA835 it cannot
                be read or written.
        """
        if self.path:
            self._take(self.path)
            try:
                if self.path.exists():
                    self._read(self.path)
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def gave(self, uid: str, moment: datetime) -> bool:
        """Note that an event is given; False where it was given already."""
        if uid in self.seen:
            return False
        self.seen[uid] = moment
        return True

    def reached(self, through: datetime) -> None:
        """Everything before a moment was given: what is older need not be remembered."""
        if self.through is None or through > self.through:
            self.through = through
            edge = through - COARSE
            self.seen = {uid: at for uid, at in self.seen.items() if at >= edge}

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            Problem: LSA835.
        """
        if self.through is None or self.path is None:
            return
        document = {
            "schema_version": "1.0",
            "query": self._query,
            "through": self.through.isoformat(),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "given_since": {uid: at.isoformat() for uid, at in self.seen.items()},
        }
        try:
            replace_file(self.path, json.dumps(document).encode() + b"\n")
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None

    def _take(self, path: Path) -> None:
        import fcntl

        beside = path.with_name(path.name + ".lock")
        try:
            self._lock = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.__exit__()
            raise Problem(
                "LSA833",
                "Another process reads the log with this state",
                on=f"file {self.path}",
            ) from None
        except OSError as error:
            self.__exit__()
            raise self._unusable(error.strerror or str(error)) from None

    def _read(self, path: Path) -> None:
        try:
            document = json.loads(read_file(path, LARGEST))
            query, through = document["query"], datetime.fromisoformat(document["through"])
            seen = document["given_since"].items()
            self.seen = {uid: datetime.fromisoformat(at) for uid, at in seen}
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._unusable("it is no state of events") from None
        if query != self._query:
            raise self._other(query)
        self.through = through

    def _other(self, query: Any) -> Problem:
        told = query if isinstance(query, dict) else {}
        names = sorted({*told, *self._query})
        differing = (it for it in names if told.get(it) != self._query.get(it))
        lines = (f"{it}: {told.get(it)!s} then, {self._query.get(it)!s} now" for it in differing)
        return Problem(
            "LSA834",
            "The state is of another reading: its events are not those that are asked for",
            on=f"file {self.path}",
            exit=Exit.USAGE,
            detail=tuple(lines),
        )

    def _unusable(self, why: str) -> Problem:
        return Problem(
            "LSA835",
            f"The state cannot be used: {why}",
            on=f"file {self.path}",
            exit=Exit.USAGE,
        )
