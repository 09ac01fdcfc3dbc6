"""The prior states of changed rows: in the journal itself, or in a file beside it.

Up to `INLINE` rows are a list in the journal's entry, as `{"rows": [{"id": …, …}, …]}`. More of
them are in a file of the run's folder, one JSON object a line, and the entry says
`{"rows": {"file": name, "count": n, "sha256": …}}`. The file's last line repeats count and hash of
the lines before it. It is on disk before the change is committed, so that a file without its last
line belongs to a change that was not made; an entry that was written before the change has no
hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wizard.files import create_private
from wizard.problems import Problem
from wizard.safe import safe_json

INLINE = 1_000
"""More rows than this are in a file."""

Row = Mapping[str, Any]


class RowsFile:
    """The file of one change, open for writing; each line is a JSON object of one row.

    Attributes:
        told: what the journal says of it; count and hash once it is sealed.
    """

    def __init__(self, path: Path) -> None:
        """Make the file, readable by its owner alone.

        Raises:
            Problem: LSA548, it cannot be made.
        """
        self.told: dict[str, Any] = {"file": path.name}
        self._path = path
        self._count = 0
        self._hash = hashlib.sha256()
        try:
            self._handle = create_private(path, os.O_APPEND)
        except OSError as error:
            raise _not_written(path, error) from None

    def add(self, lines: bytes, count: int) -> None:
        """Append the lines of `count` rows, each with its line feed.

        Raises:
            Problem: LSA548, the disk is full or the like.
        """
        if not lines.isascii():  # names may hold what plays with a terminal
            lines = safe_json(lines.decode()).encode()
        self._hash.update(lines)
        self._count += count
        self._write(lines)

    def seal(self) -> dict[str, Any]:
        """Write the last line and bring all of it to the disk; what the journal says of it.

        Raises:
            Problem: LSA548.
        """
        told = {"count": self._count, "sha256": self._hash.hexdigest()}
        self._write(json.dumps(told).encode() + b"\n")
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise _not_written(self._path, error) from None
        self.told |= told
        return self.told

    def close(self) -> None:
        """Close the file, sealed or not."""
        os.close(self._handle)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            raise _not_written(self._path, error) from None


def rows(folder: Path, facts: Mapping[str, Any]) -> Iterator[Row]:
    """The prior states that a journal entry tells of, whichever way it holds them.

    `folder` is the run's, `facts` the entry's `register` or `undo`. Each row has `id`, `shape`,
    `present`, `value` and `rest` (see `PriorState.as_json`). A file is checked to its end before
    its first row is given; memory does not grow with it. One that an entry from before the change
    names, and that was never begun or finished, has no rows: that change was not made.

    Raises:
        Problem: LSA548, the file is gone, was cut short or was changed.
    """
    told = facts.get("rows") or ()
    if not isinstance(told, Mapping):
        yield from told
        return
    path = folder / Path(told["file"]).name
    try:
        count = _checked(path, told)
        if count is None:
            return
        with path.open("rb") as stream:
            for _ in range(count):
                yield json.loads(stream.readline())
    except FileNotFoundError:
        if "sha256" in told:
            raise _not_read(path, "it is gone") from None
    except OSError as error:
        raise _not_read(path, error.strerror or "it cannot be read") from None


def changes(folder: Path, facts: Mapping[str, Any]) -> Iterator[Row]:
    """The changed rows, as `RowChange.from_json` reads them: `id`, `display_name`, before, after.

    `facts` is the `undo` of an entry of a change that was made, or the `register` of one that may
    have been made; its rows then have an empty name.

    Raises:
        Problem: as `rows`.
    """
    if isinstance(facts.get("changes"), list):
        yield from facts["changes"]
        return
    for row in rows(folder, facts):
        before = {name: row[name] for name in ("shape", "present", "value", "rest")}
        after = {**before, "shape": "object", "present": True, "value": "true"}
        name = row.get("display_name", "")
        yield {"id": row["id"], "display_name": name, "before": before, "after": after}


def _checked(path: Path, told: Mapping[str, Any]) -> int | None:
    """The number of rows, when the file is whole; none, when it belongs to no change."""
    hash, count, last = hashlib.sha256(), 0, b""
    with path.open("rb") as stream:
        for line in stream:
            if last:
                hash.update(last)
                count += 1
            last = line
    found = {"count": count, "sha256": hash.hexdigest()}
    if last != json.dumps(found).encode() + b"\n":
        if "sha256" not in told:
            return None
        raise _not_read(path, "it was cut short, or changed")
    if any(told[name] != found[name] for name in found if name in told):
        raise _not_read(path, "it is not the file that the journal tells of")
    return count


def _not_read(path: Path, why: str) -> Problem:
    return Problem(
        "LSA548",
        f"The rows' prior states cannot be read: {why}",
        on=f"file {path}",
        next_step="look at the organizations as they are: langsmith-audit orgs",
    )


def _not_written(path: Path, error: OSError) -> Problem:
    return Problem(
        "LSA548",
        f"The rows' prior states cannot be written: {error.strerror}; "
        "no change is made without them",
        on=f"file {path}",
        next_step="make room in the state folder, or name another: LANGSMITH_AUDIT_STATE_DIR",
    )
