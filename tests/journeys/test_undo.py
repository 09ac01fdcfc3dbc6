"""`undo`: newest first, compared before it is swapped, twice, and itself undone."""

from __future__ import annotations

import json
import os
import re
import signal

import forked
import pytest
from leftovers import (
    NOTHING,
    backend_env,
    backend_pods,
    entries,
    in_background,
    refused,
    revisions,
    rows,
    secrets_of,
    told_secrets,
    trace,
    wait_for,
)
from terminal import CONFIRM, YES, Terminal, told

from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios.tools import settled
from wizard.records.journal import runs
from wizard.records.runs import state
from wizard.systems.kubernetes.cluster import SECRETS, Cluster

ALL = ("run", "--yes", "--all")
UNDO = ("undo", "--yes")


def of(cluster: PracticeCluster) -> list[dict]:
    """The runs as the journals tell them, newest first."""
    found = runs()
    return [
        {"run": it.id, "state": str(state(it, found)), "changed": it.changed}
        for it in reversed(found)
    ]


@pytest.fixture(autouse=True)
def here(cluster, monkeypatch):
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(cluster.home / "state"))


def configs(cluster: PracticeCluster) -> dict:
    return {name: config for name, (config, _) in rows(cluster).items()}


def test_everything_comes_back_and_the_undo_can_be_undone(cluster, run) -> None:
    before, values, env = configs(cluster), cluster.values.read_bytes(), backend_env(cluster)
    assert run(*ALL).returncode == 0
    after, edited, pods = configs(cluster), cluster.values.read_bytes(), backend_pods(cluster)

    back = run(*UNDO)
    assert back.returncode == 0, back.stderr
    told = back.stderr
    assert "Will not come back: hook Jobs and database migrations" in told.replace("\n", " ")
    heads = re.findall(r"^(\d)\. ", told[told.index("Putting back") :], re.MULTILINE)
    assert heads == ["4", "3", "2"], "newest first"
    assert configs(cluster) == before
    assert cluster.values.read_bytes() == values
    assert backend_env(cluster) == env
    assert not pods & backend_pods(cluster)
    assert revisions(cluster) == {
        "langsmith 1 superseded", "langsmith 2 superseded", "langsmith 3 deployed"
    }  # fmt: skip
    xmin = rows(cluster)
    made = of(cluster)
    assert [it["state"] for it in made] == ["done", "undone"]

    again = run(*UNDO)
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    again = run(*UNDO, made[1]["run"])
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    assert rows(cluster) == xmin
    assert len(of(cluster)) == 2, "a run that changes nothing leaves no journal"

    forth = run(*UNDO, made[0]["run"])
    assert forth.returncode == 0, forth.stderr
    assert configs(cluster) == after
    assert cluster.values.read_bytes() == edited
    assert backend_env(cluster)["AUDIT_LOGS_ENABLED"] == "true"
    assert [it["state"] for it in of(cluster)] == ["done", "undone", "done"]
    check = run("check", "--all", "--format", "json")
    assert check.returncode == 0, check.stdout

    listed = json.loads(run("runs", "--format", "json").stdout)["runs"]
    assert listed[0]["undoes"] == made[0]["run"]
    assert listed[1]["undone_by"] == listed[0]["run"]
    one = run("runs", made[1]["run"])
    assert "helm_upgrade: done. Revision 1 → 2" in one.stdout
    texts = [told, forth.stderr, one.stdout, *map(str, listed)]
    assert told_secrets(secrets_of(cluster), texts) == set()
    for diff in (told, forth.stderr):
        assert "- name: ASYNCPG_POOL_MAX_SIZE" in diff
        assert 'value: "8"' not in diff, "a neighbour's value"


def test_what_somebody_changed_since_is_left_and_told(cluster, run) -> None:
    before = configs(cluster)
    assert run(*ALL).returncode == 0
    cluster.values.write_text(cluster.values.read_text() + "\n# mine\n")
    mine = cluster.values.read_bytes()
    ids = cluster.organizations
    with cluster.connect() as connection:
        gone = 'UPDATE organizations SET config = \'{"can_use_audit_logs": "no"}\' WHERE id = %s'
        connection.execute(gone, (ids["null"],))
        more = "UPDATE organizations SET config = config || '{\"x\": 1}' WHERE id = %s"
        connection.execute(more, (ids["off"],))
    upgraded = cluster.run_helm(
        *("upgrade", "langsmith", "langchain/langsmith", "-n", "langsmith"),
        *("--version", "0.12.33", "-f", str(cluster.values), "--wait"),
    )
    assert upgraded.returncode == 0, upgraded.stderr

    back = run(*UNDO)
    assert back.returncode == 3, back.stderr
    assert back.stderr.count("LSA932") >= 2
    assert cluster.values.read_bytes() == mine
    assert "langsmith 3 deployed" in revisions(cluster)
    now = configs(cluster)
    assert now["null"] == {"can_use_audit_logs": "no"}, "somebody else's"
    assert now["off"] == {**before["off"], "x": 1}, "the key comes back, what is beside it stays"
    assert now["empty"] == before["empty"]


