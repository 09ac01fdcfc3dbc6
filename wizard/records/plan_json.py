"""A plan as JSON: canonical bytes, the id that they give, and strict reading.

Canonical means, after RFC 8785: members sorted by name, no white space, UTF-8, no number that is
not whole. Two documents with the same canonical bytes say the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

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
