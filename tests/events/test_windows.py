"""Windows: every event once and in order, whatever the network and the server do meanwhile."""

import os
import random
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from event_log import KEY, EventServer, rows, serving

from wizard.events import windows as module
from wizard.events.patience import Patience
from wizard.events.range import Range
from wizard.events.source import FromApi
from wizard.events.wanted import Wanted
from wizard.events.windows import Windows
from wizard.problems import Problem
from wizard.systems.langsmith.api import LangSmithApi

END = datetime(2026, 11, 1, tzinfo=UTC)
COUNT = int(os.environ.get("LANGSMITH_AUDIT_TEST_EVENTS", "20000"))
"""Events of the large reading; 100,000 take some ten seconds."""


def reading(server: EventServer, days: float, **more: object) -> Windows:
    api = LangSmithApi(server.url, KEY)
    wanted = Wanted(Range(END - timedelta(days=days), END))
    return Windows(FromApi(api, wanted, Patience(60)), wanted.range, **more)


def test_every_event_once_and_in_order_through_every_fault() -> None:
    given = rows(COUNT, END - timedelta(days=20), END)
    late = rows(40, END - timedelta(days=1), END, seed=2)
    chance, guard, asked = random.Random(3), threading.Lock(), 0

    with serving(given) as server:

        def fault(query: dict) -> str | None:
            nonlocal asked
            with guard:
                asked += 1
                if asked % 5 == 0 and late and asked < COUNT // 200:
                    server.log.add(late.pop())
                if asked % 50 == 0 and "cursor" in query:
                    return "dead"
                if asked > 1 and chance.random() < 0.15:
                    return chance.choice(["drop", "cut", "429", "500", "503", "again"])
                return None

        server.fault = fault
        added = list(late)
        tracemalloc.start()
        found, again = [], reading(server, 20)
        for window in again:
            moments = [(event.moment, event.uid) for event in window.events]
            assert moments == sorted(moments)
            assert all(window.range.start <= at <= window.range.end for at, _ in moments)
            found += [event.uid for event in window.events]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    came = {row["id"] for row in added} - {row["id"] for row in late}
    assert len(came) > 10
    assert sorted(found) == sorted({row["id"] for row in given} | came)
    assert again.repeated > 0
    assert peak < 60_000_000


def test_a_crowded_window_is_read_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(module, "CROWDED", 150)
    given = rows(1000, END - timedelta(hours=20), END - timedelta(hours=19))
    with serving(given) as server:
        found = list(reading(server, 1))
    assert [event.uid for it in found for event in it.events] == [
        row["id"] for row in sorted(given, key=lambda row: (row["request_time"], row["id"]))
    ]
    assert max(len(it.events) for it in found) <= 250


def test_many_events_of_one_second_are_read_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(module, "CROWDED", 100)
    given = rows(300, END - timedelta(seconds=20), END - timedelta(seconds=19.9))
    with serving(given) as server:
        assert sum(len(it.events) for it in reading(server, 1)) == 300


def test_newest_first() -> None:
    given = rows(500, END - timedelta(days=5), END)
    with serving(given) as server:
        found = list(reading(server, 5, backwards=True))
    assert [it.range.start for it in found] == sorted(
        (it.range.start for it in found), reverse=True
    )
    assert sum(len(it.events) for it in found) == 500


def test_an_event_on_the_moment_that_two_windows_share_is_given_once() -> None:
    (row,) = rows(1, END - timedelta(days=2), END)
    row["request_time"] = END - timedelta(days=1)
    with serving([row]) as server:
        again = reading(server, 2)
        assert [len(it.events) for it in again] == [1, 0]
    assert again.repeated == 1


def test_what_does_not_pass_ends_it_after_the_windows_before() -> None:
    given = rows(400, END - timedelta(days=4), END)
    with serving(given) as server:
        bad = (END - timedelta(days=2)).isoformat().replace("+00:00", "Z")
        server.fault = lambda query: "dead" if query["start_time"] == [bad] else None
        found = []
        with pytest.raises(Problem) as caught:
            found.extend(reading(server, 4))
    assert caught.value.id == "LSA825"
    assert len(found) <= 2


def test_a_stop_is_seen_while_a_window_is_waited_for() -> None:
    class Enough(Exception):
        pass

    looks = iter(range(3))

    def look() -> None:
        if next(looks, None) is None:
            raise Enough

    with serving(rows(10, END - timedelta(days=1), END)) as server:
        server.delay = 5
        with pytest.raises(Enough):
            list(reading(server, 1, look=look))


def test_cursors_that_never_work_are_done_without() -> None:
    given = rows(2000, END - timedelta(days=1), END)
    with serving(given) as server:
        server.fault = lambda query: "dead" if "cursor" in query else None
        found = list(reading(server, 1))
    uids = [event.uid for it in found for event in it.events]
    assert sorted(uids) == sorted(row["id"] for row in given)
