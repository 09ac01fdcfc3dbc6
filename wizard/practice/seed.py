"""What is in the practice database at the start: organizations, people and their keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.resources import template

if TYPE_CHECKING:
    import psycopg

ORGANIZATIONS: Mapping[str, UUID] = MappingProxyType(
    {
        "off": UUID("3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"),
        "null": UUID("8b7d40f2-16e9-4c55-8a0d-52c9e3f7b1a6"),
        "empty": UUID("c2a95e17-7d34-4b8f-b6e1-0f4d8a6c3b72"),
        "personal": UUID("e60d3c94-8f12-4a7b-95d8-1a2c7e5b4f30"),
        "on": UUID("5d84f7a1-2c6b-4e39-8d17-9e0b3c5a6f48"),
    }
)
"""The seeded organizations by what their config holds: false, NULL, {}, personal, true."""

USERS: Mapping[str, UUID] = MappingProxyType(
    {
        "admin_user": UUID("1a6e9d52-0b73-4f8c-a4d9-6c2f8e7b5301"),
        "viewer_user": UUID("94c0b7e3-5d28-4a16-8f7e-3b9d1c6a2e85"),
    }
)


@dataclass(frozen=True)
class Keys:
    """API keys of the practice installation, freshly made for each.

    Attributes:
        admin: a personal access token of an organization admin (`lsv2_pt_…`).
        viewer: one of a member without `organization:manage`.
        service: an organization-wide service key of the organization `off` (`lsv2_sk_…`).
    """

    admin: str = field(default_factory=lambda: _new_key("pt"), repr=False)
    viewer: str = field(default_factory=lambda: _new_key("pt"), repr=False)
    service: str = field(default_factory=lambda: _new_key("sk"), repr=False)


def hashed(key: str, salt: str) -> str:
    """How a key is stored; with another salt (`config.apiKeySalt`) no key is known any more."""
    return hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()


def plant(connection: psycopg.Connection, keys: Keys, salt: str) -> None:
    """Create the tables of an older LangSmith and fill them."""
    import psycopg

    values: dict[str, object] = {**ORGANIZATIONS, **USERS}
    for name in ("admin", "viewer", "service"):
        values[f"{name}_hash"] = hashed(getattr(keys, name), salt)
    cursor = psycopg.ClientCursor(connection)
    cursor.execute(template("practice/sql/schema.sql"))
    cursor.execute(template("practice/sql/seed.sql"), values)


def migrate(connection: psycopg.Connection) -> None:
    """What the migrations Job of chart 0.12.33 does: the table audit_logs."""
    connection.execute(template("practice/sql/audit_logs.sql"))


def _new_key(kind: str) -> str:
    return f"lsv2_{kind}_{secrets.token_hex(16)}_{secrets.token_hex(5)}"
