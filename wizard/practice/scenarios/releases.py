"""Scenarios of releases: charts and versions, names, values, and what differs from them live."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING

from wizard.practice.scenarios.tools import (
    Json,
    add,
    edit_values,
    make_namespace,
    reinstall,
    scenario,
    set_env,
    upgrade_arguments,
)

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

NEWER = "0.13.37"
ONE = {"deployment": {"replicas": 1}}
BUDGET = {"pdb": {"enabled": True, "minAvailable": 1}}

EDITED: dict[str, tuple[str, Json]] = {
    "drift-changed-key": (
        "The values file says something else than what is deployed: listed, and asked about.",
        {"backend": {"deployment": {"replicas": 3}}},
    ),
    "lost-salt": (
        "The values file has another config.apiKeySalt: every API key would be lost, so the "
        "upgrade is refused.",
        {"config": {"apiKeySalt": "5f0c1de2a7b94683"}},
    ),
    "lost-license": (
        "The values file lacks config.langsmithLicenseKey, which is deployed: refused.",
        {"config": {"langsmithLicenseKey": None}},
    ),
    "lost-jwt-secret": (
        "The values file lacks config.basicAuth.jwtSecret, which is deployed: everybody would be "
        "logged out, so the upgrade is refused.",
        {"config": {"basicAuth": {"jwtSecret": None}}},
    ),
}
"""Scenarios of an edit of the values file."""

INSTALLED: dict[str, tuple[str, Json]] = {
    "certificate-noise": (
        "A Secret has a fresh certificate at every rendering: it is labelled as noise, not asked "
        "about.",
        {"sandboxes": {"enabled": True}},
    ),
    "random-job-noise": (
        "The migration Jobs have random names (randomizeName): the difference is labelled as "
        "noise.",
        {
            "backend": {
                job: {"randomizeName": True}
                for job in ("migrations", "clickhouseMigrations", "authBootstrap")
            }
        },
    ),
    "fullname-override": (
        "fullnameOverride is set: the backend is Deployment smith-prod-backend, all goes well.",
        {"fullnameOverride": "smith-prod"},
    ),
    "name-override": (
        "nameOverride is set: objects are called langsmith-tracing-…, all goes well.",
        {"nameOverride": "tracing"},
    ),
    "backend-name": (
        "backend.name is another: Deployment and container are found as such, all goes well.",
        {"backend": {"name": "api-server"}},
    ),
    "hpa": (
        "An autoscaler sets the number of pods, spec.replicas is not in the chart: all goes well.",
        {"backend": {"autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 4}}},
    ),
    "one-replica": (
        "The backend has one pod: the new one comes before the old one goes.",
        {"backend": ONE},
    ),
    "budget-one-replica": (
        "A PodDisruptionBudget asks for the only pod: a Deployment rolls nevertheless, a drained "
        "node waits.",
        {"backend": {**ONE, **BUDGET}},
    ),
}
"""Scenarios of a release that is installed with other values."""

for _name, (_line, _change) in EDITED.items():
    add(_name, _line, partial(edit_values, change=_change))
for _name, (_line, _change) in INSTALLED.items():
    add(_name, _line, partial(reinstall, change=_change))


@scenario
def repo_missing(cluster: PracticeCluster) -> None:
    """helm does not know the alias langchain: `helm repo add` is told, and done when told to."""
    cluster.must(cluster.run_helm("repo", "remove", "langchain"), "helm repo remove")


@scenario
def repo_stale(cluster: PracticeCluster) -> None:
    """helm's index is older than the deployed version: `helm repo update` is told, and helps."""
    offered = cluster.repository.offered
    cluster.repository.offer(offered - {cluster.chart_version})
    cluster.helm_home.index.write_text(json.dumps(cluster.repository.index()), encoding="utf-8")
    cluster.repository.offer(offered)


@scenario
def version_gone(cluster: PracticeCluster) -> None:
    """The repository no longer has the deployed chart version: the release's own is offered."""
    cluster.repository.offer(cluster.repository.offered - {cluster.chart_version})
    cluster.must(cluster.run_helm("repo", "update"), "helm repo update")


@scenario
def too_old_chart(cluster: PracticeCluster) -> None:
    """The deployed chart is 0.12.32, which has no audit logs, and the same upgrade is to raise it
    to 0.12.33: done with --accept-chart-change, and not without."""
    reinstall(cluster, chart_version="0.12.32")
    cluster.variables["LANGSMITH_AUDIT_CHART_VERSION"] = "0.12.33"


