"""Owner references: what belongs to something gone goes too; namespaces empty themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import (
    Controller,
    Key,
    condition,
    is_ending,
    key_of,
)
from wizard.practice.kubernetes.deletion import FOREGROUND, ORPHAN
from wizard.practice.kubernetes.json_tools import clone

if TYPE_CHECKING:
    from wizard.practice.kubernetes.controllers.base import Context
    from wizard.practice.kubernetes.store import Event

Json = dict[str, Any]

_DELAY = 0.2
"""Seconds until an owner is looked after that waits for its dependents: one can see it wait."""


class Garbage(Controller):
    """The garbage collector. Its keys are uids of owners, in the place of a namespace."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._since: dict[str, float] = {}

    def keys(self, event: Event, kind: str) -> Iterable[Key]:  # noqa: ARG002
        """Owners that are gone or going, and the owners of what is gone."""
        meta = event.object["metadata"]
        if event.type == "DELETED" or is_ending(event.object):
            yield meta["uid"], ""
        if event.type != "MODIFIED":
            for one in meta.get("ownerReferences") or []:
                yield one["uid"], ""

    def every_key(self) -> Iterable[Key]:
        """Every owner that an object names."""
        return {
            (one["uid"], "")
            for _, obj in self.api.store.everything()
            for one in obj["metadata"].get("ownerReferences") or []
        }

    def reconcile(self, key: Key) -> None:
        """Collect what belongs to one owner."""
        owner = self.api.store.by_uid(key[0])
        if owner is None:
            self._collect(key[0], foreground=False)
        elif is_ending(owner):
            self._release(owner)

    def _release(self, owner: Json) -> None:
        """Let an owner go that waits for its dependents, once they are gone or let go, too."""
        uid, has = owner["metadata"]["uid"], owner["metadata"].get("finalizers") or []
        if not {FOREGROUND, ORPHAN} & set(has):
            return
        if self._since.setdefault(uid, time.monotonic()) + _DELAY > time.monotonic():
            self.again((uid, ""), _DELAY)
            return
        if ORPHAN in has:
            for _, obj in list(self.api.dependents(uid)):
                self._let_go(obj, uid)
        elif self._collect(uid, foreground=True):
            return
        self._since.pop(uid, None)
        released = clone(owner)
        released["metadata"]["finalizers"] = [it for it in has if it not in (FOREGROUND, ORPHAN)]
        self.api.change(released)

    def _let_go(self, obj: Json, uid: str) -> None:
        kept = clone(obj)
        others = [one for one in obj["metadata"]["ownerReferences"] if one["uid"] != uid]
        kept["metadata"]["ownerReferences"] = others
        if not others:
            del kept["metadata"]["ownerReferences"]
        self.api.change(kept)

    def _collect(self, uid: str, *, foreground: bool) -> bool:
        """Delete the dependents; true while some are still there."""
        blocking = False
        for kind, obj in list(self.api.dependents(uid)):
            meta = obj["metadata"]
            others = [one for one in meta["ownerReferences"] if one["uid"] != uid]
            if any(self.api.store.by_uid(one["uid"]) for one in others):
                self._let_go(obj, uid)
                continue
            blocking = True
            if not is_ending(obj):
                policy = "Foreground" if foreground else "Background"
                self.api.delete(kind, *key_of(obj), {"propagationPolicy": policy})
        return blocking and foreground and any(self.api.dependents(uid))


class Namespaces(Controller):
    """Gives each namespace its default objects, and empties one that is being deleted."""

    kind = "Namespace"

    def keys(self, event: Event, kind: str) -> Iterable[Key]:
        """The namespace itself, or that of an object which is gone."""
        meta = event.object["metadata"]
        if kind == "Namespace":
            yield "", meta["name"]
        elif event.type == "DELETED" and meta.get("namespace"):
            yield "", meta["namespace"]

    def sync(self, obj: Json) -> None:
        """Fill or empty one namespace."""
        name = obj["metadata"]["name"]
        if is_ending(obj):
            self._empty(obj)
            return
        if self.api.find("ServiceAccount", name, "default") is None:
            account = {"metadata": {"name": "default"}}
            self.api.create(self.api.named("ServiceAccount"), name, account)
        if self.api.find("ConfigMap", name, "kube-root-ca.crt") is None:
            authority = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "practice"}}
            self.api.create(self.api.named("ConfigMap"), name, authority)

    def _empty(self, namespace: Json) -> None:
        name = namespace["metadata"]["name"]
        for resource, obj in self._in(name):
            kind = self.api.kinds.by_resource(*resource)
            if kind is not None and not is_ending(obj):
                options = {"propagationPolicy": "Background"}
                self.api.delete(kind, name, obj["metadata"]["name"], options)
        left = self._in(name)
        if not left:
            self.api.store.remove(self.api.named("Namespace").key, "", name)
            return
        changed = clone(namespace)
        for told in _remaining(left):
            condition(changed["status"], *told)
        self.api.change(changed)

    def _in(self, name: str) -> list[tuple[tuple[str, str], Json]]:
        return [
            (resource, obj)
            for resource, obj in self.api.store.everything()
            if obj["metadata"].get("namespace") == name
        ]


def _remaining(left: list[tuple[tuple[str, str], Json]]) -> list[tuple[str, str, str, str]]:
    """The conditions of a namespace that cannot go yet."""
    there = Counter(f"{plural}.{group}" for (group, plural), _ in left)
    held = Counter(name for _, obj in left for name in obj["metadata"].get("finalizers") or [])
    many = ", ".join(f"{name} has {number} resource instances" for name, number in there.items())
    waits = ", ".join(f"{name} in {number} resource instances" for name, number in held.items())
    found = "All resources successfully discovered"
    parsed = "All legacy kube types successfully parsed"
    gone = "All content successfully deleted, may be waiting on finalization"
    many = f"Some resources are remaining: {many}"
    told = [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", found),
        ("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions", parsed),
        ("NamespaceDeletionContentFailure", "False", "ContentDeleted", gone),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", many),
    ]
    name, text = "NamespaceFinalizersRemaining", "All content-preserving finalizers finished"
    if held:
        text = f"Some content in the namespace has finalizers remaining: {waits}"
        return [*told, (name, "True", "SomeFinalizersRemain", text)]
    return [*told, (name, "False", "ContentHasNoFinalizers", text)]
