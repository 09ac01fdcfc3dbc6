"""Keyed hashes: they tell the same from different, and only within one plan.

A plan goes to people who may not read what it was made from. It therefore has no plain hash of a
values file: the same file would have the same hash in every plan, and who knows all of a file but
one short password could try passwords as fast as SHA-256 goes. The key is drawn anew for each
plan and is in it, because another machine must be able to compare; so each try is made expensive
instead (scrypt, 16 MiB). What holds no secret and comes in thousands (rows) is hashed fast.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def is_fingerprint(text: str) -> bool:
    """Whether it is a SHA-256 as steps give it (hex)."""
    return bool(_FINGERPRINT.fullmatch(text))


@dataclass(frozen=True)
class Keyed:
    """The hashes of one plan; `key` is 32 bytes in hexadecimal."""

    key: str

    @classmethod
    def fresh(cls) -> Keyed:
        """The hashes of a new plan."""
        return cls(secrets.token_hex(32))

    def of(self, fingerprint: str, *, cheap: bool = False) -> str:
        """The keyed hash of a SHA-256; `cheap` where nothing secret is behind it."""
        key, data = self.key.encode(), fingerprint.encode()
        if cheap:
            return "hmac-sha256:" + hmac.new(key, data, hashlib.sha256).hexdigest()
        return "scrypt:" + hashlib.scrypt(data, salt=key, **_COST).hex()
