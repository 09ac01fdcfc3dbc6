"""The Table form of answers, which kubectl and helm print from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import dig, parse_time

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]
Cell = Callable[[Json], Any]

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def age(text: str | None) -> str:
    """`5m`, `3h`: the time since a moment, in the largest unit that fits twice."""
    if not text:
        return "<unknown>"
    seconds = max(0, int((datetime.now(UTC) - parse_time(text)).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= 2 * size or unit == "s":
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _age(obj: Json) -> str:
    return age(obj["metadata"].get("creationTimestamp"))


def _pod_status(pod: Json) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for container in dig(pod, "status", "containerStatuses", default=[]):
        for state in ("waiting", "terminated"):
            reason = dig(container, "state", state, "reason")
            if reason:
                return str(reason)
    return str(dig(pod, "status", "phase", default="Unknown"))


def _pod_ready(pod: Json) -> str:
    statuses = dig(pod, "status", "containerStatuses", default=[])
    ready = sum(1 for one in statuses if one.get("ready"))
    return f"{ready}/{len(dig(pod, 'spec', 'containers', default=[]))}"


def _restarts(pod: Json) -> int:
    statuses = dig(pod, "status", "containerStatuses", default=[])
    return sum(one.get("restartCount", 0) for one in statuses)


def _count(*path: str) -> Cell:
    return lambda obj: dig(obj, *path, default=0)


def _text(*path: str, default: str = "<none>") -> Cell:
    return lambda obj: dig(obj, *path, default=default)


def _ready_of(obj: Json) -> str:
    ready = dig(obj, "status", "readyReplicas", default=0)
    return f"{ready}/{dig(obj, 'spec', 'replicas', default=0)}"


def _job_status(job: Json) -> str:
    for condition in dig(job, "status", "conditions", default=[]):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return str(condition["type"])
    return "Suspended" if dig(job, "spec", "suspend") else "Running"


def _completions(job: Json) -> str:
    done = dig(job, "status", "succeeded", default=0)
    return f"{done}/{dig(job, 'spec', 'completions', default=1)}"


def _external(service: Json) -> str:
    ingress = dig(service, "status", "loadBalancer", "ingress", default=[])
    if ingress:
        return ",".join(one.get("ip") or one.get("hostname", "") for one in ingress)
    return "<pending>" if dig(service, "spec", "type") == "LoadBalancer" else "<none>"


def _ports(service: Json) -> str:
    return ",".join(
        f"{one['port']}:{one['nodePort']}/{one['protocol']}"
        if one.get("nodePort")
        else f"{one['port']}/{one.get('protocol', 'TCP')}"
        for one in dig(service, "spec", "ports", default=[])
    )


def _event_object(event: Json) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


_WORKLOAD: list[tuple[str, Cell]] = [
    ("Ready", _ready_of),
    ("Up-to-date", _count("status", "updatedReplicas")),
    ("Available", _count("status", "availableReplicas")),
]
_SIZE: Cell = lambda obj: len(obj.get("data") or {})  # noqa: E731
_COLUMNS: dict[str, list[tuple[str, Cell]]] = {
    "Pod": [("Ready", _pod_ready), ("Status", _pod_status), ("Restarts", _restarts)],
    "Deployment": _WORKLOAD,
    "StatefulSet": [("Ready", _ready_of)],
    "ReplicaSet": [
        ("Desired", _count("spec", "replicas")),
        ("Current", _count("status", "replicas")),
        ("Ready", _count("status", "readyReplicas")),
    ],
    "Job": [("Status", _job_status), ("Completions", _completions)],
    "Service": [
        ("Type", _text("spec", "type")),
        ("Cluster-IP", _text("spec", "clusterIP")),
        ("External-IP", _external),
        ("Port(s)", _ports),
    ],
    "Secret": [("Type", _text("type")), ("Data", _SIZE)],
    "ConfigMap": [("Data", _SIZE)],
    "Namespace": [("Status", _text("status", "phase"))],
    "PersistentVolumeClaim": [
        ("Status", _text("status", "phase")),
        ("Volume", _text("spec", "volumeName", default="")),
        ("Capacity", _text("status", "capacity", "storage", default="")),
    ],
    "Event": [
        ("Last Seen", lambda event: age(event.get("lastTimestamp"))),
        ("Type", _text("type")),
        ("Reason", _text("reason")),
        ("Object", _event_object),
        ("Message", _text("message", default="")),
    ],
}


def _columns(kind: Kind) -> list[tuple[str, Cell]]:
    if kind.kind == "Event":
        return _COLUMNS["Event"]
    name: tuple[str, Cell] = ("Name", _text("metadata", "name"))
    return [name, *_COLUMNS.get(kind.kind, []), ("Age", _age)]


def definitions(kind: Kind) -> list[Json]:
    """The columns of a kind's table."""
    return [
        {
            "name": title,
            "type": "string",
            "format": "name" if title == "Name" else "",
            "description": title,
            "priority": 0,
        }
        for title, _ in _columns(kind)
    ]


def partial(obj: Json) -> Json:
    """PartialObjectMetadata of an object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def table(kind: Kind, objects: list[Json], metadata: Json, *, whole: bool, headed: bool) -> Json:
    """A Table of objects; `whole` puts the objects themselves into the rows."""
    columns = _columns(kind)
    answer: Json = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions(kind) if headed else None,
        "rows": [
            {
                "cells": [cell(obj) for _, cell in columns],
                "object": obj if whole else partial(obj),
            }
            for obj in objects
        ],
    }
    return answer
