"""What a picker picks from: entries that are all there, or pages that come as one scrolls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wizard.console.entries import Entry, rows

PAGE = 200
"""Entries that are loaded at once."""

Find = Callable[[str, Entry | None], Sequence[Entry]]
"""Part of a name (empty: all), and the entry to go on after (none: from the start), to the
entries that follow: PAGE + 1 of them, or fewer when there are no more."""


class Choices(Protocol):
    """The entries that a search leaves.

    Attributes:
        entries, rows: those that are loaded, and how they are shown.
        complete: there are no more of them.
    """

    entries: Sequence[Entry]
    rows: Sequence[str]
    complete: bool

    def narrow(self, search: str) -> None:
        """Leave what has this in it."""

    def more(self) -> None:
        """Load a further page, if there is one."""

    def counted(self) -> str:
        """How many there are, in words."""

    def ordered(self, picked: Mapping[str, Entry]) -> list[Entry]:
        """The picked ones in their order."""


class Listed:
    """Entries that are all there; any part of a line is found."""

    complete = True

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._all, self._lines = tuple(entries), rows(entries)
        self.entries: Sequence[Entry] = self._all
        self.rows: Sequence[str] = self._lines

    def narrow(self, search: str) -> None:
        """See `Choices`."""
        wanted = search.casefold()
        found = [at for at, line in enumerate(self._lines) if wanted in line.casefold()]
        self.entries = [self._all[at] for at in found]
        self.rows = [self._lines[at] for at in found]

    def more(self) -> None:
        """See `Choices`."""

    def counted(self) -> str:
        """See `Choices`."""
        return f"{len(self.entries)} of {len(self._all)}"

    def ordered(self, picked: Mapping[str, Entry]) -> list[Entry]:
        """See `Choices`."""
        return [entry for entry in self._all if entry.value in picked]


class Paged:
    """Entries that are looked up, page by page."""

    def __init__(self, find: Find, first: Sequence[Entry]) -> None:
        self._find = find
        self._search = ""
        self.complete = False
        self.entries: Sequence[Entry] = []
        self.rows: Sequence[str] = []
        self._take(first)

    def narrow(self, search: str) -> None:
        """See `Choices`."""
        self._search = search
        self.entries = []
        self._take(self._find(search, None))

    def more(self) -> None:
        """See `Choices`."""
        if not self.complete:
            self._take(self._find(self._search, self.entries[-1]))

    def counted(self) -> str:
        """See `Choices`."""
        return f"{len(self.entries)} found" if self.complete else f"more than {len(self.entries)}"

    def ordered(self, picked: Mapping[str, Entry]) -> list[Entry]:
        """See `Choices`."""
        return list(picked.values())

    def _take(self, found: Sequence[Entry]) -> None:
        self.complete = len(found) <= PAGE
        self.entries = [*self.entries, *found[:PAGE]]
        self.rows = rows(self.entries)
