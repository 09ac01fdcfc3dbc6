"""Watches: the stream of changes, from now, from a resourceVersion, or with the initial events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import compact, is_on
from wizard.practice.kubernetes.resources import check_version_query, matcher
from wizard.practice.kubernetes.store import Event, Store

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]

BOOKMARK_EVERY = 30.0
"""Seconds without an event after which a watch that allows bookmarks gets one."""
LONGEST = 1800.0
"""Seconds that a watch lasts when the client names no limit."""


@dataclass(eq=False)
class Watch:
    """What a client watches, and how it wants to be told."""

    store: Store
    kind: Kind
    route: Route
    query: Mapping[str, str]
    render: Callable[[Json], Json]

    def __post_init__(self) -> None:
        check_version_query(self.query, self.store, watch=True)
        self.matches = matcher(self.kind, self.query)
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """End the stream; called in the loop's own thread."""
        self.queue.put_nowait(None)

    def _hear(self, event: Event) -> None:
        if event.resource == self.kind.key:
            self._loop.call_soon_threadsafe(self.queue.put_nowait, event)

    def _wanted(self, obj: Json) -> bool:
        meta = obj["metadata"]
        if self.route.namespace and meta.get("namespace") != self.route.namespace:
            return False
        if self.route.name and meta["name"] != self.route.name:
            return False
        return self.matches(obj)

    def _line(self, event: Event) -> bytes | None:
        """One event as this client sees it: an object may enter or leave its selection."""
        is_in = event.type != "DELETED" and self._wanted(event.object)
        was_in = event.old is not None and self._wanted(event.old)
        if not is_in and not was_in:
            return None
        if is_in:
            shown, kind = event.object, "MODIFIED" if was_in else "ADDED"
        else:
            meta = {**event.object["metadata"], "resourceVersion": str(event.version)}
            shown, kind = {**event.object, "metadata": meta}, "DELETED"
        return _encode(kind, self.render(shown))

    def _bookmark(self, version: int, *, initial_end: bool = False) -> bytes:
        meta: Json = {"resourceVersion": str(version), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        shown = {"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": meta}
        return _encode("BOOKMARK", shown)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """The encoded events, until the limit or `close`."""
        with self.store.lock:
            try:
                first = self._first_lines()
            except ApiError as refusal:
                first = [_encode("ERROR", refusal.status())]
                self.close()
            seen = self.store.version
            self.store.listen(self._hear)
        try:
            for line in first:
                yield line
            async for line in self._following(seen):
                yield line
        finally:
            self.store.forget(self._hear)

    async def _following(self, seen: int) -> AsyncIterator[bytes]:
        limit = float(self.query.get("timeoutSeconds") or LONGEST)
        ends = self._loop.time() + limit
        bookmarks = is_on(self.query.get("allowWatchBookmarks"))
        while (left := ends - self._loop.time()) > 0:
            try:
                event = await asyncio.wait_for(self.queue.get(), min(left, BOOKMARK_EVERY))
            except TimeoutError:
                if bookmarks:
                    yield self._bookmark(seen)
                continue
            if event is None:
                return
            seen = event.version
            line = self._line(event)
            if line is not None:
                yield line

    def _first_lines(self) -> list[bytes]:
        sent = self.query.get("resourceVersion", "")
        initial = is_on(self.query.get("sendInitialEvents"))
        if not initial and sent not in ("", "0"):
            events = self.store.since(int(sent))
            told = [self._line(one) for one in events if one.resource == self.kind.key]
            return [line for line in told if line is not None]
        lines = []
        if self.query.get("sendInitialEvents") not in ("false", "0"):
            present = self.store.items(self.kind.key, self.route.namespace or None)
            lines = [_encode("ADDED", self.render(obj)) for obj in present if self._wanted(obj)]
        if initial:
            lines.append(self._bookmark(self.store.version, initial_end=True))
        return lines


def _encode(kind: str, obj: Json) -> bytes:
    return compact({"type": kind, "object": obj}) + b"\n"
