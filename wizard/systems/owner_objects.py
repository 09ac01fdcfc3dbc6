"""What an owner's own object says: whether it takes changes back, and whether it is paused.

Sources: Flux `HelmRelease` (spec.suspend, spec.interval, spec.driftDetection), Argo CD
`Application` (spec.syncPolicy.automated).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.cluster import Resource
from wizard.systems.owners import FLUX_NAME, FLUX_NAMESPACE, Owner

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster

HELM_RELEASES = Resource("helmreleases", "HelmRelease", "helm.toolkit.fluxcd.io", "v2")
APPLICATIONS = Resource("applications", "Application", "argoproj.io", "v1alpha1")
ARGO_NAMESPACE = "argocd"
"""Where Argo CD keeps its Applications unless it is told otherwise."""


def owner_says(cluster: Cluster, owner: Owner, live: Mapping[str, Any]) -> tuple[str, ...]:
    """What the owner's object says, a line; nothing where there is none or it may not be read."""
    labels = live["metadata"].get("labels") or {}
    try:
        if owner.tool == "Flux" and FLUX_NAME in labels:
            namespace = str(labels.get(FLUX_NAMESPACE) or live["metadata"]["namespace"])
            return _flux(cluster.get(HELM_RELEASES, labels[FLUX_NAME], namespace))
        if owner.tool == "Argo CD" and owner.name:
            name = owner.name.removeprefix("application ")
            return _argo(cluster.get(APPLICATIONS, name, ARGO_NAMESPACE))
    except Problem:
        return ()
    return ()


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
    name = f"Application {found['metadata']['name']}"
    if automated is None:
        return (f"{name} is synced by hand: a change is taken back at the next sync",)
    heals = "takes changes back by itself (selfHeal)" if automated.get("selfHeal") else (
        "takes changes back at its next sync"
    )  # fmt: skip
    return (f"{name} is synced automatically, and {heals}",)
