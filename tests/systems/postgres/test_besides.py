"""What else moves in the rows, with few and with many of them, forth and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databases import World, fresh, refused, told

from wizard.practice.postgres import PracticePostgres
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.model import RowChange

COLUMNS = """ALTER TABLE organizations
    ADD updated_at timestamptz NOT NULL DEFAULT '2026-01-01',
    ADD version int NOT NULL DEFAULT 1, ADD note text DEFAULT 'hidden-value'"""
SILENT = "IF NEW.config IS DISTINCT FROM OLD.config THEN {} END IF; RETURN NEW;"
TIME = SILENT.format("NEW.updated_at = now();")
VERSION = SILENT.format("NEW.updated_at = now(); NEW.version = OLD.version + 1;")
KEY = SILENT.format('NEW.config = NEW.config || \'{"sealed": "hidden-value"}\';')
OTHER = "BEFORE UPDATE ON organizations"


class _Kept:
    def add(self, lines: bytes, count: int) -> None:
        self.lines = [json.loads(line) for line in lines.splitlines()]

    def seal(self) -> None:
        """There is nothing to seal."""


@pytest.fixture(params=["libpq", "psql"])
def world(postgres: PracticePostgres, request: pytest.FixtureRequest) -> Iterator[World]:
    with fresh(postgres) as world:
        world.via = request.param
        world.table()
        world.sql(COLUMNS)
        for config in ('{"can_use_audit_logs": false, "plan": "a"}', None, "{}"):
            world.sql(
                "INSERT INTO organizations (id, display_name, config) "
                "VALUES (gen_random_uuid(), 'Acme', %s)",
                config,
            )
        yield world


def few(database: Database, **how: Any) -> tuple[str, ...]:
    return database.enable(database.organizations(), **how).moved


def many(database: Database, **how: Any) -> tuple[str, ...]:
    return database.enable_shown(database.show("needy"), _Kept(), **how).moved


def back(database: Database, **how: Any) -> tuple[str, ...]:
    """From on to as it was, as an undo does."""
    rows = [row for row in database.organizations() if row.state == "on"]
    prior = {"shape": "object", "present": False, "value": None}
    told = [
        {
            "id": row.key,
            "display_name": row.display_name,
            "before": {**row.prior.as_json(), **prior},
            "after": row.prior.as_json(),
        }
        for row in rows
    ]
    return database.put_back(map(RowChange.from_json, told), **how).moved


ACTS = {"few": few, "many": many, "back": back}


@pytest.fixture(params=ACTS)
def act(request: pytest.FixtureRequest, world: World) -> Callable[..., tuple[str, ...]]:
    """A change of rows, with what must be there for it."""
    if request.param == "back":
        world.sql("UPDATE organizations SET config = '{\"can_use_audit_logs\": true}'")
    return ACTS[request.param]


def rows(world: World) -> list[tuple[Any, ...]]:
    return world.sql("SELECT * FROM organizations ORDER BY id")


def test_nothing_but_the_key_moves(world: World, act) -> None:
    before = rows(world)
    with world.open() as database:
        assert act(database) == ()
    assert [row[-3:] for row in rows(world)] == [row[-3:] for row in before]
    assert rows(world) != before


def test_a_time_that_a_trigger_keeps_may_move_and_is_named(world: World, act) -> None:
    world.trap(OTHER, TIME)
    with world.open() as database:
        assert database.find_organizations().triggers == ("trap",)
        assert act(database) == ("updated_at",)


@pytest.mark.parametrize(
    ("body", "moved"), [(VERSION, ("updated_at", "version")), (KEY, ("config.sealed",))]
)
def test_more_is_rolled_back_and_named_until_it_is_accepted(world, act, body, moved) -> None:
    world.trap(OTHER, body)
    before = rows(world)
    with world.open() as database:
        with refused("LSA588") as caught:
            act(database)
        assert rows(world) == before
        assert moved[-1] in caught.value.what
        assert "nothing was changed" in caught.value.what
        assert "trigger: trap" in caught.value.detail
        assert "--accept-trigger" in caught.value.next_step
        assert "hidden-value" not in told(caught.value)
        assert act(database, accept_moved=True) == moved
    assert rows(world) != before


def test_a_generated_column_counts(world: World, act) -> None:
    world.sql("ALTER TABLE organizations ADD size int GENERATED ALWAYS AS "
              "(length(config::text)) STORED")  # fmt: skip
    with world.open() as database, refused("LSA588") as caught:
        act(database)
    assert "size" in caught.value.what


def test_what_may_not_be_read_is_not_compared(world: World, act) -> None:
    world.trap(OTHER, VERSION)
    login = world.role(
        "GRANT SELECT (id, display_name, is_personal, config) ON organizations TO {}",
        "GRANT UPDATE (config) ON organizations TO {}",
    )
    with world.open(user=login.user, password=login.password) as database:
        assert database.find_organizations().unread == ("updated_at", "version", "note")
        assert act(database) == ()
