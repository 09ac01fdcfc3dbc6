"""Events from the table audit_logs, by (request_time, id)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
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
    from wizard.systems.postgres.audit_log import Asked
    from wizard.systems.postgres.database import Database


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
            yield Event(EPOCH + timedelta(microseconds=at), uid, safe_json(text))

    def __contains__(self, event: object) -> bool:
        """By looking at each."""
        return any(event == it for it in self)

    def texts(self) -> Iterator[str]:
        """See `Bundle`."""
        for some in self._entries.texts():
            yield safe_json("\n".join((*some, "")))


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
        asked, after = self._asked(window, newest_first=True), None
        while True:
            found = self._database.audit_log(asked, after, limit=size)
            more = len(found) == size
            after = found.last if found else after
            yield Page(self._taken(found), more)
            if not more:
                return

    def batches(self, window: Range, *, backwards: bool = False) -> Iterator[Window]:
        """All of a range in batches, oldest first, or newest first when `backwards`.

        Raises:
            Problem: see `pages`.
        """
        for found in self._database.whole_audit_log(self._asked(window, newest_first=backwards)):
            yield Window(window, self._taken(found))

    def _asked(self, window: Range, *, newest_first: bool) -> Asked:
        from wizard.systems.postgres.audit_log import Asked

        return Asked(
            window.start,
            window.end,
            self._organizations,
            self._wanted.operations,
            self._wanted.workspace,
            newest_first,
        )

    def _taken(self, found: Entries) -> Collection[Event]:
        read = Read(found)
        return [it for it in read if self._wanted.takes(it.data)] if self._wanted.sifts else read
