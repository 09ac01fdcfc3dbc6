"""The Table form of answers, which kubectl and helm print from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
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
    size, unit = next(one for one in _UNITS if seconds >= 2 * one[0] or one[1] == "s")
    return f"{seconds // size}{unit}"


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


def _duration(job: Json) -> str:
    begun, ended = (dig(job, "status", name) for name in ("startTime", "completionTime"))
    if not begun or not ended:
        return age(begun) if begun else ""
    return f"{int((parse_time(ended) - parse_time(begun)).total_seconds())}s"


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


_CELLS: dict[str, Cell] = {
    "age": lambda obj: age(obj["metadata"].get("creationTimestamp")),
    "ready": _ready_of,
    "pod-ready": _pod_ready,
    "pod-status": _pod_status,
    "restarts": _restarts,
    "job-status": _job_status,
    "completions": _completions,
    "duration": _duration,
    "external": _external,
    "ports": _ports,
    "size": lambda obj: len(obj.get("data") or {}),
    "about": _event_object,
    "last": lambda event: age(event.get("lastTimestamp") or event.get("eventTime")),
    "first": lambda event: age(event.get("firstTimestamp") or event.get("eventTime")),
    "names": _joined("name"),
    "images": _joined("image"),
    "none": lambda _: "<none>",
}
_TEMPLATE = "Containers*=names Images*=images"
_SELECTED = f"{_TEMPLATE} Selector*=,spec.selector.matchLabels"
_COLUMNS = {
    "Pod": "Ready=pod-ready Status=pod-status Restarts=restarts Age=age IP*=status.podIP "
    "Node*=spec.nodeName Nominated_Node*=status.nominatedNodeName Readiness_Gates*=none",
    "Deployment": "Ready=ready Up-to-date=#status.updatedReplicas "
    f"Available=#status.availableReplicas Age=age {_SELECTED}",
    "StatefulSet": f"Ready=ready Age=age {_TEMPLATE}",
    "ReplicaSet": "Desired=#spec.replicas Current=#status.replicas Ready=#status.readyReplicas "
    f"Age=age {_SELECTED}",
    "Job": "Status=job-status Completions=completions Duration=duration Age=age " + _SELECTED,
    "Service": "Type=spec.type Cluster-IP=spec.clusterIP External-IP=external Port(s)=ports "
    "Age=age Selector*=,spec.selector",
    "Secret": "Type=type Data=size Age=age",
    "ConfigMap": "Data=size Age=age",
    "Namespace": "Status=status.phase Age=age",
    "PersistentVolumeClaim": "Status=status.phase Volume=?spec.volumeName "
    "Capacity=?status.capacity.storage Age=age",
    "Event": "Last_Seen=last Type=type Reason=reason Object=about "
    "Subobject*=?involvedObject.fieldPath Source*=?source.component Message=?message "
    "First_Seen*=first Count*=#count Name*=metadata.name",
}
"""`Title=cell` or `Title=path` (`#` a number, `?` else nothing, `,` pairs); `*`: only when wide."""


def _cell(told: str) -> Cell:
    path = told.lstrip("#?,").split(".")
    if told.startswith(","):
        return lambda obj: ",".join(f"{k}={v}" for k, v in dig(obj, *path, default={}).items())
    default: Any = {"#": 0, "?": ""}.get(told[0], "<none>")
    return _CELLS.get(told) or (lambda obj: dig(obj, *path, default=default))


@cache
def _columns(kind: str) -> list[tuple[str, bool, Cell]]:
    """Of each column the title, whether only a wide table shows it, and its cells."""
    found = []
    for column in _COLUMNS.get(kind, "Age=age").split():
        title, _, told = column.partition("=")
        found.append((title.rstrip("*").replace("_", " "), title.endswith("*"), _cell(told)))
    return found if kind == "Event" else [("Name", False, _cell("metadata.name")), *found]


def partial(obj: Json) -> Json:
    """PartialObjectMetadata of an object."""
    answer = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {**answer, "metadata": obj["metadata"]}


def table(kind: Kind, objects: list[Json], metadata: Json, *, whole: bool, headed: bool) -> Json:
    """A Table of objects; `whole` puts the objects themselves into the rows."""
    columns = _columns(kind.kind)
    titles = [
        {
            "name": title,
            "type": "string",
            "format": "name" if title == "Name" else "",
            "description": title,
            "priority": int(wide),
        }
        for title, wide, _ in columns
    ]
    rows = [
        {"cells": [cell(obj) for *_, cell in columns], "object": obj if whole else partial(obj)}
        for obj in objects
    ]
    answer = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**answer, "columnDefinitions": titles if headed else None, "rows": rows}
