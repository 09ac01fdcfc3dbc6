"""The shape of audit log events."""

import copy
from typing import Any
from uuid import uuid4

import pytest
from events import EVENT

from wizard.systems.langsmith.ocsf import check_event

NULLABLE = [
    "http_response",
    "http_response.code",
    "actor.user.uid",
    "actor.user.credential_uid",
    "src_endpoint",
    "unmapped",
]
OPTIONAL = [*NULLABLE, "unmapped.original_audit_log"]
REQUIRED = [
    "class_uid", "class_name", "category_uid", "category_name", "type_uid", "activity_id",
    "activity_name", "severity_id", "status_id", "status", "time", "metadata", "metadata.uid",
    "metadata.product", "api", "api.operation", "http_request", "http_request.http_method",
    "http_request.url", "http_request.url.path", "actor", "actor.user", "resources",
]  # fmt: skip


def changed(path: str, value: object = None, *, gone: bool = False) -> dict[str, Any]:
    event = copy.deepcopy(EVENT)
    *above, last = path.split(".")
    place: Any = event
    for key in above:
        place = place[key]
    if gone:
        del place[last]
    else:
        place[last] = value
    return event


def test_a_right_event() -> None:
    assert check_event(EVENT) == []


def test_further_keys_are_welcome() -> None:
    assert check_event(EVENT | {"enrichments": [], str(uuid4()): None}) == []


@pytest.mark.parametrize("path", NULLABLE)
def test_null_where_it_is_allowed(path: str) -> None:
    assert check_event(changed(path)) == []


@pytest.mark.parametrize("path", OPTIONAL)
def test_absent_where_null_is_allowed(path: str) -> None:
    assert check_event(changed(path, gone=True)) == []


@pytest.mark.parametrize("path", REQUIRED)
def test_a_missing_key_is_named(path: str) -> None:
    problems = check_event(changed(path, gone=True))
    assert problems
    assert all(problem.startswith(path) and "missing" in problem for problem in problems)


@pytest.mark.parametrize("path", REQUIRED)
def test_null_where_it_is_not_allowed(path: str) -> None:
    assert check_event(changed(path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("class_uid", 6002), ("class_uid", "6003"), ("class_uid", 6003.5), ("category_uid", 1),
        ("activity_id", 5), ("activity_id", True), ("status_id", 3), ("severity_id", 7),
        ("time", "2026-01-01T00:00:00Z"), ("time", 1.5), ("resources", {}), ("resources", [{}]),
        ("resources", ["r"]), ("resources", [{"uid": None}]), ("api.operation", ""),
        ("http_response.code", "200"), ("http_response", 200), ("actor.user", "root"),
        ("actor.user.uid", 7), ("type_uid", 600302), ("type_uid", "600301"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(path: str, value: Any) -> None:
    problems = check_event(changed(path, value))
    assert problems
    assert any(problem.startswith((path, path.split(".")[0])) for problem in problems)


@pytest.mark.parametrize("activity", [0, 1, 2, 3, 4, 99])
def test_every_activity(activity: int) -> None:
    event = EVENT | {"activity_id": activity, "type_uid": 600300 + activity}
    assert check_event(event) == []


@pytest.mark.parametrize("event", [None, [], "event", 3, {}])
def test_what_is_no_event(event: Any) -> None:
    assert check_event(event)


def test_values_are_not_quoted() -> None:
    assert "hidden" not in repr(check_event(changed("activity_id", "hidden")))
