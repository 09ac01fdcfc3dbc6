"""The change under bad conditions: all of it or nothing, and the tool says which."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from databases import World, beside, fresh, process_of, refused, told
from tcp_faults import Wire

from wizard.practice.postgres import PracticePostgres
from wizard.problems import Exit, Problem
from wizard.systems.postgres import session, transaction
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.errors import ConnectionLost
from wizard.systems.postgres.model import OrganizationState
from wizard.systems.postgres.session import Session

ON = '{"can_use_audit_logs": true}'
OFF = '{"can_use_audit_logs": false}'


@pytest.fixture(params=["libpq", "psql"])
def world(postgres: PracticePostgres, request: pytest.FixtureRequest) -> Iterator[Any]:
    with fresh(postgres) as world:
        world.via = request.param
        world.table()
        for config in (OFF, None, "{}"):
            world.add(config)
        yield world


def nothing_changed(problem: Problem) -> bool:
    return "nothing was changed" in problem.what and problem.exit != Exit.STOPPED


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        ('config = \'{"x": 1, "can_use_audit_logs": false}\'', "another part of its config"),
        (
            f"config = '{ON}'",
            "can_use_audit_logs is false was shown, now can_use_audit_logs is true",
        ),
        ("config = NULL", "now config is NULL"),
        ("config = 'null'", "now config is JSON null, not an object"),
        ("is_personal = true", "is personal now"),
    ],
)
def test_a_change_by_somebody_else_is_seen_not_overwritten(
    world: World, meanwhile: str, said: str
) -> None:
    with world.open() as database:
        shown = database.organizations()
        row = next(o for o in shown if o.state is OrganizationState.OFF)
        world.sql(f"UPDATE organizations SET {meanwhile} WHERE id = '{row.id}'")
        now = world.versions()
        with refused("LSA540") as caught:
            database.enable(shown)
    assert said in told(caught.value)
    assert str(row.id) in told(caught.value)
    assert nothing_changed(caught.value)
    assert world.versions() == now


def test_a_deleted_row_is_seen(world: World) -> None:
    with world.open() as database:
        shown = database.organizations()
        world.sql(f"DELETE FROM organizations WHERE id = '{shown[0].id}'")
        before = world.configs()
        with refused("LSA540") as caught:
            database.enable(shown)
    assert f"{shown[0].id}: no longer there" in caught.value.detail
    assert world.configs() == before


def test_another_table_in_the_same_place_is_seen(world: World) -> None:
    with world.open() as database:
        shown = database.organizations()
        world.sql("CREATE TABLE copy (LIKE organizations); INSERT INTO copy TABLE organizations")
        world.sql("DROP TABLE organizations; ALTER TABLE copy RENAME TO organizations")
        before = world.configs()
        with refused("LSA540") as caught:
            database.enable(shown)
    assert nothing_changed(caught.value)
    assert world.configs() == before


@pytest.mark.parametrize(
    "held",
    ["UPDATE organizations SET display_name = 'x'", "LOCK TABLE organizations IN EXCLUSIVE MODE"],
)
def test_a_lock_that_does_not_come_names_its_holder(world: World, held: str) -> None:
    before = world.configs()
    with world.open() as database:
        shown = database.organizations()
        with world.elsewhere(held) as other, refused("LSA541") as caught:
            holder = other.info.backend_pid
            database.enable(shown, lock_limit=0.3)
        assert "within 0.3 seconds" in caught.value.what
        assert nothing_changed(caught.value)
        assert f"server process {holder}" in told(caught.value)
        (line,) = (it for it in caught.value.detail if "held by" in it)
        assert "the other one" in line
        assert world.configs() == before
        changed = sorted(str(it.id) for it in database.enable(shown).changes)
        assert len(changed) == 3
        assert ("UPDATE" not in held) or line.endswith(f", 3 rows: {', '.join(changed)}")


def test_a_statement_that_takes_too_long(world: World) -> None:
    before = world.configs()
    with world.open() as database:
        shown = database.organizations()
        with (
            world.elsewhere("UPDATE organizations SET display_name = 'x'"),
            refused("LSA544") as caught,
        ):
            database.enable(shown, lock_limit=20, statement_limit=0.3)
    assert "more than 0.3 seconds" in caught.value.what
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_we_wait_for_a_lock_and_then_look_again(world: World) -> None:
    with world.open() as database:
        shown = database.organizations()
        with world.elsewhere(f"UPDATE organizations SET config = '{ON}'") as other:

            def let_go() -> None:
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while not world.sql(waiting)[0][0]:
                    pass
                other.execute("COMMIT")

            with beside(let_go), refused("LSA540"):
                database.enable(shown, lock_limit=20)


def test_two_at_the_same_time(world: World) -> None:
    outcomes: list[int | str] = []
    with world.open() as one, world.open() as two:
        shown = one.organizations()

        def race() -> None:
            try:
                outcomes.append(len(two.enable(list(reversed(shown))).changes))
            except Problem as problem:
                outcomes.append(problem.id)

        with beside(race):
            try:
                outcomes.append(len(one.enable(shown).changes))
            except Problem as problem:
                outcomes.append(problem.id)
    assert sorted(map(str, outcomes)) == ["3", "LSA540"]


@pytest.mark.parametrize(
    "body",
    [
        "NEW.config = OLD.config; RETURN NEW;",
        "RETURN NULL;",
    ],
)
def test_a_trigger_that_does_something_else(world: World, body: str) -> None:
    world.trap("BEFORE UPDATE ON organizations", body)
    before = world.configs()
    with world.open() as database, refused("LSA546") as caught:
        database.enable(database.organizations())
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_a_trigger_that_fails_says_nothing_of_the_row(world: World) -> None:
    world.sql("ALTER TABLE organizations ADD CHECK (config->'can_use_audit_logs' <> 'true')")
    world.add('{"secret": "hidden-value"}')
    before = world.configs()
    with world.open() as database, refused("LSA545") as caught:
        database.enable(database.organizations())
    assert "23514" in told(caught.value)
    assert "hidden-value" not in told(caught.value)
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_a_commit_that_the_server_refuses(world: World) -> None:
    world.trap(
        "AFTER UPDATE ON organizations DEFERRABLE INITIALLY DEFERRED",
        "RAISE EXCEPTION 'not today';",
    )
    before = world.configs()
    with world.open() as database, refused("LSA545") as caught:
        database.enable(database.organizations())
    assert "not today" in told(caught.value)
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_killed_between_update_and_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Session.commit

    def killed_before(self: Any) -> None:
        world.sql("SELECT pg_terminate_backend(%s, 5000)", process_of(self))
        plain(self)

    monkeypatch.setattr(Session, "commit", killed_before)
    before = world.configs()
    with world.open() as database:
        shown = database.organizations()
        with refused("LSA542") as caught:
            database.enable(shown)
        assert nothing_changed(caught.value)
        assert world.configs() == before
        monkeypatch.undo()
        assert len(database.enable(shown).changes) == 3


def test_killed_while_committing(world: World) -> None:
    world.trap(
        "AFTER UPDATE ON organizations DEFERRABLE INITIALLY DEFERRED",
        "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL;",
    )
    before = world.configs()
    with world.open() as database, refused("LSA542") as caught:
        database.enable(database.organizations())
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_killed_during_the_update(world: World) -> None:
    world.trap(
        "BEFORE UPDATE ON organizations",
        "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW;",
    )
    before = world.configs()
    with world.open() as database, refused("LSA542") as caught:
        database.enable(database.organizations())
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_the_wire_is_cut_before_the_commit_arrives(world: World) -> None:
    before = world.configs()
    with Wire(world.server.port, word=world.commit, fault="cut before") as wire:
        with world.open(port=wire.port) as database, refused("LSA542") as caught:
            database.enable(database.organizations())
        assert wire.happened.is_set()
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_the_wire_is_cut_between_the_commit_and_its_answer(world: World) -> None:
    with Wire(world.server.port, word=world.commit, fault="cut after") as wire:
        with world.open(port=wire.port) as database:
            done = database.enable(database.organizations())
            assert "lost during the commit" in done.notes[0]
            assert database.organization_counts().shared[OrganizationState.ON] == 3
            assert database.put_back(done.changes).restored == 3
        assert wire.happened.is_set()
    assert len(done.changes) == 3


@pytest.mark.parametrize("fault", ["cut before", "cut after"])
def test_a_commit_of_which_nobody_can_tell(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(transaction, "SETTLE_LIMIT", 1.0)
    with (
        Wire(world.server.port, word=world.commit, fault=fault, down=True) as wire,
        world.open(port=wire.port) as database,
    ):
        shown = database.organizations()
        monkeypatch.setattr(transaction.Witness, "ask", _cut_off(wire, transaction.Witness.ask))
        with refused("LSA547") as caught:
            database.enable(shown)
    assert caught.value.exit == Exit.STOPPED
    assert "either all of it is, or nothing" in caught.value.what
    configs = set(world.configs().values())
    assert configs == (
        {ON} if fault == "cut after" else {'{"can_use_audit_logs": false}', None, "{}"}
    )


def few(database: Database) -> Any:
    shown = database.organizations()
    return lambda: database.enable(shown).count


def many(database: Database) -> Any:
    shown = database.show("needy")
    return lambda: database.enable_shown(shown, Mock()).count


def back(database: Database) -> Any:
    done = database.enable(database.organizations())
    return lambda: database.put_back(done.changes).restored


@pytest.mark.parametrize("act", [few, many, back])
@pytest.mark.parametrize(
    ("meanwhile", "id"),
    [("", "LSA542"), ("UPDATE organizations SET config = '{\"x\": 1}'", "LSA547")],
)
def test_a_commit_that_the_server_does_not_know_is_settled_by_the_rows(
    world: World, monkeypatch: pytest.MonkeyPatch, act: Any, meanwhile: str, id: str
) -> None:
    monkeypatch.setattr(transaction, "SETTLE_LIMIT", 0.5)
    monkeypatch.setattr(transaction, "_outcome", lambda *_: None)
    plain, lost = Session.commit, ConnectionLost("LSA542", "lost", on="here", next_step="wait")

    def lost_after(self: Any) -> None:
        plain(self)
        raise lost

    def lost_before(self: Any) -> None:
        self.roll_back()
        if meanwhile:
            world.sql(meanwhile)
        raise lost

    with world.open() as database:
        change = act(database)
        before = world.configs()
        with monkeypatch.context() as patched:
            patched.setattr(Session, "commit", lost_before)
            with refused(id) as caught:
                change()
        assert nothing_changed(caught.value) is (id == "LSA542")
        if not meanwhile:
            assert world.configs() == before
            monkeypatch.setattr(Session, "commit", lost_after)
            assert change() == 3
            assert world.configs() != before


def _cut_off(wire: Wire, plain: Any) -> Any:
    """The whole host is gone: the witness's own connection too."""

    def ask(self: Any, question: Any, *, limit: Any = 30.0) -> Any:
        if wire.happened.is_set():
            wire.__exit__()
        return plain(self, question, limit=limit)

    return ask


