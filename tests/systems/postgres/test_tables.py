"""The right table: found by the catalogue, and refused where the UPDATE would go wrong."""

from collections.abc import Iterator
from typing import Any

import pytest
from databases import World, fresh, refused, told

from wizard.practice.postgres import PracticePostgres
from wizard.problems import Exit
from wizard.systems.postgres.statements import grants

COLUMNS = "(id uuid, display_name text, is_personal boolean, config jsonb)"
SELECT = "GRANT SELECT (id, display_name, is_personal, config) ON organizations TO {}"
UPDATE = "GRANT UPDATE (config) ON organizations TO {}"


@pytest.fixture(params=["libpq", "psql"])
def world(postgres: PracticePostgres, request: pytest.FixtureRequest) -> Iterator[Any]:
    with fresh(postgres) as world:
        world.via = request.param
        yield world


def find(world: World, *, writing: bool = False, **login: Any) -> Any:
    with world.open(**login) as database:
        return database.find_organizations(writing=writing)


def test_no_table(world: World) -> None:
    with refused("LSA531") as caught:
        find(world)
    assert caught.value.exit == Exit.FAILED
    assert world.name in told(caught.value)


def test_the_table_is_in_another_schema_than_said(world: World) -> None:
    world.table("tenant")
    with refused("LSA531") as caught:
        find(world, schema="public")
    assert "tenant.organizations" in told(caught.value)


@pytest.mark.parametrize("schema", ["tenant", 'we"ird Schema'])
def test_another_schema(world: World, schema: str) -> None:
    quoted = schema.replace('"', '""')
    world.table(quoted)
    id = world.add("{}", schema=quoted)
    for said in (schema, None):
        assert find(world, schema=said).schema == schema
    with world.open(schema=schema) as database:
        done = database.enable(database.organizations())
        assert [change.id for change in done.changes] == [id]
        statement = database.enable_statement()
        assert f'"{quoted}".organizations' in statement or f"{schema}.org" in statement
        assert database.put_back(done.changes).restored == 1


@pytest.mark.parametrize(
    ("made", "id", "word"),
    [
        (f"CREATE TABLE t {COLUMNS}; CREATE VIEW organizations AS SELECT * FROM t",
         "LSA532", "view"),
        (f"CREATE TABLE t {COLUMNS}; CREATE MATERIALIZED VIEW organizations AS SELECT * FROM t",
         "LSA532", "materialized"),
        ("CREATE TABLE organizations (id uuid, display_name text, config json)", "LSA533", "json"),
        ("CREATE TABLE organizations (id uuid, display_name text, config text)", "LSA533", "text"),
        ("CREATE TABLE organizations (id text, display_name text, config jsonb)", "LSA533", "uuid"),
        ("CREATE TABLE organizations (id uuid, name text, config jsonb)", "LSA533", "display_name"),
    ],
)  # fmt: skip
def test_what_the_update_does_not_fit(world: World, made: str, id: str, word: str) -> None:
    world.sql(made)
    with refused(id) as caught:
        find(world)
    assert word in caught.value.what
    assert caught.value.exit == Exit.FAILED


def test_two_alike_need_the_schema(world: World) -> None:
    world.table()
    world.table("old")
    with refused("LSA534") as caught:
        find(world)
    assert "old.organizations" in caught.value.what
    assert "public.organizations" in caught.value.what
    assert find(world, schema="public").schema == "public"


def test_a_lookalike_earlier_in_the_search_path_is_not_used(world: World) -> None:
    world.table()
    id = world.add('{"can_use_audit_logs": false}')
    world.sql(f"CREATE SCHEMA trap; CREATE TABLE trap.organizations {COLUMNS}")
    world.sql(f"ALTER DATABASE {world.name} SET search_path = trap, public")
    with world.open(schema="public") as database:
        assert database.find_organizations().schema == "public"
        database.enable(database.organizations())
    rows = world.sql("SELECT config::text FROM public.organizations WHERE id = %s", id)
    assert rows == [('{"can_use_audit_logs": true}',)]


