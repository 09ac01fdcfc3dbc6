"""Small helpers for plain JSON values, and quantities in their canonical form."""

from __future__ import annotations

import json
import marshal
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Json = dict[str, Any]


def clone(value: Any) -> Any:
    """A deep copy of a JSON value; much faster than copy.deepcopy."""
    return marshal.loads(marshal.dumps(value))  # noqa: S302 - nobody else's bytes


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def dig(value: Any, *path: str, default: Any = None) -> Any:
    """The value below nested keys, or `default` where one is missing or null."""
    for key in path:
        if not isinstance(value, dict):
            return default
        value = value.get(key)
    return default if value is None else value


def compact(value: Any) -> bytes:
    """JSON without spaces, as bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def canonical(value: Any) -> str:
    """JSON with sorted keys: equal values give equal text."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def is_on(text: str | None) -> bool:
    """Whether a switch of a query is on: whatever is told, but for these two."""
    return text is not None and text.lower() not in ("false", "0")


def now() -> str:
    """The time as Kubernetes writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 text names."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def without_empty(**fields: Any) -> Json:
    """The fields that hold something; 0, "", [] and None are left out, as Go's omitempty does."""
    return {key: value for key, value in fields.items() if value not in (None, 0, "", [], {})}


_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_EXPONENTS = {f"e{exponent}" if exponent else "": exponent for exponent in range(-9, 19, 3)}
_FORM = re.compile(r"^([+-]?\d*\.?\d*)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][+-]?\d+)$")
_KIBI = 1024


def _decimal(value: Decimal, suffixes: dict[str, int] = _DECIMAL) -> str:
    """The largest suffix that leaves a whole number."""
    for suffix, exponent in sorted(suffixes.items(), key=lambda item: -item[1]):
        scaled = value.scaleb(-exponent)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return f"{int(value.scaleb(9).to_integral_value(rounding='ROUND_UP'))}n"


def _binary(value: Decimal) -> str:
    if abs(value) < _KIBI or value != value.to_integral_value():
        return _decimal(value)
    whole = int(value)
    for suffix, power in sorted(_BINARY.items(), key=lambda item: -item[1]):
        if whole % _KIBI**power == 0:
            return f"{whole // _KIBI**power}{suffix}"
    return str(whole)


def amount(value: str | float) -> Decimal:
    """The number that a quantity stands for: 0.5 of `500m`, 1073741824 of `1Gi`."""
    found = _FORM.match(str(value))
    if not found or not any(sign.isdigit() for sign in found[1]):
        raise ValueError(str(value))
    number, suffix = Decimal(found[1]), found[2]
    if suffix in _BINARY:
        return number * Decimal(_KIBI) ** _BINARY[suffix]
    return number.scaleb(_DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:]))


def written(number: Decimal, like: str | float) -> str:
    """A number in the canonical form of another quantity's kind."""
    suffix = _FORM.match(str(like))[2]  # type: ignore[index]  # it is a quantity
    if number == 0:
        return "0"
    if suffix in _BINARY:
        return _binary(number)
    return _decimal(number, _DECIMAL if suffix in _DECIMAL else _EXPONENTS)


def canonical_quantity(value: str | float) -> str:
    """`1000m` → `1`, `0.5` → `500m`, `1024Mi` → `1Gi`, `1.5Gi` → `1536Mi`."""
    return written(amount(value), value)
