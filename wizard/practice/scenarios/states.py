"""Scenarios in which the release is in another state than `deployed`, each brought about by helm.

Where helm was cut short in an upgrade, it is the documented upgrade itself.
"""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import (
    BACKEND,
    SEEN_LIMIT,
    VARIABLES,
    backend_env,
    enable_in_values,
    kill_helm,
    revision_status,
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


@scenario
def pending_install(cluster: PracticeCluster) -> None:
    """helm was killed while it installed LangSmith: the release is pending-install, there is no
    revision to roll back to."""
    cluster.bare()
    kill_helm(
        cluster,
        *("install", cluster.release, cluster.chart, "--version", cluster.chart_version),
        *("--namespace", cluster.namespace, "--create-namespace"),
        *("--values", str(cluster.values), "--wait"),
        when=lambda: _has_backend(cluster),
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


def _has_backend(cluster: PracticeCluster) -> bool:
    return cluster.kubernetes.get("Deployment", cluster.namespace, BACKEND) is not None
