"""Each scenario comes up and is what it says, seen through the API and helm, not the wizard.

What can be seen without a change is looked at where the wizard meets it, too: in
tests/journeys/test_scenarios.py.
"""

from __future__ import annotations

import re
import urllib.parse
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import scenario_looks
from api_requests import session
from scenario_looks import FIRST, LOOKS, deployed, helm_list, show_chart, wait

from wizard.practice.scenarios import SCENARIOS, stage
from wizard.practice.scenarios.tools import (
    BACKEND,
    SEEN_LIMIT,
    VARIABLES,
    backend_env,
    backend_of,
    enable_in_values,
    patch_backend,
    revision_status,
    upgrade_arguments,
)

CHECKS = {}
"""Of the scenarios that are told by what becomes of a change."""
seen = partial(scenario_looks.seen, looks=CHECKS)


def upgrade(cluster, *more):
    """The documented upgrade, with both variables in the values file."""
    enable_in_values(cluster)
    return cluster.run_helm(*upgrade_arguments(cluster), *more)


def events(cluster):
    return {(one["reason"], one["message"]) for one in cluster.kubernetes.list("Event")}


def test_every_line_tells_what_to_see():
    for scenario in SCENARIOS.values():
        assert re.fullmatch(r"[a-z0-9-]+", scenario.name)
        assert re.search(r"[:,.] \S", scenario.line), scenario


@seen("repo-stale")
def _(cluster):
    assert show_chart(cluster).returncode != 0
    assert cluster.run_helm("repo", "update").returncode == 0
    assert show_chart(cluster).returncode == 0


@seen("version-gone")
def _(cluster):
    assert cluster.run_helm("repo", "update").returncode == 0
    assert show_chart(cluster).returncode != 0


@seen("image-missing")
def _(cluster):
    upgrade(cluster, "--no-hooks", "--version", "0.13.37")
    wait(cluster, lambda: ("backend", "ImagePullBackOff") in waiting(cluster))


def waiting(cluster):
    """Container and reason of everything that waits."""
    found = set()
    for pod in cluster.kubernetes.list("Pod", cluster.namespace):
        for status in pod["status"].get("containerStatuses", ()):
            reason = status["state"].get("waiting", {}).get("reason")
            found |= {(status["name"], reason)} if reason else set()
    return found


@seen("on-by-default", version="0.13.37")
@seen("backfill-blocks", version="0.16.5")
def _(cluster, version):
    assert list(helm_list(cluster).values()) == [f"langsmith-{version}"]
    if version == "0.16.5":
        answer = upgrade(cluster, "--version", version)
        assert "pre-upgrade hooks failed" in answer.stderr
        assert FIRST not in backend_env(cluster)


@seen("owner-reverts")
def _(cluster):
    assert upgrade(cluster, "--no-hooks").returncode == 0
    assert deployed(cluster)["backend"]["deployment"]["extraEnv"][-1] == VARIABLES[-1]
    wait(cluster, lambda: FIRST not in backend_env(cluster))


@seen("crash-loop", reason="CrashLoopBackOff")
@seen("image-pull", reason="ImagePullBackOff")
@seen("config-error", reason="CreateContainerConfigError")
def _(cluster, reason):
    upgrade(cluster, "--no-hooks")
    wait(cluster, lambda: ("backend", reason) in waiting(cluster))
    if reason == "CrashLoopBackOff":
        assert cluster.postgres.password in log_of(cluster, ("backend", reason))


def log_of(cluster, wanted):
    """The log of the pod whose container waits for that reason."""
    pods = cluster.kubernetes.list("Pod", cluster.namespace)
    (pod,) = [
        pod["metadata"]["name"]
        for pod in pods
        for one in pod["status"].get("containerStatuses", ())
        if (one["name"], one["state"].get("waiting", {}).get("reason")) == wanted
    ]
    url = f"{cluster.kubernetes.url}/api/v1/namespaces/{cluster.namespace}/pods/{pod}/log"
    answer = session(cluster.kubernetes).get(url, params={"tailLines": 1}, timeout=SEEN_LIMIT)
    return answer.text


@seen("unschedulable", event="FailedScheduling", text="Insufficient memory")
@seen("failing-probe", event="Unhealthy", text="Readiness probe failed")
@seen("quota-exceeded", event="FailedCreate", text="exceeded quota: compute, requested: pods=1")
def _(cluster, event, text):
    upgrade(cluster, "--no-hooks")
    wait(cluster, lambda: any(one == event and text in said for one, said in events(cluster)))
    if event == "FailedCreate":
        wait(cluster, lambda: "ReplicaFailure" in conditions(cluster))


