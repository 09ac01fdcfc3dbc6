"""Checks the shape of an audit log event: OCSF 1.7.0, class API Activity (6003).

Source: LangSmith's API reference of `GET /api/v1/audit-logs`, and the OCSF schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

API_ACTIVITY = 6003
_ACTIVITIES = frozenset({0, 1, 2, 3, 4, 99})
_STATUSES = frozenset({0, 1, 2, 99})
_SEVERITIES = frozenset({0, 1, 2, 3, 4, 5, 6, 99})
_MISSING = object()

_Rule = Callable[[Any], bool]


def _is(value: int) -> _Rule:
    return lambda found: _integer(found) and found == value


def _one_of(values: frozenset[int]) -> _Rule:
    return lambda found: _integer(found) and found in values


def _integer(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool)


def _text(found: Any) -> bool:
    return isinstance(found, str) and found != ""


def _text_or_null(found: Any) -> bool:
    return found is None or isinstance(found, str)


def _object(found: Any) -> bool:
    return isinstance(found, Mapping)


def _or_null(rule: _Rule) -> _Rule:
    return lambda found: found is None or rule(found)


_REQUIRED: tuple[tuple[str, _Rule, str], ...] = (
    ("class_uid", _is(API_ACTIVITY), "6003"),
    ("class_name", _text, "text"),
    ("category_uid", _is(6), "6"),
    ("category_name", _text, "text"),
    ("type_uid", _integer, "a whole number"),
    ("activity_id", _one_of(_ACTIVITIES), "0, 1, 2, 3, 4 or 99"),
    ("activity_name", _text, "text"),
    ("severity_id", _one_of(_SEVERITIES), "0 to 6 or 99"),
    ("status_id", _one_of(_STATUSES), "0, 1, 2 or 99"),
    ("status", _text, "text"),
    ("time", _integer, "a whole number"),
    ("metadata.uid", _text, "text"),
    ("metadata.product", _object, "an object"),
    ("api.operation", _text, "text"),
    ("http_request.http_method", _text, "text"),
    ("http_request.url.path", _text, "text"),
    ("actor.user", _object, "an object"),
    ("resources", lambda found: isinstance(found, list), "a list"),
)
_IF_PRESENT: tuple[tuple[str, _Rule, str], ...] = (
    ("http_response", _or_null(_object), "an object or null"),
    ("http_response.code", _or_null(_integer), "a whole number or null"),
    ("actor.user.uid", _text_or_null, "text or null"),
    ("actor.user.credential_uid", _text_or_null, "text or null"),
    ("src_endpoint", _or_null(_object), "an object or null"),
    ("unmapped", _or_null(_object), "an object or null"),
    ("unmapped.original_audit_log", _or_null(_object), "an object or null"),
)


def check_event(event: Any) -> list[str]:
    """What is wrong with an event, a line each; an empty list when its shape is right.

    Further keys are allowed, and null where the reference allows it. Values are not quoted.
    """
    if not isinstance(event, Mapping):
        return ["the event is not an object"]
    wrong = []
    for path, right, wanted in _REQUIRED:
        found = _at(event, path)
        if found is _MISSING:
            wrong.append(f"{path} is missing")
        elif not right(found):
            wrong.append(f"{path} is not {wanted}")
    for path, right, wanted in _IF_PRESENT:
        found = _at(event, path)
        if found is not _MISSING and not right(found):
            wrong.append(f"{path} is not {wanted}")
    uid, activity = event.get("type_uid"), event.get("activity_id")
    if isinstance(uid, int) and isinstance(activity, int) and uid != API_ACTIVITY * 100 + activity:
        wrong.append("type_uid is not class_uid × 100 + activity_id")
    return wrong + _resources(event)


def _at(event: Mapping[str, Any], path: str) -> Any:
    found: Any = event
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return _MISSING
        found = found[key]
    return found


def _resources(event: Mapping[str, Any]) -> list[str]:
    resources = event.get("resources")
    if not isinstance(resources, list):
        return []
    return [
        f"resources[{number}].uid is missing or not text"
        for number, resource in enumerate(resources)
        if not (isinstance(resource, Mapping) and isinstance(resource.get("uid"), str))
    ]


def strictly(event: Mapping[str, Any]) -> list[str]:
    """Why a JSON schema of OCSF 1.7.0 itself does not take an event that LangSmith documents.

    `metadata.version` is required there; null stands for nothing (`unmapped` may hold anything);
    `time` is in milliseconds.
    """
    wrong = (
        [] if _at(event, "metadata.version") is not _MISSING else ["metadata.version is missing"]
    )
    wrong += [f"{path} is null" for path in _nulls(event, "") if not path.startswith("unmapped")]
    if in_seconds(event):
        wrong.append("time is in seconds, not milliseconds")
    return wrong


SECONDS_BELOW = 10**11
"""A `time` below this is in seconds: in milliseconds it would be before 1973."""


def in_seconds(event: Mapping[str, Any]) -> bool:
    """Whether the event's time is in seconds, which the article's sample has."""
    time = event.get("time")
    return isinstance(time, int) and not isinstance(time, bool) and time < SECONDS_BELOW


def _nulls(found: Any, path: str) -> Iterator[str]:
    if found is None:
        yield path
    elif isinstance(found, Mapping):
        for name, value in found.items():
            yield from _nulls(value, f"{path}.{name}" if path else str(name))
    elif isinstance(found, list):
        for value in found:
            yield from _nulls(value, f"{path}[]")
