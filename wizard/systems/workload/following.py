"""A workload as it changes: read, and then told by a watch; read again where nothing tells.

It is watched from a reading of the wait's own on, so that nothing older can say "done". Every ten
seconds, and without the right to watch, it is read again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from wizard.systems.kubernetes.cluster import Cluster, Resource
from wizard.systems.kubernetes.watching import ObjectWatch

READ_SECONDS = 10.0
"""So old what is known may be at most, whatever a watch tells."""


class Following:
    """One object, from its first reading on; `read` gets it from the API server.

    Without the right to watch it, or while the watch is broken, it is read at each look.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespace: str,
        name: str,
        read: Callable[[], dict[str, Any]],
    ) -> None:
        self._cluster = cluster
        self._what = resource, namespace, name
        self._read = read
        self._watch: ObjectWatch | None = None
        self._changed = threading.Event()
        self._newest: dict[str, Any] | None = None
        self._at = 0.0

    def newest(self) -> dict[str, Any]:
        """The object as it is now.

        Raises:
            Problem: it cannot be read.
        """
        self._changed.clear()
        told = self._newest
        watched = self._watch is not None and self._watch.open
        if told is None or not watched or time.monotonic() - self._at > READ_SECONDS:
            told = self._again()
        return told

    def pause(self, seconds: float) -> None:
        """Wait until it changes, and no longer than so many seconds."""
        if self._watch is None and self._newest:
            self._watch = self._begin(self._newest)
        self._changed.wait(seconds)

    def close(self) -> None:
        """Watch it no longer."""
        if self._watch:
            self._watch.close()

    def _again(self) -> dict[str, Any]:
        self._newest = found = self._read()
        self._at = time.monotonic()
        return found

    def _begin(self, found: dict[str, Any]) -> ObjectWatch:
        versions = [str(found["metadata"]["resourceVersion"])]

        def begin() -> str:
            """From what was just read; read again where the server has forgotten that."""
            return versions.pop() if versions else str(self._again()["metadata"]["resourceVersion"])

        resource, namespace, name = self._what
        return ObjectWatch(
            self._cluster, resource, namespace, begin=begin, take=self._take, name=name
        )

    def _take(self, kind: str, found: dict[str, Any]) -> None:
        """What the watch tells; of one that is gone the reading says so."""
        self._newest = found if kind in ("ADDED", "MODIFIED") else None
        self._changed.set()
