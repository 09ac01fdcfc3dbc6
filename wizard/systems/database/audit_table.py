"""The `audit_logs` table: where it is, about how much is in it, how new its last entry is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wizard.problems import Problem
from wizard.systems.database.catalogue import Found, relations
from wizard.systems.database.model import AuditTable
from wizard.systems.database.statements import statement

if TYPE_CHECKING:
    from wizard.systems.database.session import Session

_LIMIT = 2.0
"""Seconds that looking for the newest entry may take: it is worth no more."""
_LIKELY = ("created_at", "time", "timestamp", "event_time")


def find_audit_logs(session: Session, schema: str | None) -> AuditTable | None:
    """The table of this schema, or, when no schema is known, the only or first one in the path."""
    with session.reading():
        found = [r for r in relations(session, "audit_logs") if schema in (None, r.schema)]
        table = next((relation for relation in found if relation.row["kind"] in "rp"), None)
        if table is None:
            return None
        estimate = _estimate(session, table)
    readable = bool(table.row["may_use_schema"]) and bool(table.row["readable"])
    return AuditTable(
        schema=table.schema,
        columns=tuple(table.row["columns"]),
        estimated_rows=estimate,
        readable=readable,
        newest=_newest(session, table) if readable else None,
    )


def _estimate(session: Session, table: Found) -> int | None:
    if table.row["kind"] == "p":
        rows = session.rows(statement("audit_logs_estimate"), oid=table.row["oid"])
        answer: int | None = rows[0]["estimate"]
        return answer
    return int(table.row["estimate"]) if table.row["estimate"] >= 0 else None


def _newest(session: Session, table: Found) -> datetime | None:
    try:
        with session.reading(_LIMIT):
            names = [
                r["name"] for r in session.rows(statement("audit_logs_time"), oid=table.row["oid"])
            ]
            if not names:
                return None
            column = next((name for name in _LIKELY if name in names), names[0])
            query = statement("audit_logs_newest", schema=table.schema, column=column)
            newest: float | None = session.rows(query)[0]["newest"]
    except Problem:
        return None  # not worth failing for
    return datetime.fromtimestamp(newest, UTC) if newest is not None else None
