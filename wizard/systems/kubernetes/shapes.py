"""Whether an answer has the shape of what Kubernetes documents, as far as it is read here.

Source: Kubernetes API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAPPINGS = frozenset(
    ("metadata", "spec", "template", "labels", "annotations", "matchLabels", "data", "state",
     "lastState", "waiting", "running", "terminated", "securityContext", "limits", "valueFrom",
     "secretKeyRef", "configMapKeyRef", "strategy", "updateStrategy", "rollingUpdate", "selector",
     "involvedObject", "scaleTargetRef", "loadBalancer")
)  # fmt: skip
LISTS: Mapping[str, tuple[str, ...]] = {
    "items": (),
    "containers": ("name",),
    "initContainers": ("name",),
    "containerStatuses": ("name",),
    "initContainerStatuses": ("name",),
    "conditions": ("type", "status"),
    "env": ("name",),
    "envFrom": (),
    "ports": (),
    "volumes": ("name",),
    "volumeMounts": ("name",),
    "ownerReferences": ("kind", "name", "uid"),
    "managedFields": (),
    "imagePullSecrets": (),
    "ingress": (),
}
"""The lists of mappings, and the texts that each of these has."""
TEXTS = frozenset(
    ("name", "namespace", "uid", "resourceVersion", "kind", "phase", "reason", "message",
     "creationTimestamp", "deletionTimestamp", "startedAt", "finishedAt", "startTime",
     "lastTimestamp", "eventTime", "renewTime", "holderIdentity")
)  # fmt: skip
NUMBERS = frozenset(
    ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas",
     "restartCount", "generation", "observedGeneration", "exitCode", "minReadySeconds",
     "progressDeadlineSeconds", "terminationGracePeriodSeconds", "containerPort", "backoffLimit",
     "periodSeconds", "failureThreshold", "initialDelaySeconds", "timeoutSeconds")
)  # fmt: skip
OPAQUE = frozenset(
    ("labels", "annotations", "matchLabels", "data", "stringData", "binaryData", "fieldsV1",
     "limits", "nodeSelector", "managedFields")
)  # fmt: skip
"""What is not looked into: its keys are somebody's own."""
ENTERED = MAPPINGS | LISTS.keys() | frozenset(
    ("status", "resources", "readinessProbe", "livenessProbe", "startupProbe")
)  # fmt: skip
"""What alone is looked into: elsewhere the same name may mean something else (a uid of Linux)."""
_LOOKED_AT = TEXTS | NUMBERS | ENTERED
ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "Lease": ("strategy",),
    "LimitRange": ("limits",),
    "Scale": ("selector",),
}
"""What has another shape in objects of a kind."""
_POD = "spec.template.spec.containers"
NEEDED: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector", _POD),
    "StatefulSet": ("spec.selector", _POD),
    "ReplicaSet": ("spec.selector", _POD),
    "Pod": ("spec.containers",),
    "Service": ("spec",),
}
"""What no object of a kind is without."""
NAMELESS = ("Review", "Status")
"""How the kinds end whose objects have no name."""
DISCOVERY = ("resources", "groups", "versions")
"""The lists of mappings in what an API server says of itself (APIGroupList, APIResourceList)."""


def odd(document: dict[str, Any], *, custom: bool) -> str:
    """The first place that is not as documented, in words; empty where all is.

    Of a custom resource its metadata alone are looked at: the rest may be of any shape. What is
    null is taken out: it is as what is not there.
    """
    kind = document.get("kind")
    if not isinstance(kind, str):
        return "kind is no text"
    if kind.startswith("API") and "metadata" not in document:
        return _discovery(document, "")
    if kind.endswith(NAMELESS):
        return _mapping(document, "status") if kind.endswith("Review") else ""
    if "items" not in document:
        return _object(document, "", kind, custom=custom)
    items = document["items"] or []
    if not isinstance(items, list):
        return "items is no list"
    wrong = (
        f"items[{at}] is no object"
        if not isinstance(item, dict)
        else _object(item, f"items[{at}].", kind.removesuffix("List"), custom=custom)
        for at, item in enumerate(items)
    )
    return next(filter(None, wrong), "") or _mapping(document, "metadata")


def _discovery(body: Mapping[str, Any], at: str) -> str:
    for key in DISCOVERY:
        value = body.get(key)
        if value is None or (key == "versions" and body.get("kind") == "APIVersions"):
            continue
        if not isinstance(value, list) or not all(isinstance(it, dict) for it in value):
            return f"{at}{key} is no list of mappings"
        wrong = (_discovery(it, f"{at}{key}[{index}].") for index, it in enumerate(value))
        if found := next(filter(None, wrong), ""):
            return found
    return ""


def _mapping(body: Mapping[str, Any], key: str, at: str = "") -> str:
    value = body.get(key)
    return "" if value is None or isinstance(value, Mapping) else f"{at}{key} is no mapping"


def _object(body: dict[str, Any], at: str, kind: str, *, custom: bool) -> str:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return f"{at}metadata has no name"
    if custom:
        return _within({"metadata": metadata}, at)
    tops = ("spec", "status", "data")
    other = ELSEWHERE.get(kind, ())
    wrong = next(filter(None, (_mapping(body, key, at) for key in tops)), "")
    wrong = wrong or _within(body, at, other)
    lacking = (path for path in NEEDED.get(kind, ()) if not _there(body, path))
    return wrong or next((f"{at}{path} is missing" for path in lacking), "")


def _there(body: Mapping[str, Any], path: str) -> bool:
    node: Any = body
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return bool(node)


def _within(body: dict[str, Any], place: str, other: tuple[str, ...] = ()) -> str:
    waiting: list[tuple[str, dict[str, Any]]] = [(place, body)]
    while waiting:
        at, node = waiting.pop()
        for key in [key for key, value in node.items() if value is None]:
            del node[key]
        for key, value in node.items():
            if key not in _LOOKED_AT:
                continue
            wrong = "" if key in other else _wrong(key, value)
            if wrong:
                return f"{at}{key} {wrong}"
            if key not in ENTERED or key in OPAQUE:
                continue
            if isinstance(value, dict):
                waiting.append((f"{at}{key}.", value))
            elif isinstance(value, list):
                waiting += [
                    (f"{at}{key}[{index}].", each)
                    for index, each in enumerate(value)
                    if isinstance(each, dict)
                ]
    return ""


def _wrong(key: str, value: Any) -> str:
    if key in MAPPINGS and not isinstance(value, dict):
        return "is no mapping"
    if key in LISTS:
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            return "is no list of mappings"
        lacking = (
            name for each in value for name in LISTS[key] if not isinstance(each.get(name), str)
        )
        name = next(lacking, "")
        return f"has an entry without {name}" if name else ""
    if key in TEXTS and not isinstance(value, str):
        return "is no text"
    if key in NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
        return "is no number"
    return ""
