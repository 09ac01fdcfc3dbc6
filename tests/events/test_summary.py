"""The log counted, and what a chart never records."""

from datetime import UTC, datetime, timedelta

import pytest
from event_log import ocsf, rows

from wizard.events.range import Range
from wizard.events.summary import GROUPS, Summary, never_recorded
from wizard.records.event import event_of

END = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "slots", "first"),
    [
        (1, 25, "2026-10-31 12:00Z"),
        (3, 4, "2026-10-29"),
        (62, 63, "2026-08-31"),
        (90, 4, "2026-08"),
    ],
)
def test_every_group_counts_every_event(days: int, slots: int, first: str) -> None:
    range = Range(END - timedelta(days=days), END)
    summary = Summary(range)
    given = rows(200, range.start, range.end)
    for row in given:
        summary.add(event_of(ocsf(row)))
    groups = summary.groups
    assert tuple(groups) == GROUPS
    assert summary.events == 200
    assert {
        name: sum(count for _, count in counts) for name, counts in groups.items()
    } == dict.fromkeys(GROUPS, 200)
    assert len(groups["time"]) == slots
    assert groups["time"][0][0] == first
    assert [count for _, count in groups["operation"]] == sorted(
        (count for _, count in groups["operation"]), reverse=True
    )
    assert groups["category"][0][0] == "API key management"


@pytest.mark.parametrize(
    ("chart", "recorded"),
    [("0.12.33", 32), ("0.12.34", 73), ("0.13.36", 102), ("0.14.0", 117), ("0.15.0-rc.1", 329),
     ("0.15.0-rc.0", 117), ("v0.16.14", 329)],
)  # fmt: skip
def test_what_is_never_recorded_at_a_chart_version(chart: str, recorded: int) -> None:
    found, never = never_recorded(chart)
    assert found == recorded
    assert sum(int(told.split()[0]) for _, told in never) == 329 - recorded
    if chart == "0.12.33":
        assert dict(never)["SSO configuration"].endswith("first with chart 0.12.34")


def test_a_version_that_is_none() -> None:
    with pytest.raises(ValueError):
        never_recorded("")
