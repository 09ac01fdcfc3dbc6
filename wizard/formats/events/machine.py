"""Events for programs: NDJSON, one JSON document, CSV. UTF-8 in any locale."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from itertools import islice

from wizard.console.output import for_programs
from wizard.records.event import NAMES, Bundle, Event, received, record_of
from wizard.safe import safe, safe_json

Shape = Callable[[Event], str]
"""What is written of an event by the formats that write it whole."""


class Lines:
    """An event a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._out = for_programs()

    def begin(self) -> None:
        """Nothing."""

    def write(self, events: Iterable[Event]) -> None:
        """Each as its line, whole; a hundred in one write, for where nothing is buffered."""
        if self._shape is received and isinstance(events, Bundle):
            for text in events.texts():
                self._out.write(text)
            return
        left = iter(events)
        while some := list(islice(left, 100)):
            self._out.write("".join(f"{self._shape(event)}\n" for event in some))

    def end(self) -> None:
        """Nothing."""


class Document:
    """One JSON document with all events."""

    def __init__(self, shape: Shape, about: dict[str, str]) -> None:
        self._shape = shape
        self._about = about
        self._out = for_programs()
        self._comma = "\n"

    def begin(self) -> None:
        """The document's head."""
        head = json.dumps({"schema_version": "1.0", **self._about}, ensure_ascii=False)
        self._out.write(safe_json(head)[:-1] + ', "events": [')

    def write(self, events: Iterable[Event]) -> None:
        """Each as an item of the list."""
        for event in events:
            self._out.write(self._comma + self._shape(event))
            self._comma = ",\n"

    def end(self) -> None:
        """The document's end."""
        self._out.write("\n]}\n")


class Csv:
    """The plain record, a column a name (RFC 4180).

    A cell that a spreadsheet would take for a formula begins with an apostrophe, which it drops.
    """

    def __init__(self) -> None:
        self._rows = csv.writer(for_programs(), lineterminator="\r\n")

    def begin(self) -> None:
        """The names of the columns."""
        self._rows.writerow(NAMES)

    def write(self, events: Iterable[Event]) -> None:
        """A row each."""
        for event in events:
            self._rows.writerow(_cell(text) for text in record_of(event).values())

    def end(self) -> None:
        """Nothing."""


def _cell(text: str) -> str:
    shown = safe(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
