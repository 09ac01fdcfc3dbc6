"""What `rbac` prints in tiers suffices for what the tier is for, and what lacks is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import forked
import psycopg
import pytest
import yaml
from as_pod import in_a_pod
from printed_roles import rights, role, without

from wizard.commands.cronjob import UNKNOWN
from wizard.engine.rights import NEEDS
from wizard.practice.cluster import PracticeCluster
from wizard.practice.kubernetes import access
from wizard.systems.kubernetes.rbac import GROUP


@pytest.fixture
def cluster(well_cluster: PracticeCluster) -> PracticeCluster:
    return well_cluster


@pytest.fixture
def only(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Grants these Roles, the names of objects included, and nothing more."""

    def grant(documents: list[dict]) -> None:
        cluster.kubernetes.faults.grant_only(documents)
        given = rights(documents)
        named = {(it.verb, it.what): it.name for it in given if it.name}

        def refuse(faults, verb, route) -> None:
            name = named.get((verb, route.resource))
            if name and name != route.name:
                raise access._forbidden(access.USER, verb, route)
            original(faults, verb, route)

        monkeypatch.setattr(access, "refuse", refuse)

    original = access.refuse
    return grant


@pytest.fixture
def pod(cluster: PracticeCluster, tmp_path: Path, monkeypatch, capfd) -> Callable[..., tuple]:
    """Runs in a pod, without helm, with the key and the address that nothing tells there."""
    address = cluster.environment()["LANGSMITH_API_KEY"], cluster.langsmith.url
    call = in_a_pod(cluster, tmp_path, monkeypatch, capfd)
    monkeypatch.setenv("LANGSMITH_API_KEY", address[0])

    def check(*options: str) -> tuple[int, dict[str, list[dict]]]:
        place = ("-n", cluster.namespace, "--release", cluster.release)
        code, out, err = call("check", *place, "--format", "json", *options)
        assert err == ""
        return code, findings(json.loads(out))

    return check


def findings(report: dict) -> dict[str, list[dict]]:
    """Those of a report by the first word of their place, the id of the state."""
    found: dict[str, list[dict]] = {}
    for area in report.get("areas") or report["steps"]:
        for it in area["findings"]:
            found.setdefault(it["state"], []).append(it)
    return found


def test_in_a_pod_the_printed_role_suffices_without_helm(cluster, only, pod) -> None:
    only(role(cluster, "check"))
    code, found = pod()
    assert (code, found.get("unknown"), found.get("fail")) == (0, None, None)
    assert all(it.user_agent.startswith("langsmith-audit") for it in cluster.kubernetes.requests)


def test_each_right_that_is_taken_away_is_named_or_not_needed(cluster, only, pod) -> None:
    printed = role(cluster, "check")
    spare = {(it.verb, it.what) for it in NEEDS["check"] if it.optional}
    spare |= {(verb, "pods/exec") for verb in ("get", "create")}  # another way to the database
    spare |= {("create", "pods/portforward"), ("get", "pods/portforward")}  # and so is this
    for right in sorted(rights(printed), key=str):
        only([*without(printed, right)])
        code, found = pod()
        if code == 0:
            assert (right.verb, right.what) in spare, right
            continue
        assert (code, "fail" in found) == (5, False), right
        words = json.dumps(found["unknown"])
        assert f"{right.verb} {right.what}" in words or right.what in words, right


def test_without_secrets_the_release_is_unknown_and_the_backend_is_told(cluster, only, pod) -> None:
    only(role(cluster, "check", "--without", "secrets"))
    code, found = pod("--url", cluster.langsmith.url)
    assert (code, "fail" in found) == (5, False)
    assert "secrets" in json.dumps(found["unknown"])
    assert "0.12.33" in json.dumps(found)
    assert any("AUDIT_LOGS_ENABLED" in json.dumps(it) for it in found["pass"])
    left_out = [f"--skip-finding={id}=no Secrets" for id in UNKNOWN]  # as `cronjob` says
    assert pod("--url", cluster.langsmith.url, *left_out)[0] == 0


def test_with_the_database_one_secret_is_read_by_its_name(cluster, only, pod) -> None:
    options = ("--without", "secrets", "--with", "database")
    printed = [role(cluster, "check", *options, *more) for more in ((), ("--from-release",))]
    for documents in printed:
        secrets = [it for it in rights(documents) if it.what == "secrets"]
        assert [(it.verb, it.name) for it in secrets] == [("get", "langsmith-postgres")]
        only(documents)
        code, found = pod("--url", cluster.langsmith.url)
        assert code == 5
        told = json.dumps(found["pass"])
        assert "audit_logs" in told
        assert "organization" in told


