"""Things to pick from: how they are lined up, all there or in pages that come as one scrolls."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wizard.record import dataclass
from wizard.safe import ID, brief_id, safe

WIDEST = 36
"""Cells that a column takes at most; what is longer is cut."""


@dataclass(frozen=True)
class Entry:
    """One thing that can be picked.

    Attributes:
        value: what picking it gives.
        name: how a person knows it.
        about: further columns.
        disabled: why it cannot be picked; empty when it can.
    """

    value: str
    name: str
    about: tuple[str, ...] = ()
    disabled: str = ""


@dataclass(frozen=True)
class Legend:
    """What is said around a list.

    Attributes:
        columns: a heading for each column.
        lines: what the words in it mean.
        order: how it is sorted, where that is not by name.
        total: how many there are where a page of them is loaded alone.
    """

    columns: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    order: str = ""
    total: int | None = None


def rows(entries: Sequence[Entry], columns: Sequence[str] = ()) -> list[str]:
    """The entries as aligned lines, the last column uncut; the columns' headings are the first."""
    from rich.cells import cell_len

    table = [
        [re.sub(ID, lambda it: brief_id(it[0]), safe(text)) for text in (entry.name, *entry.about)]
        for entry in entries
    ]
    table = [list(columns), *table] if columns else table
    widths = [
        min(max((cell_len(line[at]) for line in table if at < len(line)), default=0), WIDEST)
        for at in range(max(map(len, table), default=0))
    ]
    return ["  ".join([*map(_fitted, line[:-1], widths), line[-1]]).rstrip() for line in table]


def _fitted(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1).rstrip() + "…"


PAGE = 200
"""Entries that are loaded at once."""

Find = Callable[[str, Entry | None], Sequence[Entry]]
"""Part of a name (empty: all), and the entry to go on after (none: from the start), to the
entries that follow: PAGE + 1 of them, or fewer when there are no more."""


class Choices(Protocol):
    """The entries that a search leaves.

    Attributes:
        entries, rows: those that are loaded, and how they are shown.
        heading: the line above them; empty for none.
        complete: there are no more of them.
    """

    entries: Sequence[Entry]
    rows: Sequence[str]
    heading: str
    complete: bool

    def narrow(self, search: str) -> None:
        """Leave what has this in it."""

    def more(self) -> None:
        """Load a further page, if there is one."""

    def counted(self, at: int) -> str:
        """Which line of how many, in words; while searching, how many of all."""

    def ordered(self, picked: Mapping[str, Entry]) -> list[Entry]:
        """The picked ones in their order."""


class Listed:
    """Entries that are all there; any part of a line is found."""

    complete = True

    def __init__(self, entries: Sequence[Entry], columns: Sequence[str] = ()) -> None:
        lines = rows(entries, columns)
        self.heading = lines.pop(0) if columns else ""
        self._all, self._lines = tuple(entries), lines
        self._sought = [" ".join((it.name, *it.about)).casefold() for it in entries]
        self.entries: Sequence[Entry] = self._all
        self.rows: Sequence[str] = self._lines

    def narrow(self, search: str) -> None:
        """See `Choices`."""
        wanted = search.casefold()
        found = [at for at, text in enumerate(self._sought) if wanted in text]
        self.entries = [self._all[at] for at in found]
        self.rows = [self._lines[at] for at in found]

    def more(self) -> None:
        """See `Choices`."""

    def counted(self, at: int) -> str:
        """See `Choices`."""
        there, total = len(self.entries), len(self._all)
        return f"{at + 1 if there == total else there} of {total:,}"

    def ordered(self, picked: Mapping[str, Entry]) -> list[Entry]:
        """See `Choices`."""
        return [entry for entry in self._all if entry.value in picked]


class Paged:
    """Entries that are looked up, page by page."""

    def __init__(
        self, find: Find, first: Sequence[Entry], columns: Sequence[str], total: int | None
    ) -> None:
        self._find = find
        self._columns = columns
        self._total = total
        self._search = ""
        self.complete = False
        self.heading = ""
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

    def counted(self, at: int) -> str:
        """See `Choices`."""
        of = "" if self._total is None else f" of {self._total:,}"
        if not self._search:
            return f"{at + 1}{of}"
        there = len(self.entries)
        return f"{there}{of}" if self.complete else f"more than {there}{of}"

    def ordered(self, picked: Mapping[str, Entry]) -> list[Entry]:
        """See `Choices`."""
        return list(picked.values())

    def _take(self, found: Sequence[Entry]) -> None:
        self.complete = len(found) <= PAGE
        self.entries = [*self.entries, *found[:PAGE]]
        lines = rows(self.entries, self._columns)
        self.heading = lines.pop(0) if self._columns else ""
        self.rows = lines
