"""Where the objects are: one resourceVersion counter, a history to watch from, snapshots."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import gone

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
ResourceKey = tuple[str, str]  # group, plural
ObjectKey = tuple[str, str]  # namespace ("" when cluster-scoped), name

HISTORY = 1000
"""Events kept for watches that start from an older resourceVersion; older ones answer 410."""
FIRST = 1000
"""The resourceVersion of an empty store."""


@dataclass(frozen=True)
class Event:
    """One change: ADDED, MODIFIED or DELETED. `old` is what stood there before."""

    type: str
    resource: ResourceKey
    object: Json
    old: Json | None
    version: int


@dataclass(frozen=True)
class Snapshot:
    """The whole state at one moment. Objects in it are shared and must not be changed."""

    objects: dict[ResourceKey, dict[ObjectKey, Json]]
    version: int


def object_key(obj: Json) -> ObjectKey:
    """Namespace and name."""
    meta = obj["metadata"]
    return (meta.get("namespace", ""), meta["name"])


class Store:
    """Objects by resource. What is stored is never changed in place: copy, then put.

    All methods are thread-safe; listeners are called with the lock held and must only hand over.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._objects: dict[ResourceKey, dict[ObjectKey, Json]] = {}
        self._uids: dict[str, Json | None] = {}
        self._owned: defaultdict[str, dict[tuple[ResourceKey, ObjectKey], Json]] = defaultdict(dict)
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._listeners: list[Callable[[Event], None]] = []
        self.version = FIRST

    def get(self, resource: ResourceKey, namespace: str, name: str) -> Json | None:
        """The stored object itself, or None."""
        with self.lock:
            return self._objects.get(resource, {}).get((namespace, name))

    def items(self, resource: ResourceKey, namespace: str | None = None) -> list[Json]:
        """The objects of one resource, by namespace and name; None means every namespace."""
        with self.lock:
            found = self._objects.get(resource, {})
            return [found[key] for key in sorted(found) if namespace is None or key[0] == namespace]

    def everything(self) -> list[tuple[ResourceKey, Json]]:
        """Every object with its resource."""
        with self.lock:
            return [(key, obj) for key, objs in self._objects.items() for obj in objs.values()]

    def by_uid(self, uid: str) -> Json | None:
        """The object with this uid, or None."""
        return self._uids.get(uid)

    def dependents(self, uid: str) -> list[tuple[ResourceKey, Json]]:
        """Every object that names `uid` as an owner, with its resource, in their order."""
        with self.lock:
            return [(key[0], self._owned[uid][key]) for key in sorted(self._owned[uid])]

    def put(self, resource: ResourceKey, obj: Json) -> Json:
        """Store under a new resourceVersion (set on `obj`, which the store then owns)."""
        with self.lock:
            self.version += 1
            obj["metadata"]["resourceVersion"] = str(self.version)
            shelf = self._objects.setdefault(resource, {})
            old = shelf.get(object_key(obj))
            shelf[object_key(obj)] = obj
            self._tell(Event("MODIFIED" if old else "ADDED", resource, obj, old, self.version))
            return obj

    def remove(self, resource: ResourceKey, namespace: str, name: str) -> Json | None:
        """Take out; gives the last state under the resourceVersion of the removal."""
        with self.lock:
            old = self._objects.get(resource, {}).pop((namespace, name), None)
            if old is None:
                return None
            self.version += 1
            meta = {**old["metadata"], "resourceVersion": str(self.version)}
            last = {**old, "metadata": meta}
            self._tell(Event("DELETED", resource, last, old, self.version))
            return last

    def _tell(self, event: Event) -> None:
        new = None if event.type == "DELETED" else event.object
        for obj in filter(None, (event.old, new)):
            meta, key = obj["metadata"], (event.resource, object_key(obj))
            self._uids[meta["uid"]] = obj if obj is new else None
            for one in meta.get("ownerReferences") or []:
                owned = self._owned[one["uid"]]
                owned.update({key: obj}) if obj is new else owned.pop(key, None)
        self._history.append(event)
        for listener in self._listeners:
            listener(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for each later change."""
        with self.lock:
            self._listeners.append(listener)

    def forget(self, listener: Callable[[Event], None]) -> None:
        """Stop calling it."""
        with self.lock:
            self._listeners.remove(listener)

    def since(self, version: int) -> list[Event]:
        """The changes after a resourceVersion."""
        with self.lock:
            full = len(self._history) == HISTORY
            oldest = self._history[0].version - 1 if full else FIRST
            if version < oldest:
                raise gone(version, oldest)
            return [event for event in self._history if event.version > version]

    def snapshot(self) -> Snapshot:
        """The whole state, as it is now."""
        with self.lock:
            return Snapshot({key: dict(objs) for key, objs in self._objects.items()}, self.version)

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot's objects back; watchers see the differences.

        An object that still is what the snapshot holds keeps its resourceVersion; one that differs
        comes back under a new one, so that no client takes it for something older.
        """
        with self.lock:
            for resource, obj in self.everything():
                key = object_key(obj)
                if key not in snapshot.objects.get(resource, {}):
                    self.remove(resource, *key)
            for resource, objs in snapshot.objects.items():
                for key, obj in objs.items():
                    if self._objects.get(resource, {}).get(key) is not obj:
                        self.put(resource, {**obj, "metadata": dict(obj["metadata"])})
