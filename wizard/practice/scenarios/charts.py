"""Scenarios of charts: where they come from, which versions there are, what they render."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import reinstall

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

NEWER = "0.13.37"


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
def certificate_noise(cluster: PracticeCluster) -> None:
    """A Secret has a fresh certificate at every rendering: it is labelled as noise, not asked
    about."""
    reinstall(cluster, {"sandboxes": {"enabled": True}})


@scenario
def random_job_noise(cluster: PracticeCluster) -> None:
    """The migration Jobs have random names (randomizeName): the difference is labelled as
    noise."""
    jobs = ("migrations", "clickhouseMigrations", "authBootstrap")
    reinstall(cluster, {"backend": {job: {"randomizeName": True} for job in jobs}})


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
    answer = cluster.run_helm(
        *("upgrade", cluster.release, cluster.chart, "--namespace", cluster.namespace),
        *("--version", cluster.chart_version, "--values", str(cluster.values)),
        *("--values", str(extra)),
    )
    cluster.must(answer, "helm upgrade")
    cluster.settle()  # helm's own --wait needs a load balancer
    cluster.variables["LANGSMITH_AUDIT_VALUES"] = f"{cluster.values}{os.pathsep}{extra}"
