"""Each way to the database, on the practice cluster, from end to end and under faults."""

from __future__ import annotations

import base64
import dataclasses
import json
import signal
import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from databases import refused, told
from leftovers import trace, writes

from wizard.practice.cluster import DATABASE, NAMESPACE, PracticeCluster
from wizard.problems import Problem
from wizard.settings import settings_from, target_from
from wizard.systems.access import Systems
from wizard.systems.kubernetes.exec import PodCommand
from wizard.systems.postgres import transaction
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.ways_in import choose, in_pod

WAYS = ("auto", "port-forward", "exec", "direct", "pod")
SAID = {
    "auto": "way in: port-forward to pod langsmith-postgres-0 "
    "(the stored URL names Service langsmith-postgres)",
    "port-forward": "way in: port-forward to pod langsmith-postgres-0 "
    "(the stored URL names Service langsmith-postgres)",
    "exec": "way in: psql in pod langsmith-postgres-0 (as --database asks)",
    "pod": "way in: psql in a pod of its own, langsmith-audit-",
    "direct": "way in: direct, as the PG… variables say (as --database asks)",
}


def by(cluster: PracticeCluster, way: str) -> dict[str, str]:
    """The variables for a way."""
    env = {"LANGSMITH_AUDIT_DATABASE": way}
    if way == "direct":
        names = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
        env |= {name: cluster.postgres.psql_env()[name] for name in names}
        env |= {"PGDATABASE": DATABASE}
    return env


def on(cluster: PracticeCluster) -> list[bool]:
    """Whether audit logs are stored as on, for each shared organization."""
    query = (
        "SELECT COALESCE(config -> 'can_use_audit_logs' = 'true', false) "
        "FROM organizations WHERE NOT is_personal"
    )
    with cluster.connect() as connection:
        return [row[0] for row in connection.execute(query).fetchall()]


@pytest.mark.parametrize("way", WAYS)
def test_the_whole_procedure(cluster, run, way) -> None:
    env = by(cluster, way)
    walks = [run(*walk, env=env) for walk in (("plan", "--all"), ("run", "--yes", "--all"))]
    assert [walk.returncode for walk in walks] == [0, 0], walks[-1].stderr
    assert all(on(cluster))
    check = run("check", "--format", "json", env=env)
    assert check.returncode == 0, check.stdout
    assert SAID[way] in json.dumps(json.loads(check.stdout), ensure_ascii=False)
    listed = run("orgs", "--format", "ndjson", env=env)
    assert listed.stdout.count('"state": "on"') == len(on(cluster))
    assert ("database postgres as postgres (" in run("orgs", env=env).stderr) == (way != "direct")
    written = "".join(walk.stdout + walk.stderr for walk in (*walks, check, listed))
    state = cluster.home / "state"
    written += "".join(p.read_text() for p in state.rglob("*.json*") if p.is_file())
    assert cluster.postgres.password not in written


def test_exec_asks_for_exec_and_puts_nothing_secret_on_a_command_line(cluster, run) -> None:
    answer = run("orgs", env=by(cluster, "exec"))
    assert answer.returncode == 0, answer.stderr
    assert "database postgres as" in answer.stderr
    asked = {(one.resource, one.subresource) for one in cluster.kubernetes.requests}
    assert ("pods", "exec") in asked
    assert ("pods", "portforward") not in asked
    assert cluster.postgres.password not in repr(list(cluster.kubernetes.requests))


@pytest.mark.parametrize("walk", [("orgs",), ("check",), ("run", "--yes", "--all")], ids="-".join)
def test_without_the_right_to_exec(cluster, run, walk) -> None:
    cluster.kubernetes.faults.forbid("create", "pods", "exec")
    cluster.kubernetes.faults.forbid("get", "pods", "exec")
    before = trace(cluster)
    answer = run(*walk, env=by(cluster, "exec"))
    # On a cluster where nothing is done yet, `check` finds what is wrong elsewhere as well.
    assert answer.returncode == (3 if walk == ("check",) else 5), answer.stderr
    words = answer.stdout + answer.stderr
    assert "LSA207" in words
    assert "pods/exec" in words
    assert writes(cluster) == []
    assert trace(cluster) == before


