"""What admission refuses with 403 is told apart from a missing right."""

from __future__ import annotations

import pytest

from wizard.practice.cluster import PracticeCluster
from wizard.problems import Exit, Problem
from wizard.systems.kubernetes.cluster import DEPLOYMENTS, Cluster


def refusal(cluster: PracticeCluster) -> Problem:
    """What becomes of a patch of the backend."""
    connected = Cluster.connect(cluster.kubeconfig, None)
    with pytest.raises(Problem) as told:
        connected.patch(DEPLOYMENTS, "langsmith-backend", "langsmith", {"metadata": {}})
    return told.value


def test_a_webhook(cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.deny("patch", "deployments", "no limits", webhook="policy.example")
    problem = refusal(cluster)
    assert (problem.id, problem.exit) == ("LSA210", Exit.FAILED)
    assert problem.detail == ('admission webhook "policy.example" denied the request: no limits',)
    assert "policy" in problem.next_step


def test_a_missing_right(cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.forbid("patch", "deployments")
    problem = refusal(cluster)
    assert (problem.id, problem.exit) == ("LSA207", Exit.UNKNOWN)
    assert 'verbs: ["patch"]' in problem.next_step
