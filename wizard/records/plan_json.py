"""A plan as JSON: canonical bytes, the id that they give, and strict reading.

Canonical means, after RFC 8785: members sorted by name, no white space, UTF-8, no number that is
not whole. Two documents with the same canonical bytes say the same.

Dataclasses are made from it with every type checked. Members that are not known are passed over,
so that a newer minor version can be read; one that is missing has its default, or is an error where
there is none.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from wizard.records.findings import Finding

ID = "id"
"""The one member that the id is not made of."""


def canonical(document: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a document without its id.

    Raises:
        ValueError: a number in it is no JSON number.
    """
    body = {name: value for name, value in document.items() if name != ID}
    text = json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "surrogatepass")


def plan_id(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical bytes."""
    return hashlib.sha256(canonical(document)).hexdigest()


def parse(data: bytes) -> dict[str, Any]:
    """The one JSON object in these bytes.

    A member that is there twice is refused: readers differ in which of the two they show.

    Raises:
        ValueError: it is not JSON, not an object, or not told unambiguously.
    """
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _no(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


T = TypeVar("T")


def to_plain(value: Any) -> dict[str, Any]:
    """A dataclass as JSON holds it."""
    return cast("dict[str, Any]", _plain(value))


def from_plain(kind: type[T], data: Any, where: str = "the document") -> T:
    """A dataclass from JSON data; `where` names the place in messages.

    Raises:
        ValueError: a member is missing, or is not what it has to be.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} is no object")
    hints = get_type_hints(kind)
    values = {}
    for field in fields(cast("Any", kind)):
        if field.name in data:
            values[field.name] = _read(hints[field.name], data[field.name], field.name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{where} lacks {field.name}")
    return kind(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Finding):
        return value.as_json()  # what a health check adds to it is no part of a plan
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _read(hint: Any, data: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return data
    if origin in (Union, types.UnionType):
        return None if data is None else _read(inner[0], data, where)
    if origin is tuple:
        if not isinstance(data, list):
            raise ValueError(f"{where} is no list")
        return tuple(_read(inner[0], item, where) for item in data)
    return _read_one(hint, data, where)


def _read_one(hint: Any, data: Any, where: str) -> Any:
    if is_dataclass(hint):
        return from_plain(cast("type[Any]", hint), data, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(data)
        except ValueError:
            raise ValueError(f"{where} has a value that is not known") from None
    if not isinstance(data, hint) or (hint is int and isinstance(data, bool)):
        raise ValueError(f"{where} is not what it has to be")
    return data
