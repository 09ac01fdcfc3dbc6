"""The checks of the table audit_logs, on real PostgreSQL."""

from __future__ import annotations

import re
import time

import pytest

ONLY = ("--only", "table")
INSERT = """
    INSERT INTO audit_logs (id, operation_name, operation_succeeded, request_time, organization_id,
                            enrichments)
    VALUES (gen_random_uuid(), %s, true, now() - %s * interval '1 second', %s, '{}')
"""
SILENT = "UPDATE audit_logs SET request_time = request_time - interval '3 days'"


def sql(cluster, *statements: str) -> None:
    with cluster.connect() as database:
        for statement in statements:
            database.execute(statement)


def entry(cluster, operation: str, seconds: float) -> None:
    with cluster.connect() as database:
        database.execute(INSERT, (operation, seconds, cluster.organizations["off"]))


def reader(cluster, *grants: str) -> dict[str, str]:
    """The variables by which a login with these grants alone is taken."""
    sql(cluster, "DROP ROLE IF EXISTS reader")
    sql(cluster, "CREATE ROLE reader LOGIN PASSWORD 'reading'", *grants)
    return {
        "LANGSMITH_AUDIT_DATABASE": "direct",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(cluster.postgres.port),
        "PGUSER": "reader",
        "PGPASSWORD": "reading",
        "PGDATABASE": "postgres",
    }


ORGANIZATIONS = "GRANT SELECT ON organizations TO reader"
IDS = [f"LSA{number}" for number in (701, 702, 703, 704, 705, 706, 707, 708, 709)]


@pytest.mark.parametrize("id", IDS)
def test_all_is_well(sees, id) -> None:
    assert sees(id, *ONLY) == [(id, "pass")]


@pytest.mark.parametrize("id", IDS)
def test_nothing_is_green_where_the_database_is_not_reached(cluster, sees, id) -> None:
    for verb, what, sub in (("get", "pods", "portforward"), ("*", "pods", "exec")):
        cluster.kubernetes.faults.forbid(verb, what, sub)
    assert sees(id, *ONLY) == [("LSA908", "not-run")]


def test_another_schema_than_the_backends(cluster, found) -> None:
    sql(cluster, "CREATE SCHEMA other", "ALTER TABLE audit_logs SET SCHEMA other")
    (told,) = found("LSA701", *ONLY)
    sql(cluster, "ALTER TABLE other.audit_logs SET SCHEMA public", "DROP SCHEMA other")
    assert told["state"] == "fail"
    assert told["message"] == "It is in schema other, and the organizations are in public"


def test_columns_that_are_not_there(cluster, found) -> None:
    sql(cluster, "ALTER TABLE audit_logs RENAME COLUMN enrichments TO more")
    (told,) = found("LSA702", *ONLY)
    sql(cluster, "ALTER TABLE audit_logs RENAME COLUMN more TO enrichments")
    assert (told["state"], "enrichments" in told["message"]) == ("warn", True)


@pytest.mark.parametrize(
    ("grants", "words"),
    [
        ((), "any of it"),
        (("GRANT SELECT (id, request_time) ON audit_logs TO reader",), "its columns"),
    ],
)
def test_what_may_not_be_read_is_unknown_and_what_rests_on_it_not_run(
    cluster, found, grants, words
) -> None:
    env = reader(cluster, ORGANIZATIONS, *grants)
    (told,) = found("LSA703", *ONLY, env=env)
    assert told["state"] == "unknown"
    assert words in told["message"]
    assert "GRANT SELECT ON public.audit_logs TO reader" in told["next_step"]
    for id in ("LSA706", "LSA707", "LSA708", "LSA709"):
        assert [it["state"] for it in found(id, *ONLY, env=env)] == ["not-run"]
    sql(cluster, "DROP OWNED BY reader", "DROP ROLE reader")


