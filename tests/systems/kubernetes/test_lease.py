"""The Lease: other machines can tell that a run is under way, by whom, and take over the dead."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from leftovers import entries, in_background, refused, revisions, wait_for

from wizard.practice.cluster import PracticeCluster
from wizard.problems import Problem
from wizard.systems.kubernetes.cluster import Cluster
from wizard.systems.kubernetes.lease import LEASES, MACHINE, RUN, Lease

ONLY_THE_FILE = (
    *("run", "--yes", "--all", "--skip", "helm_upgrade", "--skip", "organizations"),
    *("--skip", "backend_restart", "--skip", "audit_table", "--skip", "audit_api"),
)
NAME = "langsmith-audit-langsmith"


def lease(cluster: PracticeCluster) -> dict | None:
    return cluster.kubernetes.get("Lease", cluster.namespace, NAME)


def body(ago: float) -> dict:
    then = f"{datetime.now(UTC) - timedelta(seconds=ago):%Y-%m-%dT%H:%M:%S.%fZ}"
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "annotations": {RUN: "20260101-abc", MACHINE: "elsewhere"}},
        "spec": {
            "holderIdentity": "alice@laptop",
            "leaseDurationSeconds": 3,
            "acquireTime": then,
            "renewTime": then,
        },
    }


@pytest.fixture
def api(cluster):
    api = Cluster.connect(cluster.kubeconfig, None)
    yield api
    api.close()


def test_a_run_under_way_is_seen_from_elsewhere_and_left_alone(cluster, run) -> None:
    cluster.kubernetes.faults.fail_pods({}, "NotReady")
    wizard = in_background(cluster, "run", "--yes", "--all")
    try:
        wait_for(lambda: "langsmith 2 pending-upgrade" in revisions(cluster))
        held = lease(cluster)
        assert held
        (begun,) = {one["at"] for one in entries(cluster) if one["event"] == "begin"}
        assert begun
        assert held["spec"]["holderIdentity"].count("@") == 1
        other = {"LANGSMITH_AUDIT_STATE_DIR": str(cluster.home / "elsewhere")}
        before = cluster.values.read_bytes()
        answer = run(*ONLY_THE_FILE, "--take-over", "--unfinished", "leave", env=other)
        assert answer.returncode == 3, answer.stderr
        assert "LSA936" in answer.stderr
        assert held["spec"]["holderIdentity"] in answer.stderr
        assert held["metadata"]["annotations"][RUN] in answer.stderr
        assert cluster.values.read_bytes() == before
        assert not (cluster.home / "elsewhere" / "runs").exists()
    finally:
        cluster.kubernetes.faults.clear()
        said, _ = wizard.communicate()
    assert wizard.returncode == 0, said
    assert lease(cluster) is None, "it is given back"


def test_a_dead_run_of_this_machine_is_gone_on_with_at_once(cluster, run) -> None:
    cluster.kubernetes.faults.fail_pods({}, "NotReady")
    wizard = in_background(cluster, "run", "--yes", "--all")
    wait_for(lambda: "langsmith 2 pending-upgrade" in revisions(cluster))
    wizard.kill()
    wizard.communicate()
    cluster.kubernetes.faults.clear()
    deployed = {"langsmith 1 superseded", "langsmith 2 deployed"}
    cluster.kubernetes.until(lambda: revisions(cluster) == deployed, timeout=60)
    assert lease(cluster)
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 0, answer.stderr
    assert lease(cluster) is None


def test_a_dead_run_of_another_machine_is_taken_over_knowingly(cluster, run, api) -> None:
    api.create(LEASES, cluster.namespace, body(3600))
    refused(cluster, run(*ONLY_THE_FILE), 3, "LSA937", "alice@laptop", "20260101-abc")
    assert [one for one in entries(cluster) if one["event"] == "intent"] == []
    over, seen = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(0.2):
            spec = body(3600)["spec"]
            api.patch(LEASES, NAME, cluster.namespace, {"spec": spec}, strategic=False)
            seen.set()

    alive = threading.Thread(target=renew)
    alive.start()
    seen.wait(30)
    answer = run(*ONLY_THE_FILE, "--take-over")
    over.set()
    alive.join()
    refused(cluster, answer, 3, "LSA936")  # its clock is wrong, but it is alive
    assert [one for one in entries(cluster) if one["event"] == "intent"] == []
    before = cluster.values.read_bytes()
    run(*ONLY_THE_FILE, "--take-over")
    assert cluster.values.read_bytes() != before
    assert lease(cluster) is None


def test_one_that_was_taken_over_at_the_last_moment_is_left(cluster, api, monkeypatch) -> None:
    ours = Lease(api, cluster.namespace, "langsmith", "here")
    ours.take("20260102-def", take_over=False, waiting=lambda *_: None)
    holder = ours.holder()
    api.patch(LEASES, NAME, cluster.namespace, body(0), strategic=False)
    monkeypatch.setattr(ours, "holder", lambda: holder)  # as it was read right before
    ours.release()
    assert lease(cluster)["spec"]["holderIdentity"] == "alice@laptop"


@pytest.mark.parametrize("verb", ["get", "create"])
def test_without_the_right_the_run_goes_on_and_says_so(cluster, run, verb) -> None:
    cluster.kubernetes.faults.forbid(verb, "leases")
    before = cluster.values.read_bytes()
    answer = run(*ONLY_THE_FILE)
    assert "LSA938" in answer.stderr
    assert cluster.values.read_bytes() != before


@pytest.mark.parametrize("deleted", [False, True], ids=["goes on", "has ended"])
def test_before_a_change_a_run_that_was_taken_over_sees_it(cluster, api, deleted) -> None:
    ours = Lease(api, cluster.namespace, "langsmith", "here")
    ours.check()  # without the right to a Lease there is none to lose
    ours.take("20260102-def", take_over=False, waiting=lambda *_: None)
    ours.check()
    if deleted:
        api.delete(LEASES, NAME, cluster.namespace)
    else:
        api.patch(LEASES, NAME, cluster.namespace, body(0), strategic=False)
    left = lease(cluster)
    for _ in range(2):
        with pytest.raises(Problem) as told:
            ours.check()
        assert told.value.id == "LSA936"
        assert ("alice@laptop" in told.value.what) is not deleted
    ours.release()
    assert lease(cluster) == left
