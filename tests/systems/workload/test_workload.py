"""The backend's pods and their rollout on the practice cluster."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from api_requests import session
from leftovers import OURS, restarted

from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.problems import Exit, Problem
from wizard.systems.helm.records import Release
from wizard.systems.kubernetes.cluster import DEPLOYMENTS, Cluster
from wizard.systems.release.installation import Installation, read_installation
from wizard.systems.workload import Patience, Pod, RolloutStatus, Workload, ready_pod
from wizard.systems.workload.status import status_lines

NAMESPACE = "langsmith"
NAME = "langsmith-backend"
BACKEND = {"app.kubernetes.io/component": NAME}
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


@pytest.fixture
def installation(cluster: PracticeCluster) -> Installation:
    manifest = cluster.run_helm("get", "manifest", NAMESPACE, "--namespace", NAMESPACE).stdout
    values = yaml.safe_load(cluster.values.read_text())
    chart = ("langsmith-0.12.33", "langsmith", "0.12.33", "0.12.72", "")
    return read_installation(manifest, values, Release(NAMESPACE, NAMESPACE, 1, "deployed", *chart))


@pytest.fixture
def workload(cluster: PracticeCluster, installation: Installation) -> Iterator[Workload]:
    connection = Cluster.connect(cluster.kubeconfig, None, limit=5)
    yield Workload(connection, installation)
    connection.close()


def deployment(cluster: PracticeCluster) -> dict[str, Any]:
    return cluster.kubernetes.get("Deployment", NAMESPACE, NAME)


def nothing(_: RolloutStatus, __: float) -> None:
    pass


def refused(call) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


def change(cluster: PracticeCluster, spec: dict[str, Any]) -> None:
    connection = Cluster.connect(cluster.kubeconfig, None)
    connection.patch(DEPLOYMENTS, NAME, NAMESPACE, {"spec": spec})
    connection.close()


def kubectl(cluster: PracticeCluster, *arguments: str) -> str:
    argv = ["kubectl", "--namespace", NAMESPACE, *arguments]
    env = cluster.environment()
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout


def test_pods_are_found_by_owner_not_by_label(cluster: PracticeCluster, workload: Workload) -> None:
    labels = deployment(cluster)["spec"]["selector"]["matchLabels"]
    stray = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stray", "namespace": NAMESPACE, "labels": labels},
        "spec": {"containers": [{"name": "backend", "image": "x"}]},
    }
    cluster.kubernetes.apply(stray)
    pods = workload.pods()
    assert len(pods) == deployment(cluster)["spec"]["replicas"]
    for pod in pods:
        live = cluster.kubernetes.get("Pod", NAMESPACE, pod.name)
        assert pod.uid == live["metadata"]["uid"]
        assert pod.ready
        assert (pod.phase, pod.reason, pod.terminating) == ("Running", "", False)
        assert pod.started is not None
        assert pod.started.tzinfo is not None
        assert pod.image.endswith(":0.12.72")
        assert pod.env == {}
    assert workload.uid() == deployment(cluster)["metadata"]["uid"]


def test_the_live_variables(cluster: PracticeCluster, workload: Workload) -> None:
    assert "AUDIT_LOGS_ENABLED" not in workload.live_env()
    entry = {"name": "AUDIT_LOGS_ENABLED", "value": "true"}
    containers = [{"name": "backend", "env": [entry]}]
    change(cluster, {"template": {"spec": {"containers": containers}}})
    live = workload.afresh().live_env()
    assert live["AUDIT_LOGS_ENABLED"] == "true"
    assert live["POSTGRES_DATABASE_URI"] is None
    workload.wait(limit=60, tick=nothing)
    there = [pod for pod in workload.pods() if not pod.terminating]
    assert {pod.env["AUDIT_LOGS_ENABLED"] for pod in there} == {"true"}


def test_a_settled_backend_is_done(workload: Workload) -> None:
    status = workload.status()
    assert status.done
    assert (status.desired, status.updated, status.ready, status.available, status.old) == (
        2,
        2,
        2,
        2,
        0,
    )
    assert status.stuck == ""
    assert workload.wait(limit=5, tick=nothing) == status


def test_a_restart_replaces_every_pod(cluster: PracticeCluster, workload: Workload) -> None:
    before = {pod.uid for pod in workload.pods()}
    at = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    assert workload.restart(at=at) == ""
    template = deployment(cluster)["spec"]["template"]
    assert template["metadata"]["annotations"][RESTARTED_AT] == "2026-02-03T04:05:06+00:00"
    seen: list[RolloutStatus] = []

    def look(now: RolloutStatus, _: float) -> None:
        seen.append(now)
        cluster.kubernetes.faults.clear()

    status = workload.wait(limit=60, tick=look)
    assert not seen[0].done
    assert status.done
    assert status.old == 0
    left = {pod.uid for pod in workload.pods() if not pod.terminating}
    assert len(left) == 2
    assert not left & before
    assert workload.restart(at=datetime.now(UTC)) == "2026-02-03T04:05:06+00:00"


def test_two_restarts_in_the_same_second_are_two(workload: Workload) -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert workload.restart(at=at) == ""
    first = workload.wait(limit=60, tick=nothing).newest
    assert workload.restart(at=at) == at.isoformat()
    second = workload.wait(limit=60, tick=nothing).newest
    assert second != first, "the pods are new"
    assert workload.restart(at=at) == "2026-02-03T04:05:07+00:00"


def test_pods_that_are_leaving_are_told_as_such(
    cluster: PracticeCluster, workload: Workload, run: Any
) -> None:
    lingers = {"metadata": {"finalizers": ["example.com/slow-node"]}}
    for pod in workload.pods():
        cluster.kubernetes.acting_as("kubelet").patch("Pod", NAMESPACE, pod.name, lingers)
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    workload.restart(at=datetime.now(UTC))
    seen: list[RolloutStatus] = []

    def look(now: RolloutStatus, _: float) -> None:
        seen.append(now)
        if now.old == 2:
            cluster.kubernetes.faults.clear()

    status = workload.wait(limit=60, tick=look)
    assert (status.done, status.old, len(status.pods)) == (True, 0, 4)
    assert status.counts == "2 of 2 updated, 2 available, 0 old, 2 leaving"
    assert max(one.old for one in seen) == 2
    told = run("check", "-v").stdout
    lines = [line.split(": ")[1] for line in told.splitlines() if f"pod {NAME}-" in line]
    states = [line.split(",")[0] for line in lines]
    assert states == ["ready", "ready", "leaving", "leaving"]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl on PATH")
def test_kubectl_and_we_mean_the_same_restart(cluster: PracticeCluster, workload: Workload) -> None:
    kubectl(cluster, "rollout", "restart", f"deployment/{NAME}")
    prior = workload.restart(at=datetime.now(UTC))
    assert prior
    assert prior == prior.strip()
    assert datetime.fromisoformat(prior).tzinfo is not None
    done = workload.wait(limit=60, tick=nothing).done
    words = kubectl(cluster, "rollout", "status", f"deployment/{NAME}", "--watch=false")
    assert done
    assert "successfully rolled out" in words


@pytest.mark.parametrize(
    "reason",
    ["CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError", "Unschedulable"],
)
def test_a_stuck_rollout_names_pod_and_cause(
    cluster: PracticeCluster, workload: Workload, reason: str
) -> None:
    before = {pod.uid for pod in workload.pods()}
    cluster.kubernetes.faults.fail_pods(BACKEND, reason)
    workload.restart(at=datetime.now(UTC))
    problem = refused(lambda: workload.wait(limit=60, tick=nothing, patience=0))
    assert (problem.id, problem.exit) == ("LSA602", Exit.FAILED)
    assert reason in problem.what
    new = [pod for pod in workload.pods() if pod.uid not in before]
    assert any(pod.name in problem.what for pod in new)
    assert ready_pod(workload).uid in before  # the old pods go on serving


def test_a_rollout_that_recovers_is_waited_for(
    cluster: PracticeCluster, workload: Workload
) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "CrashLoopBackOff")
    workload.restart(at=datetime.now(UTC))

    def mend(status: RolloutStatus, _: float) -> None:
        if status.stuck:
            cluster.kubernetes.faults.clear()

    assert workload.wait(limit=60, tick=mend).done


@pytest.mark.parametrize("stuck", ["pod x: Unschedulable", "FailedCreate: exceeded quota: q"])
def test_nothing_that_is_stuck_has_longer_than_the_patience(
    monkeypatch: pytest.MonkeyPatch, stuck: str
) -> None:
    now = iter([0.0, 29.0, 31.0])
    clock = SimpleNamespace(monotonic=lambda: next(now))  # the practice API has its own
    monkeypatch.setattr("wizard.systems.workload.waiting.time", clock)
    patience = Patience(30)
    assert [patience.gone(stuck) for _ in range(3)] == ["", "", stuck]


def test_a_node_that_an_autoscaler_brings_is_waited_for(
    cluster: PracticeCluster, workload: Workload
) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "Unschedulable")
    workload.restart(at=datetime.now(UTC))
    cluster.kubernetes.until(lambda: bool(workload.afresh().status().stuck), timeout=30)
    waits = [pod for pod in workload.pods() if pod.reason == "Unschedulable"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "up", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Pod", "name": waits[0].name, "namespace": NAMESPACE},
        "reason": "TriggeredScaleUp",
        "message": "pod triggered scale-up: [{pool 1->2 (max: 3)}]",
        "type": "Normal",
    }
    cluster.kubernetes.acting_as("cluster-autoscaler").create(event)
    looks: list[str] = []

    def brought(status: RolloutStatus, _: float) -> None:
        looks.append(status.stuck)
        if len(looks) == 3:
            cluster.kubernetes.faults.clear()

    assert workload.wait(limit=60, tick=brought, patience=0).done
    assert all("Unschedulable" in stuck for stuck in looks[:3])


def test_without_the_right_to_events_a_node_may_be_on_its_way(
    cluster: PracticeCluster, workload: Workload
) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "Unschedulable")
    cluster.kubernetes.faults.forbid("list", "events")
    workload.restart(at=datetime.now(UTC))
    problem = refused(lambda: workload.wait(limit=3, tick=nothing, patience=0))
    assert problem.id == "LSA603"


def test_pods_that_are_not_let_in_are_not_judged_while_others_leave() -> None:
    def pod(*, terminating: bool) -> Pod:
        words = {"name": "p", "uid": "u", "phase": "Running", "reason": "", "image": "i"}
        return Pod(
            **words, created=None, started=None, ready=True, node="n", terminating=terminating,
            env={}, owner="o",
        )  # fmt: skip

    def status(*, terminating: bool) -> RolloutStatus:
        pods = (pod(terminating=terminating),)
        counts = {"desired": 1, "updated": 0, "ready": 1, "available": 1, "old": 1}
        return RolloutStatus(**counts, done=False, stuck="FailedCreate: quota", pods=pods)

    patience = Patience(0)
    assert [patience.over(status(terminating=True)) for _ in range(3)] == ["", "", ""]
    assert patience.over(status(terminating=False)) == ""
    assert patience.over(status(terminating=False)) == "FailedCreate: quota"


def test_a_quota_is_told_at_the_first_look(cluster: PracticeCluster, workload: Workload) -> None:
    stage(cluster, SCENARIOS["quota-exceeded"])
    workload.restart(at=datetime.now(UTC))
    told: list[str] = []

    def note(status: RolloutStatus, _: float) -> None:
        told.extend(line for line in status_lines(status) if line.startswith("stuck: "))

    problem = refused(lambda: workload.wait(limit=60, tick=note, patience=1))
    assert problem.id == "LSA602"
    assert "exceeded quota: compute" in problem.what
    assert len(told) >= 2
    assert all("exceeded quota: compute" in line for line in told)


def stuck_before(cluster: PracticeCluster, workload: Workload) -> dict[str, int]:
    """New pods that crash, and how often each was restarted, before somebody comes to wait."""
    cluster.kubernetes.faults.fail_pods(BACKEND, "CrashLoopBackOff")
    workload.restart(at=datetime.now(UTC))
    cluster.kubernetes.until(lambda: bool(workload.afresh().status().stuck), timeout=30)
    return {pod.uid: pod.attempts for pod in workload.pods() if not pod.ready}


def test_a_pod_that_was_stuck_before_has_time_until_it_is_tried_again(
    cluster: PracticeCluster, workload: Workload
) -> None:
    looks: list[str] = []

    def mend(status: RolloutStatus, _: float) -> None:
        looks.append(status.stuck)
        if len(looks) == 3:
            cluster.kubernetes.faults.clear()

    before = stuck_before(cluster, workload)
    assert workload.wait(limit=60, tick=mend, patience=0, before=before).done
    assert all("CrashLoopBackOff" in stuck for stuck in looks[:3])


def test_a_pod_that_was_stuck_before_and_crashes_again_is_given_up(
    cluster: PracticeCluster, workload: Workload
) -> None:
    before = stuck_before(cluster, workload)
    looks: list[str] = []

    def crash(status: RolloutStatus, _: float) -> None:
        looks.append(status.stuck)
        if len(looks) == 3:
            restarted(cluster, BACKEND)

    problem = refused(lambda: workload.wait(limit=60, tick=crash, patience=0, before=before))
    assert problem.id == "LSA602"
    assert len(looks) == 4  # the one after it was tried again


def test_the_limit_is_named(cluster: PracticeCluster, workload: Workload) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    workload.restart(at=datetime.now(UTC))
    problem = refused(lambda: workload.wait(limit=1.5, tick=nothing))
    assert (problem.id, problem.exit) == ("LSA603", Exit.UNKNOWN)
    assert "1.5 seconds" in problem.what
    assert "of 2 updated" in problem.what


def test_an_api_server_that_is_away_for_a_while(
    cluster: PracticeCluster, installation: Installation
) -> None:
    away = threading.Event()
    Workload(Cluster.connect(cluster.kubeconfig, None), installation).restart(at=datetime.now(UTC))
    workload = Workload(Cluster.connect(cluster.kubeconfig, None, limit=0.5), installation)

    def cut(_: RolloutStatus, __: float) -> None:
        if not away.is_set():
            away.set()
            cluster.kubernetes.faults.stall()
            threading.Timer(1.0, cluster.kubernetes.faults.clear).start()

    assert workload.wait(limit=60, tick=cut).done
    assert away.is_set()


def test_an_api_server_that_stays_away(
    cluster: PracticeCluster, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.systems.workload.workload.SILENCE_LIMIT", 0.2)
    workload = Workload(Cluster.connect(cluster.kubeconfig, None, limit=2.0), installation)
    workload.restart(at=datetime.now(UTC))
    cluster.kubernetes.faults.stall()
    assert refused(lambda: workload.wait(limit=60, tick=nothing)).id == "LSA208"


def of_backend(cluster: PracticeCluster, verb: str) -> int:
    """How often the backend's Deployment was read or watched by us since the test began."""
    asked = [it for it in cluster.kubernetes.requests if it.user_agent.startswith(OURS)]
    watched = verb == "watch"
    return sum(
        (it.verb, it.resource) == (verb, "deployments") and (watched or it.name == NAME)
        for it in asked
    )