def sql(*options: str) -> str:
    answer = forked.call(("rbac", "--sql", *options), {"PATH": os.environ["PATH"]})
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_login_that_is_printed_suffices_and_can_do_no_more(
    cluster, only, pod, tmp_path
) -> None:
    dsn = psycopg.conninfo.conninfo_to_dict(cluster.connect().info.dsn)
    with cluster.connect() as owner:
        owner.execute(sql("--for", "check", "--sql-role", "checker"))
        owner.execute("ALTER ROLE checker PASSWORD 'not secret'")
    dsn |= {"user": "checker", "password": "not secret", "host": cluster.postgres.host}
    dsn |= {"port": cluster.postgres.port}
    file = tmp_path / "url"
    file.write_text(psycopg.conninfo.make_conninfo(**dsn))
    direct = ("--database", "direct", "--database-url-file", str(file))
    only(role(cluster, "check", "--without", "database"))
    try:
        code, found = pod(*direct)
        assert (code, found.get("unknown")) == (0, None)
        with psycopg.connect(file.read_text(), autocommit=True) as login:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                login.execute("UPDATE organizations SET config = NULL")
            login.execute("SET default_transaction_read_only = off")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                login.execute("UPDATE organizations SET config = NULL")
        column = "SELECT (id, display_name, is_personal, config) ON organizations"
        with cluster.connect() as owner:
            owner.execute(f"REVOKE {column} FROM checker")
        code, found = pod(*direct)
        assert (code, "fail" in found) == (5, False)
        assert "checker may not read" in json.dumps(found["unknown"])
        with cluster.connect() as owner:
            owner.execute(f"GRANT {column} TO checker")
            owner.execute("REVOKE SELECT ON audit_logs FROM checker")
        code, found = pod(*direct)
        assert (code, "audit_logs" in json.dumps(found["unknown"])) == (5, True)
    finally:
        with cluster.connect() as owner:
            owner.execute("DROP OWNED BY checker; DROP ROLE checker")


def test_a_login_for_a_run_may_write_one_column() -> None:
    text = sql("--for", "run", "--sql-schema", "Odd Name")
    assert 'GRANT UPDATE (config) ON "Odd Name".organizations' in text
    assert "read_only" not in text
    assert "UPDATE" not in sql("--for", "plan").replace("-- ", "")


def test_what_is_printed_is_bound_to_whom_is_named() -> None:
    for options, subject in (
        ((), {"kind": "ServiceAccount", "name": "langsmith-audit", "namespace": "ls"}),
        (("--user", "ann"), {"kind": "User", "name": "ann", "apiGroup": GROUP}),
        (("--group", "sre"), {"kind": "Group", "name": "sre", "apiGroup": GROUP}),
    ):
        answer = forked.call(("rbac", "--for", "check", "-n", "ls", *options), {"PATH": "/"})
        documents = list(yaml.safe_load_all(answer.stdout))
        assert [it["kind"] for it in documents] == ["Role", "RoleBinding"]
        assert documents[1]["subjects"] == [subject]
        assert documents[1]["roleRef"]["name"] == documents[0]["metadata"]["name"]


def test_what_a_proof_asks_of_the_api_is_told_where_it_is_wanted() -> None:
    told = [
        forked.call(("rbac", "--for", "check", "-n", "ls", *more), {"PATH": "/"}).stdout
        for more in ((), ("--with", "proof"))
    ]
    lines = [[it for it in text.splitlines() if "API is asked" in it] for text in told]
    assert len(lines[1]) == len(lines[0]) + 4
    assert not any(method in "".join(lines[0]) for method in ("POST", "DELETE"))
    assert "# LangSmith's API is asked: POST /api/v1/workspaces/current/tag-keys" in lines[1]


SOURCES = (("--source", "api"), ("--source", "database", "--all"))


@pytest.fixture
def reads(cluster: PracticeCluster, tmp_path: Path, monkeypatch, capfd) -> Callable[..., tuple]:
    """Reads the log in a pod: the exit code, the events, and what was said."""
    key = cluster.environment()["LANGSMITH_API_KEY"]
    call = in_a_pod(cluster, tmp_path, monkeypatch, capfd)
    monkeypatch.setenv("LANGSMITH_API_KEY", key)

    def read(*options: str) -> tuple[int, int, str]:
        place = ("-n", cluster.namespace, "--release", cluster.release, "--since", "90d")
        code, out, err = call("events", *place, "-o", "ndjson", *options)
        return code, len(out.splitlines()), err

    return read


@pytest.mark.parametrize("source", SOURCES)
def test_reading_the_log_needs_what_is_printed_for_it_and_names_what_lacks(
    cluster, only, reads, source
) -> None:
    printed = role(cluster, "events")
    only(printed)
    code, count, told = reads(*source)
    assert (code, count > 0) == (0, True), told
    spare = {(it.verb, it.what) for it in NEEDS["events"] if it.optional}
    needed = set()
    for right in sorted(rights(printed), key=str):
        only([*without(printed, right)])
        code, count, told = reads(*source)
        if code == 0:
            continue
        needed.add((right.verb, right.what))
        assert (code, count) == (5, 0), (right, told)
        assert right.what in told, (right, told)
        assert (right.verb, right.what) not in spare, (right, told)
    assert ("list", "secrets") in needed
    assert (("get", "services") in needed) == ("database" in source)


def test_the_login_for_reading_the_log_sees_no_organization(cluster, only, reads, tmp_path) -> None:
    with cluster.connect() as owner:
        owner.execute(sql("--for", "events", "--sql-role", "reader"))
        owner.execute("ALTER ROLE reader PASSWORD 'not secret'")
    place = f"host={cluster.postgres.host} port={cluster.postgres.port} dbname=postgres"
    file = tmp_path / "url"
    file.write_text(f"{place} user=reader password='not secret'")
    only(role(cluster, "events", "--without", "database"))
    direct = ("--source", "database", "--database", "direct", "--database-url-file", str(file))
    try:
        code, count, told = reads(*direct, "--all")
        assert (code, count > 0) == (0, True), told
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
        with psycopg.connect(file.read_text()) as login, refused:
            login.execute("SELECT id FROM organizations")
        with cluster.connect() as owner:
            owner.execute("REVOKE SELECT ON audit_logs FROM reader")
        code, count, told = reads(*direct, "--all")
        assert (code, count, "LSA795" in told) == (5, 0, True)
    finally:
        with cluster.connect() as owner:
            owner.execute("DROP OWNED BY reader; DROP ROLE reader")
