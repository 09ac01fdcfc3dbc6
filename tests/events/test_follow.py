"""Following: what is recorded late is found, nothing comes twice, the checkpoint stays behind."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from event_log import KEY, EventServer, rows, serving

from wizard.events.follow import Going, Stop, follow
from wizard.events.patience import Patience
from wizard.events.range import Range
from wizard.events.source import FromApi
from wizard.events.wanted import Wanted
from wizard.events.windows import Windows
from wizard.records.checkpoint import Checkpoint
from wizard.systems.langsmith.api import LangSmithApi

LAG = timedelta(seconds=30)


class Reading:
    """A reading of a stand-in whose clock is ours."""

    def __init__(self, server: EventServer, checkpoint: Checkpoint) -> None:
        self.given: list[str] = []
        self.stop_after = 10**9
        self.beats: list[str] = []
        self.going = Going(
            checkpoint, LAG, lambda event: self.given.append(event.uid), lambda: None,
            lambda: len(self.given) >= self.stop_after, self.beats.append, 0,
        )  # fmt: skip
        self._api = LangSmithApi(server.url, KEY)

    def windows(self, range: Range) -> Windows:
        source = FromApi(self._api, Wanted(range), Patience(5))
        return Windows(source, range, look=self.going.look)

    def round(self, start: datetime, now: datetime) -> None:
        self.going.over(self.windows(Range(start, now)), now)


def one(at: datetime, seed: int) -> dict:
    return rows(1, at, at + timedelta(microseconds=1), seed)[0]


def test_late_ones_are_found_and_nothing_comes_twice() -> None:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    given = rows(50, begin, begin + timedelta(minutes=5))
    kept = Checkpoint(None, {})
    with serving(given) as server:
        read = Reading(server, kept)
        now = begin + timedelta(minutes=5)
        read.round(begin, now)
        assert kept.through == now - LAG
        late = one(now - timedelta(seconds=20), 7)
        server.log.add(late)
        assert kept.through is not None
        read.round(kept.through, now + timedelta(seconds=10))
        read.round(kept.through, now + timedelta(minutes=5))
        too_late = one(begin + timedelta(minutes=1), 8)
        server.log.add(too_late)
        read.round(kept.through, now + timedelta(minutes=6))
    assert sorted(read.given) == sorted([row["id"] for row in given] + [late["id"]])
    assert len(kept.seen) == 0


def test_the_checkpoint_follows_each_window_and_a_stop_notes_what_was_given(tmp_path: Path) -> None:
    end = datetime.now(UTC) - timedelta(hours=1)
    given = rows(300, end - timedelta(days=3), end)
    path = tmp_path / "state"
    with serving(given) as server:
        with Checkpoint(path, {"a": "b"}) as kept:
            read = Reading(server, kept)
            read.stop_after = 150
            with pytest.raises(Stop):
                read.round(end - timedelta(days=3), end)
        assert len(read.given) == 150
        state = json.loads(path.read_text())
        assert datetime.fromisoformat(state["through"]) == end - timedelta(days=2)
        assert 0 < len(state["given_since"]) < 150
        with Checkpoint(path, {"a": "b"}) as kept:
            more = Reading(server, kept)
            assert kept.through is not None
            more.round(kept.through, end)
    assert sorted(read.given + more.given) == sorted(row["id"] for row in given)
    assert more.going.again == len(state["given_since"])


def test_rounds_go_on_until_a_stop_and_the_heart_beats() -> None:
    now = datetime.now(UTC)
    with serving(rows(5, now - timedelta(hours=1), now)) as server:
        read = Reading(server, Checkpoint(None, {}))
        read.stop_after = 6
        server.fault = lambda _query: server.log.add(one(datetime.now(UTC), 9))  # once in a round
        with pytest.raises(Stop):
            follow(read.going, read.windows, now - timedelta(hours=1), 0.05)
    assert "5 events" in "".join(read.beats) or "6 events" in "".join(read.beats)
    assert "through" in read.beats[-1]


def test_reading_the_log_itself_is_no_sign_of_life() -> None:
    now = datetime.now(UTC)
    own, other = one(now - timedelta(minutes=1), 1), one(now - timedelta(minutes=2), 2)
    own["operation_name"], other["operation_name"] = "get_audit_logs", "create_role"
    with serving([own, other]) as server:
        read = Reading(server, Checkpoint(None, {}))
        read.round(now - timedelta(hours=1), now)
    assert len(read.given) == 2
    assert read.going.newest == other["request_time"]
