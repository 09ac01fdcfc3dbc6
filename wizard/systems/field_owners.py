"""Who has set a place of a live object: its field manager (`metadata.managedFields`), by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster

HELM = "helm"
CONTROLLERS = "kube-controller-manager"
"""The field manager of Kubernetes' own controllers; of replicas it is an autoscaler's."""
REPLICAS = ("spec", "replicas")


def applied_by_helm(live: Mapping[str, Any]) -> bool:
    """Whether helm applies the object on the server's side (helm 4's way, not helm 3's)."""
    entries = live["metadata"].get("managedFields") or []
    return any(it.get("manager") == HELM and it.get("operation") == "Apply" for it in entries)


def managers_of(live: Mapping[str, Any], place: Sequence[str]) -> tuple[str, ...]:
    """The field managers that own a place such as `spec`, `containers[backend]`, `image`."""
    return tuple(str(it["manager"]) for it in _entries_of(live, place))


def last_set_by(live: Mapping[str, Any], place: Sequence[str]) -> str:
    """Who of these wrote last, and when; empty where nobody owns the place."""
    entries = _entries_of(live, place)
    last = max(entries, key=lambda it: str(it.get("time", "")), default=None)
    return f"{last['manager']} at {last.get('time')}" if last else ""


def _entries_of(live: Mapping[str, Any], place: Sequence[str]) -> list[Mapping[str, Any]]:
    return [
        it
        for it in live["metadata"].get("managedFields") or []
        if it.get("manager") and _owns(it.get("fieldsV1"), live, place)
    ]


def setter_of(
    cluster: Cluster | None, live: Mapping[str, Any], place: Sequence[str], by: str
) -> str:
    """The field manager as a person knows it: for replicas the autoscaler behind it, by name."""
    if cluster is None or by != CONTROLLERS or tuple(place) != REPLICAS:
        return by
    return autoscaler_of(cluster, live) or by


def autoscaler_of(cluster: Cluster, live: Mapping[str, Any]) -> str:
    """The HorizontalPodAutoscaler of a workload (KEDA makes one, too); or "".

    Those that may not be listed are none.
    """
    from wizard.systems.cluster import AUTOSCALERS

    about = live["metadata"]
    try:
        found = cluster.list(AUTOSCALERS, about.get("namespace"))
    except Problem:
        return ""
    for each in found:
        target = (each.get("spec") or {}).get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == (live.get("kind"), about["name"]):
            return f"HorizontalPodAutoscaler {each['metadata']['name']}"
    return ""


def _owns(fields: Any, node: Any, place: Sequence[str]) -> bool:
    """An empty map at or above the place means that all below it is owned."""
    for part in place:
        match = re.fullmatch(r"(.+)\[(.+)\]", part)
        name = match[1] if match else part
        fields, node = _at(fields, f"f:{name}"), _at(node, name)
        if match and fields:
            node = _entry(node, match[2])
            fields = _of_entry(fields, node)
        if not fields:
            return isinstance(fields, Mapping)
    return True


def _at(node: Any, key: str) -> Any:
    return node.get(key) if isinstance(node, Mapping) else None


def _entry(entries: Any, name: str) -> Mapping[str, Any]:
    """The entry of a live list that is called so, or that has this number."""
    found = [it for it in entries or () if isinstance(it, Mapping)]
    named = next((it for it in found if it.get("name") == name), None)
    if named is None and name.isdecimal() and int(name) < len(found):
        return found[int(name)]
    return named or {}


def _of_entry(fields: Mapping[str, Any], entry: Mapping[str, Any]) -> Any:
    """What is owned of an entry; the API tells entries apart by other keys than the name, too.

    Source: Kubernetes API, x-kubernetes-list-map-keys (a Service's ports: port and protocol).
    """
    for key, owned in fields.items():
        if key.startswith("k:") and json.loads(key[2:]).items() <= entry.items():
            return owned
    return None
