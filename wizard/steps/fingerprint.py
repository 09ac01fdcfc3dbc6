"""Fingerprints: they tell the same from different without showing what they are of."""

import hashlib
import json
from typing import Any


def fingerprint(content: bytes | str) -> str:
    """SHA-256 of bytes or text, in hexadecimal."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def fingerprint_of(facts: Any) -> str:
    """SHA-256 of plain data, whatever the order of its keys."""
    return fingerprint(json.dumps(facts, sort_keys=True, default=str))
