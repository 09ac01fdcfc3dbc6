"""The rights that helm needs for an upgrade or a rollback, told from what it will work on.

Watched on helm 3.19 and 4.3, with each right taken away in turn: what is here is what they fail
without.

- Both read and may patch every object of the release, create what is new or gone, and delete what
  is no longer rendered. Which objects helm 3 patches depends on what the API server has filled in:
  of a LangSmith all Services, Deployments and StatefulSets, whatever the upgrade changes.
- A release's record is a Secret; from the tenth revision on the oldest one is deleted.
- Hooks are deleted and made anew. helm 3 gets them until they are gone, and watches Jobs and Pods;
  helm 4 watches every kind.
- `--wait`: helm 3 gets the objects and lists the ReplicaSets of Deployments; helm 4 watches every
  kind of the release, and lists the ReplicaSets and Pods below. The kinds it lists as well where
  the API server does not begin a watch with what is there (1.36 does), which nothing tells before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wizard.record import dataclass
from wizard.systems.kubernetes.rbac import Right
from wizard.systems.release.manifest import UNSCOPED, Key, as_map, resource_of
from wizard.systems.release.records import kept_in

HOOK = "helm.sh/hook"
KEPT = 10
"""How many revisions helm keeps (`--history-max`), where HELM_MAX_HISTORY does not say it."""
EVENTS = {
    "upgrade": frozenset({"pre-upgrade", "post-upgrade"}),
    "rollback": frozenset({"pre-rollback", "post-rollback"}),
}
WATCHED_BY_3 = ("Job", "Pod")
REPLICA_SETS = ("Deployment",)
PODS = ("Deployment", "StatefulSet", "ReplicaSet")

Objects = Mapping[Key, Mapping[str, Any]]


@dataclass(frozen=True)
class HelmAtWork:
    """What helm is about to do.

    Attributes:
        major: helm's own version.
        operation: `upgrade` or `rollback`.
        namespace: the release's, where its records are.
        wait: whether it waits for the objects (`--wait`).
        by_server: whether the release is applied on the server's side (helm 4's own way).
        full: whether the oldest revision has to go.
    """

    major: int
    operation: str
    namespace: str
    wait: bool = True
    by_server: bool = False
    full: bool = False


def helm_rights(
    work: HelmAtWork, old: Objects, new: Objects, gone: Iterable[Key] = ()
) -> tuple[Right, ...]:
    """Every right that helm needs; `new` with its hooks.

    Args:
        old: the objects of the release as it is deployed.
        new: the objects of the release as it becomes.
        gone: those of both that are not in the cluster any more.
    """
    hooks = {key: it for key, it in new.items() if _events(it)}
    kept = {key: it for key, it in new.items() if key not in hooks}
    before = {key: it for key, it in old.items() if not _events(it)}
    found: list[Right] = []
    resource = kept_in()
    if resource:  # not a database of their own
        verbs = ("get", "list", "create", "update", *(("delete",) if work.full else ()))
        found += [Right(verb, resource.plural, "", work.namespace) for verb in verbs]
    for key, it in (before | kept).items():
        found += _each(key, it, "get", "patch")
    for key, it in kept.items():
        found += _each(key, it, "create") if key not in before or key in set(gone) else ()
        found += _waiting(work, key, it) if work.wait else ()
    for key in before.keys() - kept.keys():
        found += _each(key, before[key], "delete")
    for key, it in hooks.items():
        found += _hook(work, key, it) if _events(it) & EVENTS[work.operation] else ()
    return tuple(dict.fromkeys(found))


def most_kept() -> int:
    """How many revisions helm keeps; 0 for all of them."""
    text = os.environ.get("HELM_MAX_HISTORY", "")
    return int(text) if text.strip().isdecimal() else KEPT


def _waiting(work: HelmAtWork, key: Key, it: Mapping[str, Any]) -> Iterator[Right]:
    kind, namespace, _ = key
    if work.major >= 4:
        yield from _each(key, it, "list", "watch")
    if kind in REPLICA_SETS:
        yield Right("list", "replicasets", "apps", namespace)
    if kind in PODS and work.major >= 4:
        yield Right("list", "pods", "", namespace)


def _hook(work: HelmAtWork, key: Key, it: Mapping[str, Any]) -> Iterator[Right]:
    """By default a hook of the last time is deleted first (`before-hook-creation`)."""
    yield from _each(key, it, "create", "delete")
    if work.major < 4:
        yield from _each(key, it, "get")
    elif work.by_server:
        yield from _each(key, it, "patch")
    if work.major >= 4 or key[0] in WATCHED_BY_3:
        yield from _each(key, it, "list", "watch")


def _each(key: Key, it: Mapping[str, Any], *verbs: str) -> Iterator[Right]:
    kind, namespace, _ = key
    resource = resource_of(kind, str(it.get("apiVersion") or ""))
    where = "" if kind in UNSCOPED else namespace
    return (Right(verb, resource.plural, resource.group, where) for verb in verbs)


def _events(it: Mapping[str, Any]) -> frozenset[str]:
    told = as_map(as_map(it.get("metadata")).get("annotations")).get(HOOK)
    return frozenset(part.strip() for part in str(told or "").split(",") if part.strip())


def _drawn(kind: str, version: str, **annotations: str) -> tuple[Key, Mapping[str, Any]]:
    about = {"name": "x", "annotations": annotations}
    return (kind, "", "x"), {"apiVersion": version, "kind": kind, "metadata": about}


def usual_rights() -> tuple[Right, ...]:
    """What either helm needs for a LangSmith as its chart renders it by default.

    The namespace is left empty. Kinds that values add (an Ingress, autoscalers, a Rollout) are
    known from the release alone.
    """
    kinds = ("ServiceAccount", "Secret", "ConfigMap", "Service")
    drawn = dict(
        (
            *(_drawn(kind, "v1") for kind in kinds),
            *(_drawn(kind, "apps/v1") for kind in ("Deployment", "StatefulSet")),
        )
    )
    hook = dict([_drawn("Job", "batch/v1", **{HOOK: "pre-upgrade, pre-rollback"})])
    ways = (HelmAtWork(3, "upgrade", "", full=True), HelmAtWork(4, "upgrade", "", by_server=True))
    found = [right for way in ways for right in helm_rights(way, drawn, drawn | hook)]
    return tuple(dict.fromkeys(found))
