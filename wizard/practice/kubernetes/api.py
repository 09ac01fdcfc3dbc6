"""Create, update, apply and delete as the API server does them, above the store."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.apply import track_update
from wizard.practice.kubernetes.defaults import apply_defaults, normalise
from wizard.practice.kubernetes.deletion import delete
from wizard.practice.kubernetes.errors import (
    ApiError,
    already_exists,
    forbidden,
    invalid,
    not_found,
    rejected,
    unknown_path,
)
from wizard.practice.kubernetes.json_tools import clone, now
from wizard.practice.kubernetes.kinds import Kind, Kinds
from wizard.practice.kubernetes.pod_limits import check_quotas, fill_limits
from wizard.practice.kubernetes.policies import admit
from wizard.practice.kubernetes.reading import Ask
from wizard.practice.kubernetes.stamps import carry_over, check_version, same, stamp, status_only
from wizard.practice.kubernetes.store import Store
from wizard.practice.kubernetes.validation import validate, warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_UNCOUNTED = frozenset(
    {"", "rbac.authorization.k8s.io", "coordination.k8s.io", "autoscaling", "storage.k8s.io"}
)
_CONTROLLER = Ask()
"""How the cluster's own controllers write: they stand in no managedFields."""


def name_suffix(length: int = 5) -> str:
    """A random end of a name, without vowels."""
    return "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(length))


