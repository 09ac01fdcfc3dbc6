"""An event as it is kept: its moment, its id, its line and its plain record."""

import json
from datetime import UTC, datetime

import pytest
from event_log import ocsf, rows
from events import EVENT

from wizard.records.event import EPOCH, NAMES, event_of, moment_of, record_of


def original(request_time: str) -> dict:
    return {"time": 1, "unmapped": {"original_audit_log": {"request_time": request_time}}}


@pytest.mark.parametrize(
    ("data", "moment"),
    [
        ({"time": 1706400000}, datetime(2024, 1, 28, tzinfo=UTC)),
        ({"time": 1706400000123}, datetime(2024, 1, 28, 0, 0, 0, 123000, tzinfo=UTC)),
        (original("2026-11-02T08:00:00.123Z"), datetime(2026, 11, 2, 8, 0, 0, 123000, tzinfo=UTC)),
        (original("2026-11-02T09:00:00+01:00"), datetime(2026, 11, 2, 8, tzinfo=UTC)),
        (original("2026-11-02T08:00:00"), datetime(2026, 11, 2, 8, tzinfo=UTC)),
        (original("yesterday") | {"time": 0}, EPOCH),
        ({"time": True}, EPOCH),
        ({"time": 10**300}, EPOCH),
        ({}, EPOCH),
    ],
)  # fmt: skip
def test_the_moment(data: dict, moment: datetime) -> None:
    assert moment_of(data) == moment


def test_the_line_is_the_event_as_it_came() -> None:
    (row,) = rows(1, EPOCH, datetime(2026, 1, 1, tzinfo=UTC))
    data = ocsf(row)
    event = event_of(data)
    assert (event.data, event.uid, event.moment) == (data, row["id"], row["request_time"])
    assert "\n" not in event.text


def test_one_without_an_id_has_one_of_its_content() -> None:
    first, second = event_of({"time": 1}), event_of({"time": 2})
    assert first.uid == event_of({"time": 1}).uid != second.uid


def test_control_characters_stay_what_they_are_and_reach_no_terminal() -> None:
    data = EVENT | {"status": "a\x1b[31m\u202eb\x9b"}
    event = event_of(data)
    assert event.text.isprintable()
    assert json.loads(event.text) == data


def test_the_plain_record() -> None:
    (row,) = rows(1, EPOCH, datetime(2026, 1, 1, tzinfo=UTC), seed=5)
    record = record_of(event_of(ocsf(row)))
    assert tuple(record) == NAMES
    assert record["uid"] == row["id"]
    assert record["operation"] == row["operation_name"]
    assert record["organization"] == row["organization_id"]
    assert record["resources"] == " ".join(row["enrichments"]["resource_ids"])
    assert set(record_of(event_of({"resources": [None, {"uid": 3}]})).values()) >= {"", "3"}