def test_another_table_of_the_name_without_its_columns_is_no_rival(world: World) -> None:
    world.table()
    world.sql("CREATE SCHEMA aaa; CREATE TABLE aaa.organizations (n int)")
    assert find(world).schema == "public"


def test_the_least_grants_are_enough_and_are_the_printed_ones(world: World) -> None:
    world.table()
    world.sql("CREATE TABLE audit_logs (id uuid)")
    id = world.add(None)
    login = world.role()
    with refused("LSA536") as caught:
        find(world, user=login.user, password=login.password)
    assert f"GRANT USAGE ON SCHEMA public TO {login.user};" in caught.value.detail
    for line in caught.value.detail:
        world.sql(line)
    world.sql(f"GRANT SELECT ON audit_logs TO {login.user}")
    with world.open(user=login.user, password=login.password) as database:
        assert set(caught.value.detail) < set(grants("public", login.user, personal=True))
        done = database.enable(database.organizations())
        assert [change.id for change in done.changes] == [id]
        assert database.put_back(done.changes).restored == 1
        table = database.audit_logs_table()
    assert table is not None
    assert table.readable


def test_reading_works_without_the_right_to_update(world: World) -> None:
    world.table()
    world.add("{}")
    versions = world.versions()
    login = world.role(SELECT)
    who = {"user": login.user, "password": login.password}
    with refused("LSA537") as caught:
        find(world, writing=True, **who)
    assert any(line.startswith("GRANT UPDATE (config)") for line in caught.value.detail)
    with world.open(**who) as database:
        shown = database.organizations()
        assert len(shown) == 1
        with refused("LSA536", "LSA537") as caught:
            database.enable(shown)
    assert "nothing was changed" in caught.value.what
    assert world.versions() == versions


@pytest.mark.parametrize(
    "grants",
    [
        ("GRANT SELECT (id, display_name, is_personal) ON organizations TO {}",),
        (SELECT, "REVOKE USAGE ON SCHEMA public FROM PUBLIC"),
    ],
)
def test_a_missing_right_names_its_grant(world: World, grants: tuple[str, ...]) -> None:
    world.table()
    login = world.role(*grants)
    with refused("LSA536") as caught:
        find(world, user=login.user, password=login.password)
    assert caught.value.exit == Exit.UNKNOWN
    assert login.user in caught.value.what
    assert any("GRANT SELECT (id, display_name, is_personal, config)" in it
               for it in caught.value.detail)  # fmt: skip


def test_row_level_security_is_not_mistaken_for_an_empty_table(world: World) -> None:
    world.table()
    world.add("{}")
    world.sql("ALTER TABLE organizations ENABLE ROW LEVEL SECURITY")
    login = world.role(SELECT, UPDATE)
    with refused("LSA535") as caught:
        find(world, user=login.user, password=login.password)
    assert "BYPASSRLS" in caught.value.next_step
    assert find(world).schema == "public"  # a superuser is not held back


@pytest.mark.parametrize("level", ["DATABASE {db}", "ROLE {role}"])
def test_a_read_only_database_stays_so(world: World, level: str) -> None:
    world.table()
    world.add("{}")
    versions = world.versions()
    login = world.role(SELECT, UPDATE)
    name = level.format(db=world.name, role=login.user)
    world.sql(f"ALTER {name} SET default_transaction_read_only = on")
    with world.open(user=login.user, password=login.password) as database:
        shown = database.organizations()
        with refused("LSA538"):
            database.find_organizations(writing=True)
        with refused("LSA538") as caught:
            database.enable(shown)
    assert "nothing was changed" in caught.value.what
    with world.connect() as connection:
        connection.execute("SET default_transaction_read_only = off")
    assert world.versions() == versions