@pytest.fixture
def systems(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    """The systems of the practice cluster in this process, the database by exec."""
    env = cluster.environment() | by(cluster, "exec")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with Systems(target_from(settings_from({}, env))) as systems:
        yield systems


@pytest.fixture
def database(systems: Systems) -> Database:
    """The practice database by exec."""
    return systems.database


def cut(monkeypatch: pytest.MonkeyPatch, word: bytes, *, after: bool) -> None:
    """Cut the exec connection at a word, before or after it has gone out."""
    plain = PodCommand.send
    happened: list[PodCommand] = []

    def send(self: PodCommand, data: bytes) -> None:
        if word not in data or happened:
            plain(self, data)
            return
        happened.append(self)
        if after:
            plain(self, data)
            self.receive(5.0)
        self.close()
        raise ConnectionResetError

    monkeypatch.setattr(PodCommand, "send", send)


def test_cut_between_update_and_commit(cluster, database, monkeypatch) -> None:
    before = on(cluster)
    shown = database.organizations(include_personal=False)
    cut(monkeypatch, b"COMMIT;", after=False)
    with refused("LSA542") as caught:
        database.enable(shown)
    assert "nothing was changed" in caught.value.what
    assert on(cluster) == before
    assert len(database.enable(shown).changes) == before.count(False)


def test_cut_between_commit_and_its_answer(cluster, database, monkeypatch) -> None:
    shown = database.organizations(include_personal=False)
    cut(monkeypatch, b"COMMIT;", after=True)
    done = database.enable(shown)
    assert "lost during the commit; the server says that it is in" in done.notes[0]
    assert all(on(cluster))
    assert database.put_back(done.changes).restored == len(done.changes)


def test_cut_off_for_good_at_the_commit(cluster, database, monkeypatch) -> None:
    shown = database.organizations(include_personal=False)
    monkeypatch.setattr(transaction, "SETTLE_LIMIT", 1.0)
    cut(monkeypatch, b"COMMIT;", after=True)
    plain = PodCommand.send

    def send(self: PodCommand, data: bytes) -> None:
        try:
            plain(self, data)
        except ConnectionResetError:
            for verb in ("create", "get"):
                cluster.kubernetes.faults.forbid(verb, "pods", "exec")
            database_gone(monkeypatch)
            raise

    monkeypatch.setattr(PodCommand, "send", send)
    with refused("LSA547") as caught:
        database.enable(shown)
    assert caught.value.exit == 9
    assert all(on(cluster))


def database_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing is answered any more."""

    def receive(self: PodCommand, limit: float) -> None:
        self.close()

    monkeypatch.setattr(PodCommand, "receive", receive)


def test_a_signal_that_does_not_wake_the_wait(cluster, database) -> None:
    """As when it comes just before the wait begins: here another thread is what it wakes."""
    noticed = threading.Event()
    late: list[bool] = []
    locked = threading.Event()

    def send() -> None:
        with cluster.connect() as holder, cluster.connect() as watch:
            holder.execute("BEGIN")
            holder.execute("LOCK TABLE organizations IN ACCESS EXCLUSIVE MODE")
            locked.set()
            while not watch.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                pass
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            late.append(not noticed.wait(15))

    sender = threading.Thread(target=send)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sender.start()
        assert locked.wait(30)
        with pytest.raises(KeyboardInterrupt):
            database.organizations()
    finally:
        signal.signal(signal.SIGINT, before)
        noticed.set()
        sender.join()
    assert late == [False]


def test_the_api_server_goes_away(cluster, database) -> None:
    before = on(cluster)
    shown = database.organizations(include_personal=False)
    cluster.kubernetes.stop()
    with pytest.raises(Problem) as caught:
        database.enable(shown)
    assert "nothing was changed" in caught.value.what
    assert on(cluster) == before


def test_a_login_that_does_not_work_in_the_pod(cluster, run) -> None:
    cluster.postgres.stop()
    answer = run("orgs", env=by(cluster, "exec"))
    assert (answer.returncode, answer.stdout) == (5, "")
    assert "LSA522" in answer.stderr
    assert cluster.postgres.password not in answer.stderr


@pytest.mark.parametrize("way", ["port-forward", "pod"])
@pytest.mark.parametrize("real", ["p@ss", "p%40ss"])
def test_a_password_that_is_stored_encoded_or_not(cluster, run, way, real) -> None:
    role = f"lang_{uuid4().hex[:8]}"  # the server outlives the cluster
    with cluster.connect() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{real}'".encode())
    secret = cluster.kubernetes.get("Secret", NAMESPACE, "langsmith-postgres")
    stored = base64.b64decode(secret["data"]["connection_url"]).decode()
    url = base64.b64encode(f"{role}:p%40ss@{stored.rpartition('@')[2]}".encode()).decode()
    somebody = cluster.kubernetes.acting_as("kubectl-edit")
    somebody.patch("Secret", NAMESPACE, "langsmith-postgres", {"data": {"connection_url": url}})
    answer = run("orgs", env=by(cluster, way))
    assert answer.returncode == 0, answer.stderr
    taken = "URL-decoded, as" if real == "p@ss" else "as it is stored, since URL-decoded"
    assert f"taken {taken}" in " ".join(answer.stderr.split())
    assert real not in answer.stderr


def test_an_image_without_psql(systems, monkeypatch) -> None:
    monkeypatch.setattr(in_pod, "BUNDLED_SHELL", "exec no-such-psql")
    with refused("LSA522") as caught:
        _ = systems.database
    assert "no-such-psql" in told(caught.value)


def test_an_external_database_has_no_pod(systems: Systems) -> None:
    external = dataclasses.replace(systems.installation, postgres=None)
    with (
        refused("LSA583") as caught,
        choose.login(systems.target, systems.cluster, external),
    ):
        pass
    for way in ("leave --database out", "--database direct", "or pod"):
        assert way in caught.value.next_step
