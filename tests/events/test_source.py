"""The chain of cursors, and what is asked again, over real sockets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from event_log import KEY, EventServer, rows, serving

from wizard.events.patience import Patience
from wizard.events.range import Range
from wizard.events.source import FromApi
from wizard.events.wanted import Wanted
from wizard.problems import Problem
from wizard.systems.langsmith.api import LangSmithApi

END = datetime(2026, 11, 1, tzinfo=UTC)
DAY = Range(END - timedelta(days=1), END)
GIVEN = rows(250, DAY.start, DAY.end)


def read(server: EventServer, patience: Patience | None = None, **filters: object) -> list[str]:
    api = LangSmithApi(server.url, KEY)
    source = FromApi(api, Wanted(DAY, **filters), patience or Patience(5))
    try:
        return [it.uid for page in source.pages(DAY) for it in page.events]
    finally:
        api.close()


def at(numbers: set[int], what: str) -> Callable[[dict], str | None]:
    count = iter(range(1000))
    return lambda _query: what if next(count) in numbers else None


def test_every_page_of_a_chain() -> None:
    with serving(GIVEN) as server:
        found = read(server)
    assert sorted(found) == sorted(row["id"] for row in GIVEN)
    assert [len(it.get("cursor", [])) for it in server.requests] == [0, 1, 1]


def test_filters_are_sent_as_the_api_takes_them() -> None:
    with serving(GIVEN) as server:
        found = read(server, operations=("create_role", "delete_api_key"))
    names = {row["id"]: row["operation_name"] for row in GIVEN}
    assert {names[it] for it in found} == {"create_role", "delete_api_key"}
    assert server.requests[0]["operations"] == ["create_role", "delete_api_key"]


@pytest.mark.parametrize("fault", ["drop", "cut", "429", "500", "503"])
def test_what_passes_is_asked_again(fault: str) -> None:
    with serving(GIVEN) as server:
        server.fault = at({1, 2}, fault)
        assert len(read(server)) == len(GIVEN)
    assert len(server.requests) == 5


@pytest.mark.parametrize(("fault", "id", "asked"), [("drop", "LSA810", 1), ("500", "LSA816", 2)])
def test_an_address_where_nothing_ever_answered_is_told_at_once(fault, id, asked) -> None:
    with serving(GIVEN) as server, pytest.raises(Problem) as caught:
        server.fault = lambda _query: fault
        read(server, Patience(1.0))
    assert caught.value.id == id
    assert len(server.requests) >= asked


def test_retry_after_is_honoured_in_seconds_and_as_a_moment() -> None:
    told: list[str] = []
    with serving(GIVEN) as server:
        server.answers = {"/api/v1/audit-logs": (429, {"detail": "slow down"})}
        with pytest.raises(Problem) as caught:
            read(server, Patience(2.0, told.append))
    assert caught.value.id == "LSA819"
    assert told


def test_a_cursor_that_repeats_is_refused() -> None:
    with serving(GIVEN) as server:
        page = {"items": [], "cursor": "the same"}
        server.answers = {"/api/v1/audit-logs": (200, page)}
        with pytest.raises(Problem) as caught:
            read(server)
    assert caught.value.id == "LSA832"
