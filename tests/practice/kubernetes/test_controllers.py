"""What the practice cluster's controllers make of the objects, seen from the host process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_requests import session

from wizard.practice.kubernetes import PracticeKubernetes

LIMIT = 30
Json = dict[str, Any]


@pytest.fixture
def kube() -> Iterator[PracticeKubernetes]:
    cluster = PracticeKubernetes(pod_ready_after=0.05, job_takes=0.02)
    cluster.start()
    yield cluster
    cluster.stop()


def workload(
    kind: str = "Deployment", replicas: int = 2, image: str = "web:1", **spec: Any
) -> Json:
    custom = kind == "Rollout"
    return {
        "apiVersion": "argoproj.io/v1alpha1" if custom else "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
            **spec,
        },
    }


def job(name: str = "migrate", **spec: Any) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "run", "image": "run:1"}],
                }
            },
            **spec,
        },
    }


def found(kube: PracticeKubernetes, kind: str, name: str = "web") -> Json:
    obj = kube.get(kind, "default", name)
    assert obj is not None
    return obj


def wait(kube: PracticeKubernetes, true: Callable[[], bool]) -> None:
    kube.until(true, timeout=LIMIT)


def settled(kube: PracticeKubernetes, kind: str = "Deployment", replicas: int = 2) -> bool:
    obj = found(kube, kind)
    status = obj.get("status", {})
    counters = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    seen = str(status.get("observedGeneration")) == str(obj["metadata"]["generation"])
    # A deleted pod's successor is there before the counters have dropped.
    pods = kube.list("Pod", "default", {"app": "web"})
    ready = [conditions(pod).get("Ready") == "True" for pod in pods]
    return (
        seen
        and all(status.get(field) == replicas for field in counters)
        and ready == [True] * replicas
    )


def change_image(kube: PracticeKubernetes, kind: str, image: str) -> None:
    obj = found(kube, kind)
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = image
    kube.apply(obj)


def images(kube: PracticeKubernetes) -> set[str]:
    pods = kube.list("Pod", "default", {"app": "web"})
    return {one["spec"]["containers"][0]["image"] for one in pods}


def conditions(obj: Json) -> dict[str, str]:
    return {one["type"]: one["status"] for one in obj["status"].get("conditions", [])}


def test_a_deployment_makes_ready_pods(kube: PracticeKubernetes) -> None:
    kube.apply(workload())
    wait(kube, lambda: settled(kube))
    deployment = found(kube, "Deployment")
    assert conditions(deployment) == {"Available": "True", "Progressing": "True"}
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    (replica_set,) = kube.list("ReplicaSet", "default")
    pod = kube.list("Pod", "default")[0]
    owner = pod["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == (
        "ReplicaSet",
        replica_set["metadata"]["name"],
        True,
    )
    assert pod["metadata"]["labels"]["pod-template-hash"]
    status = pod["status"]
    assert status["startTime"]
    assert status["podIP"].startswith("10.")
    assert pod["spec"]["nodeName"]
    assert status["containerStatuses"][0]["imageID"].startswith("web@sha256:")
    assert conditions(pod)["Ready"] == "True"


def test_a_new_template_rolls_within_the_limits(kube: PracticeKubernetes) -> None:
    kube.apply(workload(replicas=4))
    wait(kube, lambda: settled(kube, replicas=4))
    seen: list[tuple[int, int]] = []

    def rolled() -> bool:
        pods = kube.list("Pod", "default", {"app": "web"})
        sizes = [one["spec"]["replicas"] for one in kube.list("ReplicaSet", "default")]
        seen.append((sum(conditions(one).get("Ready") == "True" for one in pods), sum(sizes)))
        return settled(kube, replicas=4) and images(kube) == {"web:2"}

    change_image(kube, "Deployment", "web:2")
    wait(kube, rolled)
    assert min(ready for ready, _ in seen) >= 3
    assert max(wanted for _, wanted in seen) == 5
    annotations = found(kube, "Deployment")["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "2"
    sizes = {
        one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: one["spec"]["replicas"]
        for one in kube.list("ReplicaSet", "default")
    }
    assert sizes == {"1": 0, "2": 4}


def test_an_old_template_again_takes_the_old_replica_set(kube: PracticeKubernetes) -> None:
    kube.apply(workload())
    wait(kube, lambda: settled(kube))
    first = kube.list("ReplicaSet", "default")[0]["metadata"]["name"]
    change_image(kube, "Deployment", "web:2")
    wait(kube, lambda: settled(kube) and images(kube) == {"web:2"})
    change_image(kube, "Deployment", "web:1")
    wait(kube, lambda: settled(kube) and images(kube) == {"web:1"})
    annotations = found(kube, "ReplicaSet", first)["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"


def test_recreate_ends_the_old_pods_first(kube: PracticeKubernetes) -> None:
    kube.apply(workload(strategy={"type": "Recreate"}))
    wait(kube, lambda: settled(kube))
    mixed: list[set[str]] = []

    def rolled() -> bool:
        pods = kube.list("Pod", "default", {"app": "web"})
        live = [one for one in pods if "deletionTimestamp" not in one["metadata"]]
        mixed.append({one["spec"]["containers"][0]["image"] for one in live})
        return settled(kube) and mixed[-1] == {"web:2"}

    change_image(kube, "Deployment", "web:2")
    wait(kube, rolled)
    assert {"web:1", "web:2"} not in mixed


@pytest.mark.parametrize(
    ("reason", "phase", "state"),
    [
        ("CrashLoopBackOff", "Running", "CrashLoopBackOff"),
        ("ImagePullBackOff", "Pending", "ImagePullBackOff"),
        ("CreateContainerConfigError", "Pending", "CreateContainerConfigError"),
        ("NotReady", "Running", None),
    ],
)
def test_pods_fail_as_staged_and_recover(
    kube: PracticeKubernetes, reason: str, phase: str, state: str | None
) -> None:
    kube.faults.fail_pods({"app": "web"}, reason)
    kube.apply(workload(replicas=1))

    def failed() -> bool:
        for pod in kube.list("Pod", "default"):
            (container,) = pod["status"].get("containerStatuses") or [{}]
            waiting = container.get("state", {}).get("waiting", {}).get("reason")
            told = [one["reason"] for one in kube.list("Event", "default")]
            if pod["status"]["phase"] == phase and waiting == state:
                return bool({"BackOff", "Failed", "Unhealthy"} & set(told))
        return False

    wait(kube, failed)
    assert conditions(found(kube, "Deployment"))["Available"] == "False"
    kube.faults.clear()
    wait(kube, lambda: settled(kube, replicas=1))


def test_an_unschedulable_pod(kube: PracticeKubernetes) -> None:
    kube.faults.fail_pods({"app": "web"}, "Unschedulable")
    kube.apply(workload(replicas=1))
    wait(kube, lambda: any(one["reason"] == "FailedScheduling" for one in kube.list("Event")))
    (pod,) = kube.list("Pod", "default")
    assert pod["status"]["phase"] == "Pending"
    assert conditions(pod) == {"PodScheduled": "False"}
    with pytest.raises(ValueError, match="Sleepy"):
        kube.faults.fail_pods({}, "Sleepy")


def test_a_missing_secret_keeps_a_pod_from_starting(kube: PracticeKubernetes) -> None:
    body = workload(replicas=1)
    reference = {"name": "keys", "key": "url"}
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "URL", "valueFrom": {"secretKeyRef": reference}}
    ]
    kube.apply(body)
    told = 'Error: secret "keys" not found'
    wait(kube, lambda: any(one["message"] == told for one in kube.list("Event", "default")))
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys", "namespace": "default"},
            "stringData": {"url": "x"},
        }
    )
    wait(kube, lambda: settled(kube, replicas=1))


def test_the_host_is_told_before_ready_and_at_the_end(kube: PracticeKubernetes) -> None:
    told: list[tuple[str, str]] = []
    before: list[bool] = []

    def up(pod: Mapping[str, Any]) -> None:
        live = found(kube, "Pod", pod["metadata"]["name"])
        before.append(conditions(live).get("Ready") == "True")
        told.append(("up", pod["metadata"]["uid"]))

    kube.on_pod_ready = up
    kube.on_pod_gone = lambda pod: told.append(("gone", pod["metadata"]["uid"]))
    kube.apply(workload(replicas=1))
    wait(kube, lambda: settled(kube, replicas=1))
    (first,) = kube.list("Pod", "default")
    place = f"{kube.url}/api/v1/namespaces/default/pods/{first['metadata']['name']}"
    session(kube).delete(place, json={"gracePeriodSeconds": 0}, timeout=LIMIT)
    wait(kube, lambda: settled(kube, replicas=1))
    change_image(kube, "Deployment", "web:2")
    wait(kube, lambda: settled(kube, replicas=1) and len(told) == 5)
    uids = [uid for kind, uid in told if kind == "up"]
    assert [uid for kind, uid in told if kind == "gone"] == uids[:2]
    assert before == [False] * 3


def test_a_handler_that_fails_shows_as_a_crash(kube: PracticeKubernetes) -> None:
    def broken(pod: Mapping[str, Any]) -> None:
        raise RuntimeError("no port left")

    kube.on_pod_ready = broken
    kube.apply(workload(replicas=1))
    wait(kube, lambda: any(one["reason"] == "BackOff" for one in kube.list("Event")))
    kube.on_pod_ready = None
    wait(kube, lambda: settled(kube, replicas=1))


def test_a_stateful_set_goes_in_order(kube: PracticeKubernetes) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    order: list[str] = []
    kube.on_pod_ready = lambda pod: order.append(pod["metadata"]["name"])
    kube.apply(workload("StatefulSet", replicas=3, volumeClaimTemplates=[claim]))
    wait(kube, lambda: settled(kube, "StatefulSet", 3))
    change_image(kube, "StatefulSet", "web:2")

    def rolled() -> bool:
        status = found(kube, "StatefulSet")["status"]
        new = status["currentRevision"] == status["updateRevision"]
        return settled(kube, "StatefulSet", 3) and new and len(order) == 6

    wait(kube, rolled)
    assert order == ["web-0", "web-1", "web-2", "web-2", "web-1", "web-0"]
    claims = [one["metadata"]["name"] for one in kube.list("PersistentVolumeClaim", "default")]
    assert claims == ["data-web-0", "data-web-1", "data-web-2"]


def test_a_rollout_restarts_its_pods(kube: PracticeKubernetes) -> None:
    body = workload("Rollout", strategy={"canary": {"maxSurge": 1, "maxUnavailable": 0}})
    kube.serve_argo_rollouts()
    kube.apply(body)

    def healthy() -> bool:
        phase = found(kube, "Rollout").get("status", {}).get("phase")
        return phase == "Healthy" and settled(kube, "Rollout")

    wait(kube, healthy)
    before = {one["metadata"]["uid"] for one in kube.list("Pod", "default")}
    moment = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    place = f"{kube.url}/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/web"
    session(kube).patch(
        place,
        json={"spec": {"restartAt": moment}},
        headers={"Content-Type": "application/merge-patch+json"},
        timeout=LIMIT,
    )
    wait(
        kube,
        lambda: found(kube, "Rollout")["status"].get("restartedAt") == moment and healthy(),
    )
    after = {one["metadata"]["uid"] for one in kube.list("Pod", "default")}
    assert len(after) == 2
    assert not before & after
    assert isinstance(found(kube, "Rollout")["status"]["observedGeneration"], str)


def done(kube: PracticeKubernetes, name: str = "migrate") -> str:
    status = found(kube, "Job", name).get("status", {})
    ended = [one["type"] for one in status.get("conditions", []) if one["status"] == "True"]
    return next((one for one in ended if one in ("Complete", "Failed")), "")


def test_a_job_asks_the_handler(kube: PracticeKubernetes) -> None:
    ran: list[str] = []

    def handler(job: Mapping[str, Any]) -> bool:
        ran.append(job["metadata"]["name"])
        return True

    kube.job_handler = handler
    kube.apply(job())
    wait(kube, lambda: done(kube) == "Complete")
    assert ran == ["migrate"]
    finished = found(kube, "Job", "migrate")["status"]
    assert (finished["succeeded"], finished["completionTime"] >= finished["startTime"]) == (1, True)
    (pod,) = kube.list("Pod", "default", {"job-name": "migrate"})
    assert pod["status"]["phase"] == "Succeeded"


def test_a_job_tries_again_until_the_backoff_limit(kube: PracticeKubernetes) -> None:
    kube.faults.fail_job("migr")
    kube.apply(job(backoffLimit=1))
    wait(kube, lambda: done(kube) == "Failed")
    status = found(kube, "Job", "migrate")["status"]
    assert status["failed"] == 2
    failed = next(one for one in status["conditions"] if one["type"] == "Failed")
    assert failed["reason"] == "BackoffLimitExceeded"


def test_a_finished_job_expires_with_its_pods(kube: PracticeKubernetes) -> None:
    kube.apply(job(ttlSecondsAfterFinished=0))
    wait(kube, lambda: kube.get("Job", "default", "migrate") is None)
    wait(kube, lambda: kube.list("Pod", "default") == [])


def test_deleting_a_deployment_collects_what_it_owns(kube: PracticeKubernetes) -> None:
    kube.apply(workload())
    wait(kube, lambda: settled(kube))
    place = f"{kube.url}/apis/apps/v1/namespaces/default/deployments/web"
    answer = session(kube).delete(place, json={"propagationPolicy": "Foreground"}, timeout=LIMIT)
    assert answer.json()["metadata"]["finalizers"] == ["foregroundDeletion"]
    wait(kube, lambda: kube.get("Deployment", "default", "web") is None)
    assert kube.list("ReplicaSet", "default") == []
    assert kube.list("Pod", "default") == []


def test_orphans_stay(kube: PracticeKubernetes) -> None:
    kube.apply(workload())
    wait(kube, lambda: settled(kube))
    place = f"{kube.url}/apis/apps/v1/namespaces/default/deployments/web"
    answer = session(kube).delete(place, json={"propagationPolicy": "Orphan"}, timeout=LIMIT)
    assert answer.json()["metadata"]["finalizers"] == ["orphan"]
    wait(kube, lambda: kube.get("Deployment", "default", "web") is None)
    (replica_set,) = kube.list("ReplicaSet", "default")
    assert "ownerReferences" not in replica_set["metadata"]
    assert len(kube.list("Pod", "default")) == 2


def test_a_namespace_takes_everything_with_it(kube: PracticeKubernetes) -> None:
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}})
    wait(kube, lambda: kube.get("ServiceAccount", "apps", "default") is not None)
    body = workload()
    body["metadata"]["namespace"] = "apps"
    kube.apply(body)
    wait(kube, lambda: len(kube.list("Pod", "apps")) == 2)
    session(kube).delete(f"{kube.url}/api/v1/namespaces/apps", timeout=LIMIT)
    wait(kube, lambda: kube.get("Namespace", None, "apps") is None)
    left = [kind for kind in ("Pod", "ReplicaSet", "Secret", "Event") if kube.list(kind, "apps")]
    assert left == []


def test_a_budget_blocks_an_eviction(kube: PracticeKubernetes) -> None:
    kube.apply(workload(replicas=1))
    kube.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        }
    )
    wait(kube, lambda: settled(kube, replicas=1))
    (pod,) = kube.list("Pod", "default")
    place = f"{kube.url}/api/v1/namespaces/default/pods/{pod['metadata']['name']}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": pod["metadata"]}
    assert session(kube).post(place, json=body, timeout=LIMIT).status_code == 429


def test_an_autoscaler_raises_to_its_minimum(kube: PracticeKubernetes) -> None:
    kube.apply(workload(replicas=1))
    kube.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "minReplicas": 3,
                "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            },
        }
    )
    wait(kube, lambda: settled(kube, replicas=3))


def test_restore_puts_everything_back(kube: PracticeKubernetes) -> None:
    kube.apply(workload())
    wait(kube, lambda: settled(kube))
    before = found(kube, "Deployment")
    uids = {one["metadata"]["uid"] for one in kube.list("Pod", "default")}
    kept = kube.snapshot()
    told: list[str] = []
    kube.on_pod_ready = lambda pod: told.append("up " + pod["metadata"]["uid"])
    kube.on_pod_gone = lambda pod: told.append("gone " + pod["metadata"]["uid"])
    change_image(kube, "Deployment", "web:2")
    kube.apply(job())
    wait(kube, lambda: done(kube) == "Complete")
    wait(kube, lambda: not uids & {one["metadata"]["uid"] for one in kube.list("Pod", "default")})
    wait(kube, lambda: settled(kube))
    kube.restore(kept)
    assert found(kube, "Deployment")["spec"] == before["spec"]
    assert {one["metadata"]["uid"] for one in kube.list("Pod", "default")} == uids
    assert kube.get("Job", "default", "migrate") is None
    assert set(told[-2:]) == {f"up {uid}" for uid in uids}
    version = kube.snapshot().version
    kube.restore(kube.snapshot())
    assert kube.snapshot().version == version
    change_image(kube, "Deployment", "web:3")
    wait(
        kube,
        lambda: (
            settled(kube)
            and not uids & {one["metadata"]["uid"] for one in kube.list("Pod", "default")}
        ),
    )


def test_a_pod_that_comes_back_at_once_is_not_told_as_gone_again(kube: PracticeKubernetes) -> None:
    kube.apply(workload())
    wait(kube, lambda: settled(kube))
    uids = {one["metadata"]["uid"] for one in kube.list("Pod", "default")}
    kept = kube.snapshot()
    gone: list[str] = []
    kube.on_pod_gone = lambda pod: gone.append(pod["metadata"]["uid"])
    for image in ("web:2", "web:3", "web:4"):
        change_image(kube, "Deployment", image)
        wait(
            kube, lambda: not uids & {one["metadata"]["uid"] for one in kube.list("Pod", "default")}
        )
        gone.clear()
        kube.restore(kept)
        kube.apply(job())
        wait(kube, lambda: done(kube) == "Complete")  # what was noted before it has been told
        assert not uids & set(gone)