@scenario
def values_of_another_line(cluster: PracticeCluster) -> None:
    """The chart is to be raised to 0.13.37, which refuses the value autoscaling.enabled: the key is
    named, and nothing is raised without --accept-chart-change."""
    reinstall(cluster, {"backend": {"autoscaling": {"enabled": True}}})
    cluster.variables["LANGSMITH_AUDIT_CHART_VERSION"] = NEWER


@scenario
def image_missing(cluster: PracticeCluster) -> None:
    """The chart is to be raised to 0.13.37 (--accept-chart-change), and the private registry lacks
    its images: new pods are in ImagePullBackOff, the old ones go on."""
    cluster.kubernetes.faults.lack_image(f":{NEWER}")
    reinstall(cluster, {"images": {"registry": "registry.example.com/mirror"}})
    cluster.variables["LANGSMITH_AUDIT_CHART_VERSION"] = NEWER


@scenario
def on_by_default(cluster: PracticeCluster) -> None:
    """Chart 0.13.37 has audit logs on by default, but Meridian Freight has a stored `false`: only
    its row is changed, and the backend restarted."""
    reinstall(cluster, chart_version=NEWER)


@scenario
def chart_directory(cluster: PracticeCluster) -> None:
    """The chart is a directory of a git checkout, named by --chart: it is used as it is."""
    pulled = cluster.run_helm(
        *("pull", cluster.chart, "--version", cluster.chart_version),
        *("--untar", "--untardir", str(cluster.home / "checkout")),
    )
    cluster.must(pulled, "helm pull")
    cluster.variables["LANGSMITH_AUDIT_CHART"] = str(cluster.home / "checkout" / "langsmith")


@scenario
def layered_values(cluster: PracticeCluster) -> None:
    """Two values files, and the later one's list replaces the earlier one's: the right file is
    edited."""
    extra = cluster.home / "production.yaml"
    env = [{"name": "ASYNCPG_POOL_MAX_SIZE", "value": "16"}]
    cluster.write_private(extra, json.dumps({"backend": {"deployment": {"extraEnv": env}}}) + "\n")
    answer = cluster.run_helm(*upgrade_arguments(cluster), "--values", str(extra))
    cluster.must(answer, "helm upgrade")
    cluster.settle()  # helm's own --wait needs a load balancer
    cluster.variables["LANGSMITH_AUDIT_VALUES"] = f"{cluster.values}{os.pathsep}{extra}"


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


@scenario
def drift_dropped_key(cluster: PracticeCluster) -> None:
    """A deployed key is missing in the values file: the upgrade would drop it, and is refused
    until that is accepted."""
    reinstall(cluster, {"config": {"logLevel": "debug"}})
    edit_values(cluster, {"config": {"logLevel": None}})


@scenario
def live_edit(cluster: PracticeCluster) -> None:
    """Somebody ran `kubectl set env` on the backend: the release does not have it, and the upgrade
    may take it away."""
    set_env(cluster, "kubectl-set", SAMPLING_RATE="0.2")


@scenario
def live_only(cluster: PracticeCluster) -> None:
    """Both variables are live by `kubectl set env` and not in the release: the next upgrade would
    drop them, so they are brought into the values file."""
    set_env(
        cluster,
        "kubectl-set",
        AUDIT_LOGS_ENABLED="true",
        DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS="true",
    )


@scenario
def edited_elsewhere(cluster: PracticeCluster) -> None:
    """Somebody scaled the queue, edited the ConfigMap and a Service and deleted another, all beside
    helm: each is listed, with who did it, and the upgrade would put it back."""
    _edit(cluster, "kubectl-scale", "Deployment", "langsmith-queue", {"spec": {"replicas": 5}})
    env = {"data": {"LANGCHAIN_ENV": "edited"}}
    _edit(cluster, "kubectl-edit", "ConfigMap", "langsmith-config", env)
    ports = {"spec": {"ports": [{"port": 1987, "targetPort": 1999}]}}
    _edit(cluster, "kubectl-patch", "Service", "langsmith-ace-backend", ports)
    someone = cluster.kubernetes.acting_as("kubectl")
    someone.delete("Service", cluster.namespace, "langsmith-playground")


@scenario
def live_salt(cluster: PracticeCluster) -> None:
    """Somebody put another API key salt into the live Secret: the upgrade would put the old one
    back, and is refused whatever is said."""
    salt = {"data": {"api_key_salt": b64encode(b"a-salt-of-the-night-shift").decode()}}
    _edit(cluster, "kubectl-edit", "Secret", "langsmith-secrets", salt)


def _edit(cluster: PracticeCluster, manager: str, kind: str, name: str, change: Json) -> None:
    cluster.kubernetes.acting_as(manager).patch(kind, cluster.namespace, name, change)