def test_a_server_that_falls_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE", -9.5)  # before the server's own limit is over
    before = world.configs()
    with (
        Wire(world.server.port, word=b'UPDATE "public"', fault="silence") as wire,
        world.open(port=wire.port) as database,
    ):
        shown = database.organizations()
        with refused("LSA543") as caught:
            database.enable(shown, statement_limit=10.0)
        assert "within 0.5 seconds" in caught.value.what
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_a_commit_that_never_arrives_is_awaited_until_the_server_gives_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GRACE", -9.0)
    monkeypatch.setattr(transaction, "IDLE_LIMIT", 2.0)
    before = world.configs()
    with (
        Wire(world.server.port, word=world.commit, fault="silence") as wire,
        world.open(port=wire.port) as database,
    ):
        shown = database.organizations()
        with refused("LSA543") as caught:
            database.enable(shown, statement_limit=10.0)
        left = "SELECT count(*) FROM pg_stat_activity WHERE state ~ 'in transaction'"
        assert world.sql(left + f" AND datname = '{world.name}'") == [(0,)]
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_a_change_just_after_the_commit_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Session.commit

    def changed_after(self: Any) -> None:
        plain(self)
        world.sql("UPDATE organizations SET config = NULL WHERE config ? 'can_use_audit_logs'")

    with world.open() as database:
        shown = database.organizations()
        monkeypatch.setattr(Session, "commit", changed_after)
        done = database.enable(shown)
    assert len(done.changes) == 3
    assert len(done.notes) == 3
    assert "was changed again just after: config is NULL" in done.notes[0]


