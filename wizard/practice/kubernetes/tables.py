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


def _restarts(pod: Json) -> str:
    statuses = dig(pod, "status", "containerStatuses", default=[])
    number = sum(one.get("restartCount", 0) for one in statuses)
    ended = [dig(one, "lastState", "terminated", "finishedAt", default="") for one in statuses]
    return f"{number} ({age(max(ended))} ago)" if number and any(ended) else str(number)


def _joined(field: str) -> Cell:
    """A field of the containers of a workload's template."""

    def cell(obj: Json) -> str:
        containers = dig(obj, "spec", "template", "spec", "containers", default=[])
        return ",".join(str(one.get(field, "")) for one in containers)

    return cell


def _pairs(*path: str) -> Cell:
    """Labels as a selector is written."""
    return lambda obj: ",".join(f"{k}={v}" for k, v in dig(obj, *path, default={}).items())


def _duration(job: Json) -> str:
    begun, ended = (dig(job, "status", name) for name in ("startTime", "completionTime"))
    if not begun or not ended:
        return age(begun) if begun else ""
    return f"{int((parse_time(ended) - parse_time(begun)).total_seconds())}s"


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
    "Job": [("Status", _job_status), ("Completions", _completions), ("Duration", _duration)],
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
        ("Last Seen", lambda event: age(event.get("lastTimestamp") or event.get("eventTime"))),
        ("Type", _text("type")),
        ("Reason", _text("reason")),
        ("Object", _event_object),
        ("Message", _text("message", default="")),
    ],
}
_TEMPLATE: list[tuple[str, Cell]] = [("Containers", _joined("name")), ("Images", _joined("image"))]
_SELECTED: list[tuple[str, Cell]] = [
    *_TEMPLATE,
    ("Selector", _pairs("spec", "selector", "matchLabels")),
]
_WIDE: dict[str, list[tuple[str, Cell]]] = {
    "Pod": [
        ("IP", _text("status", "podIP")),
        ("Node", _text("spec", "nodeName")),
        ("Nominated Node", _text("status", "nominatedNodeName")),
        ("Readiness Gates", lambda _: "<none>"),
    ],
    **dict.fromkeys(("Deployment", "ReplicaSet", "Job"), _SELECTED),
    "StatefulSet": _TEMPLATE,
    "Service": [("Selector", _pairs("spec", "selector"))],
    "Event": [
        ("Subobject", _text("involvedObject", "fieldPath", default="")),
        ("Source", _text("source", "component", default="")),
        ("First Seen", lambda event: age(event.get("firstTimestamp") or event.get("eventTime"))),
        ("Count", _count("count")),
        ("Name", _text("metadata", "name")),
    ],
}
"""Columns that only a wide table shows, at its end."""


def _columns(kind: Kind) -> list[tuple[str, Cell]]:
    wide = _WIDE.get(kind.kind, [])
    if kind.kind == "Event":
        shown, message = _COLUMNS["Event"][:-1], _COLUMNS["Event"][-1]
        return [*shown, *wide[:2], message, *wide[2:]]
    name: tuple[str, Cell] = ("Name", _text("metadata", "name"))
    return [name, *_COLUMNS.get(kind.kind, []), ("Age", _age), *wide]


def definitions(kind: Kind) -> list[Json]:
    """The columns of a kind's table."""
    wide = dict(_WIDE.get(kind.kind, []))
    return [
        {
            "name": title,
            "type": "string",
            "format": "name" if title == "Name" else "",
            "description": title,
            "priority": int(title in wide),
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
            {"cells": [cell(obj) for _, cell in columns], "object": obj if whole else partial(obj)}
            for obj in objects
        ],
    }
    return answer
