"""Small helpers for plain JSON values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def clone(value: Any) -> Any:
    """A deep copy of a JSON value; much faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {key: clone(one) for key, one in value.items()}
    if isinstance(value, list):
        return [clone(one) for one in value]
    return value


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


def now() -> str:
    """The time as Kubernetes writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 text names."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def without_empty(**fields: Any) -> Json:
    """The fields that hold something; 0, "", [] and None are left out, as Go's omitempty does."""
    return {key: value for key, value in fields.items() if value not in (None, 0, "", [], {})}
