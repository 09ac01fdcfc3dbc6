"""Who owns a live object besides helm, by what that shows, and what the owner's own object says.

Sources: the marks that Argo CD ("Resource Tracking"), Flux (helm-controller, kustomize-controller)
and Terraform leave on objects, and the field managers of server-side apply
(`metadata.managedFields`). Whether an owner takes changes back, and whether it is paused: Flux
`HelmRelease` (spec.suspend, spec.interval, spec.driftDetection), Argo CD `Application`
(spec.syncPolicy.automated), which may be in any namespace ("Applications in any namespace": its
marks then say NAMESPACE_NAME).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wizard.problems import Problem
from wizard.record import dataclass
from wizard.systems.kubernetes.cluster import AUTOSCALERS, Cluster, Resource

ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
ARGO_INSTANCE = "argocd.argoproj.io/instance"
INSTANCE = "app.kubernetes.io/instance"
FLUX_NAME = "helm.toolkit.fluxcd.io/name"
FLUX_NAMESPACE = "helm.toolkit.fluxcd.io/namespace"
KUSTOMIZE_NAME = "kustomize.toolkit.fluxcd.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
MARKS = (ARGO_TRACKING, ARGO_INSTANCE, FLUX_NAME, KUSTOMIZE_NAME, MANAGED_BY)

_HELM = re.compile(r"helm[-_]?v?[\d._-]*(\.exe)?", re.IGNORECASE)
_OURS = ("langsmith-audit", "kubectl-rollout")


@dataclass(frozen=True)
class Owner:
    """Somebody who keeps an object as their own source says, and would take a change back.

    Attributes:
        tool: `Argo CD`, `Flux`, `Terraform`, or the field manager's own name.
        name: what it is called there (`application langsmith`); empty when nothing tells.
        marks: how it was recognised, a line each.
    """

    tool: str
    name: str
    marks: tuple[str, ...]

    @property
    def words(self) -> str:
        """The owner in a few words."""
        return f"{self.tool} ({self.name})" if self.name else self.tool


def is_helm(manager: str) -> bool:
    """Whether a field manager is helm, whatever its binary is called."""
    return bool(_HELM.fullmatch(manager))


def marks_at(live: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Where in an object the marks are by which owners are recognised."""
    for kind in ("annotations", "labels"):
        names = live["metadata"].get(kind) or {}
        yield from (("metadata", kind, name) for name in MARKS if name in names)


def owner_of(live: Mapping[str, Any], container: str) -> Owner | None:
    """The owner of a live workload, if helm is not the only one."""
    about = live["metadata"]
    managers = [each for each in about.get("managedFields") or [] if each.get("manager")]
    for look in (_argo, _flux, _terraform):
        found = look(about, managers)
        if found:
            return found
    return _applier(managers, container)


def writers(live: Mapping[str, Any], container: str, names: Sequence[str]) -> dict[str, str]:
    """Variables of the container that somebody other than helm has set: name to field manager."""
    found = {}
    for each in live["metadata"].get("managedFields") or []:
        manager = str(each.get("manager") or "")
        if is_helm(manager) or manager in _OURS:
            continue
        own = set(_env(each, container))
        found.update({name: manager for name in names if name in own})
    return found


def _argo(about: Mapping[str, Any], managers: Sequence[Mapping[str, Any]]) -> Owner | None:
    notes, labels = about.get("annotations") or {}, about.get("labels") or {}
    tracking, instance = notes.get(ARGO_TRACKING), labels.get(ARGO_INSTANCE)
    acting = [name for name in _names(managers) if name.startswith("argocd")]
    marks = []
    if tracking:
        marks.append(f"annotation {ARGO_TRACKING}: {tracking}")
    if instance:
        marks.append(f"label {ARGO_INSTANCE}: {instance}")
    if acting:
        marks.append(f"field manager {acting[0]}")
        instance = instance or labels.get(INSTANCE)
    name = str(tracking).partition(":")[0] if tracking else instance
    return Owner("Argo CD", f"application {name}" if name else "", tuple(marks)) if marks else None


def _flux(about: Mapping[str, Any], managers: Sequence[Mapping[str, Any]]) -> Owner | None:
    labels = about.get("labels") or {}
    name, kind = labels.get(FLUX_NAME), "HelmRelease"
    marks = [f"label {key}: {labels[key]}" for key in (FLUX_NAME, FLUX_NAMESPACE) if key in labels]
    if not name and labels.get(KUSTOMIZE_NAME):
        name, kind = labels[KUSTOMIZE_NAME], "Kustomization"
        marks = [f"label {KUSTOMIZE_NAME}: {name}"]
    acting = [it for it in _names(managers) if it in ("helm-controller", "kustomize-controller")]
    marks += [f"field manager {it}" for it in acting]
    return Owner("Flux", f"{kind} {name}" if name else "", tuple(marks)) if marks else None


