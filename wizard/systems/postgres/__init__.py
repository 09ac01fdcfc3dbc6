"""LangSmith's PostgreSQL: its organizations and its audit_logs table.

Importing this package does not import the driver; `Database` does, when it is first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.systems.postgres.model import (
    AuditTable,
    ConfigShape,
    Enabled,
    Identity,
    Login,
    Organization,
    OrganizationCounts,
    OrganizationsTable,
    OrganizationState,
    PriorState,
    PutBack,
    RowChange,
)

if TYPE_CHECKING:
    from wizard.systems.postgres.database import Database
else:

    def __getattr__(name: str) -> Any:
        if name == "Database":
            from wizard.systems.postgres.database import Database

            return Database
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AuditTable",
    "ConfigShape",
    "Database",
    "Enabled",
    "Identity",
    "Login",
    "Organization",
    "OrganizationCounts",
    "OrganizationState",
    "OrganizationsTable",
    "PriorState",
    "PutBack",
    "RowChange",
]
