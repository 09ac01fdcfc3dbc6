"""Many organizations in batches of one transaction: all or nothing, and undo data on disk."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import fresh, refused, told
from tcp_faults import Wire

from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem
from wizard.records.journal import Run, runs
from wizard.records.rows import RowsFile, changes, rows
from wizard.systems.postgres import organizations, row_changes, transaction
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.model import RowChange
from wizard.systems.postgres.organizations import Shown
from wizard.systems.postgres.session import Session

ON = '{"can_use_audit_logs": true}'
CONFIGS = (
    None,
    "{}",
    '{"can_use_audit_logs": false}',
    '{"can_use_audit_logs": "true", "ü": ["\\n"]}',
    '{"can_use_audit_logs": null, "a": 1}',
)


@pytest.fixture(params=["libpq", "psql"])
def world(
    postgres: PracticePostgres, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    monkeypatch.setattr(organizations, "BATCH", 3)
    with fresh(postgres) as world:
        world.via = request.param
        world.table()
        for number, config in enumerate(CONFIGS * 2):
            world.add(config, f'a "name" \\ {number}')
        world.add(ON, "on already")
        world.add("{}", "personal", personal=True)
        yield world


class Kept:
    """What undo would have, in memory."""

    def __init__(self) -> None:
        self.lines = b""
        self.sealed = False

    def add(self, lines: bytes, count: int) -> None:
        assert lines.count(b"\n") == count
        self.lines += lines

    def seal(self) -> None:
        self.sealed = True


def enable(database: Database, chosen: Shown, **limits: float) -> Kept:
    kept = Kept()
    database.enable_shown(chosen, kept, **limits)
    return kept


def test_every_batch_and_nothing_else(world, tmp_path) -> None:
    before = world.configs()
    file = RowsFile(tmp_path / "rows")
    with world.open() as database:
        chosen = database.show("needy")
        assert (chosen.count, len(list(chosen.batches()))) == (10, 4)
        assert database.show("stored").count == 6
        assert database.show("needy", limit=2).count == 2
        names = {it.id: it for it in database.organizations()}
        done = database.enable_shown(chosen, file)
        assert (done.count, done.notes) == (10, ())
        assert database.show("needy").count == 0
        told = list(changes(tmp_path, {"rows": file.told}))
        made = [RowChange.from_json(one) for one in told]
        assert [one.id for one in made] == sorted(one.id for one in made)
        fit = [it for it in names.values() if it.state != "on" and not it.is_personal]
        before_each = {one.id: (one.display_name, one.before) for one in made}
        assert before_each == {it.id: (it.display_name, it.prior) for it in fit}
        now = world.configs()
        assert sum(config == before[id] for id, config in now.items()) == 2
        assert all(json.loads(now[one.id])["can_use_audit_logs"] is True for one in made)
        assert database.put_back(made).restored == 10
    assert world.configs() == before


OURS = [
    tracemalloc.Filter(inclusive=False, filename_pattern="*/wizard/practice/*"),
    *(
        tracemalloc.Filter(inclusive=True, filename_pattern=f"*/{name}/*")
        for name in ("wizard", "json", "psycopg")
    ),
]
"""Other threads of the tests' process, and what measures their coverage, take memory too."""


def taken() -> int:
    """Bytes that were allocated where rows are handled."""
    found = tracemalloc.take_snapshot().filter_traces(OURS)
    return sum(one.size for one in found.traces)


@pytest.mark.repeats
def test_memory_does_not_grow_with_what_is_put_back(world, tmp_path, monkeypatch) -> None:
    for name, size in (("BLOCK", 100), ("IN_MEMORY", 1 << 14)):
        monkeypatch.setattr(row_changes, name, size)
    monkeypatch.setattr(organizations, "BATCH", 1_000)
    before, peaks = world.configs(), []
    with world.open() as database:
        for number, rows in enumerate((500, 5_000)):
            world.sql(
                "INSERT INTO organizations SELECT gen_random_uuid(), 'n', false, '{\"a\": 1}' "
                "FROM generate_series(1, %s)",
                rows,
            )
            file = RowsFile(tmp_path / str(number))
            made = database.enable_shown(database.show("needy"), file).count
            seen = []

            def watched(told, seen=seen) -> Iterator[RowChange]:
                for at, one in enumerate(told, 1):
                    if at % 490 == 0:
                        seen.append(taken())
                    yield RowChange.from_json(one)

            tracemalloc.start()
            back = database.put_back(watched(changes(tmp_path, {"rows": file.told})))
            tracemalloc.stop()
            peaks.append(max(seen))
            assert (back.restored, back.already, back.left, back.notes) == (made, 0, (), ())
            world.sql("DELETE FROM organizations WHERE display_name = 'n'")
    assert peaks[1] < peaks[0] + 100_000
    assert world.configs() == before


