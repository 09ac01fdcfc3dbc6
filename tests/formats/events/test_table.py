"""The table of events: times in words, what fits the terminal, what is never shown."""

import io
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from event_log import ocsf, rows
from events import EVENT

from wizard.formats.events.table import Table, when
from wizard.records.event import event_of

NOW = datetime(2026, 11, 29, 13, 30, tzinfo=timezone(timedelta(hours=1), "CET"))


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        ({"seconds": 0}, "0 s ago"),
        ({"seconds": 59}, "59 s ago"),
        ({"minutes": 59}, "59 min ago"),
        ({"hours": 1}, "today 12:30"),
        ({"hours": 13, "minutes": 31}, "yesterday 23:59"),
        ({"days": 2}, "Fri 13:30"),
        ({"days": 7}, "22 Nov 13:30"),
        ({"days": 400}, "2025-10-25"),
        ({"minutes": -5}, "today 13:35"),
    ],
)
def test_times_in_words_and_in_the_local_zone(ago: dict, words: str) -> None:
    assert when((NOW - timedelta(**ago)).astimezone(UTC), NOW) == words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch, width: int, events: list, colour: bool = False) -> list[str]:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "" if colour else "1")
    table = Table(now=NOW, zone=NOW.tzinfo)
    table.begin()
    table.write(events)
    table.end()
    return out.getvalue().splitlines()


EVENTS = [event_of(ocsf(row)) for row in rows(40, NOW - timedelta(days=9), NOW)]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_it_fits(monkeypatch, width: int) -> None:
    head, *found = drawn(monkeypatch, width, EVENTS)
    assert max(map(len, [head, *found])) <= width
    assert head.startswith("WHEN (CET)")
    assert ("WORKSPACE" in head) is (width >= 80)
    assert all("OPERATION" in head and name in head for name in ("WHO", "STATUS"))
    whole = EVENTS[0].data["actor"]["user"]["uid"]
    assert (whole in found[0]) is (width == 200)
    assert whole[:8] in found[0]


def test_colours_only_in_a_terminal_that_wants_them(monkeypatch) -> None:
    assert "\x1b[" in "".join(drawn(monkeypatch, 80, EVENTS, colour=True))
    assert "\x1b" not in "".join(drawn(monkeypatch, 80, EVENTS))


def test_foreign_text_is_shown_harmless_and_what_is_missing_as_a_dash(monkeypatch) -> None:
    odd = event_of(EVENT | {"api": {"operation": "x\x1b[2J\n"}, "actor": None, "status": None})
    _, line = drawn(monkeypatch, 120, [odd])
    assert "x\\x1b[2J\\n" in line
    assert "–" in line
    assert drawn(monkeypatch, 80, []) == []
