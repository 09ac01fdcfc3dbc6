"""`--one-rollout`: the same seven steps, the organizations first, and the backend rolls once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from leftovers import entries, revisions

from wizard.practice.cluster import PracticeCluster
from wizard.steps.procedure import NUMBERS, STEPS, ordered

NAMESPACE = "langsmith"
BACKEND = "langsmith-backend"


def sets(cluster: PracticeCluster) -> int:
    """How many templates the backend has had so far."""
    found = cluster.kubernetes.list("ReplicaSet", NAMESPACE)
    return sum(one["metadata"]["ownerReferences"][0]["name"] == BACKEND for one in found)


def intents(cluster: PracticeCluster) -> list[str]:
    return [one["step"] for one in entries(cluster) if one["event"] == "intent"]


@pytest.mark.parametrize(("options", "rollouts"), [((), 2), (("--one-rollout",), 1)])
def test_the_plan_tells_how_often_the_backend_rolls(
    cluster: PracticeCluster, run: Callable[..., Any], options: tuple[str, ...], rollouts: int
) -> None:
    plan = json.loads(run("plan", "--all", "--format", "json", *options).stdout)
    assert plan["rollouts"] == rollouts
    assert [step["number"] for step in plan["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    assert sets(cluster) == 1


def test_a_run_rolls_the_backend_once(cluster: PracticeCluster, run: Callable[..., Any]) -> None:
    answer = run("run", "--yes", "--all", "--one-rollout")
    assert answer.returncode == 0, answer.stderr
    assert intents(cluster) == ["organizations", "values_file", "helm_upgrade"]
    assert sets(cluster) == 2
    assert "langsmith 2 deployed" in revisions(cluster)
    assert "4. The organizations" in answer.stderr.split("Changes")[1]
    again = run("run", "--yes", "--all", "--one-rollout")
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout


def test_what_is_right_already_needs_a_restart_nevertheless(
    cluster: PracticeCluster, run: Callable[..., Any]
) -> None:
    skipped = ("--skip", "organizations", "--skip", "audit_api")
    assert run("run", "--yes", *skipped).returncode == 0
    before = len(intents(cluster))
    answer = run("run", "--yes", "--all", "--one-rollout")
    assert answer.returncode == 0, answer.stderr
    assert intents(cluster)[before:] == ["organizations", "backend_restart"]


def test_the_order_is_one_of_the_same_steps() -> None:
    once = ordered(one_rollout=True)
    assert sorted(NUMBERS[step.name] for step in once) == list(range(1, 8))
    assert [NUMBERS[step.name] for step in once] == [1, 4, 2, 3, 5, 6, 7]
    assert ordered(one_rollout=False) == STEPS