def test_a_read_back_that_fails_does_not_hide_the_change(world: World) -> None:
    with (
        Wire(world.server.port, word=b"clock_timestamp", fault="cut before", down=True) as wire,
        world.open(port=wire.port) as database,
    ):
        done = database.enable(database.organizations())
        assert wire.happened.is_set()
    assert len(done.changes) == 3
    assert "could not be read back" in done.notes[0]
    assert set(world.configs().values()) == {ON}


def test_a_second_connection_that_cannot_be_had(world: World) -> None:
    login = world.role("GRANT SELECT, UPDATE ON organizations TO {}")
    world.sql(f"ALTER ROLE {login.user} CONNECTION LIMIT 1")
    before = world.configs()
    with Database.open(login) as database:
        shown = database.organizations()
        with refused("LSA528") as caught:
            database.enable(shown)
    assert nothing_changed(caught.value)
    assert world.configs() == before


def test_a_lost_connection_is_opened_again_for_the_next_look(world: World) -> None:
    with world.open() as database:
        pid = process_of(database._live)
        assert len(database.organizations()) == 3
        world.sql("SELECT pg_terminate_backend(%s, 5000)", pid)
        with refused("LSA542"):
            database.organizations()
        assert len(database.organizations()) == 3


@pytest.mark.parametrize("meanwhile", ["nothing", "a change"])
def test_a_connection_that_was_cut_while_a_person_thought_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    monkeypatch.setattr("wizard.systems.postgres.database.IDLE", 0.0)
    with world.open() as database:
        shown = database.organizations()
        world.sql("SELECT pg_terminate_backend(%s, 5000)", process_of(database._session))
        if meanwhile == "nothing":
            assert len(database.enable(shown).changes) == 3
            return
        world.sql(f"UPDATE organizations SET config = '{{\"x\": 1}}' WHERE id = '{shown[0].id}'")
        with refused("LSA540") as caught:
            database.enable(shown)
        assert nothing_changed(caught.value)


