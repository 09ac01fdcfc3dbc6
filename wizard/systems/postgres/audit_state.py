"""What the table audit_logs says of itself: its size, its first and last entries, its last day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from wizard.problems import Problem
from wizard.record import dataclass
from wizard.systems.postgres.statements import statement

if TYPE_CHECKING:
    from wizard.systems.postgres.model import AuditTable
    from wizard.systems.postgres.session import Session

NEEDED = {"id", "request_time", "operation_name", "organization_id"}
"""The columns by which entries are found."""
LAST = 100
"""How many of the last entries are read."""
COUNTED = 100_000
"""Entries of a day that are counted; more are `COUNTED` or more."""
LIMIT = 2.0
"""Seconds that each statement may take: without an index it reads all of the table."""


class Entry(NamedTuple):
    """One entry: its id, when it was (UTC), and what was done."""

    uid: str
    at: datetime
    operation: str


@dataclass(frozen=True)
class Entries:
    """Of one organization, or of all.

    Attributes:
        last: the last ones, the newest first.
        oldest: when the first one was; None when there is none.
        day: how many there were in the last 24 hours, counted up to `COUNTED`.
        rows: how many there are of all organizations; None where there is an estimate, or more than
            `COUNTED`.
        now: the server's clock.
    """

    last: tuple[Entry, ...]
    oldest: datetime | None
    day: int
    rows: int | None
    now: datetime


@dataclass(frozen=True)
class AuditState:
    """The state of the table.

    Attributes:
        size: in bytes, with indexes and partitions.
        indexed: whether an index finds the newest entries at once.
        entries: what is in it; None where that may not be read, or takes too long.
        unread: why there are no entries; None where there are.
    """

    size: int
    indexed: bool
    entries: Entries | None
    unread: Problem | None = None


def read_state(session: Session, table: AuditTable, organization: UUID | None) -> AuditState:
    """Read it; entries that cannot be read are no problem of the table's own.

    Raises:
        Problem: the catalogue cannot be read.
        ConnectionLost: the connection ended meanwhile.
    """
    with session.reading(LIMIT):
        row = session.rows(statement("audit_logs_state"), oid=table.oid)[0]
        size, indexed = int(row["bytes"]), bool(row["indexed"])
        if not table.readable or not set(table.columns) >= NEEDED or NEEDED & set(table.unread):
            return AuditState(size, indexed, None)
        try:
            return AuditState(size, indexed, _entries(session, table, organization))
        except Problem as problem:
            return AuditState(size, indexed, None, problem)


def _entries(session: Session, table: AuditTable, organization: UUID | None) -> Entries:
    whose, schema = str(organization or ""), table.schema
    most = COUNTED + 1 if table.estimated_rows is None else 0
    last = session.rows(statement("audit_logs_last", schema=schema), organization=whose, limit=LAST)
    span = session.rows(
        statement("audit_logs_span", schema=schema), organization=whose, limit=COUNTED, most=most
    )[0]
    rows = int(span["rows"])
    return Entries(
        tuple(Entry(row["uid"], _time(row["at"]), row["operation"]) for row in last),
        None if span["oldest"] is None else _time(span["oldest"]),
        int(span["day"]),
        rows if most and rows <= COUNTED else None,
        _time(span["now"]),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
