"""The events of a namespace from a moment on, as they come.

An API server keeps no cache of events: whatever is selected, every list reads all of them from its
store. A watch reads only what is new.
Source: kube-apiserver, --watch-cache-sizes (events are not cached).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.cluster import EVENTS
from wizard.systems.events import Event, gathered, times

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster

WATCH_SECONDS = 30
"""The server ends each watch after so long, and the next one goes on from there."""

PAUSE = 1.0
"""Seconds between two watches."""

KEPT = 5_000
"""Of so many events the newest are kept."""

FORGOTTEN = "LSA218"


class EventWatch:
    """Watches the events of a namespace, in a thread, from when it is made until it is closed.

    Attributes:
        problem: why events cannot be listed or watched at the moment.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._found: dict[str, tuple[dict[str, Any], int]] = {}
        self._version = ""
        self.problem: Problem | None = None
        self._try(self._begin)
        threading.Thread(target=self._follow, name="events", daemon=True).start()

    def about(self, names: Collection[str]) -> tuple[Event, ...]:
        """The new events of objects of these names, the oldest first.

        Raises:
            Problem: events cannot be listed or watched at the moment.
        """
        if self.problem:
            raise self.problem
        with self._lock:
            found = list(self._found.values())
        return gathered(found, names)

    def close(self) -> None:
        """Take nothing more; the thread ends with its watch."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.is_set():
            self._try(self._watch)
            self._over.wait(PAUSE)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Problem as problem:
            if problem.id == FORGOTTEN:
                self._version = ""
            else:
                self.problem = problem

    def _begin(self) -> None:
        self._version = self._cluster.version(EVENTS, self._namespace)

    def _watch(self) -> None:
        """One watch, until the server ends it."""
        if not self._version:
            self._begin()
        watch = self._cluster.watch(EVENTS, self._namespace, self._version, seconds=WATCH_SECONDS)
        with watch as changes:
            self.problem = None
            for kind, event in changes:
                if self._over.is_set():
                    return
                self._take(kind, event)

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        self._version = str(event["metadata"]["resourceVersion"])
        if kind not in ("ADDED", "MODIFIED"):
            return
        uid = str(event["metadata"]["uid"])
        with self._lock:
            # One that was there before the start has just happened once more.
            new = times(event) if kind == "ADDED" else 1
            if uid in self._found:
                known, count = self._found.pop(uid)
                new = count + times(event) - times(known)
            self._found[uid] = event, new
            if len(self._found) > KEPT:
                del self._found[next(iter(self._found))]
