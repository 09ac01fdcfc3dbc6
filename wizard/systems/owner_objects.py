"""What an owner's own object says: whether it takes changes back, and whether it is paused.

Sources: Flux `HelmRelease` (spec.suspend, spec.interval, spec.driftDetection), Argo CD
`Application` (spec.syncPolicy.automated), which may be in any namespace ("Applications in any
namespace": its marks then say NAMESPACE_NAME).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.cluster import Resource
from wizard.systems.owners import FLUX_NAME, FLUX_NAMESPACE, Owner

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster

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
            return _flux(cluster.get(HELM_RELEASES, labels[FLUX_NAME], namespace))
        if owner.tool == "Argo CD" and owner.name:
            marked = owner.name.removeprefix("application ")
            return _argo(_application(cluster, marked, str(live["metadata"]["namespace"])))
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
    here = [it for it in found if _destination(it) == namespace]
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


def _destination(application: Mapping[str, Any]) -> str:
    destination = (application.get("spec") or {}).get("destination") or {}
    return str(destination.get("namespace") or "")


def _flux(found: Mapping[str, Any] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    spec = found.get("spec") or {}
    name = f"HelmRelease {found['metadata']['name']}"
    if spec.get("suspend"):
        return (f"{name} is suspended: nothing is taken back until it is resumed",)
    drift = (spec.get("driftDetection") or {}).get("mode") or "disabled"
    return (f"{name} reconciles every {spec.get('interval', '?')}, drift detection {drift}",)


def _argo(found: Mapping[str, Any] | None) -> tuple[str, ...]:
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
