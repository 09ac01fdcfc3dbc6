"""What only the server writes: uids in selectors, what an update cannot change, sameness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import invalid, modified, other_uid, rejected
from wizard.practice.kubernetes.json_tools import clone, dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

_NEW_STATUS: dict[str, Json] = {
    **{kind: {} for kind in ("Deployment", "CronJob", "ResourceQuota")},
    **{kind: {"loadBalancer": {}} for kind in ("Service", "Ingress")},
    "ReplicaSet": {"replicas": 0},
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "PodDisruptionBudget": dict.fromkeys(
        ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0
    ),
}
"""The status of what has just been made."""
_JOB_LABELS = ("controller-uid", "job-name")
JOB_LABELS = (*(f"batch.kubernetes.io/{name}" for name in _JOB_LABELS), *_JOB_LABELS)
_KEPT_META = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def same(one: Json, other: Json) -> bool:
    """Whether two states are equal but for the bookkeeping of the server."""

    def bare(obj: Json) -> Json:
        ignored = ("resourceVersion", "managedFields", "generation")
        meta = {key: value for key, value in obj["metadata"].items() if key not in ignored}
        return {**obj, "metadata": meta}

    return bare(one) == bare(other)


def stamp(kind: Kind, obj: Json) -> None:
    """Fill in what needs the new object's uid; changes `obj`."""
    if kind.kind == "Job":
        _stamp_job(obj)
        obj["status"] = {}
    elif kind.kind == "Pod":
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj)}
    elif kind.kind == "Namespace":
        obj.setdefault("status", {"phase": "Active"})
    elif kind.kind == "CustomResourceDefinition":
        stored = [one["name"] for one in obj["spec"]["versions"] if one.get("storage")]
        obj["status"] = {"storedVersions": stored}
    elif kind.kind in _NEW_STATUS:
        obj["status"] = clone(_NEW_STATUS[kind.kind])


def check_version(kind: Kind, old: Json, obj: Json, *, patched: bool) -> None:
    """Refuse what was made from another state, or of another object of the same name."""
    name, before = old["metadata"]["name"], old["metadata"]
    sent, uid = obj["metadata"].get("resourceVersion"), obj["metadata"].get("uid")
    if sent and not sent.isdigit():
        raise rejected(f'strconv.ParseUint: parsing "{sent}": invalid syntax')
    if sent and sent != before["resourceVersion"]:
        raise modified(kind, name)
    if uid and uid != before["uid"]:
        if patched:
            told = f'Invalid value: "{uid}": field is immutable'
            raise invalid(kind, name, [("metadata.uid", told)] * 2)
        raise other_uid(kind, before, uid)


def status_only(old: Json, sent: Json) -> Json:
    """The old object with the status, and the annotations, that were sent."""
    fresh: Json = clone(old)
    notes = sent["metadata"].get("annotations")
    fresh["metadata"] |= {"annotations": notes} if notes else {}
    if "status" in sent:
        fresh["status"] = sent["status"]
    return fresh


def carry_over(kind: Kind, old: Json, obj: Json) -> None:
    """Keep what an update cannot change and what the server had filled in; changes `obj`."""
    meta, before = obj["metadata"], old["metadata"]
    for field in _KEPT_META:
        meta.pop(field, None)
        if field in before:
            meta[field] = before[field]
    if "generation" in before:
        meta["generation"] = before["generation"]
    meta["resourceVersion"] = before["resourceVersion"]
    if kind.kind == "Service" and dig(old, "spec", "clusterIP"):
        _keep_addresses(old, obj)
    if kind.kind == "Job":
        for path in ("selector", "template"):
            obj["spec"].setdefault(path, old["spec"].get(path))


def _keep_addresses(old: Json, obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("type", "ClusterIP") == "ClusterIP":
        for name in ("allocateLoadBalancerNodePorts", "externalTrafficPolicy"):
            spec.pop(name, None)
        for port in spec.get("ports") or []:
            port.pop("nodePort", None)
    spec.setdefault("clusterIP", old["spec"]["clusterIP"])
    ports = {one.get("port"): one.get("nodePort") for one in old["spec"].get("ports", [])}
    for port in spec.get("ports") or []:
        if ports.get(port.get("port")) and spec.get("type") in ("NodePort", "LoadBalancer"):
            port.setdefault("nodePort", ports[port["port"]])


def _stamp_job(obj: Json) -> None:
    uid, name = obj["metadata"]["uid"], obj["metadata"]["name"]
    labels = dict(zip(JOB_LABELS, (uid, name, uid, name), strict=True))
    template = obj["spec"]["template"]
    template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), **labels}
    if not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(template["metadata"]["labels"])
    obj["spec"].setdefault("manualSelector", False)
    obj["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def _quality(pod: Json) -> str:
    """The pod's quality-of-service class."""
    resources = [one.get("resources") or {} for one in pod["spec"].get("containers", [])]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    full = all(
        one.get("limits", {}).get(name) and one["limits"].get(name) == one["requests"].get(name)
        for one in resources
        for name in ("cpu", "memory")
    )
    return "Guaranteed" if full else "Burstable"
