"""Organizations and audit_logs on a real PostgreSQL, as they are looked at and changed."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from databases import World, every, fresh, refused, told
from local_psql import LocalPsql

from wizard.practice.postgres import PracticePostgres
from wizard.systems.postgres.libpq import composed
from wizard.systems.postgres.model import OrganizationState
from wizard.systems.postgres.statements import statement

ON, OFF = OrganizationState.ON, OrganizationState.OFF
DEFAULT, WRONG = OrganizationState.DEFAULT, OrganizationState.WRONG
KEY = "can_use_audit_logs"

SHAPES = [
    (None, DEFAULT, '{"can_use_audit_logs": true}'),
    ("{}", DEFAULT, '{"can_use_audit_logs": true}'),
    ('{"a": {"b": [1]}}', DEFAULT, '{"a": {"b": [1]}, "can_use_audit_logs": true}'),
    ('{"can_use_audit_logs": false, "a": 1}', OFF, '{"a": 1, "can_use_audit_logs": true}'),
    ('{"can_use_audit_logs": "true"}', OFF, '{"can_use_audit_logs": true}'),
    ('{"can_use_audit_logs": null}', OFF, '{"can_use_audit_logs": true}'),
    ('{"can_use_audit_logs": {"x": 1}}', OFF, '{"can_use_audit_logs": true}'),
]
WRONG_SHAPES = ["null", "[]", '["can_use_audit_logs"]', '"true"', "1", "true"]


@pytest.fixture(params=["libpq", "psql"])
def world(postgres: PracticePostgres, request: pytest.FixtureRequest) -> Iterator[Any]:
    with fresh(postgres) as world:
        world.via = request.param
        world.table()
        yield world


@pytest.mark.parametrize(("config", "state", "after"), SHAPES)
def test_every_shape_is_turned_on_and_put_back(
    world: World, config: str | None, state: OrganizationState, after: str
) -> None:
    id = world.add(config)
    bystander = world.add(config)
    before = world.configs()
    with world.open() as database:
        [shown] = database.organizations_by_id([id])
        assert shown.state is state
        done = database.enable([shown])
        assert world.configs() == before | {id: after}
        assert [change.id for change in done.changes] == [id]
        assert done.count == 1
        assert done.notes == ()
        assert done.committed_at.tzinfo is not None
        [now] = database.organizations_by_id([id])
        assert now.state is ON
        assert now.prior == done.changes[0].after
        back = database.put_back(done.changes)
        assert back.restored == 1
        assert back.left == ()
        assert world.configs() == before
        again = database.put_back(done.changes)
        assert (again.restored, again.already) == (0, 1)
    assert bystander in before


@pytest.mark.parametrize("config", WRONG_SHAPES)
def test_other_shapes_are_refused_by_name(world: World, config: str | None) -> None:
    wrong, right = world.add(config), world.add("{}")
    before, versions = world.configs(), world.versions()
    with world.open() as database:
        chosen = database.organizations_by_id([wrong, right])
        assert chosen[0].state is WRONG
        with refused("LSA503") as caught:
            database.enable(chosen)
    assert str(wrong) in told(caught.value)
    assert "nothing was changed" in caught.value.what
    assert (world.configs(), world.versions()) == (before, versions)


def test_personal_organizations_are_refused(world: World) -> None:
    mine, ours = world.add("{}", "Me", personal=True), world.add("{}")
    versions = world.versions()
    with world.open() as database, refused("LSA502"):
        database.enable(database.organizations_by_id([mine, ours]))
    assert world.versions() == versions


def test_what_is_on_already_is_not_written(world: World) -> None:
    on, off = world.add('{"can_use_audit_logs": true}'), world.add("{}")
    versions = world.versions()
    with world.open() as database:
        done = database.enable(database.organizations_by_id([on, off, on]))
        assert [change.id for change in done.changes] == [off]
        assert world.versions()[on] == versions[on]
        now = world.versions()
        again = database.enable(database.organizations_by_id([on, off]))
    assert again.changes == ()
    assert world.versions() == now


def test_a_plain_table_without_is_personal(world: World) -> None:
    id = world.add(None)
    world.sql("ALTER TABLE organizations DROP COLUMN is_personal")
    with world.open() as database:
        assert not database.find_organizations().has_is_personal
        assert "is_personal" not in database.enable_statement()
        done = database.enable(database.organizations())
        assert database.organization_counts().personal == 0
    assert [change.id for change in done.changes] == [id]


def test_the_shown_statement_is_the_documented_one(world: World) -> None:
    with world.open() as database:
        statement = database.enable_statement()
    assert "COALESCE(config, '{}'::jsonb) || '{\"can_use_audit_logs\": true}'::jsonb" in statement
    assert "UPDATE public.organizations" in statement
    assert "is_personal IS NOT TRUE" in statement
    assert ":'ids'::uuid[]" in statement


def test_the_shown_statement_runs_in_psql(world: World, postgres: PracticePostgres) -> None:
    import subprocess

    id = world.add("{}")
    with world.open() as database:
        statement = database.enable_statement()
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-v", f"ids={{{id}}}", "-d", world.name],
        input=statement + ";",
        env=postgres.psql_env(),
        text=True,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == "UPDATE 1"
    assert world.config(id) == '{"can_use_audit_logs": true}'


def test_counts_keep_personal_ones_apart(world: World) -> None:
    for config, *_ in SHAPES:
        world.add(config)
    for config in WRONG_SHAPES:
        world.add(config)
    world.add('{"can_use_audit_logs": true}')
    world.add("{}", personal=True)
    with world.open() as database:
        counts = database.organization_counts()
    assert counts.shared == {ON: 1, OFF: 4, DEFAULT: 3, WRONG: len(WRONG_SHAPES)}
    assert counts.personal == 1


NAMES = [
    "",
    "a|b",
    "a|b",
    'O\'Neill "&" Söhne',
    "100%",
    "100_",
    "100\\",
    "🙂",
    "tab\tbell\x07",
    "Z",
]


def test_pages_meet_every_organization_once(world: World) -> None:
    ids = {world.add("{}", name) for name in NAMES * 3}
    world.sql("UPDATE organizations SET display_name = NULL WHERE display_name = 'Z'")
    with world.open() as database:
        for limit in (1, 4, 100):
            found = every(database, limit=limit)
            assert len(found) == len(ids)
            assert {organization.id for organization in found} == ids
        assert {o.display_name for o in found} == set(NAMES) - {"Z"}


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("%", {"100%"}), ("_", {"100_"}), ("\\", {"100\\"}), ("SÖHNE", {"O'Neill \"&\" Söhne"}),
        ("' OR true --", set()), ("🙂", {"🙂"}), ("\0", set()), ("\udce4", set()), ("A|B", {"a|b"}),
    ],
)  # fmt: skip
def test_search_is_literal_and_ignores_case(world: World, search: str, names: set[str]) -> None:
    for name in NAMES:
        world.add("{}", name)
    if search == "SÖHNE":  # the practice server's C locale folds ASCII alone
        search = search.replace("Ö", "ö")
    with world.open() as database:
        assert {o.display_name for o in database.organizations(search=search)} == names


def test_search_finds_an_id_by_its_beginning(world: World) -> None:
    id = world.add("{}")
    world.add("{}")
    with world.open() as database:
        assert [o.id for o in database.organizations(search=str(id)[:13].upper())] == [id]


def test_filters(world: World) -> None:
    off = world.add('{"can_use_audit_logs": false}')
    world.add("{}")
    world.add("[]")
    world.add('{"can_use_audit_logs": true}')
    personal = world.add('{"can_use_audit_logs": false}', personal=True)
    with world.open() as database:
        assert {o.id for o in database.organizations(only_off=True)} == {off, personal}
        [only] = database.organizations(only_off=True, include_personal=False)
        assert only.id == off
        assert database.organizations_by_id([uuid4()]) == []


@pytest.mark.repeats
def test_a_page_of_100_000_sorts_no_more_than_a_page(world: World) -> None:
    world.sql(
        "INSERT INTO organizations SELECT gen_random_uuid(), md5(n::text), n %% 9 = 0, '{}' "
        "FROM generate_series(1, %s) n",
        100_000,
    )
    world.sql("ALTER DATABASE " + world.name + " SET work_mem = '1MB'")
    # auto_explain is not in every build; the same settings are read from EXPLAIN of the template
    words = {"personal": "is_personal", "sorted_by": "name"}
    query = statement("organizations_page", words=words, schema="public")
    values = {
        "by_id": False, "pattern": "%", "prefix": "", "after_name": "8", "after_id": str(uuid4()),
        "with_personal": True, "only_off": False, "limit": 50,
    }  # fmt: skip
    with world.connect() as connection:
        text = b"EXPLAIN (ANALYZE, TIMING OFF) " + composed(query).as_bytes(connection)
        plan = "\n".join(row[0] for row in connection.execute(text, values))
    assert "top-N heapsort" in plan or "Index" in plan
    assert "external" not in plan
    with world.open() as database:
        first = database.organizations()
        last = first[-1]
        second = database.organizations(after=(last.display_name, last.id))
        found = every(database, limit=20_000)
    assert [o.display_name for o in first + second] == sorted(o.display_name for o in found)[:100]
    assert len({o.id for o in found}) == 100_000


def test_too_many_to_sort_are_ordered_by_id(world: World) -> None:
    world.sql(
        "INSERT INTO organizations SELECT gen_random_uuid(), md5(n::text), false, '{}' "
        "FROM generate_series(1, 3000) n"
    )
    world.sql("ANALYZE organizations")
    world.sql("UPDATE pg_class SET reltuples = 200001 WHERE relname = 'organizations'")
    with world.open() as database:
        assert ("ids" in database.order(), database.order("a")) == (True, "")
        found = every(database, limit=1000)
        assert [o.id for o in found] == sorted(world.configs())
        names = [o.display_name for o in database.organizations(search="a")]
        assert names == sorted(names)
    words = {"personal": "is_personal", "sorted_by": "nothing"}
    query = statement("organizations_page", words=words, schema="public")
    values = {
        "by_id": True, "pattern": "%", "prefix": "", "after_name": "", "only_off": False,
        "after_id": str(found[1500].id), "with_personal": True, "limit": 50,
    }  # fmt: skip
    with world.connect() as connection:
        text = b"EXPLAIN (ANALYZE, TIMING OFF) " + composed(query).as_bytes(connection)
        plan = "\n".join(row[0] for row in connection.execute(text, values))
    assert "Index Cond: (id > " in plan
    assert "Sort" not in plan


def test_config_never_leaves_the_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add('{"api_secret": "hidden-value", "can_use_audit_logs": false}')
    seen: list[object] = []
    plain = psycopg.Cursor.fetchall

    def recorded(cursor: Any) -> Any:
        rows = plain(cursor)
        seen.append(rows)
        return rows

    monkeypatch.setattr(psycopg.Cursor, "fetchall", recorded)
    received = LocalPsql.receive

    def heard(wire: Any, limit: float) -> Any:
        output = received(wire, limit)
        seen.append(output)
        return output

    monkeypatch.setattr(LocalPsql, "receive", heard)
    with world.open() as database:
        done = database.enable(database.organizations())
    assert seen
    assert "hidden-value" not in repr(seen) + repr(done)


def test_identity(world: World) -> None:
    with world.open() as database:
        identity = database.identity()
    assert identity.server_version.split(".")[0].isdigit()
    assert (identity.database, identity.user) == (world.name, world.server.user)
    assert identity.system_identifier is not None
    assert identity.system_identifier.isdigit()


def test_audit_logs_is_found_without_reading_it_through(world: World) -> None:
    with world.open() as database:
        assert database.audit_logs_table() is None
        world.sql("CREATE VIEW audit_logs AS SELECT 1 AS id")
        assert database.audit_logs_table() is None
        world.sql("DROP VIEW audit_logs")
        world.sql("CREATE TABLE audit_logs (id uuid, created_at timestamptz, ocsf jsonb)")
        empty = database.audit_logs_table()
        assert empty is not None
        assert (empty.schema, empty.columns) == ("public", ("id", "created_at", "ocsf"))
        assert (empty.estimated_rows, empty.newest, empty.readable) == (None, None, True)
        world.sql("INSERT INTO audit_logs VALUES (NULL, '2026-01-30 12:00+02', '{}')")
        world.sql("ANALYZE audit_logs")
        unindexed = database.audit_logs_table()
        assert unindexed is not None
        assert (unindexed.estimated_rows, unindexed.newest) == (1, None)
        world.sql("CREATE INDEX ON audit_logs (created_at)")
        full = database.audit_logs_table()
    assert full is not None
    assert full.newest is not None
    assert full.newest.isoformat() == "2026-01-30T10:00:00+00:00"


def test_audit_logs_in_partitions_and_without_a_right(world: World) -> None:
    world.sql(
        "CREATE TABLE audit_logs (at timestamp) PARTITION BY RANGE (at);"
        "CREATE TABLE part PARTITION OF audit_logs DEFAULT;"
        "CREATE INDEX ON audit_logs (at); INSERT INTO audit_logs VALUES ('2026-02-01 10:00');"
        "ANALYZE audit_logs"
    )
    with world.open() as database:
        table = database.audit_logs_table()
    assert table is not None
    assert table.newest is not None
    assert (table.estimated_rows, table.newest.isoformat()) == (1, "2026-02-01T10:00:00+00:00")
    with world.open(**_as(world.role())) as database:
        table = database.audit_logs_table()
    assert table is not None
    assert (table.readable, table.newest) == (False, None)


def _as(login: Any) -> Any:
    return {"user": login.user, "password": login.password}
