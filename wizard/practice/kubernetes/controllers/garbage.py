"""Owner references: what belongs to something gone goes too; namespaces empty themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import Controller, Key, is_ending
from wizard.practice.kubernetes.deletion import FOREGROUND
from wizard.practice.kubernetes.json_tools import clone

if TYPE_CHECKING:
    from wizard.practice.kubernetes.store import Event

Json = dict[str, Any]


class Garbage(Controller):
    """The garbage collector. Its keys are uids of owners, in the place of a namespace."""

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
        uid = key[0]
        owner = next(
            (obj for _, obj in self.api.store.everything() if obj["metadata"]["uid"] == uid), None
        )
        if owner is None:
            self._collect(uid, foreground=False)
        elif is_ending(owner) and FOREGROUND in owner["metadata"].get("finalizers", []):
            self._foreground(owner)

    def _foreground(self, owner: Json) -> None:
        """Let an owner go that waits for its dependents, once there are none."""
        if self._collect(owner["metadata"]["uid"], foreground=True):
            return
        released = clone(owner)
        names = [one for one in released["metadata"]["finalizers"] if one != FOREGROUND]
        released["metadata"]["finalizers"] = names
        self.api.change(released)

    def _collect(self, uid: str, *, foreground: bool) -> bool:
        """Delete the dependents; true while some are still there."""
        blocking = False
        for kind, obj in list(self.api.dependents(uid)):
            meta = obj["metadata"]
            others = [one for one in meta["ownerReferences"] if one["uid"] != uid]
            if others and self._any_alive({one["uid"] for one in others}):
                kept = clone(obj)
                kept["metadata"]["ownerReferences"] = others
                self.api.change(kept)
                continue
            blocking = True
            if not is_ending(obj):
                policy = "Foreground" if foreground else "Background"
                namespace = meta.get("namespace", "")
                self.api.delete(kind, namespace, meta["name"], {"propagationPolicy": policy})
        return blocking and foreground and any(self.api.dependents(uid))

    def _any_alive(self, uids: set[str]) -> bool:
        return any(obj["metadata"]["uid"] in uids for _, obj in self.api.store.everything())


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
            self._empty(name)
            return
        if self.api.find("ServiceAccount", name, "default") is None:
            account = {"metadata": {"name": "default"}}
            self.api.create(self.api.named("ServiceAccount"), name, account)
        if self.api.find("ConfigMap", name, "kube-root-ca.crt") is None:
            authority = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "practice"}}
            self.api.create(self.api.named("ConfigMap"), name, authority)

    def _empty(self, name: str) -> None:
        left = False
        for resource, obj in self.api.store.everything():
            if obj["metadata"].get("namespace") != name:
                continue
            left = True
            kind = self.api.kinds.by_resource(*resource)
            if kind is not None and not is_ending(obj):
                self.api.delete(
                    kind, name, obj["metadata"]["name"], {"propagationPolicy": "Background"}
                )
        still = any(
            obj["metadata"].get("namespace") == name for _, obj in self.api.store.everything()
        )
        if not left or not still:
            self.api.store.remove(self.api.named("Namespace").key, "", name)
