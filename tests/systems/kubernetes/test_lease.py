"""The Lease: other machines can tell that a run is under way, by whom, and take over the dead."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from leftovers import (
    entries,
    in_background,
    refused,
    revisions,
    row_locked,
    wait_for,
    waiting_for_a_lock,
)

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


def ours(api: Cluster, cluster: PracticeCluster, dead: bool = False) -> Lease:
    return Lease(api, cluster.namespace, "langsmith", machine="here", lock="a", dead=lambda _: dead)


def nobody_told(_what: str, _seconds: float) -> None:
    """What is waited for is told to nobody here."""


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
        answer = run(*ONLY_THE_FILE, "--unfinished", "leave", env=other)
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
    held = ours(api, cluster)
    held.take("20260102-def", take_over=False, waiting=nobody_told)
    holder = held.holder()
    api.patch(LEASES, NAME, cluster.namespace, body(0), strategic=False)
    monkeypatch.setattr(held, "holder", lambda: holder)  # as it was read right before
    held.release()
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
    held = ours(api, cluster)
    held.check()  # without the right to a Lease there is none to lose
    held.take("20260102-def", take_over=False, waiting=nobody_told)
    held.check()
    if deleted:
        api.delete(LEASES, NAME, cluster.namespace)
    else:
        api.patch(LEASES, NAME, cluster.namespace, body(0), strategic=False)
    left = lease(cluster)
    for _ in range(2):
        with pytest.raises(Problem) as told:
            held.check()
        assert told.value.id == "LSA936"
        assert ("alice@laptop" in told.value.what) is not deleted
    held.release()
    assert lease(cluster) == left


@pytest.fixture
def under_way(cluster):
    """A run that waits for the lock of a row; other files than it had are there to be edited."""
    before = cluster.values.read_bytes()
    with row_locked(cluster, "null"):
        wizard = in_background(cluster, "run", "--yes", "--all", "--lock-limit", "90")
        wait_for(lambda: waiting_for_a_lock(cluster))
        cluster.values.write_bytes(before)
        yield wizard
        wizard.kill()
        wizard.communicate()


def test_another_name_of_the_same_server_is_no_other_release(cluster, run, under_way) -> None:
    before = cluster.values.read_bytes(), lease(cluster)["metadata"]["annotations"]
    tunnel = cluster.home / "tunnel"
    text = cluster.kubeconfig.read_text()
    assert "https://127.0.0.1:" in text
    tunnel.write_text(text.replace("https://127.0.0.1:", "https://localhost:"))
    second = (*ONLY_THE_FILE, "--unfinished", "leave", "--kubeconfig", str(tunnel))
    faults = cluster.kubernetes.faults
    # Told by the Lease, by the lock of the same name where no Lease may be read, and by the Lease
    # that names the lock, where the namespace's uid may not be read either.
    for forbidden in ("", "leases", "namespaces"):
        if forbidden:
            faults.forbid("get", forbidden)
        refused(cluster, run(*second), 3, "LSA903")
        assert (cluster.values.read_bytes(), lease(cluster)["metadata"]["annotations"]) == before
        faults.clear()
    assert under_way.poll() is None


def test_another_container_with_the_same_names_is_another_machine(cluster, under_way) -> None:
    """The same host name, and another folder at the same path: a mount of its own makes it."""
    unshare = [shutil.which("unshare") or "", "-m", "sh", "-c"]
    state, other = cluster.home / "state", cluster.home / "container"
    other.mkdir(0o700)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    first = [*unshare, script, "sh", str(other), str(state)]
    if not unshare[0] or subprocess.run([*first, "true"], check=False).returncode:
        pytest.skip("no mount of its own here")
    before = cluster.values.read_bytes(), lease(cluster)["metadata"]["annotations"]
    command = [*first, sys.executable, "-m", "wizard", *ONLY_THE_FILE]
    answer = subprocess.run(
        command, env=cluster.environment(), capture_output=True, text=True, check=False
    )
    refused(cluster, answer, 3, "LSA936")
    assert (cluster.values.read_bytes(), lease(cluster)["metadata"]["annotations"]) == before
    assert under_way.poll() is None


def test_one_whose_clock_ran_ahead_is_taken_over_knowingly(cluster, api) -> None:
    api.create(LEASES, cluster.namespace, body(-3600))
    second = ours(api, cluster)
    with pytest.raises(Problem) as told:
        second.take("20260102-def", take_over=False, waiting=nobody_told)
    assert told.value.id == "LSA936"
    watched: list[float] = []
    second.take("20260102-def", take_over=True, waiting=lambda _, spent: watched.append(spent))
    assert watched[-1] > 3, "all the time that the Lease says is waited for"
    assert lease(cluster)["metadata"]["annotations"][RUN] == "20260102-def"
    second.release()


def test_a_lock_that_is_free_proves_that_a_run_of_this_machine_is_dead(cluster, api) -> None:
    living = ours(api, cluster)
    living.take("20260102-def", take_over=False, waiting=nobody_told)
    with pytest.raises(Problem) as told:
        ours(api, cluster, dead=False).take("3", take_over=False, waiting=nobody_told)
    assert told.value.id == "LSA903"
    ours(api, cluster).release()  # it is not this one's
    assert lease(cluster)
    second = ours(api, cluster, dead=True)
    second.take("3", take_over=False, waiting=nobody_told)
    assert lease(cluster)["metadata"]["annotations"][RUN] == "3"
    living.release()
    assert lease(cluster), "the run that lost it leaves it"
    second.release()


def test_times_are_by_the_clock_of_the_api_server(cluster, api, monkeypatch) -> None:
    """This machine's clock is an hour behind."""
    true = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(api, "now", lambda: true)
    held = ours(api, cluster)
    held.take("20260102-def", take_over=False, waiting=nobody_told)
    assert lease(cluster)["spec"]["renewTime"] == f"{true:%Y-%m-%dT%H:%M:%S.%fZ}"
    held.release()
    api.create(LEASES, cluster.namespace, body(-60))
    ours(api, cluster).refuse_if_held()  # it has run out, an hour ago


@pytest.mark.parametrize(
    "spec",
    [
        {"renewTime": "9999-12-31T23:59:59.000000Z", "holderIdentity": "a"},
        {"leaseDurationSeconds": 10**9, "holderIdentity": "a"},
        {"leaseDurationSeconds": None, "renewTime": None, "acquireTime": None},
    ],
    ids=["the last year", "for ever", "no time"],
)
def test_a_lease_with_any_time_is_told(cluster, api, spec) -> None:
    api.create(LEASES, cluster.namespace, {**body(0), "spec": {**body(0)["spec"], **spec}})
    with pytest.raises(Problem) as told:
        ours(api, cluster).take("3", take_over=False, waiting=nobody_told)
    assert told.value.id in ("LSA936", "LSA937")