def test_one_look_is_one_reading(cluster: PracticeCluster, workload: Workload) -> None:
    before = workload.status()
    change(cluster, {"template": {"metadata": {"annotations": {"new": "1"}}}})
    assert workload.status() == before
    assert workload.live()["spec"]["template"] != deployment(cluster)["spec"]["template"]
    assert of_backend(cluster, "get") == 1
    assert workload.afresh().live()["spec"]["template"] == deployment(cluster)["spec"]["template"]


def test_a_restart_goes_by_what_is_there_now(cluster: PracticeCluster, workload: Workload) -> None:
    assert workload.status().done
    change(cluster, {"paused": True})
    assert refused(lambda: workload.restart(at=datetime.now(UTC))).id == "LSA604"


def test_the_end_of_a_rollout_is_told_by_a_watch(
    cluster: PracticeCluster, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.systems.workload.workload.POLL_SECONDS", 60.0)
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    workload.restart(at=datetime.now(UTC))
    before = of_backend(cluster, "get")
    assert workload.wait(limit=30, tick=lambda *_: cluster.kubernetes.faults.clear()).done
    assert of_backend(cluster, "get") - before <= 2  # one more, where the watch opens later
    assert of_backend(cluster, "watch") == 1


def test_without_the_right_to_watch_it_is_read_again(
    cluster: PracticeCluster, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.systems.workload.workload.POLL_SECONDS", 0.05)
    cluster.kubernetes.faults.forbid("watch", "deployments")
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    workload.restart(at=datetime.now(UTC))
    before = of_backend(cluster, "get")

    def look(_: RolloutStatus, __: float) -> None:
        if of_backend(cluster, "get") - before > 2:
            cluster.kubernetes.faults.clear()

    assert workload.wait(limit=30, tick=look).done
    assert of_backend(cluster, "get") - before > 2


def test_a_deployment_that_goes_while_it_is_waited_for(
    cluster: PracticeCluster, workload: Workload
) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    workload.restart(at=datetime.now(UTC))
    path, seen = DEPLOYMENTS.path(NAMESPACE, NAME), []

    def delete(status: RolloutStatus, _: float) -> None:
        seen.append(status)
        if len(seen) == 2:
            gone = session(cluster.kubernetes).delete(cluster.kubernetes.url + path, timeout=10)
            gone.raise_for_status()

    assert refused(lambda: workload.wait(limit=60, tick=delete)).id == "LSA601"


def test_a_missing_right_ends_the_wait(cluster: PracticeCluster, workload: Workload) -> None:
    cluster.kubernetes.faults.forbid("list", "pods")
    assert refused(lambda: workload.wait(limit=60, tick=nothing)).id == "LSA207"


def test_what_tick_raises_ends_the_wait(workload: Workload) -> None:
    def stop(_: RolloutStatus, __: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workload.wait(limit=60, tick=stop)


def test_pods_whose_probes_fail_are_given_up(cluster: PracticeCluster, workload: Workload) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    quick = {"name": "backend", "readinessProbe": {"periodSeconds": 1, "failureThreshold": 1}}
    change(cluster, {"template": {"spec": {"containers": [quick]}}})
    problem = refused(lambda: workload.wait(limit=60, tick=nothing, patience=0))
    assert (problem.id, problem.exit) == ("LSA602", Exit.FAILED)
    assert "its probes fail" in problem.what


def test_pods_that_crash_a_moment_later_are_no_end(
    cluster: PracticeCluster, workload: Workload
) -> None:
    crash = {"name": "backend", "command": ["sh", "-c", "sleep 2; exit 1"], "args": None}
    crash |= {"readinessProbe": None, "startupProbe": None, "livenessProbe": None}
    change(cluster, {"replicas": 1, "template": {"spec": {"containers": [crash]}}})
    problem = refused(lambda: workload.wait(limit=60, tick=nothing, patience=0))
    assert (problem.id, "CrashLoopBackOff" in problem.what) == ("LSA602", True)
    told = {one["type"]: one for one in deployment(cluster)["status"]["conditions"]}
    assert told["Progressing"]["reason"] == "NewReplicaSetAvailable"


def test_with_recreate_the_deadline_of_the_rollout_before_is_not_gone_by(
    cluster: PracticeCluster, workload: Workload
) -> None:
    cluster.kubernetes.faults.lack_image("absent")
    once = {"strategy": {"type": "Recreate", "rollingUpdate": None}, "progressDeadlineSeconds": 1}
    absent, there = (
        {"template": {"spec": {"containers": [{"name": "backend", "image": image}]}}}
        for image in ("langchain/absent:1", "langchain/backend:2")
    )
    change(cluster, {**once, **absent})
    refused(lambda: workload.wait(limit=60, tick=nothing, patience=0))
    cluster.kubernetes.until(lambda: "timed out" in str(deployment(cluster)["status"]), timeout=20)
    usual = cluster.kubernetes.times
    cluster.kubernetes.times = replace(usual, pod_stops=3.0)
    try:
        change(cluster, there)
        assert workload.wait(limit=60, tick=nothing, patience=0).done
    finally:
        cluster.kubernetes.times = usual


def test_a_paused_rollout_is_told_with_the_command(
    cluster: PracticeCluster, workload: Workload
) -> None:
    change(cluster, {"paused": True, "template": {"metadata": {"annotations": {"new": "1"}}}})
    problem = refused(lambda: workload.wait(limit=60, tick=nothing))
    assert (problem.id, problem.exit) == ("LSA607", Exit.FAILED)
    assert problem.next_step == f"kubectl rollout resume deployment/{NAME} -n {NAMESPACE}"
    assert all(pod.ready for pod in workload.pods())


def test_a_paused_deployment_is_not_restarted(cluster: PracticeCluster, workload: Workload) -> None:
    change(cluster, {"paused": True})
    template = deployment(cluster)["spec"]["template"]
    problem = refused(lambda: workload.restart(at=datetime.now(UTC)))
    assert (problem.id, problem.exit) == ("LSA604", Exit.FAILED)
    assert deployment(cluster)["spec"]["template"] == template


def test_a_deployment_that_is_gone(cluster: PracticeCluster, workload: Workload) -> None:
    path = DEPLOYMENTS.path(NAMESPACE, NAME)
    session(cluster.kubernetes).delete(cluster.kubernetes.url + path, timeout=10).raise_for_status()
    problem = refused(workload.status)
    assert (problem.id, problem.exit) == ("LSA601", Exit.FAILED)


def test_no_pod_is_ready(cluster: PracticeCluster, workload: Workload) -> None:
    change(cluster, {"replicas": 0})
    workload.wait(limit=60, tick=nothing)
    problem = refused(lambda: ready_pod(workload))
    assert (problem.id, problem.exit) == ("LSA606", Exit.FAILED)


def test_a_pod_is_allowed_what_the_slowest_of_its_containers_is(
    cluster: PracticeCluster, workload: Workload
) -> None:
    def probed(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "image": "proxy:1", **more}

    def allowed(containers: list[dict[str, Any]], before: list[dict[str, Any]]) -> set[float]:
        change(
            cluster,
            {"template": {"spec": {"containers": containers, "initContainers": before}}},
        )
        workload.wait(limit=20, tick=nothing)
        return {pod.grace for pod in workload.pods() if not pod.terminating}

    ours = workload.status().pods[0].grace
    slow = {"tcpSocket": {"port": 1}, "failureThreshold": 40, "periodSeconds": 10}
    once = probed("once")
    assert ours < 400
    assert allowed([probed("proxy", readinessProbe=slow)], [once]) == {400.0}
    slower = {**slow, "initialDelaySeconds": 5}
    stays = probed("stays", restartPolicy="Always", readinessProbe=slow, startupProbe=slower)
    assert allowed([], [once, stays]) == {805.0}