def test_rows_are_estimated_or_counted(cluster, found) -> None:
    counted = found("LSA704", *ONLY)[0]["message"]
    assert counted.startswith("56 rows, ")
    sql(cluster, "ANALYZE audit_logs")
    assert found("LSA704", *ONLY)[0]["message"].startswith("About 56 rows, ")


def test_without_an_index(cluster, found) -> None:
    sql(cluster, "DROP INDEX audit_logs_by_time")
    (told,) = found("LSA705", *ONLY)
    assert told["state"] == "info"
    sql(cluster, "UPDATE pg_class SET reltuples = 2000000 WHERE relname = 'audit_logs'")
    (told,) = found("LSA705", *ONLY)
    sql(
        cluster,
        "CREATE INDEX audit_logs_by_time ON audit_logs (request_time)",
        "ANALYZE audit_logs",
    )
    assert told["state"] == "warn"
    assert found("LSA705", *ONLY)[0]["state"] == "pass"


def test_the_last_entry_is_no_look_at_the_log(cluster, found) -> None:
    began = time.monotonic()
    entry(cluster, "create_api_key", 60)
    entry(cluster, "get_audit_logs", 1)
    (told,) = found("LSA706", *ONLY)
    age = re.fullmatch(r"The last entry is (\d+) seconds old: create_api_key", told["message"])
    assert age
    assert 60 <= int(age[1]) <= 61 + time.monotonic() - began
    sql(cluster, "UPDATE audit_logs SET operation_name = 'get_audit_logs'")
    (told,) = found("LSA706", *ONLY)
    assert (told["state"], told["message"]) == ("info", "Nothing is in it but looks at the log")


def test_a_silence_longer_than_usual(cluster, found) -> None:
    sql(cluster, SILENT)
    (told,) = found("LSA707", *ONLY)
    assert told["state"] == "warn"
    assert told["message"].startswith("Nothing was recorded for 3 days")
    entry(cluster, "create_api_key", 60)
    assert found("LSA707", *ONLY)[0]["state"] == "pass"


def test_an_organization_without_entries(cluster, found) -> None:
    other = str(cluster.organizations["null"])
    sql(cluster, f"DELETE FROM audit_logs WHERE organization_id = '{other}'")
    told = {}
    for id in ("LSA706", "LSA707", "LSA708", "LSA709"):
        (one,) = found(id, *ONLY, "--org", other, env={"LANGSMITH_API_KEY": ""})
        told[id] = one["state"]
    assert told == {"LSA706": "info", "LSA707": "skip", "LSA708": "pass", "LSA709": "skip"}


def test_what_the_last_day_has_added(cluster, found) -> None:
    sql(cluster, SILENT)
    assert found("LSA708", *ONLY)[0]["message"] == "0 entries in the last 24 hours"
    entry(cluster, "create_api_key", 60)
    assert found("LSA708", *ONLY)[0]["message"] == "1 entry in the last 24 hours"


def test_how_far_back_it_goes(cluster, found) -> None:
    entry(cluster, "create_api_key", 399 * 86_400)
    assert found("LSA709", *ONLY)[0]["state"] == "pass"
    entry(cluster, "create_api_key", 500 * 86_400)
    (told,) = found("LSA709", *ONLY)
    assert (told["state"], "500 days" in told["message"]) == ("info", True)


def test_the_table_itself(cluster, sees) -> None:
    assert sees("LSA791", *ONLY) == [("LSA791", "pass")]
    sql(cluster, "ALTER TABLE audit_logs RENAME TO gone")
    assert sees("LSA791", *ONLY) == [("LSA792", "fail")]
    sql(cluster, "ALTER TABLE gone RENAME TO audit_logs")
    for verb, what, sub in (("get", "pods", "portforward"), ("*", "pods", "exec")):
        cluster.kubernetes.faults.forbid(verb, what, sub)
    assert [state for _, state in sees("LSA791", *ONLY)] == ["unknown"]
