"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386)."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import clone

Json = dict[str, Any]


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch merged in; null removes a field. The target is left alone."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _bad() -> ApiError:
    """The real server does not say which operation it was."""
    told = "the server rejected our request due to an error in our request"
    return ApiError(422, told, details={})


def _tokens(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise _bad()
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _step(holder: Any, token: str) -> Any:
    return holder[int(token)] if isinstance(holder, list) else holder[token]


def _value_at(document: Any, pointer: str) -> Any:
    for token in _tokens(pointer):
        document = _step(document, token)
    return document


def _insert(holder: Any, step: str, value: Any) -> None:
    if isinstance(holder, list):
        place = len(holder) if step == "-" else int(step)
        if not 0 <= place <= len(holder):
            raise IndexError(place)
        holder.insert(place, value)
    else:
        holder[step] = value


def _take(holder: Any, token: str) -> Any:
    value = _step(holder, token)
    if isinstance(holder, list):
        del holder[int(token)]
    else:
        del holder[token]
    return value


def _test(document: Any, operation: Json) -> None:
    wanted = operation.get("value")
    try:
        found = _value_at(document, operation["path"])
    except KeyError:
        found = None
    if found != wanted:
        raise _bad()


def _one(document: Any, operation: Json) -> Any:
    kind, tokens = operation.get("op"), _tokens(operation.get("path", ""))
    if kind == "test":
        _test(document, operation)
        return document
    if not tokens:
        return clone(operation.get("value"))
    holder = document
    for token in tokens[:-1]:
        holder = _step(holder, token)
    if kind == "remove":
        _take(holder, tokens[-1])
    elif kind == "add":
        _insert(holder, tokens[-1], clone(operation.get("value")))
    elif kind == "replace":
        _step(holder, tokens[-1])
        index: Any = int(tokens[-1]) if isinstance(holder, list) else tokens[-1]
        holder[index] = clone(operation.get("value"))
    elif kind in ("copy", "move"):
        value = clone(_value_at(document, operation["from"]))
        if kind == "move":
            *above, last = _tokens(operation["from"])
            _take(_value_at(document, "".join(f"/{token}" for token in above)), last)
        _insert(holder, tokens[-1], value)
    else:
        raise _bad()
    return document


def json_patch(target: Json, operations: list[Json]) -> Json:
    """The target with the operations carried out in order; the target is left alone.

    Raises:
        ApiError: 422, when an operation cannot be carried out or a `test` fails.
    """
    document: Json = clone(target)
    try:
        for operation in operations:
            document = _one(document, operation)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as problem:
        raise _bad() from problem
    return document