def conditions(cluster):
    return {one["type"] for one in backend_of(cluster)["status"]["conditions"]}


@seen("admission-refusal")
def _(cluster):
    answer = upgrade(cluster)
    assert 'admission webhook "validation.gatekeeper.sh" denied the request' in answer.stderr
    assert revision_status(cluster, 2) == "failed"
    assert FIRST not in backend_env(cluster)


def test_a_hook_without_a_second_try_fails_the_release(cluster):
    stage(cluster, SCENARIOS["auth-bootstrap-fails"])
    answer = upgrade(cluster)
    assert "post-upgrade hooks failed" in answer.stderr
    assert revision_status(cluster, 2) == "failed"
    assert FIRST in backend_env(cluster)


def test_without_a_release_only_the_label_tells_the_chart(cluster):
    stage(cluster, SCENARIOS["argocd-without-release"])
    assert helm_list(cluster, "--all") == {}
    assert backend_of(cluster)["metadata"]["labels"]["helm.sh/chart"] == "langsmith-0.12.33"


@seen("pending-install", revision=1, status="pending-install", live=False)
@seen("pending-upgrade", revision=2, status="pending-upgrade", live=True)
@seen("another-helm", revision=2, status="pending-upgrade", live=False)
@seen("pending-rollback", revision=3, status="pending-rollback", live=False)
@seen("failed-upgrade", revision=2, status="failed", live=True)
def _(cluster, revision, status, live):
    assert revision_status(cluster, revision) == status
    assert (FIRST in backend_env(cluster)) == live
    if status.startswith("pending"):
        assert "another operation" in upgrade(cluster).stderr


def test_a_budget_holds_up_the_restart_of_a_rollout(cluster):
    stage(cluster, SCENARIOS["budget-blocks"])
    (before,) = backend_pods(cluster)
    restart_at(cluster, datetime.now(UTC) + timedelta(seconds=1))
    wait(cluster, lambda: observed(cluster))
    answer = evict(cluster, before)
    assert (answer.status_code, answer.json()["reason"]) == (429, "TooManyRequests")
    assert backend_pods(cluster) == {before}
    budget = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets/{BACKEND}"
    session(cluster.kubernetes).delete(cluster.kubernetes.url + budget, timeout=SEEN_LIMIT)
    wait(cluster, lambda: before not in backend_pods(cluster))


def restart_at(cluster, moment):
    change = {"spec": {"restartAt": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    someone = cluster.kubernetes.acting_as("kubectl-argo-rollouts")
    someone.patch("Rollout", cluster.namespace, BACKEND, change)


def observed(cluster):
    rollout = backend_of(cluster, "Rollout")
    return rollout["status"]["observedGeneration"] == str(rollout["metadata"]["generation"])


def backend_pods(cluster):
    wanted = {"app.kubernetes.io/component": BACKEND}
    pods = cluster.kubernetes.list("Pod", cluster.namespace, wanted)
    return {
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    }


def evict(cluster, pod):
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{urllib.parse.quote(pod)}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    return session(cluster.kubernetes).post(
        cluster.kubernetes.url + path, json=body, timeout=SEEN_LIMIT
    )


def test_a_budget_does_not_hold_up_a_deployment(cluster):
    stage(cluster, SCENARIOS["budget-one-replica"])
    (before,) = backend_pods(cluster)
    assert evict(cluster, before).status_code == 429
    patch_backend(cluster, {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})
    wait(cluster, lambda: before not in backend_pods(cluster))


@seen("paused")
def _(cluster):
    assert upgrade(cluster, "--no-hooks").returncode == 0
    assert FIRST in backend_env(cluster)
    wait(cluster, lambda: backend_of(cluster)["status"].get("observedGeneration", 0) > 1)
    assert backend_of(cluster)["status"].get("updatedReplicas", 0) == 0


@seen("no-load-balancer")
def _(cluster):
    answer = upgrade(cluster, "--wait", "--timeout", "1s", "--no-hooks")
    assert re.search("timed out|deadline exceeded", answer.stderr)
    assert FIRST in backend_env(cluster)


@pytest.mark.parametrize("name", CHECKS)
def test_it_is_what_it_says(cluster, name):
    stage(cluster, SCENARIOS[name])
    CHECKS[name](cluster)


def test_each_is_looked_at_here_or_where_the_wizard_meets_it():
    assert CHECKS.keys() | LOOKS.keys() == set(SCENARIOS)
    assert not CHECKS.keys() & LOOKS.keys()