class Api:
    """The rules of the API server for objects. Every method is synchronous and thread-safe."""

    def __init__(self, store: Store, kinds: Kinds) -> None:
        self.store = store
        self.kinds = kinds

    def kind_of(self, obj: Json) -> Kind:
        """The kind of an object, by its apiVersion and kind."""
        group = str(obj.get("apiVersion", "")).rpartition("/")[0]
        kind = self.kinds.by_name(str(obj.get("kind", "")), group)
        if kind is None:
            raise unknown_path()
        return kind

    def named(self, name: str) -> Kind:
        """The kind called `Pod` or `pods`; for the program's own use."""
        kind = self.kinds.by_name(name)
        if kind is None:
            raise KeyError(name)
        return kind

    def find(self, name: str, namespace: str | None, object_name: str) -> Json | None:
        """The stored object itself (never change it), or None."""
        return self.store.get(self.named(name).key, namespace or "", object_name)

    def items(self, name: str, namespace: str | None = None) -> list[Json]:
        """The stored objects themselves of one kind."""
        return self.store.items(self.named(name).key, namespace)

    def owned(self, name: str, owner: Json) -> list[Json]:
        """The objects of one kind whose controller is `owner`."""
        uid, key = owner["metadata"]["uid"], self.named(name).key
        mine = {"uid": uid, "controller": True}.items()
        found = [obj for resource, obj in self.store.dependents(uid) if resource == key]
        return [
            obj
            for obj in found
            if any(mine <= one.items() for one in obj["metadata"]["ownerReferences"])
        ]

    def read(self, kind: Kind, namespace: str, name: str) -> Json:
        """The stored object itself."""
        found = self.store.get(kind.key, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def create(
        self, kind: Kind, namespace: str, sent: Json, ask: Ask = _CONTROLLER, *, owned: bool = False
    ) -> Json:
        """Store a new object; `owned` when its managedFields are already right."""
        with self.store.lock:
            obj = self._prepared(kind, namespace, sent)
            meta = obj["metadata"]
            name = meta["name"]
            if meta.pop("resourceVersion", None):
                raise rejected("resourceVersion should not be set on objects to be created")
            self._check_namespace(kind, namespace, name)
            if "status" in kind.subresources:
                obj.pop("status", None)
            fill_limits(self.store, kind, obj)
            self._finish(kind, obj)
            ask.warnings += warnings(obj) if ask.manager else ()
            admit(self.store, kind, obj, None)
            check_quotas(self.store, kind, obj)
            old = self.store.get(kind.key, namespace, name)
            if old is not None:
                raise already_exists(kind, name, ending="deletionTimestamp" in old["metadata"])
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = now()
            for name in (
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "selfLink",
                "generation",
            ):
                meta.pop(name, None)
            if self._counts(kind):
                meta["generation"] = 1
            stamp(kind, obj)
            if not owned:
                meta.pop("managedFields", None)
            if ask.manager and not owned:
                track_update(None, obj, ask.manager, custom=kind.custom, sent=sent)
            return obj if ask.dry_run else self.store.put(kind.key, obj)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        sent: Json,
        ask: Ask = _CONTROLLER,
        *,
        owned: bool = False,
        subresource: str = "",
        patched: bool = False,
    ) -> Json:
        """Replace an object, or its status alone; the same again is no write."""
        with self.store.lock:
            old = self.read(kind, namespace, name)
            obj = self._prepared(kind, namespace, {**sent, "metadata": dict(sent["metadata"])})
            check_version(kind, old, obj, patched=patched)
            if subresource == "status":
                obj = status_only(old, obj)
            elif "status" in kind.subresources:
                obj.pop("status", None)
                if "status" in old:
                    obj["status"] = old["status"]
            carry_over(kind, old, obj)
            if subresource != "status":
                self._finish(kind, obj, old)
                ask.warnings += warnings(obj) if ask.manager else ()
                admit(self.store, kind, obj, old)
            return self._replace(kind, old, obj, ask, owned=owned, subresource=subresource)

    def _replace(
        self, kind: Kind, old: Json, obj: Json, ask: Ask, *, owned: bool, subresource: str
    ) -> Json:
        meta, before = obj["metadata"], old["metadata"]
        same_owners = meta.get("managedFields") == before.get("managedFields")
        unsaid = not owned and ("managedFields" not in meta or subresource == "controller")
        if same(old, obj) and (same_owners or unsaid):
            return old
        if self._counts(kind):
            bare = {key: one for key, one in obj.items() if key not in ("metadata", "status")}
            bound = kind.kind == "Pod" and subresource == "controller"  # it gets its node
            changed = not bound and any(old.get(key) != one for key, one in bare.items())
            if kind.kind == "Deployment" and subresource not in ("status", "controller"):
                changed |= (meta.get("annotations") or {}) != (before.get("annotations") or {})
            meta["generation"] = before.get("generation", 1) + int(changed)
        if not owned:
            sent = meta.pop("managedFields", None)
            if sent and subresource != "controller":  # a client may rewrite who owns what
                old = {**old, "metadata": {**before, "managedFields": list(filter(None, sent))}}
            if ask.manager:
                track_update(old, obj, ask.manager, custom=kind.custom, subresource=subresource)
            elif "managedFields" in old["metadata"]:
                meta["managedFields"] = old["metadata"]["managedFields"]
        if ask.dry_run:
            return obj
        waits = meta.get("finalizers") or kind.kind == "Namespace"
        if "deletionTimestamp" in meta and not waits and not meta.get("deletionGracePeriodSeconds"):
            self.store.remove(kind.key, meta.get("namespace", ""), meta["name"])
            return obj
        return self.store.put(kind.key, obj)

    def change(self, obj: Json) -> Json:
        """Store a controller's changed copy of an object, if it still exists and differs.

        The generation counts a change of spec; the sent resourceVersion is not compared.
        """
        with self.store.lock:
            kind = self.kind_of(obj)
            meta = obj["metadata"]
            old = self.store.get(kind.key, meta.get("namespace", ""), meta["name"])
            if old is None or old["metadata"]["uid"] != meta["uid"]:
                return obj
            return self._replace(kind, old, obj, _CONTROLLER, owned=False, subresource="controller")

    def delete(
        self, kind: Kind, namespace: str, name: str, options: Json | None = None
    ) -> tuple[Json, bool]:
        """Delete, or mark as being deleted: (the object, whether it is gone)."""
        with self.store.lock:
            old = self.read(kind, namespace, name)
            return delete(self.store, kind, old, options or {})

    def _counts(self, kind: Kind) -> bool:
        return kind.custom or kind.group not in _UNCOUNTED or kind.kind == "Pod"

    def _prepared(self, kind: Kind, namespace: str, sent: Json) -> Json:
        obj: Json = clone(sent)
        meta = obj.get("metadata")
        meta = obj["metadata"] = meta if isinstance(meta, dict) else {}
        if not kind.custom:
            try:
                obj = normalise(obj)
            except ValueError as problem:
                told = f'Invalid value: "{problem}": quantities must match the regular expression'
                raise invalid(kind, meta.get("name", ""), [("spec", told)]) from problem
            meta = obj["metadata"]
        else:
            obj["metadata"] = meta = normalise(meta, "metadata")
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + name_suffix()
        if not meta.get("name"):
            told = "Required value: name or generateName is required"
            raise invalid(kind, "", [("metadata.name", told)])
        if meta.get("namespace", namespace) != namespace:
            told = "the namespace of the provided object does not match the namespace sent on the "
            raise ApiError(400, told + "request")
        if namespace:
            meta["namespace"] = namespace
        return obj

    def _finish(self, kind: Kind, obj: Json, old: Json | None = None) -> None:
        if not kind.custom:
            apply_defaults(obj)
        validate(kind, obj, old)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        home = self.find("Namespace", None, namespace)
        if home is None:
            raise not_found(self.named("Namespace"), namespace)
        if "deletionTimestamp" in home["metadata"]:
            told = f"namespace {namespace} is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": told}
            raise forbidden(
                kind,
                name,
                f"unable to create new content in namespace {namespace} because it is being "
                "terminated",
                causes=[{**cause, "field": "metadata.namespace"}],
            )

    def dependents(self, uid: str) -> Iterator[tuple[Kind, Json]]:
        """Every object that names `uid` as an owner."""
        for resource, obj in self.store.dependents(uid):
            kind = self.kinds.by_resource(*resource)
            if kind is not None:
                yield kind, obj