def test_an_answer_of_a_megabyte_is_not_waited_for(world) -> None:
    world.add("{}", "x" * 1_000_000)
    with world.open() as database:
        chosen = database.show("needy")
        kept = Kept()
        assert database.enable_shown(chosen, kept).notes == ()
    assert len(kept.lines) > 1_000_000


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        ("UPDATE organizations SET config = config || '{\"x\": 1}'", "can_use_audit_logs is"),
        ("UPDATE organizations SET is_personal = true", "now personal"),
        ("UPDATE organizations SET config = '[]'", "not an object"),
        ("DELETE FROM organizations", "no longer there"),
    ],
)
def test_a_change_by_somebody_else_is_seen(world, meanwhile, said) -> None:
    with world.open() as database:
        chosen = database.show("needy")
        last = organizations.ids(list(chosen.batches())[-1])[-1]
        where = f" WHERE id = '{last}'"
        world.sql("UPDATE organizations SET config = '{}'" + where)
        chosen = database.show("needy")
        world.sql(meanwhile + where)
        before = world.configs()
        with refused("LSA540") as caught:
            enable(database, chosen)
        assert world.configs() == before
    assert str(last) in told(caught.value)
    assert "nothing was changed" in caught.value.what


def test_a_trigger_and_a_lock(world) -> None:
    before = world.configs()
    with world.open() as database:
        chosen = database.show("needy")
        last = organizations.ids(list(chosen.batches())[-1])[-1]
        row = f"UPDATE organizations SET config = config WHERE id = '{last}'"
        with world.elsewhere(row), refused("LSA541") as caught:
            enable(database, chosen, lock_limit=0.2)
        assert "the other one" in told(caught.value)
        more = "NEW.config = NEW.config || '{\"more\": 1}'; RETURN NEW;"
        for body, id in (("RETURN NULL;", "LSA546"), (more, "LSA588")):
            world.sql("DROP TRIGGER IF EXISTS trap ON organizations")
            world.sql("DROP FUNCTION IF EXISTS trap")
            world.trap("BEFORE UPDATE ON organizations", body)
            with refused(id):
                enable(database, chosen)
        assert world.configs() == before


def test_the_holder_of_any_row_of_a_batch_is_named(world, monkeypatch) -> None:
    monkeypatch.setattr(organizations, "BATCH", 100)
    for _ in range(20):
        world.add("{}")
    with world.open() as database:
        chosen = database.show("needy")
        (marks,) = chosen.batches()
        last = organizations.ids(marks)[-1]
        row = f"UPDATE organizations SET config = config WHERE id = '{last}'"
        with world.elsewhere(row), refused("LSA541") as caught:
            enable(database, chosen, lock_limit=0.2)
    (line,) = (it for it in caught.value.detail if "held by" in it)
    assert "the other one" in line
    assert line.endswith(f", 1 row: {last}")


def test_rows_that_are_not_as_expected_are_named(world) -> None:
    with world.open() as database:
        chosen = database.show("needy")
        first, *_ = organizations.ids(next(chosen.batches()))
        world.trap(
            "BEFORE UPDATE ON organizations",
            f"IF NEW.id = '{first}' THEN NEW.config = OLD.config; END IF; RETURN NEW;",
        )
        with refused("LSA546") as caught:
            enable(database, chosen)
    assert caught.value.detail == (f"not as expected: organization {first}",)


OFF_AGAIN = "config = config || '{\"can_use_audit_logs\": false}' WHERE display_name = 'on already'"


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        ("config = config - 'can_use_audit_logs'", ["10 organizations were changed again"]),
        ("config = config || '{\"x\": 1}'", ["other parts of configs were changed"]),
        ("config = '{\"x\": 1}'", ["10 organizations were changed", "other parts of configs"]),
        ("config = '[]'", ["10 organizations were changed", "other parts of configs"]),
        (OFF_AGAIN, []),
    ],
)
def test_a_change_just_after_the_commit_is_counted(world, monkeypatch, meanwhile, said) -> None:
    plain = Session.commit

    def changed_after(self: Any) -> None:
        plain(self)
        world.sql(f"UPDATE organizations SET {meanwhile}")

    with world.open() as database:
        chosen = database.show("needy")
        monkeypatch.setattr(Session, "commit", changed_after)
        done = database.enable_shown(chosen, Kept())
    assert (done.count, len(done.notes)) == (10, len(said))
    assert all(word in note for word, note in zip(said, done.notes, strict=True))


