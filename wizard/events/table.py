"""Events from the table audit_logs, by (request_time, id); the next page is read ahead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from wizard.events.range import Range
from wizard.events.source import FULL_PAGE, Page
from wizard.events.wanted import Wanted
from wizard.events.windows import Window
from wizard.records.event import EPOCH, Bundle, Event
from wizard.safe import safe_json

if TYPE_CHECKING:
    from uuid import UUID

    from wizard.systems.postgres.audit_event import Entries
    from wizard.systems.postgres.database import Database

BATCH = 10_000
"""Entries that are read at once."""


class Read(Bundle):
    """Entries of the table, which become events when they are looked at."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def __len__(self) -> int:
        """How many."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Event]:
        """Each."""
        for at, uid, text in self._entries:
            yield Event(*_place(at, uid), safe_json(text))

    def __contains__(self, event: object) -> bool:
        """By looking at each."""
        return any(event == it for it in self)

    def texts(self) -> Iterator[str]:
        """See `Bundle`."""
        for some in self._entries.texts():
            yield safe_json("\n".join((*some, "")))


def _place(at: int, uid: str) -> tuple[datetime, str]:
    return EPOCH + timedelta(microseconds=at), uid


class FromTable:
    """The table's events, of these organizations or of all."""

    def __init__(
        self, database: Database, wanted: Wanted, organizations: Sequence[UUID] = ()
    ) -> None:
        self._database = database
        self._wanted = wanted
        self._organizations = tuple(organizations)
        self.repeated = 0

    def pages(self, window: Range, size: int = FULL_PAGE) -> Iterator[Page]:
        """See `Source`: the newest come first.

        Raises:
            Problem: the table is not as documented, or cannot be read.
        """
        yield from self._pages(window, size, newest_first=True)

    def batches(self, window: Range, *, backwards: bool = False) -> Iterator[Window]:
        """All of a range in batches, oldest first, or newest first when `backwards`.

        Raises:
            Problem: see `pages`.
        """
        pages = self._pages(window, BATCH, newest_first=backwards)
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(next, pages, None)
            while page := following.result():
                following = ahead.submit(next, pages, None)
                yield Window(window, page.events)

    def _pages(self, window: Range, size: int, *, newest_first: bool) -> Iterator[Page]:
        from wizard.systems.postgres.audit_log import Asked

        asked = Asked(
            window.start,
            window.end,
            self._organizations,
            self._wanted.operations,
            self._wanted.workspace,
            newest_first,
        )
        after = None
        while True:
            found = self._database.audit_log(asked, after, limit=size)
            more = len(found) == size
            after = _place(*found.last) if found else after
            events: Collection[Event] = Read(found)
            if self._wanted.sifts:
                events = [it for it in events if self._wanted.takes(it.data)]
            yield Page(events, more)
            if not more:
                return
