"""Scenarios in which new pods do not get up, or the API server refuses what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import BACKEND, reinstall

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster


def _new_pods(cluster: PracticeCluster, reason: str) -> None:
    labels = {"app.kubernetes.io/component": BACKEND}
    cluster.kubernetes.faults.fail_pods(labels, reason, owner="ReplicaSet")


@scenario
def crash_loop(cluster: PracticeCluster) -> None:
    """New backend pods crash (CrashLoopBackOff): the run ends early with the pod, its events and
    its last log lines, the database password in them blacked out."""
    _new_pods(cluster, "CrashLoopBackOff")


@scenario
def image_pull(cluster: PracticeCluster) -> None:
    """The image of new backend pods cannot be pulled (ImagePullBackOff): the run ends early."""
    _new_pods(cluster, "ImagePullBackOff")


@scenario
def config_error(cluster: PracticeCluster) -> None:
    """New backend pods lack a Secret (CreateContainerConfigError): the run ends early."""
    _new_pods(cluster, "CreateContainerConfigError")


@scenario
def unschedulable(cluster: PracticeCluster) -> None:
    """No node has room for a new backend pod (Unschedulable): the run ends early."""
    _new_pods(cluster, "Unschedulable")


@scenario
def failing_probe(cluster: PracticeCluster) -> None:
    """New backend pods run and never become ready: the run ends early, when the probe has failed
    for as long as it may (here 1 s) and --patience on top."""
    probe = {"failureThreshold": 1, "periodSeconds": 1}
    reinstall(cluster, {"backend": {"deployment": {"readinessProbe": probe}}})
    _new_pods(cluster, "NotReady")


@scenario
def quota_exceeded(cluster: PracticeCluster) -> None:
    """A ResourceQuota has no room for another pod: the ReplicaSet's event says so, and the run
    ends early."""
    ended = ("Succeeded", "Failed")
    pods = cluster.kubernetes.list("Pod", cluster.namespace)
    full = sum(pod["status"]["phase"] not in ended for pod in pods)
    cluster.kubernetes.acting_as("kubectl-create").create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "compute", "namespace": cluster.namespace},
            "spec": {"hard": {"pods": str(full)}},
        }
    )


@scenario
def admission_refusal(cluster: PracticeCluster) -> None:
    """A policy webhook refuses the changed Deployment: found before anything is written."""
    cluster.kubernetes.faults.deny(
        "patch",
        "deployments",
        "[container-limits] container <backend> has no memory limit",
        name_contains=BACKEND,
        webhook="validation.gatekeeper.sh",
    )


@scenario
def missing_right(cluster: PracticeCluster) -> None:
    """The user may not patch Deployments: found before anything is written, with the rule that
    grants it."""
    cluster.kubernetes.faults.forbid("patch", "deployments")


@scenario
def secrets_forbidden(cluster: PracticeCluster) -> None:
    """The user may not read Secrets, where helm keeps its releases: told with the rule that
    grants it."""
    for verb in ("get", "list"):
        cluster.kubernetes.faults.forbid(verb, "secrets")
