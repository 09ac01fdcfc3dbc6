"""Events for programs: fixed columns, and no cell that a spreadsheet would run."""

import csv
import io
import json

from events import EVENT

from wizard.formats.events import writer
from wizard.records.event import NAMES, event_of

EVENTS = [event_of(EVENT), event_of(EVENT | {"api": {"operation": '=cmd|"x",\n'}, "time": 1})]


def written(capsys, format: str) -> str:
    out = writer(format, lambda event: event.text, {"start": "s", "end": "e"})
    out.begin()
    out.write(EVENTS[:1])
    out.write(EVENTS[1:])
    out.end()
    return capsys.readouterr().out


def test_csv(capsys) -> None:
    text = written(capsys, "csv")
    assert text.count("\r\n") == 3
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert tuple(first) == NAMES
    assert (first["operation"], first["http_status"]) == ("create_api_key", "200")
    assert second["operation"] == '\'=cmd|"x",\\n'


def test_ndjson_and_json(capsys) -> None:
    assert [json.loads(it) for it in written(capsys, "ndjson").splitlines()] == [
        event.data for event in EVENTS
    ]
    document = json.loads(written(capsys, "json"))
    assert document["events"] == [event.data for event in EVENTS]
    assert (document["start"], document["schema_version"]) == ("s", "1.0")
