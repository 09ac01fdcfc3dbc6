"""Upgrades that fail: told early, ended kindly, with evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from traces import backend_env, backend_pods, entries, revisions

from wizard.practice.cluster import PracticeCluster

NAMESPACE = "langsmith"
BACKEND = {"app.kubernetes.io/component": "langsmith-backend"}
ALL = ("run", "--yes", "--all", "--patience", "0.3")


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_a_hopeless_rollout_ends_helm_kindly(
    cluster: PracticeCluster, run: Callable[..., Any], request: pytest.FixtureRequest, helm: str
) -> None:
    cluster.use_helm(request.getfixturevalue(helm))
    before = backend_pods(cluster)
    cluster.kubernetes.faults.fail_pods(BACKEND, "ImagePullBackOff")
    answer = run(*ALL)
    assert answer.returncode == 9, answer.stderr
    assert "LSA440" in answer.stderr
    assert "ImagePullBackOff" in answer.stderr
    assert "langsmith 2 failed" in revisions(cluster)
    assert before <= backend_pods(cluster)
    assert backend_env(cluster)["AUDIT_LOGS_ENABLED"] == "true"
    failed = [one for one in entries(cluster) if one["event"] == "failed"]
    assert [one["id"] for one in failed] == ["LSA440"]
