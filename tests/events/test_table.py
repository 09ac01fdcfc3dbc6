"""Events from the table: in batches, in both directions, and compared with the API's."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from databases import World, fresh
from event_log import KEY, ORGANIZATION, copied, rows, serving

from wizard.events.compare import compare
from wizard.events.patience import Patience
from wizard.events.range import Range
from wizard.events.source import FromApi
from wizard.events.table import FromTable
from wizard.events.wanted import Wanted
from wizard.events.windows import Windows
from wizard.practice.postgres import PracticePostgres
from wizard.records.event import Bundle
from wizard.resources import template
from wizard.systems.langsmith.api import LangSmithApi
from wizard.systems.postgres.audit_event import FEW
from wizard.systems.postgres.audit_log import Asked
from wizard.systems.postgres.libpq import LibpqSession

END = datetime(2026, 11, 1, tzinfo=UTC)
RANGE = Range(END - timedelta(days=4), END)
GIVEN = sorted(rows(1000, RANGE.start, END), key=lambda row: (row["request_time"], row["id"]))

ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
    "'langsmith-audit' AND datname = current_database()"
)


@pytest.fixture(scope="module")
def world(postgres: PracticePostgres) -> Iterator[World]:
    with fresh(postgres) as world:
        world.table()
        world.sql("INSERT INTO organizations VALUES (%s, 'Acme', false, '{}')", UUID(ORGANIZATION))
        world.sql(template("practice/sql/audit_logs.sql"))
        with world.connect() as connection:
            copied(connection, GIVEN)
        yield world


@pytest.mark.parametrize("backwards", [False, True])
def test_batches(world: World, monkeypatch: pytest.MonkeyPatch, backwards: bool) -> None:
    monkeypatch.setattr(LibpqSession, "many", 300)
    with world.open() as database:
        source = FromTable(database, Wanted(RANGE))
        found = list(source.batches(RANGE, backwards=backwards))
    assert max(len(it.events) for it in found) <= FEW
    uids = [event.uid for it in found for event in it.events]
    assert uids == [row["id"] for row in (GIVEN[::-1] if backwards else GIVEN)]


@pytest.mark.parametrize("many", [10, 50_000])
def test_a_connection_that_is_lost_on_the_way_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(LibpqSession, "many", many)
    uids: list[str] = []
    ended = 0
    with world.open() as database:
        for number, batch in enumerate(FromTable(database, Wanted(RANGE)).batches(RANGE)):
            uids += [event.uid for event in batch.events]
            if number in (0, 3):
                ended += len(world.sql(ENDED))
    assert ended >= 1  # what was on its way already comes without it
    assert uids == [row["id"] for row in GIVEN]


def test_whoever_has_enough_leaves_the_connection_as_it_was(world: World) -> None:
    with world.open() as database:
        batches = FromTable(database, Wanted(RANGE)).batches(RANGE)
        assert next(batches).events
        batches.close()
        assert len(database.audit_log(Asked(RANGE.start, RANGE.end), limit=7)) == 7


def test_pages_are_filtered_here_too(world: World) -> None:
    failed = Wanted(RANGE, status="failure")
    with world.open() as database:
        pages = list(FromTable(database, failed).pages(RANGE, 400))
        assert [len(it.events) for it in FromTable(database, Wanted(RANGE)).pages(RANGE, 900)] == [
            900,
            100,
        ]
    assert [it.more for it in pages] == [True, True, False]
    wanted = [row["id"] for row in reversed(GIVEN) if row["operation_succeeded"] is False]
    assert [event.uid for page in pages for event in page.events] == wanted


def test_what_is_only_in_one_and_which_fields_differ(world: World) -> None:
    served = [dict(row) for row in GIVEN]
    lost, added = served.pop(5), rows(1, RANGE.start, END, seed=9)[0]
    served[7]["ls_user_id"] = "11111111-1111-4111-8111-111111111111"
    served[8]["enrichments"] = served[8]["enrichments"] | {"request_method": "HEAD"}
    with serving([*served, added]) as server, world.open() as database:
        api = FromApi(LangSmithApi(server.url, KEY), Wanted(RANGE), Patience(5))
        table = FromTable(database, Wanted(RANGE), [UUID(ORGANIZATION)])
        found = compare(Windows(api, RANGE), table)
        another = FromTable(database, Wanted(RANGE), [UUID(int=1)])
        assert compare(Windows(api, RANGE), another).both == 0
    assert (found.only_api, found.only_table) == ([added["id"]], [lost["id"]])
    assert found.both == 999
    assert dict(found.fields) == {
        "actor.user.uid": 1,
        "unmapped.original_audit_log.ls_user_id": 1,
        "http_request.http_method": 1,
        "unmapped.original_audit_log.enrichments.request_method": 1,
    }
    assert not found.same


def test_the_same_in_both(world: World) -> None:
    with serving(GIVEN) as server, world.open() as database:
        api = FromApi(LangSmithApi(server.url, KEY), Wanted(RANGE), Patience(5))
        found = compare(Windows(api, RANGE), FromTable(database, Wanted(RANGE)))
    assert (found.both, found.same) == (1000, True)


def test_texts_are_those_of_the_events_whatever_is_in_them(world: World) -> None:
    at = END + timedelta(days=9)
    harm = "a\tb\\n\n\x7f\x85\u202e\u00fc\U0001f600\"'"
    for some in (harm, "plain"):
        world.sql(
            "INSERT INTO audit_logs (id, operation_name, request_time, enrichments) "
            "VALUES (%s, %s, %s, %s)",
            uuid4(), some, at, json.dumps({"request_path": some, "resource_ids": [some, "x"]}),
        )  # fmt: skip
    with world.open() as database:
        (found,) = FromTable(database, Wanted(Range(at, at))).batches(Range(at, at))
        assert isinstance(found.events, Bundle)
        texts = "".join(found.events.texts())
        assert texts == "".join(f"{event.text}\n" for event in found.events)
    world.sql("DELETE FROM audit_logs WHERE request_time = %s", at)
    assert not {"\x7f", "\x85", "\u202e"} & set(texts)
    told = [json.loads(line) for line in texts.splitlines()]
    assert {it["api"]["operation"] for it in told} == {harm, "plain"}
    assert {it["http_request"]["url"]["path"] for it in told} == {harm, "plain"}
    assert [it["resources"][1] for it in told] == [{"uid": "x"}] * 2
