"""What changes in a namespace from a moment on, as it comes: of any kind, and events.

An API server keeps no cache of events: whatever is selected, every list reads all of them from its
store. A watch reads only what is new.
Source: kube-apiserver, --watch-cache-sizes (events are not cached).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from wizard.problems import Problem
from wizard.systems.kubernetes.cluster import EVENTS, Cluster, Resource
from wizard.systems.kubernetes.events import Event, gathered, times

WATCH_SECONDS = 30
"""The server ends each watch after so long, and the next one goes on from there."""

PAUSE = 1.0
"""Seconds between two watches."""

KEPT = 5_000
"""Of so many events the newest are kept."""

FORGOTTEN = "LSA218"

Take = Callable[[str, dict[str, Any]], None]


class ObjectWatch:
    """Watches objects of a kind (or the one of a `name`), in a thread, until it is closed.

    `begin` reads what is there and gives the resource version to go on from; it is called again
    where the server has forgotten that. `take` gets each change.

    Attributes:
        problem: why it cannot be begun or watched at the moment.
        open: whether a watch is open, so that a change would be told.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespace: str,
        *,
        begin: Callable[[], str],
        take: Take,
        name: str = "",
    ) -> None:
        self._cluster = cluster
        self._what = resource, namespace, name
        self._begin = begin
        self._take = take
        self._over = threading.Event()
        self._version = ""
        self.problem: Problem | None = None
        self.open = False
        self._try(self._start)
        threading.Thread(target=self._follow, name=resource.plural, daemon=True).start()

    def close(self) -> None:
        """Take nothing more; the thread ends with its watch."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.is_set():
            self._try(self._watch)
            self.open = False
            self._over.wait(PAUSE)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Problem as problem:
            if problem.id == FORGOTTEN:
                self._version = ""
            else:
                self.problem = problem

    def _start(self) -> None:
        self._version = self._begin()

    def _watch(self) -> None:
        """One watch, until the server ends it."""
        if not self._version:
            self._start()
        resource, namespace, name = self._what
        watch = self._cluster.watch(
            resource, namespace, self._version, seconds=WATCH_SECONDS, name=name
        )
        with watch as changes:
            self.problem = None
            self.open = True
            for kind, found in changes:
                if self._over.is_set():
                    return
                self._version = str(found["metadata"]["resourceVersion"])
                self._take(kind, found)


class EventWatch:
    """The events of a namespace, from when it is made until it is closed."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, tuple[dict[str, Any], int]] = {}
        self._watch = ObjectWatch(
            cluster,
            EVENTS,
            namespace,
            begin=lambda: cluster.version(EVENTS, namespace),
            take=self._take,
        )

    @property
    def problem(self) -> Problem | None:
        """Why events cannot be listed or watched at the moment."""
        return self._watch.problem

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
        """Take nothing more."""
        self._watch.close()

    def _take(self, kind: str, event: dict[str, Any]) -> None:
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