def _terraform(about: Mapping[str, Any], managers: Sequence[Mapping[str, Any]]) -> Owner | None:
    marks = [f"field manager {it}" for it in _names(managers) if it.lower().startswith("terraform")]
    by = str((about.get("labels") or {}).get(MANAGED_BY) or "")
    if by.lower() == "terraform":
        marks.append(f"label {MANAGED_BY}: {by}")
    return Owner("Terraform", "", tuple(marks)) if marks else None


def _applier(managers: Sequence[Mapping[str, Any]], container: str) -> Owner | None:
    """Somebody who applies the container's variables again and again, not who once edited them."""
    for each in managers:
        manager = str(each["manager"])
        mine = is_helm(manager) or manager in _OURS
        if mine or each.get("operation") != "Apply":
            continue
        names = sorted(_env(each, container))
        if names:
            owns = f"field manager {manager} applies {len(names)} variables of container"
            return Owner(manager, "", (f"{owns} {container}",))
    return None


def _env(entry: Mapping[str, Any], container: str) -> Iterator[str]:
    """The variables of the container that an entry of managedFields owns."""
    node: Any = entry.get("fieldsV1") or {}
    for key in ("f:spec", "f:template", "f:spec", "f:containers"):
        node = node.get(key) or {}
    for key, fields in node.items():
        if _keyed(key) == container and isinstance(fields, Mapping):
            yield from filter(None, map(_keyed, fields.get("f:env") or {}))


def _keyed(key: str) -> str:
    """The name in a key of a list (`k:{"name":"backend"}`); empty for anything else."""
    if not key.startswith("k:"):
        return ""
    try:
        return str(json.loads(key[2:]).get("name") or "")
    except (ValueError, AttributeError):
        return ""


def _names(managers: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(each["manager"]) for each in managers))


HELM_RELEASES = Resource("helmreleases", "HelmRelease", "helm.toolkit.fluxcd.io", "v2")
APPLICATIONS = Resource("applications", "Application", "argoproj.io", "v1alpha1")
ARGO_NAMESPACE = "argocd"
"""Where Argo CD keeps its Applications as a rule."""


def owner_says(cluster: Cluster, owner: Owner, live: Mapping[str, Any]) -> tuple[str, ...]:
    """What the owner's object says, a line; nothing where there is none or it may not be read."""
    labels = live["metadata"].get("labels") or {}
    try:
        if owner.tool == "Flux" and FLUX_NAME in labels:
            namespace = str(labels.get(FLUX_NAMESPACE) or live["metadata"]["namespace"])
            return _flux_says(cluster.get(HELM_RELEASES, labels[FLUX_NAME], namespace))
        if owner.tool == "Argo CD" and owner.name:
            marked = owner.name.removeprefix("application ")
            return _argo_says(_application(cluster, marked, str(live["metadata"]["namespace"])))
    except Problem:
        return ()
    return ()


def _application(cluster: Cluster, marked: str, namespace: str) -> Mapping[str, Any] | None:
    """The Application of that mark, by one list over all namespaces where the rights allow it.

    Of several that are called so, the one that deploys to the backend's namespace.

    Raises:
        Problem: it cannot be read.
    """
    home, _, name = marked.rpartition("_")
    try:
        found = cluster.list(APPLICATIONS, None, fields=f"metadata.name={name}")
    except Problem as problem:
        if problem.id != "LSA207":
            raise
        found = list(_one_by_one(cluster, name, (home,) if home else (ARGO_NAMESPACE, namespace)))
    places = [it for it in found if it["metadata"]["namespace"] == (home or ARGO_NAMESPACE)]
    here = [it for it in found if namespace == _at(_at(it.get("spec"), "destination"), "namespace")]
    return next(iter((places if home else here) or places or found), None)


def _one_by_one(cluster: Cluster, name: str, namespaces: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The Applications of that name in these namespaces, as far as they may be read."""
    for namespace in dict.fromkeys(namespaces):
        try:
            found = cluster.get(APPLICATIONS, name, namespace)
        except Problem:
            continue
        if found is not None:
            yield found


def _flux_says(found: Mapping[str, Any] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    spec = found.get("spec") or {}
    name = f"HelmRelease {found['metadata']['name']}"
    if spec.get("suspend"):
        return (f"{name} is suspended: nothing is taken back until it is resumed",)
    drift = (spec.get("driftDetection") or {}).get("mode") or "disabled"
    return (f"{name} reconciles every {spec.get('interval', '?')}, drift detection {drift}",)


def _argo_says(found: Mapping[str, Any] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    automated = ((found.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    about = found["metadata"]
    name = f"Application {about['name']} in namespace {about['namespace']}"
    if automated is None:
        return (f"{name} is synced by hand: a change is taken back at the next sync",)
    heals = "takes changes back by itself (selfHeal)" if automated.get("selfHeal") else (
        "takes changes back at its next sync"
    )  # fmt: skip
    return (f"{name} is synced automatically, and {heals}",)


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
