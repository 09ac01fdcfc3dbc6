"""When a login ends, as far as it says so itself."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VALIDITY = re.compile(
    rb"\x30(?:\x1e|\x20|\x22)(?:\x17\x0d\d{12}Z|\x18\x0f\d{14}Z)"
    rb"(?:\x17\x0d(?P<short>\d{12})Z|\x18\x0f(?P<long>\d{14})Z)"
)
"""The sequence of two times in a certificate's DER (RFC 5280, 4.1.2.5)."""


def certificate_ends(pem: bytes) -> datetime | None:
    """When the first certificate of a PEM ends; None where there is none, or it cannot be read."""
    first = _PEM.search(pem)
    try:
        found = _VALIDITY.search(base64.b64decode(first[1])) if first else None
    except binascii.Error:
        return None
    if not found:
        return None
    digits = (found["long"] or found["short"]).decode("ascii")
    if found["short"]:
        digits = ("19" if digits >= "50" else "20") + digits  # RFC 5280: a year of two digits
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def token_ends(token: str) -> datetime | None:
    """When a JSON web token ends; None for any other token, or one that does not say."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
