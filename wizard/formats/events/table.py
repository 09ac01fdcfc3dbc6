"""Events as a table for people: time in words in the local zone, and what fits the terminal.

Drawn by hand: rich would take longer to import than a page takes to come.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TextIO

from wizard.records.event import Event, record_of, verb_of
from wizard.safe import safe

SHORT = 8
"""Characters of an id where there is no room for all of it."""
GAP = 2
ROOM = 160
"""Columns from which ids are shown whole."""
NARROW = 76
"""Columns below which the workspace is left out, and with it what is about."""
HEADS = ("WHEN", "WHO", "OPERATION", "RESOURCE", "WORKSPACE", "STATUS")
_VERBS = {"delete": "31", "create": "32", "invite": "32", "add": "32", "update": "33"}
_DIM, _BOLD = "2", "1"


class Table:
    """A table whose columns are settled by the first events."""

    def __init__(self, *, now: datetime | None = None, zone: tzinfo | None = None) -> None:
        self._out = sys.stdout
        self._now = (now or datetime.now().astimezone()).astimezone(zone)
        self._colour = self._out.isatty() and not os.environ.get("NO_COLOR")
        self._colour &= os.environ.get("TERM") != "dumb"
        self._width = _columns(self._out) if self._out.isatty() else 0
        self._columns: tuple[int, ...] = ()

    def begin(self) -> None:
        """Nothing: the heading comes with the first events."""

    def write(self, events: Iterable[Event]) -> None:
        """A row each; the first time below the heading."""
        rows = [self._row(event) for event in events]
        if not rows:
            return
        if not self._columns:
            heads = (f"WHEN ({self._now.tzname()})", *HEADS[1:])
            self._columns = self._settled([heads, *(cells for cells, _ in rows)])
            self._out.write(self._line(heads, dict.fromkeys(range(len(heads)), _BOLD)))
        for cells, colours in rows:
            self._out.write(self._line(cells, colours))

    def end(self) -> None:
        """Nothing."""

    def _row(self, event: Event) -> tuple[tuple[str, ...], Mapping[int, str]]:
        told = {name: safe(text) for name, text in record_of(event).items()}
        whole = not self._width or self._width >= ROOM
        first, _, more = told["resources"].partition(" ")
        also = f" +{more.count(' ') + 1}" if more else ""
        cells = (
            when(event.moment, self._now),
            _who(told, whole=whole),
            told["operation"] or "–",
            _id(first, whole=whole) + also,
            _id(told["workspace"], whole=whole),
            _status(told),
        )
        colours = {"Failure": "1;31", "Unknown": "33"}
        colour = _VERBS.get(verb_of(told["operation"]), "")
        return cells, {0: _DIM, 2: colour, 3: _DIM, 4: _DIM, 5: colours.get(told["status"], "32")}

    def _settled(self, rows: Sequence[tuple[str, ...]]) -> tuple[int, ...]:
        """The columns' widths: the operation's gives way, then the ids' columns go."""
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if not self._width:
            return tuple(wide)
        if self._width < NARROW:
            wide[3] = wide[4] = 0
        shown = [it for it in wide if it]
        over = sum(shown) + GAP * (len(shown) - 1) - self._width
        wide[2] = max(wide[2] - max(over, 0), 12)
        return tuple(wide)

    def _line(self, cells: Sequence[str], colours: Mapping[int, str]) -> str:
        parts = []
        for number, (text, wide) in enumerate(zip(cells, self._columns, strict=True)):
            if not wide:
                continue
            shown = text if len(text) <= wide else text[: wide - 1] + "…"
            padded = shown.ljust(wide) if number < len(cells) - 1 else shown
            colour = colours.get(number, "") if self._colour else ""
            parts.append(f"\x1b[{colour}m{padded}\x1b[0m" if colour else padded)
        return (" " * GAP).join(parts).rstrip() + "\n"


def _columns(out: TextIO) -> int:
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdigit() else os.get_terminal_size(out.fileno()).columns or 80


def when(moment: datetime, now: datetime) -> str:
    """A moment in words, in the zone of `now`: the longest is `yesterday 14:05`."""
    local = moment.astimezone(now.tzinfo)
    ago, days = now - local, (now.date() - local.date()).days
    if timedelta(0) <= ago < timedelta(hours=1):
        minutes = int(ago.total_seconds() // 60)
        return f"{minutes} min ago" if minutes else f"{int(ago.total_seconds())} s ago"
    if days in (0, 1):
        return f"{('today', 'yesterday')[days]} {local:%H:%M}"
    if 1 < days < 7:
        return f"{local:%a %H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == now.year else f"{local:%Y-%m-%d}"


def _who(told: Mapping[str, str], *, whole: bool) -> str:
    user, key = _id(told["actor"], whole=whole), told["credential"]
    if told["actor"]:
        return f"{user} {'key' if key else 'UI'}"
    return f"key {_id(key, whole=whole)}" if key else "–"


def _id(text: str, *, whole: bool) -> str:
    return (text if whole else text[:SHORT]) or "–"


def _status(told: Mapping[str, str]) -> str:
    words = {"Success": "ok", "Failure": "failed", "Unknown": "unknown"}
    word = words.get(told["status"], told["status"] or "–")
    code = told["http_status"]
    return f"{word} {code}" if code and word != "ok" else word
