"""The time range: durations, times with a zone, and what is refused before anybody is asked."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from wizard.events.range import Range, days, duration, range_of
from wizard.problems import Exit, Problem

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("24h", 86400), ("1h30m", 5400), ("2d12h", 216000),
     ("2w", 1209600), ("1H", 3600), (" 7d ", 604800)],
)  # fmt: skip
def test_durations(text: str, seconds: int) -> None:
    assert duration("--since", text) == timedelta(seconds=seconds)
    assert range_of(text, None, NOW).start == NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02T08:00:00Z", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        ("2026-11-02t08:00:00.250z", datetime(2026, 11, 2, 8, 0, 0, 250000, tzinfo=UTC)),
        ("2026-11-02T09:00:00+01:00", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        ("2026-11-01T22:30:00-09:30", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        ("2026-11-02 08:00:00Z", datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
)
def test_times_with_a_zone(text: str, moment: datetime) -> None:
    found = range_of(text, None, NOW)
    assert (found.start, found.notes, found.open) == (moment, (), True)


@pytest.mark.parametrize("text", ["2026-11-02T08:00:00", "2026-11-02 08:00", "2026-11-02"])
def test_a_time_without_a_zone_is_utc_and_that_is_said(text: str) -> None:
    found = range_of("2026-10-01T00:00:00Z", text, NOW)
    hour = 8 if "08" in text else 0
    assert found.end == datetime(2026, 11, 2, hour, tzinfo=UTC)
    assert found.notes == (f"--until {text} has no zone, and is taken as UTC",)


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("24", None, "neither a duration nor a time"),
        ("-3h", None, "has a sign"),
        ("1y", None, "neither"),
        ("", None, "neither"),
        ("1.5h", None, "neither"),
        ("99999d", None, "longer than ten years"),
        ("2026-13-01T00:00:00Z", None, "neither"),
        ("2026-11-02T08:00:00 CET", None, "a zone that is not known here: CET"),
        ("2026-11-02T08:00:00[Europe/Berlin]", None, "not known here: Europe/Berlin"),
        ("0001-01-01T00:00:00+14:00", None, "no time of this calendar"),
        ("1h", "2h", "is before the start"),
        ("2026-12-24T00:00:00Z", None, "is before the start"),
        ("2026-11-02T08:00:00Z", "2026-11-02T08:59:59+01:00", "is before the start"),
    ],
)
def test_refused(since: str, until: str | None, words: str) -> None:
    with pytest.raises(Problem) as caught:
        range_of(since, until, NOW)
    assert words in caught.value.what
    assert (caught.value.id, caught.value.exit) == ("LSA830", Exit.USAGE)


def test_one_moment_is_a_range() -> None:
    assert range_of("now", "now", NOW) == Range(NOW, NOW)


def test_days_share_the_moment_between_them_and_leave_none_out() -> None:
    wanted = range_of("60h", None, NOW)
    windows = days(wanted)
    assert [it.end - it.start for it in windows] == [timedelta(hours=it) for it in (24, 24, 12)]
    assert (windows[0].start, windows[-1].end) == (wanted.start, wanted.end)
    assert all(a.end == b.start for a, b in pairwise(windows))
    (alone,) = days(range_of("1d", None, NOW))
    assert alone.words == "2026-11-28 12:00:00Z to 2026-11-29 12:00:00Z"
