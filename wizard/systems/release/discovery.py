"""Which LangSmith releases the user can see: by helm, and by labels where there is no release.

One `helm list` over all namespaces where that is allowed. Otherwise the namespaces whose Secrets
may be listed, else the context's own, and what helm keeps there is read through the API. A chart
that was deployed without helm (as Argo CD does) has no release; its objects carry
`helm.sh/chart: langsmith-<version>` all the same, and are read by their labels.

With `--gitops` the live backend is the truth, not the release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.helm.errors import other_driver
from wizard.systems.helm.records import Release, split_chart
from wizard.systems.kubernetes.cluster import (
    ARGO_ROLLOUTS,
    DEPLOYMENTS,
    NAMESPACES,
    SECRETS,
    SERVICES,
    STATEFULSETS,
)
from wizard.systems.release.manifest import CHART
from wizard.systems.release.records import newest_of_each

if TYPE_CHECKING:
    from wizard.systems.helm.client import Helm
    from wizard.systems.kubernetes.cluster import Cluster, Resource


MOST_NAMESPACES = 50
"""Namespaces that are looked into one by one."""

NO_RELEASE = "no Helm release"
NOT_READABLE = "not readable"
"""The status of a release whose record may not be read."""
CHART_LABEL = "helm.sh/chart"
INSTANCE_LABEL = "app.kubernetes.io/instance"


@dataclass(frozen=True)
class Found:
    """One LangSmith that was found; `status` is helm's, or that there is no Helm release."""

    namespace: str
    release: str
    chart_version: str
    status: str

    @property
    def flags(self) -> str:
        """What to type to mean this one."""
        return f"-n {self.namespace} --release {self.release}"


@dataclass(frozen=True)
class Discovery:
    """What was found, sorted, and the words for where was looked."""

    found: tuple[Found, ...]
    looked: str


def discover(helm: Callable[[], Helm], cluster: Cluster, namespace: str | None = None) -> Discovery:
    """The LangSmith releases of a namespace, or of all that may be read.

    Raises:
        Problem: neither helm nor the cluster could be asked.
    """
    namespaces, looked = _where(cluster, namespace)
    rows = [row for name in namespaces for row in _releases(helm, cluster, name)]
    found = [
        Found(row.namespace, row.name, row.chart_version, row.status)
        for row in rows
        if row.chart_name == CHART and row.status != "uninstalled"
    ]
    found = found or [each for name in namespaces for each in without_release(cluster, name)]
    return Discovery(tuple(sorted(set(found), key=lambda it: (it.namespace, it.release))), looked)


def _releases(helm: Callable[[], Helm], cluster: Cluster, namespace: str | None) -> list[Release]:
    """helm's releases; none where its records may not be read: the labels tell, then."""
    kept = newest_of_each(cluster, namespace) if namespace else None
    if kept is not None:
        return kept
    try:
        return helm().releases(namespace)
    except Problem as problem:
        if problem.id != "LSA117":
            raise
        return []


def without_release(cluster: Cluster, namespace: str | None) -> list[Found]:
    """What carries the chart's label in a namespace (None: in all); empty where it is forbidden."""
    try:
        live = cluster.list(DEPLOYMENTS, namespace, labels=CHART_LABEL)
    except Problem as problem:
        if problem.id != "LSA207":
            raise
        return []
    found = set()
    for each in live:
        labels = each["metadata"].get("labels") or {}
        name, version = split_chart(str(labels.get(CHART_LABEL)))
        if name == CHART and version and labels.get(INSTANCE_LABEL):
            place = each["metadata"]["namespace"]
            found.add(Found(place, labels[INSTANCE_LABEL], version, NO_RELEASE))
    return sorted(found, key=lambda it: (it.namespace, it.release))


def not_by_helm(found: Release) -> Problem:
    """The Problem of a LangSmith that is deployed without a Helm release."""
    return Problem(
        "LSA145",
        f"LangSmith {found.chart_version} is deployed there without a Helm release",
        on=f"instance {found.name} in namespace {found.namespace}",
        next_step=f"{other_driver()}go through git: langsmith-audit run --gitops edits the values "
        "file (-f), waits "
        "until it is brought to the cluster, and goes on; --gitops is for check and plan too",
        exit=Exit.FAILED,
        detail=(f"label {CHART_LABEL}: {found.chart}",),
    )


def _where(cluster: Cluster, namespace: str | None) -> tuple[Iterable[str | None], str]:
    """The namespaces to ask helm about (None: all at once), and that in words."""
    if namespace:
        return (namespace,), f"namespace {namespace}"
    if cluster.allowed("list", SECRETS, None):
        return (None,), "all namespaces"
    if not cluster.allowed("list", NAMESPACES, None):
        own = cluster.default_namespace
        return (own,), f"namespace {own} alone (others may not be listed)"
    names = [str(each["metadata"]["name"]) for each in cluster.list(NAMESPACES, None)]
    readable = [n for n in names[:MOST_NAMESPACES] if cluster.allowed("list", SECRETS, n)]
    more = f", of the first {MOST_NAMESPACES}" if len(names) > MOST_NAMESPACES else ""
    return readable, f"the {len(readable)} of {len(names)} namespaces that may be read{more}"


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