@pytest.mark.parametrize("rows", [False, True], ids=["rollback", "restart"])
def test_what_a_policy_refuses_is_known_before_anything_is_put_back(cluster, run, rows) -> None:
    skip = ("values_file", "helm_upgrade") if rows else ("organizations",)
    done = run(*ALL, *(word for step in (*skip, "audit_api") for word in ("--skip", step)))
    assert done.returncode == 0, done.stderr
    settled(cluster)  # the last of the old pods is counted off
    before, made = trace(cluster), len(runs())
    cluster.kubernetes.faults.deny("patch", "deployments", "no limits", webhook="policy.example")
    answer = run(*UNDO)
    assert answer.returncode == 3, answer.stderr
    assert "LSA442" in answer.stderr
    assert 'webhook "policy.example" denied the request: no limits' in answer.stderr
    assert (trace(cluster), len(runs())) == (before, made)
    cluster.kubernetes.faults.clear()
    answer = run(*UNDO)
    assert answer.returncode == 0, answer.stderr


def test_it_works_while_langsmith_is_down(cluster, run) -> None:
    before, values = configs(cluster), cluster.values.read_bytes()
    assert run(*ALL).returncode == 0
    back = run(*UNDO, env={"LANGSMITH_AUDIT_URL": "http://127.0.0.1:9"})
    assert back.returncode == 0, back.stderr
    (log,) = [runs()[-1].folder / "debug.log"]
    assert "helm rollback" in log.read_text()
    assert "http GET" not in log.read_text(), "the API is not asked"
    assert configs(cluster) == before
    assert cluster.values.read_bytes() == values


def test_only_the_systems_of_the_change_are_needed(cluster, run) -> None:
    values = cluster.values.read_bytes()
    others = ("helm_upgrade", "organizations", "backend_restart", "audit_table", "audit_api")
    run(*ALL, *(word for step in others for word in ("--skip", step)))
    assert cluster.values.read_bytes() != values
    cluster.kubernetes.stop()
    cluster.postgres.stop()
    back = run(*UNDO)
    assert back.returncode == 0, back.stderr
    assert cluster.values.read_bytes() == values


def test_what_is_skipped_is_said_and_comes_back_with_the_next_undo(cluster, run) -> None:
    before, values = configs(cluster), cluster.values.read_bytes()
    others = ("helm_upgrade", "backend_restart", "audit_table", "audit_api")
    run(*ALL, *(word for step in others for word in ("--skip", step)))
    edited = cluster.values.read_bytes()
    assert set(of(cluster)[0]["changed"]) == {"values_file", "organizations"}
    part = run(*UNDO, "--skip", "values_file")
    assert part.returncode == 0, part.stderr
    assert "Put back, but for what was skipped: values_file" in part.stdout
    assert configs(cluster) == before
    assert cluster.values.read_bytes() == edited
    assert of(cluster)[-1]["state"] != "undone"
    rest = run(*UNDO)
    assert rest.returncode == 0, rest.stderr
    assert cluster.values.read_bytes() == values
    assert of(cluster)[-1]["state"] == "undone"


def test_rows_that_somebody_changed_since_are_not_told_as_put_back(cluster, run) -> None:
    before = configs(cluster)
    others = ("values_file", "helm_upgrade", "backend_restart", "audit_table", "audit_api")
    run(*ALL, *(word for step in others for word in ("--skip", step)))
    id = cluster.organizations["null"]
    with cluster.connect() as connection:
        theirs = 'UPDATE organizations SET config = \'{"can_use_audit_logs": "no"}\' WHERE id = %s'
        connection.execute(theirs, (id,))
    back = run(*UNDO)
    assert back.returncode == 3, back.stderr
    assert "LSA932" in back.stderr
    assert str(id) in back.stderr
    assert "everything is as it was" not in back.stderr
    assert configs(cluster) == {**before, "null": {"can_use_audit_logs": "no"}}
    assert "left" in [entry["event"] for entry in runs()[-1].entries]


