"""Deleting: preconditions, grace, finalizers and what becomes of the dependents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import precondition
from wizard.practice.kubernetes.json_tools import clone, dig, now
from wizard.practice.kubernetes.stamps import same

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.store import Store

Json = dict[str, Any]

FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that waits for its dependents to go first."""


def delete(store: Store, kind: Kind, old: Json, options: Json) -> tuple[Json, bool]:
    """Delete, or mark as being deleted: (the object, whether it is gone). Wants the lock held.

    Raises:
        ApiError: 409, when a precondition does not hold.
    """
    meta = old["metadata"]
    _check_preconditions(kind, old, options.get("preconditions") or {})
    if "All" in (options.get("dryRun") or []):
        return old, True
    policy = options.get("propagationPolicy") or ""
    if not policy and (options.get("orphanDependents") or kind.kind == "Job"):
        policy = "Orphan"
    if policy == "Orphan":
        _orphan(store, meta["uid"])
    marked = clone(old)
    _mark(kind, marked, options, foreground=policy == "Foreground")
    if "deletionTimestamp" in marked["metadata"]:
        return (old if same(old, marked) else store.put(kind.key, marked)), False
    return store.remove(kind.key, meta.get("namespace", ""), meta["name"]) or old, True


def _mark(kind: Kind, obj: Json, options: Json, *, foreground: bool) -> None:
    """Set deletionTimestamp where the object cannot go at once."""
    meta = obj["metadata"]
    if foreground and FOREGROUND not in meta.get("finalizers", []):
        meta["finalizers"] = [*meta.get("finalizers", []), FOREGROUND]
    grace = _grace(kind, obj, options)
    waits = bool(meta.get("finalizers")) or grace > 0 or kind.kind == "Namespace"
    if not waits:
        meta.pop("deletionTimestamp", None)
        return
    meta.setdefault("deletionTimestamp", now())
    meta["deletionGracePeriodSeconds"] = grace
    if kind.kind == "Namespace":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}


def _orphan(store: Store, uid: str) -> None:
    for resource, obj in store.everything():
        owners = obj["metadata"].get("ownerReferences") or []
        kept = [one for one in owners if one.get("uid") != uid]
        if len(kept) != len(owners):
            freed = clone(obj)
            freed["metadata"]["ownerReferences"] = kept
            store.put(resource, freed)


def _grace(kind: Kind, obj: Json, options: Json) -> int:
    """Seconds that a pod is given to stop; 0 for what has nothing to stop."""
    if kind.kind != "Pod" or not dig(obj, "spec", "nodeName"):
        return 0
    if dig(obj, "status", "phase") in ("Succeeded", "Failed"):
        return 0
    sent = options.get("gracePeriodSeconds")
    return int(
        dig(obj, "spec", "terminationGracePeriodSeconds", default=30) if sent is None else sent
    )


def _check_preconditions(kind: Kind, obj: Json, wanted: Json) -> None:
    for field, spoken in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        sent, found = wanted.get(field), obj["metadata"][field]
        if sent and sent != found:
            raise precondition(kind, obj["metadata"]["name"], spoken, sent, found)
