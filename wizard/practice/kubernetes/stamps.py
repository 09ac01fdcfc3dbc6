"""What only the server writes: uids in selectors, what an update cannot change, sameness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import clone, dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

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
    elif kind.kind == "Pod":
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj)}
    elif kind.kind == "Namespace":
        obj.setdefault("status", {"phase": "Active"})


def status_only(old: Json, sent: Json) -> Json:
    """The old object with the status that was sent."""
    fresh: Json = clone(old)
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
    spec.setdefault("clusterIP", old["spec"]["clusterIP"])
    ports = {one.get("port"): one.get("nodePort") for one in old["spec"].get("ports", [])}
    for port in spec.get("ports") or []:
        if ports.get(port.get("port")) and spec.get("type") in ("NodePort", "LoadBalancer"):
            port.setdefault("nodePort", ports[port["port"]])


def _stamp_job(obj: Json) -> None:
    uid, name = obj["metadata"]["uid"], obj["metadata"]["name"]
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
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
