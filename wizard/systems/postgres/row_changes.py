"""Changes of rows in a temporary file without a name: in memory only while they are few."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice

from wizard.systems.postgres.model import RowChange

BLOCK = 1_000
"""Rows that are read, locked, compared, written and proved together."""
IN_MEMORY = 1 << 20
"""Bytes above which they are on disk."""


class RowChanges:
    """Changes of rows, to be gone through any number of times.

    Attributes:
        count: how many rows.
    """

    def __init__(self) -> None:
        self.count = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    def __iter__(self) -> Iterator[RowChange]:
        """Each row's change, in the order in which they were added."""
        at = 0
        while True:
            self._file.seek(at)
            lines = list(islice(self._file, BLOCK))
            if not lines:
                return
            at += sum(map(len, lines))
            yield from map(RowChange.from_json, map(json.loads, lines))

    def add(self, changes: Iterable[RowChange]) -> None:
        """Add changes behind those that are there."""
        self._file.seek(0, 2)
        for change in changes:
            self._file.write(json.dumps(change.as_json()).encode() + b"\n")
            self.count += 1


def blocks(changes: Iterable[RowChange]) -> Iterator[list[RowChange]]:
    """The changes, so many at a time as are dealt with together."""
    left = iter(changes)
    while block := list(islice(left, BLOCK)):
        yield block
