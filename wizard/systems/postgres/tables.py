"""Finds LangSmith's tables by the catalogue, not by the luck of search_path.

Of `audit_logs`: where it is, about how much is in it, how new its last entry is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.postgres.model import AuditTable, Login, OrganizationsTable
from wizard.systems.postgres.statements import grants, statement

if TYPE_CHECKING:
    from wizard.systems.postgres.session import Row, Session


_NEEDED = ("id", "display_name", "config")
_TIMES = ("timestamp", "date", "time")
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


@dataclass(frozen=True)
class Found:
    """A relation of the catalogue, and what this login may do with it."""

    schema: str
    name: str
    row: Row

    @property
    def columns(self) -> dict[str, str]:
        """The columns' types by name."""
        return dict(zip(self.row["columns"], self.row["types"], strict=True))

    @property
    def role(self) -> str:
        """The role that this login has there."""
        role: str = self.row["login_role"]
        return role

    @property
    def called(self) -> str:
        """The relation as a person writes it."""
        return f"{self.schema}.{self.name}"


def relations(session: Session, name: str) -> list[Found]:
    """All relations of this name, those in the search_path first. Call it in a transaction."""
    rows = session.rows(statement("tables"), table=name)
    return [Found(row["schema"], name, row) for row in rows]


def find_organizations(session: Session, *, writing: bool) -> OrganizationsTable:
    """LangSmith's `organizations`, checked for reading, and for writing when asked.

    Raises:
        Problem: LSA531 none, LSA532 not a table, LSA533 columns, LSA534 several, LSA535 row-level
            security, LSA536 no right to read, LSA537 no right to write, LSA538 read-only.
    """
    login = session.login
    found = relations(session, "organizations")
    table = _choose(found, login)
    _check_kind(table, login)
    _check_columns(table, login)
    _check_reading(table, login)
    if writing:
        _check_writing(table, login)
    return OrganizationsTable(
        schema=table.schema,
        oid=table.row["oid"],
        has_is_personal="is_personal" in table.columns,
        estimated_rows=max(0, int(table.row["estimate"])),
        times=frozenset(name for name, type in table.columns.items() if type.startswith(_TIMES)),
        unread=tuple(name for name in table.columns if name not in table.row["readable"]),
        triggers=tuple(table.row["triggers"]),
    )


def _choose(found: list[Found], login: Login) -> Found:
    if login.schema:
        here = [table for table in found if table.schema == login.schema]
        if not here:
            raise _none(login, found)
        return here[0]
    alike = [table for table in found if set(_NEEDED) <= set(table.columns)] or found
    if not alike:
        raise _none(login, found)
    if len(alike) > 1:
        names = ", ".join(table.called for table in alike)
        raise Problem(
            "LSA534",
            f"several tables look like LangSmith's organizations: {names}",
            on=login.subject,
            next_step="say which schema LangSmith uses (POSTGRES_SCHEMA of the backend)",
            exit=Exit.UNKNOWN,
        )
    return alike[0]


def _none(login: Login, found: list[Found]) -> Problem:
    schema = f"schema {login.schema} of " if login.schema else ""
    elsewhere = tuple(f"there is {table.called}" for table in found)
    return Problem(
        "LSA531",
        f"there is no table organizations in {schema}database {login.dbname}",
        on=login.subject,
        next_step="check that this is LangSmith's database, its schema (POSTGRES_SCHEMA), and "
        "that its migrations have run",
        exit=Exit.FAILED,
        detail=elsewhere,
    )


def _check_kind(table: Found, login: Login) -> None:
    kind = _KINDS.get(table.row["kind"])
    if kind:
        raise Problem(
            "LSA532",
            f"{table.called} is {kind}, not a table",
            on=login.subject,
            next_step="find LangSmith's own table and name its schema (POSTGRES_SCHEMA)",
            exit=Exit.FAILED,
        )


def _check_columns(table: Found, login: Login) -> None:
    columns = table.columns
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        what = f"{table.called} has no column {', '.join(missing)}"
    elif columns["config"] != "jsonb":
        what = f"{table.called}.config is of type {columns['config']}, not jsonb"
    elif columns["id"] != "uuid":
        what = f"{table.called}.id is of type {columns['id']}, not uuid"
    else:
        return
    raise Problem(
        "LSA533",
        what + "; the documented UPDATE does not fit it",
        on=login.subject,
        next_step="check that this is LangSmith's own table; if it is, ask LangChain's support",
        exit=Exit.FAILED,
    )


def _check_reading(table: Found, login: Login) -> None:
    if table.row["row_security"]:
        raise Problem(
            "LSA535",
            f"row-level security on {table.called} may hide rows from user {table.role}",
            on=login.subject,
            next_step=f"log in as the table's owner ({table.row['owner']}), or as a role with "
            "BYPASSRLS",
        )
    wanted = [name for name in (*_NEEDED, "is_personal") if name in table.columns]
    lacking = [name for name in wanted if name not in table.row["readable"]]
    if lacking or not table.row["may_use_schema"]:
        raise _no_right("LSA536", "read", table, login)


def _check_writing(table: Found, login: Login) -> None:
    if table.row["in_recovery"] or table.row["read_only"]:
        why = "the server is a replica" if table.row["in_recovery"] else "it is set to read-only"
        raise Problem(
            "LSA538",
            f"this database takes no writes: {why}",
            on=login.subject,
            next_step="connect to the primary"
            if table.row["in_recovery"]
            else "ask the DBA why default_transaction_read_only is on",
        )
    if "config" not in table.row["writable"]:
        raise _no_right("LSA537", "update", table, login)


def _no_right(id: str, verb: str, table: Found, login: Login) -> Problem:
    lines = grants(table.schema, table.role, personal="is_personal" in table.columns)
    return Problem(
        id,
        f"user {table.role} may not {verb} {table.called}",
        on=login.subject,
        next_step=f"run these GRANTs as {table.row['owner']}, the table's owner, or as a superuser",
        detail=tuple(line for line in lines if "audit_logs" not in line),
    )


_LIMIT = 2.0
"""Seconds that looking for the newest entry may take: it is worth no more."""
_LIKELY = ("request_time", "created_at", "time", "timestamp", "event_time")


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
        oid=int(table.row["oid"]),
        unread=tuple(it for it in table.columns if it not in table.row["readable"]),
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
