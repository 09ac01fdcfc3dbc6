"""Events held against the OCSF 1.7.0 schema: strict ones are valid, received ones are not quite."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from event_log import ocsf, rows
from events import EVENT
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from wizard.formats.events.strict import VERSION, shape, strict
from wizard.records.event import event_of

END = datetime(2026, 11, 1, tzinfo=UTC)
GIVEN = [event_of(ocsf(row)) for row in rows(300, END - timedelta(days=2), END)]
NOBODY = EVENT | {
    "actor": {"user": {"uid": None, "credential_uid": None}},
    "src_endpoint": {"ip": None},
    "http_response": {"code": None},
    "resources": [],
}


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    whole = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))
    return jsonschema.Draft202012Validator(whole.get_class_schema("api_activity"))


def wrong(schema: jsonschema.Draft202012Validator, data: dict) -> list[tuple[str, str]]:
    return [
        (".".join(map(str, error.absolute_path)), error.validator)
        for error in schema.iter_errors(data)
    ]


def test_as_received_the_expected_errors_and_no_other(schema) -> None:
    found = Counter(it for event in GIVEN for it in wrong(schema, event.data))
    assert set(found) == {
        ("metadata", "required"),
        ("http_response.code", "type"),
        ("actor.user.credential_uid", "type"),
        ("src_endpoint.port", "type"),
        ("src_endpoint.intermediate_ips", "type"),
    }
    assert found["metadata", "required"] == len(GIVEN)


def test_strict_ones_are_valid(schema) -> None:
    for event in (*GIVEN, event_of(NOBODY)):
        assert wrong(schema, strict(event)) == []


def test_strict_changes_nothing_else() -> None:
    event = GIVEN[0]
    made, data = strict(event), event.data
    assert made["time"] == round(event.moment.timestamp() * 1000)
    assert made["metadata"] == {"version": VERSION, **data["metadata"]}
    assert made["unmapped"] == data["unmapped"]
    assert made["api"] == data["api"]
    assert strict(event_of(EVENT | {"time": 1706400000123}))["time"] == 1706400000123
    assert strict(event_of(EVENT))["time"] == 1706400000000
    assert strict(event_of(EVENT))["metadata"]["version"] == "1.7.0"


def test_the_envelope_of_splunks_collector() -> None:
    event = GIVEN[0]
    made = json.loads(shape(strictly=False, hec=True)(event))
    assert set(made) == {"time", "source", "sourcetype", "event"}
    assert made["event"] == event.data
    assert made["time"] == pytest.approx(event.moment.timestamp(), abs=0.001)
    both = json.loads(shape(strictly=True, hec=True)(event))
    assert both["event"] == strict(event)
    assert json.loads(shape(strictly=True, hec=False)(event)) == strict(event)
    assert shape(strictly=False, hec=False)(event) == event.text
