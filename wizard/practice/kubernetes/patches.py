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


def _bad(message: str) -> ApiError:
    return ApiError(
        422,
        f"the server rejected our request due to an error in our request: {message}",
        reason="Invalid",
    )


def _tokens(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise _bad(f"invalid pointer {pointer}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _step(holder: Any, token: str) -> Any:
    try:
        return holder[int(token)] if isinstance(holder, list) else holder[token]
    except (KeyError, IndexError, ValueError, TypeError) as problem:
        raise _bad(f"path does not exist: {token}") from problem


def _value_at(document: Any, pointer: str) -> Any:
    for token in _tokens(pointer):
        document = _step(document, token)
    return document


def _insert(holder: Any, step: str, value: Any) -> None:
    if isinstance(holder, list):
        holder.insert(len(holder) if step == "-" else int(step), value)
    else:
        holder[step] = value


def _take(holder: Any, token: str) -> Any:
    value = _step(holder, token)
    if isinstance(holder, list):
        del holder[int(token)]
    else:
        del holder[token]
    return value


def _one(document: Any, operation: Json) -> Any:
    kind, tokens = operation.get("op"), _tokens(operation.get("path", ""))
    if kind == "test":
        if _value_at(document, operation["path"]) != operation.get("value"):
            raise _bad(f"testing path {operation['path']}: test failed")
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
        raise _bad(f"unexpected kind: {kind}")
    return document


def json_patch(target: Json, operations: list[Json]) -> Json:
    """The target with the operations carried out in order; the target is left alone.

    Raises:
        ApiError: 422, when an operation cannot be carried out or a `test` fails.
    """
    document: Json = clone(target)
    for operation in operations:
        document = _one(document, operation)
    return document
