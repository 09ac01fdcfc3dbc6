"""SIGKILL at any moment: the next run finishes the job, and does nothing twice."""

from __future__ import annotations

import os
from collections.abc import Callable

import psycopg
import pytest
from leftovers import (
    backend_env,
    backend_pods,
    entries,
    in_background,
    revisions,
    row_locked,
    rows,
    wait_for,
    waiting_for_a_lock,
)

from wizard.practice.cluster import PracticeCluster

ALL = ("run", "--yes", "--all")
CHANGING = ("values_file", "helm_upgrade", "organizations", "backend_restart")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")


def seen(cluster: PracticeCluster, event: str, step: str) -> bool:
    return any(one["event"] == event and one.get("step") == step for one in entries(cluster))


def killed_when(cluster: PracticeCluster, when: Callable[[], bool], *options: str) -> None:
    """Run, and kill at this moment."""
    wizard = in_background(cluster, *ALL, *options)
    try:
        wait_for(when)
    finally:
        wizard.kill()
        wizard.communicate()
    assert wizard.returncode < 0


def assert_finished(cluster: PracticeCluster, run) -> None:
    """The next run ends well, and the one after it has nothing to do."""
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    assert "was left unfinished" in answer.stderr
    assert revisions(cluster) == {"langsmith 1 superseded", "langsmith 2 deployed"}
    assert backend_env(cluster)["AUDIT_LOGS_ENABLED"] == "true"
    assert cluster.values.read_text().count("AUDIT_LOGS_ENABLED") == 1
    found = rows(cluster)
    assert all(found[name][0]["can_use_audit_logs"] is True for name in found if name != "personal")
    again = run(*ALL)
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    assert "unfinished" not in again.stderr


@pytest.mark.parametrize("step", CHANGING)
def test_after_a_step(cluster, run, step) -> None:
    def done() -> bool:
        if seen(cluster, "intent", "backend_restart"):
            cluster.langsmith.delay = 2.0  # the run is not over as soon as this step is
        return seen(cluster, "done", step)

    killed_when(cluster, done)
    cluster.langsmith.delay = 0.0
    before, pods = rows(cluster), backend_pods(cluster)
    updated = step in ("organizations", "backend_restart")
    assert_finished(cluster, run)
    assert (rows(cluster) == before) == updated
    assert (backend_pods(cluster) == pods) == (step == "backend_restart")


def test_before_the_update_is_made(cluster, run) -> None:
    before = rows(cluster)
    with row_locked(cluster, "null"):
        killed_when(cluster, lambda: waiting_for_a_lock(cluster), "--lock-limit", "90")
        assert seen(cluster, "intent", "organizations")
        assert rows(cluster) == before
    wait_for(lambda: not waiting_for_a_lock(cluster))
    pods = backend_pods(cluster)
    assert_finished(cluster, run)
    assert not pods & backend_pods(cluster)


HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(1182); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON organizations DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold();
"""
"""Holds every commit of an update until another session lets go of a lock."""


def test_while_the_commit_is_under_way(cluster, run) -> None:
    before = rows(cluster)
    with psycopg.connect(cluster.postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(HOLD)
        connection.execute("SELECT pg_advisory_lock(1182)")
        killed_when(cluster, lambda: waiting_for_a_lock(cluster), "--lock-limit", "90")
    wait_for(lambda: rows(cluster) != before)
    committed, pods = rows(cluster), backend_pods(cluster)
    assert not seen(cluster, "done", "organizations")
    assert_finished(cluster, run)
    assert rows(cluster) == committed, "no row is written twice"
    assert not pods & backend_pods(cluster), "the pods had read the old config"


def test_while_helm_is_at_work(cluster, run) -> None:
    cluster.kubernetes.faults.fail_pods({}, "NotReady")
    pending = "langsmith 2 pending-upgrade"
    killed_when(cluster, lambda: pending in revisions(cluster))
    cluster.kubernetes.faults.clear()  # the next run waits for the helm that goes on by itself
    assert_finished(cluster, run)
