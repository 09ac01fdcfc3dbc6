"""Scenarios of how releases and their objects are called, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import edit_values, make_namespace, reinstall

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster


@scenario
def fullname_override(cluster: PracticeCluster) -> None:
    """fullnameOverride is set: the backend is Deployment smith-prod-backend, all goes well."""
    reinstall(cluster, {"fullnameOverride": "smith-prod"})


@scenario
def name_override(cluster: PracticeCluster) -> None:
    """nameOverride is set: objects are called langsmith-tracing-…, all goes well."""
    reinstall(cluster, {"nameOverride": "tracing"})


@scenario
def backend_name(cluster: PracticeCluster) -> None:
    """backend.name is another: Deployment and container are found as such, all goes well."""
    reinstall(cluster, {"backend": {"name": "api-server"}})


@scenario
def namespace_value(cluster: PracticeCluster) -> None:
    """The value `namespace` moves every object: helm works in langsmith, the rest in tracing."""
    edit_values(cluster, {"namespace": "tracing"})
    cluster.bare()
    make_namespace(cluster, "tracing")
    cluster.install()


@scenario
def other_release_name(cluster: PracticeCluster) -> None:
    """The release is called observability, in namespace ai-platform: it is found by its chart."""
    reinstall(cluster, release="observability", namespace="ai-platform")
    cluster.kubernetes.write_kubeconfig(cluster.kubeconfig)
    for name in ("RELEASE", "NAMESPACE"):
        cluster.variables[f"LANGSMITH_AUDIT_{name}"] = ""


@scenario
def several_releases(cluster: PracticeCluster) -> None:
    """A second LangSmith, langsmith-staging, is in the namespace: which one is meant is asked."""
    staging = cluster.run_helm(
        *("install", "langsmith-staging", cluster.chart),
        *("--version", cluster.chart_version, "--namespace", cluster.namespace),
        *("--values", str(cluster.values), "--set", "config.hostname=staging.example.com"),
    )
    cluster.must(staging, "helm install langsmith-staging")
    cluster.settle()
    cluster.variables["LANGSMITH_AUDIT_RELEASE"] = ""
