"""Scenarios of failures: pods and hooks, refusals of the API server, helm cut short."""

from __future__ import annotations

import subprocess
import threading
from functools import partial
from typing import TYPE_CHECKING

from wizard.practice.scenarios.tools import (
    BACKEND,
    SEEN_LIMIT,
    VARIABLES,
    add,
    backend_env,
    enable_in_values,
    kill_helm,
    reinstall,
    revision_status,
    scenario,
    settled,
    start_helm,
    upgrade_arguments,
)

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

FIRST = VARIABLES[0]["name"]
MIGRATIONS = f"{BACKEND}-migrations"
HELD_SECONDS = 45.0
"""How long another helm's migrations take."""

PODS = {
    "crash-loop": (
        "New backend pods crash (CrashLoopBackOff): the run ends early with the pod, its events "
        "and its last log lines, the database password in them blacked out.",
        "CrashLoopBackOff",
    ),
    "image-pull": (
        "The image of new backend pods cannot be pulled (ImagePullBackOff): the run ends early.",
        "ImagePullBackOff",
    ),
    "config-error": (
        "New backend pods lack a Secret (CreateContainerConfigError): the run ends early.",
        "CreateContainerConfigError",
    ),
    "unschedulable": (
        "No node has room for a new backend pod (Unschedulable): the run ends early.",
        "Unschedulable",
    ),
}
"""Scenarios of what new pods of the backend fail with."""

JOBS = {
    "migration-fails": (
        "The migrations Job fails in every try: the release ends `failed` although the variables "
        "are live; the Job's last words are shown, secrets blacked out.",
        MIGRATIONS,
    ),
    "auth-bootstrap-fails": (
        "auth-bootstrap fails, which has no second try: the release ends `failed`.",
        "auth-bootstrap",
    ),
    "e2e-test-fails": (
        "The end-to-end test fails: the release ends `failed`, and the backend is as it should be.",
        "e2e-test",
    ),
}
"""Scenarios of hook Jobs of the chart, which run at every upgrade."""


def _new_pods(cluster: PracticeCluster, reason: str) -> None:
    labels = {"app.kubernetes.io/component": BACKEND}
    cluster.kubernetes.faults.fail_pods(labels, reason, owner="ReplicaSet")


def _fail_job(cluster: PracticeCluster, name: str) -> None:
    cluster.kubernetes.faults.fail_job(name)


for _name, (_line, _reason) in PODS.items():
    add(_name, _line, partial(_new_pods, reason=_reason))
for _name, (_line, _job) in JOBS.items():
    add(_name, _line, partial(_fail_job, name=_job))


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


@scenario
def backfill_blocks(cluster: PracticeCluster) -> None:
    """Chart 0.16.5 checks for running backfills before an upgrade, and one runs: nothing was
    changed; try again when it is through. (--force, as the server has audit logs by default.)"""
    reinstall(cluster, chart_version="0.16.5")
    cluster.variables["LANGSMITH_AUDIT_FORCE"] = "true"
    cluster.kubernetes.faults.fail_job("backfill-check")


@scenario
def pending_install(cluster: PracticeCluster) -> None:
    """helm was killed while it installed LangSmith: the release is pending-install, there is no
    revision to roll back to."""
    cluster.bare()
    kill_helm(
        cluster,
        *("install", *upgrade_arguments(cluster)[1:], "--create-namespace", "--wait"),
        when=lambda: cluster.kubernetes.get("Deployment", cluster.namespace, BACKEND) is not None,
    )
    settled(cluster)


@scenario
def pending_upgrade(cluster: PracticeCluster) -> None:
    """helm was killed (SIGKILL) in the middle of the documented upgrade: the release is
    pending-upgrade, the variables are live, hooks did not run; the ways out are told."""
    enable_in_values(cluster)
    kill_helm(
        cluster, *upgrade_arguments(cluster), "--wait", when=lambda: FIRST in backend_env(cluster)
    )
    settled(cluster)


@scenario
def pending_rollback(cluster: PracticeCluster) -> None:
    """helm was killed while it rolled back: the release is pending-rollback, and the variables
    are gone again."""
    enable_in_values(cluster)
    cluster.must(cluster.run_helm(*upgrade_arguments(cluster)), "helm upgrade")
    settled(cluster)
    kill_helm(
        cluster,
        *("rollback", cluster.release, "1", "--namespace", cluster.namespace, "--wait"),
        when=lambda: FIRST not in backend_env(cluster),
    )
    settled(cluster)


@scenario
def failed_upgrade(cluster: PracticeCluster) -> None:
    """The documented upgrade failed at its migration hook: the release is `failed` although the
    variables are live; the cause is gone meanwhile."""
    enable_in_values(cluster)
    faults = cluster.kubernetes.faults
    faults.fail_job(MIGRATIONS)
    answer = cluster.run_helm(*upgrade_arguments(cluster))
    faults.clear()
    if answer.returncode == 0 or revision_status(cluster, 2) != "failed":
        raise RuntimeError("helm upgrade did not fail")
    settled(cluster)


@scenario
def uninstalling(cluster: PracticeCluster) -> None:
    """helm was killed while it uninstalled LangSmith: the release is `uninstalling`, and part of
    it is gone."""
    kill_helm(
        cluster,
        *("uninstall", cluster.release, "--namespace", cluster.namespace),
        when=lambda: revision_status(cluster, 1) == "uninstalling",
    )


@scenario
def another_helm(cluster: PracticeCluster) -> None:
    """Another helm upgrades the release at this moment: it is pending-upgrade, its migration hook
    runs, and nothing is begun; within a minute that helm ends well by itself."""
    kubernetes, labels = cluster.kubernetes, {"job-name": MIGRATIONS}
    others = kubernetes.others
    kubernetes.faults.fail_pods(labels, "NotReady", owner="Job")
    goes_on = threading.Timer(HELD_SECONDS, kubernetes.faults.clear)
    others.callback(goes_on.cancel)
    others.callback(_end, start_helm(cluster, *upgrade_arguments(cluster)))
    goes_on.start()

    def at_its_hook() -> bool:
        pods = kubernetes.list("Pod", cluster.namespace, labels)
        return any(pod.get("status", {}).get("phase") == "Running" for pod in pods)

    kubernetes.until(at_its_hook, timeout=SEEN_LIMIT)


def _end(helm: subprocess.Popen[bytes]) -> None:
    helm.terminate()
    helm.wait()