def test_a_run_of_another_place_is_refused(cluster, run) -> None:
    others = ("helm_upgrade", "organizations", "backend_restart", "audit_table", "audit_api")
    run(*ALL, *(word for step in others for word in ("--skip", step)))
    edited = cluster.values.read_bytes()
    (made,) = of(cluster)
    refused = run(*UNDO, made["run"], "--release", "other")
    assert refused.returncode == 2
    assert "LSA935" in refused.stderr
    journal = cluster.home / "state" / "runs" / made["run"] / "journal.ndjson"
    written = journal.read_text()
    assert '"journal": 1' in written.splitlines()[0]
    journal.write_text(written.replace('"journal": 1', '"journal": 2', 1))
    later = run(*UNDO, made["run"])
    assert later.returncode == 2
    assert "LSA939" in later.stderr
    journal.write_text(written)
    unknown = run(*UNDO, "nonsense")
    assert unknown.returncode == 2
    assert "LSA930" in unknown.stderr
    asked = run("undo")
    assert asked.returncode == 2
    assert "LSA900" in asked.stderr
    assert cluster.values.read_bytes() == edited


def test_a_revision_that_is_no_longer_kept_is_upgraded_back(cluster, run) -> None:
    env = backend_env(cluster)
    assert run(*ALL).returncode == 0
    (old,) = [
        secret
        for secret in cluster.kubernetes.list("Secret", cluster.namespace, {"owner": "helm"})
        if secret["metadata"]["labels"]["version"] == "1"
    ]
    api = Cluster.connect(cluster.kubeconfig, None)
    api.delete(SECRETS, old["metadata"]["name"], cluster.namespace)
    back = run(*UNDO)
    assert back.returncode == 0, back.stderr
    assert "helm upgrade langsmith" in back.stderr
    assert backend_env(cluster) == env
    assert revisions(cluster) == {"langsmith 2 superseded", "langsmith 3 deployed"}


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("helm_too", [False, True], ids=["helm goes on", "helm is killed too"])
def test_a_run_that_was_killed_while_helm_was_at_work(cluster, run, helm_too) -> None:
    values, env = cluster.values.read_bytes(), backend_env(cluster)
    cluster.kubernetes.faults.fail_pods({}, "NotReady")
    wizard = in_background(cluster, *ALL)
    wait_for(lambda: "langsmith 2 pending-upgrade" in revisions(cluster))
    wait_for(lambda: any("helm" in one for one in entries(cluster)))
    wizard.kill()
    wizard.communicate()
    if helm_too:  # as a machine that loses its power
        (helm,) = [one["helm"] for one in entries(cluster) if "helm" in one]
        os.kill(helm, signal.SIGKILL)
        cluster.kubernetes.faults.clear()
    undo = in_background(cluster, *UNDO)
    said = ""
    for line in undo.stdout:
        said += line
        if "is pending-upgrade" in line:  # it waits
            cluster.kubernetes.faults.clear()
    undo.wait(timeout=120)
    assert undo.returncode == 0, said
    assert ("helm has" in said) is not helm_too
    assert cluster.values.read_bytes() == values
    assert backend_env(cluster) == env
    assert [it for it in revisions(cluster) if it.endswith("deployed")] == ["langsmith 3 deployed"]
    assert [it["state"] for it in of(cluster)] == ["done", "undone"]


