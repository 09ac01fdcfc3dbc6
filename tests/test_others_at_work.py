"""Somebody else acts on the release at the same moment: another helm, or an owner that reverts."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from traces import NOTHING, backend_env, refused, revisions

from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios.tools import (
    SEEN_LIMIT,
    VARIABLES,
    patch_backend,
    revision_status,
    upgrade_arguments,
)

ALL = ("run", "--yes", "--all")
NAMES = tuple(one["name"] for one in VARIABLES)


@contextmanager
def another_helm(cluster: PracticeCluster) -> Iterator[None]:
    """A helm that upgrades the release as it is, and has come to a hook that cannot start."""
    migrations = {"job-name": "langsmith-backend-migrations"}
    cluster.kubernetes.faults.fail_pods(migrations, "ImagePullBackOff")
    other = subprocess.Popen(
        [str(cluster.helm), *upgrade_arguments(cluster)],
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        cluster.kubernetes.until(
            lambda: revision_status(cluster, 2) == "pending-upgrade", timeout=SEEN_LIMIT
        )
        yield
    finally:
        other.terminate()
        other.wait(timeout=SEEN_LIMIT)


def test_another_helm_is_at_work(cluster: PracticeCluster, run, helm: Path) -> None:
    cluster.use_helm(helm)
    with another_helm(cluster):
        refused(cluster, run(*ALL), 3, "LSA152", "may still be at work", NOTHING)
        assert revision_status(cluster, 2) == "pending-upgrade"
    assert NAMES[0] not in backend_env(cluster)
    assert revisions(cluster) == {"langsmith 1 deployed", "langsmith 2 failed"}


def test_an_owner_reverts_what_helm_has_set(cluster: PracticeCluster, run, helm: Path) -> None:
    cluster.use_helm(helm)

    def revert() -> None:
        cluster.kubernetes.until(lambda: NAMES[0] in backend_env(cluster), timeout=SEEN_LIMIT)
        env = [{"name": name, "$patch": "delete"} for name in NAMES]
        containers = [{"name": "backend", "env": env}]
        change = {"spec": {"template": {"spec": {"containers": containers}}}}
        patch_backend(cluster, change, manager="some-operator")

    owner = threading.Thread(target=revert)
    owner.start()
    answer = run(*ALL)
    owner.join()
    assert answer.returncode == 9, answer.stderr
    assert "LSA441" in answer.stderr
    assert "Somebody took back what helm had set: AUDIT_LOGS_ENABLED and DEFAULT" in answer.stderr
    assert NAMES[0] not in backend_env(cluster)
    assert "langsmith 2 deployed" in revisions(cluster)
