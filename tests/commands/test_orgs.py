"""`langsmith-audit orgs` on the practice cluster: every format, every choice, odd names."""

from __future__ import annotations

import csv
import io
import json

import pytest
from leftovers import trace, writes

from wizard.practice.cluster import PracticeCluster

ODD = 'a|b, "q" \x1b[31m\n🦊\u202e=1+1'
"""A name that could break a table, a CSV file, a terminal and a line."""


def add(cluster: PracticeCluster, name: str, config: str | None = None) -> str:
    with cluster.connect() as connection:
        row = connection.execute(
            "INSERT INTO organizations (id, display_name, is_personal, config) "
            "VALUES (gen_random_uuid(), %s, false, %s::jsonb) RETURNING id::text",
            (name, config),
        ).fetchone()
    assert row
    return str(row[0])


def ids(cluster: PracticeCluster, *names: str) -> set[str]:
    return {str(cluster.organizations[name]) for name in names}


def listed(run, *arguments: str) -> list[dict[str, object]]:
    answer = run("orgs", "--format", "ndjson", *arguments)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_the_states_and_nothing_is_written(cluster, run) -> None:
    before = trace(cluster)
    answer = run("orgs")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0].split() == ["ID", "STATE", "PERSONAL", "NAME"]
    found = {line.split()[0]: line.split()[1:3] for line in lines[1:]}
    state = {name: found[str(id)] for name, id in cluster.organizations.items()}
    assert state["off"] == ["off", "no"]
    assert state["null"] == state["empty"] == ["default", "no"]
    assert state["on"] == ["on", "no"]
    assert state["personal"][1] == "yes"
    assert "5 organizations: 1 on, 1 off, 2 default, 1 personal" in answer.stderr
    assert "port-forward to pod langsmith-postgres-0" in answer.stderr
    assert cluster.postgres.password not in answer.stdout + answer.stderr
    assert writes(cluster) == []
    assert trace(cluster) == before


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--only-off",), ("off",)),
        (("--all",), ("off", "null", "empty", "on")),
        ((), ("off", "null", "empty", "on", "personal")),
    ],
    ids=["only-off", "all", "everything"],
)
def test_which_ones(cluster, run, arguments, names) -> None:
    assert {row["id"] for row in listed(run, *arguments)} == ids(cluster, *names)


def test_by_id_and_by_page_address(cluster, run) -> None:
    first, second = cluster.organizations["on"], cluster.organizations["personal"]
    rows = listed(run, "--org", f"{cluster.url}/o/{second}/settings", "--org", str(first))
    assert [row["id"] for row in rows] == [str(second), str(first)]


def test_search_by_name_and_by_id(cluster, run) -> None:
    id = add(cluster, "100%_of \\ Émile's")
    for part in ("100%_of", "100%_OF", "\\ É", id[:8], id.upper()):
        assert [row["id"] for row in listed(run, "--search", part)] == [id]
    answer = run("orgs", "--search", "no such name")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "0 organizations" in answer.stderr


def test_odd_names_in_every_format(cluster, run) -> None:
    id = add(cluster, ODD, '["not", "an", "object"]')
    for form in ("text", "json", "ndjson", "csv"):
        answer = run("orgs", "--search", "🦊", "--format", form)
        assert answer.returncode == 0, answer.stderr
        assert not set(answer.stdout) & {"\x1b", "\u202e", "\r"}
        assert id in answer.stdout
    (row,) = listed(run, "--search", "🦊")
    assert (row["display_name"], row["state"]) == (ODD, "wrong shape")
    assert (row["config_shape"], row["stored"]) == ("array", None)
    table = run("orgs", "--search", "🦊", "--format", "csv").stdout
    (record,) = csv.DictReader(io.StringIO(table))
    assert (record["id"], record["is_personal"]) == (id, "false")
    assert '"q" \\x1b[31m\\n🦊' in record["display_name"]


def test_one_json_document(cluster, run) -> None:
    document = json.loads(run("orgs", "--format", "json").stdout)
    assert document["schema_version"] == "1.0"
    assert document["target"]["release"] == "langsmith"
    assert {row["id"] for row in document["organizations"]} == ids(cluster, *cluster.organizations)
    nobody = json.loads(run("orgs", "--format", "json", "--search", "no such name").stdout)
    assert nobody["organizations"] == []


def test_too_many_for_an_order_by_name(cluster, run) -> None:
    assert "order" not in run("orgs").stderr
    with cluster.connect() as connection:
        connection.execute(
            "UPDATE pg_class SET reltuples = 200001 WHERE oid = 'organizations'::regclass"
        )
    answer = run("orgs", "--format", "ndjson")
    found = [json.loads(line)["id"] for line in answer.stdout.splitlines()]
    assert found == sorted(found)
    assert "in the order of their ids" in answer.stderr
    assert "order" not in run("orgs", "--search", "a").stderr


def test_several_pages_each_row_once(cluster, run) -> None:
    with cluster.connect() as connection:
        connection.execute(
            "INSERT INTO organizations (id, display_name, is_personal, config) "
            "SELECT gen_random_uuid(), 'many ' || n % 7, false, '{}' "
            "FROM generate_series(1, 2500) n"
        )
    rows = listed(run, "--search", "many")
    assert len({row["id"] for row in rows}) == len(rows) == 2500


@pytest.mark.parametrize(
    ("arguments", "id", "code"),
    [
        (("--org", "00000000-0000-4000-8000-00000000dead"), "LSA597", 3),
        (("--org", "nonsense"), "LSA506", 2),
        (("--org", "00000000-0000-4000-8000-00000000dead", "--search", "x"), "LSA901", 2),
        (("--context", "no-such"), "LSA203", 2),
    ],
)
def test_what_cannot_be_listed(cluster, run, arguments, id, code) -> None:
    answer = run("orgs", *arguments, "--format", "json")
    assert (answer.returncode, answer.stdout) == (code, ""), answer.stderr
    assert id in answer.stderr


def test_a_database_that_is_down_is_unknown(cluster, run) -> None:
    cluster.postgres.stop()
    answer = run("orgs")
    assert (answer.returncode, answer.stdout) == (5, "")
    assert "LSA215" in answer.stderr


def test_a_spreadsheet_takes_no_name_for_a_formula(cluster, run) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "plain", "a=b"]
    for name in names:
        add(cluster, name, '{"can_use_audit_logs": -1}')
    answer = run("orgs", "--format", "csv", "--only-off")
    rows = [*csv.DictReader(io.StringIO(answer.stdout))]
    found = {row["display_name"] for row in rows}
    assert {"'=1+1", "'+1", "'-1", "'@SUM(A1)", "plain", "a=b"} <= found
    assert {row["stored"] for row in rows if row["display_name"] == "plain"} == {"'-1"}
    assert "=1+1" in {row["display_name"] for row in listed(run, "--only-off")}
