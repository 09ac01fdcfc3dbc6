"""The checks of the backend as it runs."""

from __future__ import annotations

from copy import deepcopy

import forked
import pytest

from wizard.article import WANTED
from wizard.checks.workload import _tag
from wizard.practice.scenarios import SCENARIOS, stage

ONLY = ("--only", "workload")
NAMESPACE, NAME = "langsmith", "langsmith-backend"
IDS = [f"LSA{number}" for number in (401, 610, 691, 611, 612, 613, 614, 615, 616)]


def pods(cluster) -> list[dict]:
    labels = {"app.kubernetes.io/component": NAME}
    found = cluster.kubernetes.list("Pod", NAMESPACE, labels)
    owned = [it for it in found if it["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"]
    return [it for it in owned if not it["metadata"].get("deletionTimestamp")]


def spec(cluster, **change: object) -> None:
    cluster.kubernetes.acting_as("test").patch("Deployment", NAMESPACE, NAME, {"spec": change})


def changed(cluster, change) -> str:
    """One backend pod, changed by `change(pod)`, as the API server would tell of it."""
    pod = deepcopy(pods(cluster)[0])
    change(pod)
    cluster.kubernetes.apply(pod)
    return pod["metadata"]["name"]


def quota(cluster, hard: dict[str, str]) -> None:
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": hard}}
    cluster.kubernetes.apply(body | {"metadata": {"name": "team", "namespace": NAMESPACE}})


def used(cluster) -> dict[str, str]:
    found = cluster.kubernetes.get("ResourceQuota", NAMESPACE, "team")
    return (found.get("status") or {}).get("used", {})


def test_all_is_well(found) -> None:
    told = {id: found(id, *ONLY) for id in IDS}
    assert {id: [it["state"] for it in several] for id, several in told.items()} == {
        id: ["pass"] for id in IDS
    }


@pytest.mark.parametrize(
    ("right", "unknown"),
    [
        (("get", "deployments"), ("LSA401", "LSA610", "LSA611", "LSA612", "LSA613", "LSA616")),
        (("list", "pods"), ("LSA610", "LSA691", "LSA611", "LSA612", "LSA613")),
        (("list", "replicasets"), ("LSA610", "LSA691", "LSA611", "LSA612", "LSA613")),
        (("list", "resourcequotas"), ("LSA614",)),
    ],
)
def test_without_a_right_nothing_is_green(cluster, sees, right, unknown) -> None:
    cluster.kubernetes.faults.forbid(*right)
    for id in unknown:
        (told,) = sees(id, *ONLY)
        assert told in (("LSA207", "unknown"), ("LSA908", "not-run"))


def test_a_pod_without_the_variables_that_the_template_has(cluster, found) -> None:
    def without(pod: dict) -> None:
        env = pod["spec"]["containers"][0]["env"]
        pod["spec"]["containers"][0]["env"] = [it for it in env if it["name"] != WANTED[0]]

    name = changed(cluster, without)
    (told,) = found("LSA610", *ONLY)
    assert told["state"] == "fail"
    assert told["message"] == "1 of 2 running pods lack a variable"
    assert told["evidence"] == [f"pod {name}: lacks {WANTED[0]}"]
    assert "kubectl rollout restart" in told["next_step"] or "rollout" in told["next_step"]
    assert [it["state"] for it in found("LSA401", *ONLY)] == ["pass"]


def test_no_pod_at_all(cluster, sees) -> None:
    cluster.kubernetes.acting_as("test").patch(
        "Deployment", NAMESPACE, NAME, {"spec": {"replicas": 0}}
    )
    cluster.kubernetes.until(lambda: not pods(cluster), timeout=60)
    assert sees("LSA610", *ONLY) == [("LSA610", "fail")]
    assert sees("LSA611", *ONLY) == [("LSA611", "fail")]


def test_a_pod_that_is_not_ready(cluster, found) -> None:
    cluster.kubernetes.faults.slow(pods=60)
    cluster.kubernetes.acting_as("test").patch(
        "Deployment", NAMESPACE, NAME, {"spec": {"replicas": 3}}
    )
    cluster.kubernetes.until(lambda: len(pods(cluster)) == 3, timeout=60)
    (told,) = found("LSA611", *ONLY)
    assert (told["state"], told["message"]) == ("warn", "2 of 3 pods are ready")


@pytest.mark.parametrize(
    ("ended", "state"), [("2099-01-01T00:00:00Z", "warn"), ("2020-01-01T00:00:00Z", "info")]
)
def test_a_restart_is_told_with_its_reason(cluster, found, ended, state) -> None:
    def restarted(pod: dict) -> None:
        last = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": ended}}
        pod["status"]["containerStatuses"][0] |= {"restartCount": 2, "lastState": last}

    name = changed(cluster, restarted)
    (told,) = found("LSA612", *ONLY)
    assert told["state"] == state
    assert told["evidence"][0].startswith(f"pod {name}: 2 restarts, last OOMKilled")


def test_another_image_than_the_charts(cluster, found) -> None:
    def other(pod: dict) -> None:
        pod["status"]["containerStatuses"][0]["image"] = "mirror.example/langsmith-backend:0.13.1"

    changed(cluster, other)
    (told,) = found("LSA613", *ONLY)
    assert (told["state"], told["message"]) == ("warn", "The pods run 2 different images")


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("docker.io/langchain/langsmith-backend:0.12.72", "0.12.72"),
        ("mirror.example:5000/a/b:1.2@sha256:abc", "1.2"),
        ("mirror.example:5000/a/b", ""),
    ],
)
def test_the_tag_of_an_image(image, tag) -> None:
    assert _tag(image) == tag


