"""Where events come from: the API, page by page along a chain of cursors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from wizard.events.patience import Patience
from wizard.events.range import Range
from wizard.events.wanted import Wanted
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.records.event import Event
    from wizard.systems.langsmith.api import AuditLogPage, LangSmithApi

FULL_PAGE = 100


class Page(NamedTuple):
    """Some events of a window that are wanted, in whatever order, and whether there are more."""

    events: Collection[Event]
    more: bool


class Source(Protocol):
    """Gives the events of a window in pages, each chain by itself."""

    def pages(self, window: Range, size: int = FULL_PAGE) -> Iterator[Page]:
        """The pages of one window, to the last."""


class FromApi:
    """The API's events; safe for several windows at a time."""

    def __init__(self, api: LangSmithApi, wanted: Wanted, patience: Patience) -> None:
        self._api = api
        self._wanted = wanted
        self._patience = patience

    def pages(self, window: Range, size: int = FULL_PAGE) -> Iterator[Page]:
        """See `Source`.

        Raises:
            Problem: LSA832, a cursor leads where it led before; what the API's own calls raise.
        """
        cursor: str | None = None
        followed = set[int]()
        while True:
            page = self._patience.ask(lambda at=cursor: self._page(window, size, at))  # type: ignore[misc]
            from wizard.records.event import event_of  # loaded while the first is waited for

            cursor = page.cursor
            wanted = [event_of(data) for data in page.items if self._wanted.takes(data)]
            yield Page(wanted, bool(cursor))
            if not cursor:
                return
            if hash(cursor) in followed:
                raise self._repeats(window)
            followed.add(hash(cursor))

    def _page(self, window: Range, size: int, cursor: str | None) -> AuditLogPage:
        return self._api.audit_logs(
            start=window.start,
            end=window.end,
            limit=size,
            cursor=cursor,
            operations=self._wanted.operations,
            workspace=self._wanted.workspace,
        )

    def _repeats(self, window: Range) -> Problem:
        return Problem(
            "LSA832",
            "LangSmith gave a cursor for the second time: following it would never end",
            on=f"{self._api.base_url}/api/v1/audit-logs, {window.words}",
        )
