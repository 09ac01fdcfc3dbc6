"""All events of a range: windows of a day, several at a time, each in order and given once.

Each window has a chain of cursors of its own, so that no start time stays behind for long and a
dead cursor costs one window: that is read again in parts, whose chains are shorter. So is one with
too many events for memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from datetime import timedelta

from wizard.events.range import Range, days
from wizard.events.source import Source
from wizard.problems import Problem
from wizard.record import dataclass, field
from wizard.records.event import Event

CROWDED = 4_000
"""Events from which on a window is cut."""
CUTS = 4
NARROWEST = timedelta(seconds=1)
DEAD = ("LSA820", "LSA825")
"""What a server says of a cursor that it does not know any more (400, 422)."""
LOOK = 0.2
"""Seconds between two looks whether a stop was asked for."""


@dataclass(frozen=True)
class Window:
    """What one window had: its events in order, and how many came more than once."""

    range: Range
    events: Collection[Event] = field(default_factory=list)
    repeated: int = 0


class _Cut(Exception):
    """The window is read in parts: it has more events than memory is for, or its cursor died."""


class Windows:
    """The windows of a range, oldest first, or newest first when `backwards`.

    Attributes:
        repeated: how many events came again within a window, or in the one after it.
    """

    def __init__(
        self,
        source: Source,
        range: Range,
        *,
        at_a_time: int = 4,
        backwards: bool = False,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._range = range
        self._at_a_time = at_a_time
        self._step = -1 if backwards else 1
        self._look = look
        self.repeated = 0

    def __iter__(self) -> Iterator[Window]:
        """Read on while the windows are taken; `look` is called again and again while one waits.

        Raises:
            Problem: a window could not be read; those before it were given.
        """
        waiting = deque(days(self._range)[:: self._step])
        under_way = deque[tuple[Range, Future[Window]]]()
        before = frozenset[str]()
        while waiting or under_way:
            while waiting and len(under_way) < self._at_a_time:
                under_way.append(self._start(waiting.popleft()))
            span, future = under_way.popleft()
            try:
                window = self._result(future)
            except _Cut:
                part = (span.end - span.start) / CUTS
                parts = days(span, longest=part)[:: self._step]
                under_way.extendleft(reversed([self._start(it) for it in parts]))
                continue
            yield self._once(window, before)
            before = frozenset(event.uid for event in window.events)

    def _once(self, window: Window, before: frozenset[str]) -> Window:
        """The window without what the one before it had already: they share a moment."""
        events = [event for event in window.events if event.uid not in before]
        repeated = window.repeated + len(window.events) - len(events)
        self.repeated += repeated
        return Window(window.range, events, repeated)

    def _result(self, future: Future[Window]) -> Window:
        while True:
            self._look()
            try:
                return future.result(LOOK)
            except NotYet:
                continue

    def _start(self, span: Range) -> tuple[Range, Future[Window]]:
        future = Future[Window]()

        def run() -> None:
            try:
                future.set_result(self._chain(span))
            except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return span, future

    def _chain(self, span: Range) -> Window:
        known: dict[str, Event] = {}
        came, pages = 0, 0
        cut = span.end - span.start > NARROWEST
        try:
            for page in self._source.pages(span):
                pages += 1
                came += len(page.events)
                for event in page.events:
                    known.setdefault(event.uid, event)
                if len(known) > CROWDED and cut:
                    raise _Cut
        except Problem as problem:
            if pages and problem.id in DEAD and cut:
                raise _Cut from None
            raise
        events = sorted(known.values(), reverse=self._step < 0)
        return Window(span, events, came - len(known))