MANY = """
INSERT INTO organizations (id, display_name, is_personal, config)
SELECT gen_random_uuid(), 'Org ' || n, false,
    CASE WHEN n % 2 = 0 THEN '{"can_use_audit_logs": false, "n": 1}'::jsonb ELSE NULL END
FROM generate_series(1, 1100) AS n
"""
SUMS = "SELECT md5(string_agg(id::text || coalesce(config::text, '-'), '' ORDER BY id)), \
    count(*) FILTER (WHERE config -> 'can_use_audit_logs' = 'true') FROM organizations"


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_many_rows_killed_resumed_undone_and_redone(cluster, run) -> None:
    others = ("values_file", "helm_upgrade", "backend_restart", "audit_table", "audit_api")
    only = (*ALL, *(word for step in others for word in ("--skip", step)))
    with cluster.connect() as connection:
        connection.execute(MANY)
        before = connection.execute(SUMS).fetchone()
        words = ("organizations", "middle", "sigkill", *only)
        killed = forked.call(words, cluster.environment(), main="failpoints")
        assert killed.returncode == -9, killed.stderr
        assert connection.execute(SUMS).fetchone() == before
        answer = run(*only)
        assert answer.returncode == 0, answer.stderr
        on = connection.execute(SUMS).fetchone()
        assert on[1] == 1104
        answer = run(*UNDO)
        assert answer.returncode == 0, answer.stderr
        assert connection.execute(SUMS).fetchone() == before
        answer = run(*UNDO, runs()[-1].id)
        assert answer.returncode == 0, answer.stderr
        assert connection.execute(SUMS).fetchone() == on


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("redo", [False, True], ids=["undo", "redo"])
def test_what_was_killed_after_its_rollback_is_gone_on_with(cluster, run, redo) -> None:
    wanted = cluster.values.read_bytes(), backend_env(cluster)
    rest = ("organizations", "backend_restart", "audit_table", "audit_api")
    run(*ALL, *(word for step in rest for word in ("--skip", step)))
    undo = UNDO
    if redo:
        wanted = cluster.values.read_bytes(), backend_env(cluster)
        assert run(*UNDO).returncode == 0
        undo = (*UNDO, runs()[-1].id)
    words = ("helm_rollback", "after", "sigkill", *undo)
    killed = forked.call(words, cluster.environment(), main="failpoints")
    assert killed.returncode == -9, killed.stderr
    assert entries(cluster)[-1]["event"] == "intent"
    again = run(*undo)
    assert again.returncode == 0, again.stderr
    assert (cluster.values.read_bytes(), backend_env(cluster)) == wanted
    deployed = [it for it in revisions(cluster) if it.endswith("deployed")]
    assert deployed == ["langsmith 4 deployed" if redo else "langsmith 3 deployed"]
    last = runs()[-1]
    assert (str(state(last, runs())), last.undoes) == ("done", runs()[redo].id)


TRIGGER = """
ALTER TABLE organizations
    ADD updated_at timestamptz DEFAULT '2026-01-01', ADD version int DEFAULT 1;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.updated_at = clock_timestamp(); {} RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON organizations FOR EACH ROW EXECUTE FUNCTION touched()
"""
NO_TRIGGER = """
DROP TRIGGER IF EXISTS touched ON organizations; DROP FUNCTION IF EXISTS touched;
ALTER TABLE organizations DROP IF EXISTS updated_at, DROP IF EXISTS version
"""


@pytest.fixture
def triggered(cluster):
    """Let a trigger on the organizations change more than the key."""

    def stage(more: str) -> None:
        with cluster.connect() as database:
            database.execute(TRIGGER.format(more))

    yield stage
    with cluster.connect() as database:
        database.execute(NO_TRIGGER)


def test_an_undo_says_what_a_trigger_has_changed_for_good(cluster, run, triggered) -> None:
    triggered("")
    assert "triggers of this table (touched)" in run("plan", "--all").stdout
    made = run(*ALL)
    assert made.returncode == 0, made.stderr
    assert "changed in these rows by the database itself: updated_at" in made.stderr
    undone = run(*UNDO)
    assert undone.returncode == 0, undone.stderr
    assert " ".join(undone.stdout.split()).endswith(
        "Done: everything is as it was before the run, but for updated_at of the organizations, "
        "which the database itself changes."
    )


def test_what_else_a_trigger_changes_needs_a_consent(cluster, run, triggered) -> None:
    triggered("NEW.version = OLD.version + 1;")
    before = rows(cluster)
    refused(cluster, run(*ALL), 9, "LSA588", "more of these rows than the key: version")
    assert configs(cluster) == {name: config for name, (config, _) in before.items()}
    with Terminal(env=told(cluster) | {"LANGSMITH_AUDIT_UNFINISHED": "resume"}) as terminal:
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("more of these rows than the key: version")
        terminal.answer("Change these rows all the same?", YES)
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("database itself: updated_at, version")
        terminal.answer(CONFIRM, YES)
        assert terminal.end() == 0
    refused(cluster, run(*UNDO), 3, "LSA588", "version", NOTHING)
    undone = run(*UNDO, "--accept-trigger")
    assert undone.returncode == 0, undone.stderr
    assert "but for updated_at, version of the organizations" in " ".join(undone.stdout.split())