def test_put_back_leaves_what_somebody_changed_since(world: World) -> None:
    with world.open() as database:
        done = database.enable(database.organizations())
        ids = [change.id for change in done.changes]
        change, gone, _ = done.changes
        world.sql(
            f"UPDATE organizations SET config = config || '{{\"x\": 1}}' WHERE id = '{ids[0]}'"
        )
        world.sql(f"DELETE FROM organizations WHERE id = '{gone.id}'")
        touched = world.config(ids[0])
        back = database.put_back(done.changes)
    assert back.restored == 1
    assert [id for id, _ in back.left] == [change.id, gone.id]
    assert "changed since" in back.left[0][1]
    assert "no longer there" in back.left[1][1]
    assert world.config(ids[0]) == touched


@pytest.mark.repeats
def test_ten_thousand_rows_at_once(world: World) -> None:
    world.sql(
        "INSERT INTO organizations SELECT gen_random_uuid(), 'n', false, '{\"a\": 1}' "
        "FROM generate_series(1, %s)",
        10_000,
    )
    before = world.configs()
    with world.open() as database:
        shown = database.organizations(limit=20_000)
        done = database.enable(shown)
        assert len(done.changes) == 10_003
        assert database.organization_counts().shared[OrganizationState.ON] == 10_003
        assert database.put_back(done.changes).restored == 10_003
    assert world.configs() == before
