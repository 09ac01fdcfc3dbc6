"""The table audit_logs as OCSF events: the API's, field by field, by a driver and by psql."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID, uuid4

import pytest
from databases import World, fresh, refused, told
from event_log import ORGANIZATION, Row, copied, ocsf, rows

from wizard.practice.postgres import PracticePostgres
from wizard.resources import template
from wizard.systems.postgres.audit_log import COLUMNS, Asked

END = datetime(2026, 11, 1, tzinfo=UTC)
START = END - timedelta(days=20)


@cache
def given() -> list[Row]:
    """Made when a test wants it: each worker collects this file."""
    found = rows(10_000, START, END)
    return sorted(found, key=lambda row: (row["request_time"], row["id"]))


@pytest.fixture(scope="module", params=["libpq", "psql"])
def world(postgres: PracticePostgres, request: pytest.FixtureRequest) -> Iterator[World]:
    with fresh(postgres) as world:
        world.table()
        world.sql("INSERT INTO organizations VALUES (%s, 'Acme', false, '{}')", UUID(ORGANIZATION))
        world.sql(template("practice/sql/audit_logs.sql"))
        with world.connect() as connection:
            copied(connection, given())
        world.via = request.param
        yield world


def read(world: World, size: int = 3_000, **filters: object) -> list[dict]:
    asked = Asked(START, END, **filters)
    found: list[dict] = []
    with world.open() as database:
        after = None
        while page := database.audit_log(asked, after, limit=size):
            found += [json.loads(text) for _, _, text in page]
            after = page.last
    return found


def test_each_is_the_event_of_the_api_field_by_field(world: World) -> None:
    found = read(world)
    assert len(found) == len(given())
    for event, row in zip(found, given(), strict=True):
        assert event == ocsf(row)


def test_newest_first_and_filtered(world: World) -> None:
    names, workspace = ("create_role", "get_audit_logs"), given()[0]["workspace_id"]
    workspace = next(row["workspace_id"] for row in given() if row["workspace_id"])
    more = {"operations": names, "workspace": UUID(workspace), "newest_first": True}
    found = read(world, 100, organizations=(UUID(ORGANIZATION), uuid4()), **more)
    assert [it["metadata"]["uid"] for it in found] == [
        row["id"]
        for row in reversed(given())
        if row["operation_name"] in names and row["workspace_id"] == workspace
    ]
    assert read(world, organizations=(uuid4(),)) == []
    assert read(world, operations=('a"b\\', "c,d")) == []


def test_both_ends_are_in_the_range(world: World) -> None:
    first, last = given()[10]["request_time"], given()[20]["request_time"]
    with world.open() as database:
        found = database.audit_log(Asked(first, last), limit=100)
    assert {given()[10]["id"], given()[20]["id"]} <= {uid for _, uid, _ in found}


def test_rows_of_other_shapes_make_events_too(world: World) -> None:
    odd = [None, "{}", '{"resource_ids": "x", "request_path": "a\\"\\\\b", "client_port": "y"}',
           '{"resource_ids": ["a\\"b", "c"], "x_forwarded_for": ""}']  # fmt: skip
    at = END + timedelta(days=5)
    for text in odd:
        world.sql(
            "INSERT INTO audit_logs (id, operation_name, request_time, enrichments) "
            "VALUES (%s, %s, %s, %s)", uuid4(), 'o"\n\x01', at, text,
        )  # fmt: skip
    with world.open() as database:
        found = [json.loads(it) for *_, it in database.audit_log(Asked(at, at), limit=9)]
    world.sql("DELETE FROM audit_logs WHERE request_time = %s", at)
    assert {it["api"]["operation"] for it in found} == {'o"\n\x01'}
    assert {it["http_request"]["url"]["path"] for it in found} == {None, 'a"\\b'}
    assert sorted(len(it["resources"]) for it in found) == [0, 0, 0, 2]
    assert found[0]["unmapped"]["original_audit_log"]["request_time"] == "2026-11-06T00:00:00Z"


def test_a_table_of_other_columns_and_one_that_may_not_be_read(postgres: PracticePostgres) -> None:
    with fresh(postgres) as world:
        asked = Asked(START, END)
        with world.open() as database, refused("LSA792"):
            database.audit_log(asked)
        world.sql("CREATE TABLE audit_logs (id uuid, created_at timestamptz, ocsf jsonb)")
        with world.open() as database, refused("LSA794") as caught:
            database.audit_log(asked)
        assert "operation_name" in told(caught.value)
        world.sql("DROP TABLE audit_logs")
        columns = ", ".join(f"{name} text" for name in COLUMNS)
        world.sql(f"CREATE TABLE audit_logs ({columns})")
        login = world.role("GRANT USAGE ON SCHEMA public TO {}")
        with world.open(user=login.user, password=login.password) as database, refused("LSA795"):
            database.audit_log(asked)