@pytest.mark.parametrize(
    ("hard", "state"),
    [
        ({"pods": 1}, "pass"),
        ({"pods": 0}, "warn"),
        ({"requests.memory": "64Gi"}, "pass"),
        ({"requests.cpu": "1m"}, "warn"),
        ({"services": "1"}, "pass"),
    ],
)
def test_a_quota(cluster, found, hard, state) -> None:
    if "pods" in hard:
        quota(cluster, {"pods": "1000"})
        cluster.kubernetes.until(lambda: bool(used(cluster)), timeout=60)
        hard = {"pods": str(hard["pods"] + int(used(cluster)["pods"]))}
    quota(cluster, hard)
    cluster.kubernetes.until(lambda: used(cluster).keys() == hard.keys(), timeout=60)
    (told,) = found("LSA614", *ONLY)
    assert told["state"] == state, told
    if state == "warn":
        assert told["evidence"][0].startswith(f"quota team: {next(iter(hard))}: ")


def test_a_paused_backend(cluster, sees) -> None:
    cluster.kubernetes.acting_as("test").patch(
        "Deployment", NAMESPACE, NAME, {"spec": {"paused": True}}
    )
    assert sees("LSA616", *ONLY) == [("LSA604", "fail")]


def test_the_template_lacks_them(cluster, sees) -> None:
    env = [{"name": name, "$patch": "delete"} for name in WANTED]
    container = {"name": pods(cluster)[0]["spec"]["containers"][0]["name"], "env": env}
    before = {it["metadata"]["uid"] for it in pods(cluster)}
    spec(cluster, template={"spec": {"containers": [container]}})
    cluster.kubernetes.until(
        lambda: not before & {it["metadata"]["uid"] for it in pods(cluster)}, timeout=60
    )
    assert sees("LSA401", *ONLY)[0] == ("LSA402", "fail")
    assert sees("LSA610", *ONLY) == [("LSA908", "not-run")]


class TestOnAFreshInstallation:
    @pytest.fixture
    def cluster(self, shared_cluster):
        cluster, snapshot = shared_cluster
        cluster.restore(snapshot)
        return cluster

    def test_a_budget_that_lets_no_rollout_evict(self, cluster, found) -> None:
        stage(cluster, SCENARIOS["budget-blocks"])
        (told,) = found("LSA615", *ONLY)
        assert told["state"] == "warn"
        assert told["message"].startswith("A restart would never end: it evicts, and ")
        cluster.kubernetes.faults.forbid("list", "poddisruptionbudgets")
        (told,) = found("LSA615", *ONLY)
        assert (told["id"], told["state"]) == ("LSA207", "unknown")


def test_pods_that_are_older_than_the_last_update(cluster, found, tmp_path) -> None:
    env = {"LANGSMITH_AUDIT_STATE_DIR": str(tmp_path / "state")}  # no other test sees this run
    id = str(cluster.organizations["off"])
    with cluster.connect() as database:
        query = "UPDATE organizations SET config = '{\"can_use_audit_logs\": false}' WHERE id = %s"
        database.execute(query, (id,))
    words = ("run", "--yes", "--no-input", "--org", id, "--skip", "backend_restart")
    answer = forked.call(words, cluster.environment() | env, 120)
    (told,) = found("LSA691", *ONLY, "--org", id, env=env)
    assert told["state"] in ("warn", "fail"), (told, answer.stderr)
    assert "older than the update of" in told["message"]
