"""Deleting: preconditions, grace, finalizers and what becomes of the dependents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import precondition
from wizard.practice.kubernetes.json_tools import clone, dig, now, words
from wizard.practice.kubernetes.stamps import same

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.store import Store

Json = dict[str, Any]

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
"""Finalizers of an object that waits until its dependents are gone, or let go."""
_FINALIZERS = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN], "Background": []}
_ORPHAN_BY_DEFAULT = "Job"
_ANSWERED = words("Pod Service ServiceAccount PersistentVolumeClaim ResourceQuota")
"""Kinds of which a delete answers the object, also when it is gone."""
PRESERVED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)
"""What a delete of a Job without a policy is warned of."""


def delete(store: Store, kind: Kind, old: Json, options: Json) -> tuple[Json, bool]:
    """Delete, or mark as being deleted: (the object, whether it is gone). Wants the lock held."""
    meta = old["metadata"]
    _check_preconditions(kind, old, options.get("preconditions") or {})
    if "All" in (options.get("dryRun") or []):
        return old, True
    marked = clone(old)
    if _mark(kind, marked, options):
        return (old if same(old, marked) else store.put(kind.key, marked)), False
    gone = store.remove(kind.key, meta.get("namespace", ""), meta["name"]) or old
    if kind.kind == "Pod":
        version = gone["metadata"]["resourceVersion"]
        gone = {**marked, "metadata": {**marked["metadata"], "resourceVersion": version}}
    return gone, True


def answers_object(kind: Kind) -> bool:
    """Whether a delete that is done answers the object and no Status."""
    return kind.kind in _ANSWERED


def policy_of(options: Json) -> str:
    """The propagation policy that a client asks for, or ""."""
    orphans = options.get("orphanDependents")
    told = {None: "", True: "Orphan", "true": "Orphan"}.get(orphans, "Background")
    return str(options.get("propagationPolicy") or told)


def _mark(kind: Kind, obj: Json, options: Json) -> bool:
    """Set deletionTimestamp; whether the object cannot go at once."""
    meta = obj["metadata"]
    has = meta.get("finalizers") or []
    policy = policy_of(options)
    if not policy and not {FOREGROUND, ORPHAN} & set(has):
        policy = "Orphan" if kind.kind == _ORPHAN_BY_DEFAULT else "Background"
    if policy:
        kept = [one for one in has if one not in (FOREGROUND, ORPHAN)]
        meta["finalizers"] = kept + _FINALIZERS.get(policy, [])
    if not meta.get("finalizers"):
        meta.pop("finalizers", None)
    grace = _grace(kind, obj, options)
    waits = bool(meta.get("finalizers")) or grace > 0 or kind.kind == "Namespace"
    if not waits and kind.kind != "Pod":
        return False
    if "deletionTimestamp" not in meta and "generation" in meta:
        meta["generation"] += 1
    meta.setdefault("deletionTimestamp", now())
    if kind.kind == "Namespace":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    else:
        meta["deletionGracePeriodSeconds"] = grace
    return waits


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
