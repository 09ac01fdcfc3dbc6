"""A LangSmith that was deployed without helm, read from its live objects by their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.discovery import CHART_LABEL, INSTANCE_LABEL, NO_RELEASE, without_release
from wizard.systems.helm_records import Release
from wizard.systems.manifest import CHART

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster, Resource
ARGO_GROUP = "argoproj.io"


def stand_in(cluster: Cluster, namespace: str, name: str) -> Release | None:
    """What stands for the release that helm does not have: its name, chart and namespace."""
    for found in without_release(cluster, namespace):
        if found.release == name:
            version = found.chart_version
            return Release(
                name, namespace, 0, NO_RELEASE, f"{CHART}-{version}", CHART, version, "", ""
            )
    return None


def live_manifest(cluster: Cluster, release: Release) -> str:
    """The live workloads and Services with the instance's label, as a manifest would have them.

    Raises:
        Problem: they may not be listed, or the API server does not answer.
    """
    import yaml

    from wizard.systems.cluster import ARGO_ROLLOUTS, DEPLOYMENTS, SERVICES, STATEFULSETS

    texts = []
    for resource in (DEPLOYMENTS, STATEFULSETS, SERVICES, ARGO_ROLLOUTS):
        for each in _listed(cluster, resource, release):
            # What managedFields and annotations say is of no use here, and much.
            about = {key: each["metadata"].get(key) for key in ("name", "namespace", "labels")}
            kind = {"apiVersion": resource.version, "kind": resource.kind}
            body = {**kind, "metadata": about, "spec": each.get("spec")}
            texts.append(yaml.safe_dump(body, sort_keys=False))
    return "---\n".join(["", *texts])


def _listed(cluster: Cluster, resource: Resource, release: Release) -> list[dict[str, Any]]:
    labels = f"{INSTANCE_LABEL}={release.name},{CHART_LABEL}"
    try:
        return cluster.list(resource, release.namespace, labels=labels)
    except Problem as problem:
        # The cluster knows no such kind; or a role like `view` does not, and who may not list a
        # kind is refused before that is looked at.
        if problem.id != "LSA217" and (problem.id, resource.group) != ("LSA207", ARGO_GROUP):
            raise
        return []