def test_what_cannot_be_kept_is_not_changed(world) -> None:
    class Full(Kept):
        def seal(self) -> None:
            raise Problem("LSA548", "the disk is full", on="here", next_step="make room")

    before = world.configs()
    with world.open() as database:
        chosen = database.show("needy")
        with refused("LSA548") as caught:
            database.enable_shown(chosen, Full())
        assert "nothing was changed" in caught.value.what
        assert world.configs() == before
        assert enable(database, chosen).sealed


@pytest.mark.parametrize("fault", ["cut before", "cut after"])
def test_the_commit_is_cut(world, fault) -> None:
    before = world.configs()
    with (
        Wire(world.server.port, word=world.commit, fault=fault) as wire,
        world.open(port=wire.port) as database,
    ):
        chosen = database.show("needy")
        if fault == "cut before":
            with refused("LSA542") as caught:
                enable(database, chosen)
            assert "nothing was changed" in caught.value.what
            assert world.configs() == before
        else:
            done = database.enable_shown(chosen, Kept())
            assert "lost during the commit; the server says that it is in" in done.notes[0]
            assert database.show("needy").count == 0
        assert wire.happened.is_set()


def test_a_commit_of_which_nobody_can_tell(world, monkeypatch) -> None:
    monkeypatch.setattr(transaction, "SETTLE_LIMIT", 0.5)

    def ask(*_: Any, **__: Any) -> Any:
        raise Problem("LSA522", "gone", on="here", next_step="wait")

    with (
        Wire(world.server.port, word=world.commit, fault="cut after", down=True) as wire,
        world.open(port=wire.port) as database,
    ):
        chosen = database.show("needy")
        monkeypatch.setattr(transaction, "_outcome", ask)
        kept = Kept()
        with refused("LSA547"):
            database.enable_shown(chosen, kept)
        assert kept.sealed


def state_of(run: Run, event: str) -> dict[str, Any]:
    """What the journal holds of the organizations."""
    entries = [it for it in run.entries if it["event"] == event and it["step"] == "organizations"]
    found: dict[str, Any] = entries[0]["register" if event == "intent" else "undo"]
    return found


def test_a_plan_over_more_than_the_journal_holds(cluster, run, monkeypatch, tmp_path) -> None:
    with cluster.connect() as connection:
        connection.execute(
            "INSERT INTO organizations (id, display_name, is_personal, config) "
            "SELECT gen_random_uuid(), 'many ' || n, false, '{\"a\": 1}' "
            "FROM generate_series(1, 1200) n"
        )
        query = "SELECT id::text, config FROM organizations"
        before = dict(connection.execute(query).fetchall())
        plan = str(tmp_path / "plan.json")
        assert run("plan", "--all", "-o", plan).returncode == 0
        steps = json.loads(Path(plan).read_text())["steps"]
        change = next(it["change"] for it in steps if it["name"] == "organizations")
        assert len(json.dumps(change)) < 5_000
        assert f"{change['expected']}, " in json.dumps(change["preconditions"])
        connection.execute("UPDATE organizations SET config = NULL WHERE display_name = 'many 9'")
        answer = run("apply", plan, "--yes")
        assert (answer.returncode, "rows" in answer.stderr) == (7, True), answer.stderr
        connection.execute(
            "UPDATE organizations SET config = '{\"a\": 1}' WHERE display_name = 'many 9'"
        )
        answer = run("apply", plan, "--yes")
        assert answer.returncode == 0, answer.stderr
        now = dict(connection.execute(query).fetchall())
    changed = {id for id in now if now[id] != before[id]}
    assert len(changed) > 1200
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(cluster.home / "state"))
    (told_run,) = [it for it in runs() if "organizations" in it.changed]
    for event in ("intent", "done"):
        facts = state_of(told_run, event)
        assert len(json.dumps(facts)) < 2_000
        assert facts["rows"]["count"] == len(changed)
        kept = list(rows(told_run.folder, facts))
        assert {row["id"] for row in kept} == changed
    path = told_run.folder / facts["rows"]["file"]
    assert path.stat().st_mode & 0o777 == 0o600
