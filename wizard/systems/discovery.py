"""Which LangSmith releases the user can see: by helm, and by labels where there is no release.

One `helm list` over all namespaces where that is allowed. Otherwise the namespaces whose Secrets
may be listed, else the context's own. A chart that was deployed without helm (as Argo CD does) has
no release; its objects carry `helm.sh/chart: langsmith-<version>` all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.helm_records import split_chart
from wizard.systems.manifest import CHART

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.helm import Helm
    from wizard.systems.helm_records import Release

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


def discover(helm: Helm, cluster: Cluster, namespace: str | None = None) -> Discovery:
    """The LangSmith releases of a namespace, or of all that may be read.

    Raises:
        Problem: neither helm nor the cluster could be asked.
    """
    namespaces, looked = _where(cluster, namespace)
    rows = [row for name in namespaces for row in _releases(helm, name)]
    found = [
        Found(row.namespace, row.name, row.chart_version, row.status)
        for row in rows
        if row.chart_name == CHART and row.status != "uninstalled"
    ]
    found = found or [each for name in namespaces for each in without_release(cluster, name)]
    return Discovery(tuple(sorted(set(found), key=lambda it: (it.namespace, it.release))), looked)


def _releases(helm: Helm, namespace: str | None) -> list[Release]:
    """helm's releases; none where its records may not be read: the labels tell, then."""
    try:
        return helm.releases(namespace)
    except Problem as problem:
        if problem.id != "LSA117":
            raise
        return []


def without_release(cluster: Cluster, namespace: str | None) -> list[Found]:
    """What carries the chart's label in a namespace (None: in all); empty where it is forbidden."""
    from wizard.systems.cluster import DEPLOYMENTS

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
        next_step="go through git: langsmith-audit run --gitops edits the values file (-f), waits "
        "until it is brought to the cluster, and goes on; --gitops is for check and plan too",
        exit=Exit.FAILED,
        detail=(f"label {CHART_LABEL}: {found.chart}",),
    )


def _where(cluster: Cluster, namespace: str | None) -> tuple[Iterable[str | None], str]:
    """The namespaces to ask helm about (None: all at once), and that in words."""
    from wizard.systems.cluster import NAMESPACES, SECRETS

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
