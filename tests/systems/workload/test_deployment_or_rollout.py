"""The backend as an Argo Rollout, on the practice cluster and as its documents show it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from leftovers import entries, revisions
from reports import ids_by

from wizard.practice.cluster import PracticeCluster
from wizard.systems.workload.deployment_or_rollout import ArgoRolloutKind, DeploymentKind
from wizard.systems.workload.status import Live, RolloutStatus

NAMESPACE = "langsmith"
NAME = "langsmith-backend"
WHERE = f"{NAME} -n {NAMESPACE}"
BACKEND = "\nbackend:\n"
ROLLOUT = f"{BACKEND}  rollout:\n    enabled: true\n"


@pytest.fixture
def argo(cluster: PracticeCluster) -> PracticeCluster:
    cluster.kubernetes.serve_argo_rollouts()
    cluster.values.write_text(cluster.values.read_text().replace(BACKEND, ROLLOUT))
    answer = cluster.run_helm(
        *("upgrade", NAMESPACE, "langchain/langsmith", "--namespace", NAMESPACE),
        *("--version", cluster.chart_version, "--values", str(cluster.values)),
    )
    assert answer.returncode == 0, answer.stderr
    return cluster


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_the_whole_procedure_on_a_rollout(
    argo: PracticeCluster, run: Callable[..., Any], request: pytest.FixtureRequest, helm: str
) -> None:
    argo.use_helm(request.getfixturevalue(helm))
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 0, answer.stderr
    assert "langsmith 3 deployed" in revisions(argo)
    live = argo.kubernetes.get("Rollout", NAMESPACE, NAME)
    pods = [
        pod
        for pod in argo.kubernetes.list("Pod", NAMESPACE)
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") == NAME
        and pod["metadata"].get("ownerReferences", [{}])[0]["kind"] == "ReplicaSet"
        and "deletionTimestamp" not in pod["metadata"]
    ]
    assert live["status"]["restartedAt"] == live["spec"]["restartAt"]
    assert {pod["metadata"]["creationTimestamp"] >= live["spec"]["restartAt"] for pod in pods} == {
        True
    }
    restarts = [one for one in entries(argo) if one.get("step") == "backend_restart"]
    argv = f"kubectl argo rollouts --context practice restart {WHERE}"
    assert restarts[0]["exact"][0]["text"] == argv
    before = set(restarts[0]["register"]["pods"])
    assert not before & {pod["metadata"]["uid"] for pod in pods}
    again = run("check", "--format", "json")
    assert again.returncode == 0
    assert ids_by(again.stdout, "LSA691") == ["LSA691"]


def argo_status(spec: dict[str, Any], **status: Any) -> RolloutStatus:
    counters = {"updatedReplicas": 1, "availableReplicas": 2, "replicas": 2, "readyReplicas": 2}
    object_ = {
        "metadata": {"name": NAME, "generation": 4},
        "spec": {"replicas": 2, **spec},
        "status": {"observedGeneration": "4", "currentPodHash": "b", **counters, **status},
    }
    return ArgoRolloutKind().status(Live(object_, None, ()), WHERE)


def steps(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"canary": {"steps": list(steps)}}}


def test_a_canary_step_without_an_end_is_told() -> None:
    paused = {"phase": "Paused", "pauseConditions": [{"reason": "CanaryPauseStep"}]}
    weight, for_ever, minute = {"setWeight": 50}, {"pause": {}}, {"pause": {"duration": "1m"}}
    status = argo_status(steps(weight, for_ever), currentStepIndex=1, **paused)
    assert status.held
    assert status.held.why == "the Rollout is paused at its canary step 2 of 2"
    assert status.held.command == f"kubectl argo rollouts promote {WHERE}"
    assert argo_status(steps(weight, minute), currentStepIndex=1, **paused).held is None
    assert argo_status({"strategy": {"blueGreen": {}}}, **paused).held
    assert argo_status({"paused": True}, phase="Paused").held


def test_a_degraded_rollout_is_stuck_and_its_words_hide_secrets() -> None:
    status = argo_status({}, phase="Degraded", message="aborted: password=hunter2")
    assert status.stuck == "the Rollout is degraded: aborted: password=***"
    assert not status.done


def test_a_rollout_whose_controller_is_behind_is_not_done() -> None:
    whole = {"phase": "Healthy", "updatedReplicas": 2}
    assert argo_status({}, **whole).done
    assert not argo_status({}, **whole, observedGeneration="3").done


def test_the_newest_set_is_the_one_that_the_status_names() -> None:
    def one(hash: str, revision: str) -> dict[str, Any]:
        labels, notes = {"rollouts-pod-template-hash": hash}, {}
        notes["rollout.argoproj.io/revision"] = revision
        return {"metadata": {"uid": hash, "labels": labels, "annotations": notes}}

    live = {"metadata": {"generation": 2}, "status": {"currentPodHash": "a"}}
    live["status"]["observedGeneration"] = "2"
    sets = [one("a", "3"), one("b", "4")]
    assert ArgoRolloutKind().newest(live, sets) == sets[0]
    live["status"]["observedGeneration"] = "1"
    assert ArgoRolloutKind().newest(live, sets) == sets[1]


def test_a_restart_goes_by_the_clock_of_the_api_server_alone() -> None:
    from wizard.systems.workload.pods import read_pod

    meta = {"name": "p", "uid": "u", "creationTimestamp": "2031-01-01T00:00:00Z"}
    pod = read_pod({"metadata": meta, "spec": {}, "status": {}}, "backend")
    live = Live({"metadata": {}, "spec": {}}, None, (pod,))
    body = ArgoRolloutKind().restart(live, datetime.now(UTC).isoformat())
    assert body == {"spec": {"restartAt": "2031-01-01T00:00:01Z"}}


def test_pods_that_are_not_let_in() -> None:
    words = 'pods "x-1" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=4'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    newest = {"metadata": {"uid": "n"}, "status": {"conditions": [{**failure, "message": words}]}}
    status = {"observedGeneration": 1, "updatedReplicas": 0, "availableReplicas": 2, "replicas": 2}
    object_ = {"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": status}
    seen = DeploymentKind().status(Live(object_, newest, ()), WHERE)
    assert seen.stuck == f"FailedCreate: {words}"


def test_without_a_number_of_replicas_an_autoscaler_decides() -> None:
    status = {"observedGeneration": 1, "replicas": 5, "updatedReplicas": 5, "availableReplicas": 5}
    object_ = {"metadata": {"generation": 1}, "spec": {}, "status": status}
    seen = DeploymentKind().status(Live(object_, None, ()), WHERE)
    assert (seen.desired, seen.done) == (5, True)
