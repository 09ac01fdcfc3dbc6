"""What limits objects: ResourceQuotas, LimitRanges, PodDisruptionBudgets for evictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import forbidden
from wizard.practice.kubernetes.json_tools import amount as parsed
from wizard.practice.kubernetes.json_tools import dig, written
from wizard.practice.kubernetes.selectors import selects

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.store import Store

Json = dict[str, Any]
Usage = dict[str, Decimal]

_ENDED = ("Succeeded", "Failed")
_COMPUTED = tuple(f"{part}.{name}" for part in ("requests", "limits") for name in ("cpu", "memory"))


def _containers(pod: Json) -> list[Json]:
    return list(dig(pod, "spec", "containers", default=[]))


def _usage(resource: tuple[str, str], obj: Json) -> Usage:
    """What one object uses of what a quota may name."""
    if resource == ("", "pods") and dig(obj, "status", "phase") in _ENDED:
        return {}
    group, plural = resource
    used: Usage = defaultdict(Decimal)
    used[f"count/{plural}.{group}" if group else f"count/{plural}"] = Decimal(1)
    if not group:
        used[plural] = Decimal(1)
    kind = dig(obj, "spec", "type")
    if plural == "services" and kind in ("LoadBalancer", "NodePort"):
        used["services.nodeports"] = Decimal(len(dig(obj, "spec", "ports", default=[])))
        if kind == "LoadBalancer":
            used["services.loadbalancers"] = Decimal(1)
    if plural == "persistentvolumeclaims":
        size = dig(obj, "spec", "resources", "requests", "storage", default="0")
        used["requests.storage"] = parsed(size)
    for container in _containers(obj) if resource == ("", "pods") else []:
        for name in _COMPUTED:
            amount = dig(container, "resources", *name.split("."), default="0")
            used[name] += parsed(amount)
    return used


def _named(resource: str) -> str:
    """`cpu` and `memory` of a quota mean the requests."""
    return f"requests.{resource}" if resource in ("cpu", "memory") else resource


def used_of(store: Store, quota: Json) -> Json:
    """What the namespace of a quota uses of what it limits."""
    hard = dig(quota, "spec", "hard", default={})
    total: Usage = defaultdict(Decimal)
    for resource, obj in store.everything():
        if obj["metadata"].get("namespace") == quota["metadata"]["namespace"]:
            for name, amount in _usage(resource, obj).items():
                total[name] += amount
    return {name: written(total[_named(name)], limit) for name, limit in hard.items()}


def check_quotas(store: Store, kind: Kind, obj: Json) -> None:
    """Refuse a new object that a quota of its namespace has no room for."""
    meta = obj["metadata"]
    for quota in store.items(("", "resourcequotas"), meta.get("namespace", "")):
        hard, name = dig(quota, "spec", "hard", default={}), quota["metadata"]["name"]
        usage = _usage(kind.key, obj)
        wanted = {one: usage[_named(one)] for one in sorted(hard) if usage.get(_named(one))}
        if kind.key == ("", "pods"):
            lacking = "; ".join(_unsaid(obj, hard))
            if lacking:
                told = f"failed quota: {name}: must specify {lacking}"
                raise forbidden(kind, meta["name"], told)
        used = used_of(store, quota) if wanted else {}
        over = [one for one in wanted if parsed(used[one]) + wanted[one] > parsed(hard[one])]
        if over:
            asked = {one: written(wanted[one], hard[one]) for one in over}
            parts = (("requested", asked), ("used", used), ("limited", hard))
            told = ", ".join(
                f"{title}: " + ",".join(f"{one}={values[one]}" for one in over)
                for title, values in parts
            )
            raise forbidden(kind, meta["name"], f"exceeded quota: {name}, {told}")


def _unsaid(pod: Json, hard: Json) -> Iterator[str]:
    for name in sorted(hard):
        path = _named(name).split(".")
        if _named(name) in _COMPUTED:
            lacking = [one["name"] for one in _containers(pod) if not dig(one, "resources", *path)]
            if lacking:
                yield f"{name} for: {','.join(lacking)}"


def fill_limits(store: Store, kind: Kind, pod: Json) -> None:
    """Fill in what LimitRanges give a new pod's containers, and refuse what they do not allow."""
    meta = pod["metadata"]
    ranges = store.items(("", "limitranges"), meta["namespace"]) if kind.kind == "Pod" else []
    limits = [
        one for found in ranges for one in found["spec"]["limits"] if one["type"] == "Container"
    ]
    done: dict[str, list[str]] = {"request": [], "limit": []}
    for item in limits:
        for container in _containers(pod):
            _fill(container, item, done)
    if told := [*done["request"], *done["limit"]]:
        notes = meta.setdefault("annotations", {})
        notes["kubernetes.io/limit-ranger"] = "LimitRanger plugin set: " + "; ".join(told)
    broken = [it for item in limits for one in _containers(pod) for it in _broken(one, item)]
    if broken:
        text = broken[0] if len(broken) == 1 else f"[{', '.join(broken)}]"
        raise forbidden(kind, meta["name"], text)


def _fill(container: Json, item: Json, done: dict[str, list[str]]) -> None:
    given = container.setdefault("resources", {})
    said = set(given.get("limits") or {})
    for part, source in (("request", "defaultRequest"), ("limit", "default")):
        have = {**(given.get(f"{part}s") or {})}
        fresh = {
            name: amount
            for name, amount in (item.get(source) or {}).items()
            if name not in have and not (part == "request" and name in said)
        }
        if fresh:
            given[f"{part}s"] = {**have, **fresh}
            names = ", ".join(sorted(fresh))
            done[part].append(f"{names} {part} for container {container['name']}")


def _broken(container: Json, item: Json) -> Iterator[str]:
    for word, edge, part in (("minimum", "min", "request"), ("maximum", "max", "limit")):
        for name, bound in sorted((item.get(edge) or {}).items()):
            told = f"{word} {name} usage per Container is {bound}"
            value = dig(container, "resources", f"{part}s", name)
            if value is None:
                yield f"{told}.  No {part} is specified"
                continue
            amount, edge_at = parsed(value), parsed(bound)
            if (amount < edge_at) if edge == "min" else (amount > edge_at):
                yield f"{told}, but {part} is {value}"


def blocking_budget(store: Store, pod: Json) -> Json | None:
    """The disruption budget that does not allow an eviction of the pod now, or None."""
    namespace, labels = pod["metadata"]["namespace"], dig(pod, "metadata", "labels", default={})
    for budget in store.items(("policy", "poddisruptionbudgets"), namespace):
        allowed = dig(budget, "status", "disruptionsAllowed", default=0)
        if selects(dig(budget, "spec", "selector"), labels) and allowed < 1:
            return budget
    return None
