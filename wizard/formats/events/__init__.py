"""Events on standard output: a table for people, lines and documents for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wizard.formats.events.machine import Shape
    from wizard.records.event import Event

FORMATS = ("table", "json", "ndjson", "csv")


class Writer(Protocol):
    """Writes events as they come: `begin`, then any number of `write`, then `end`."""

    def begin(self) -> None:
        """What comes before the first event."""

    def write(self, events: Iterable[Event]) -> None:
        """Some events, in their order."""

    def end(self) -> None:
        """What comes after the last one."""


def writer(format: str, shape: Shape, about: dict[str, str]) -> Writer:
    """The writer of a format; `about` is what a document says of itself."""
    if format == "table":
        from wizard.formats.events.table import Table

        return Table()
    from wizard.formats.events.machine import Csv, Document, Lines

    if format == "csv":
        return Csv()
    return Lines(shape) if format == "ndjson" else Document(shape, about)
