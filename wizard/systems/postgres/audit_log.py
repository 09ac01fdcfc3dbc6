"""The entries of audit_logs, page by page, each as the OCSF event that the API makes of it.

Keyset on (request_time, id). Source of the columns: the API's own schema, `AuditLogMessage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.postgres.audit_event import Entries
from wizard.systems.postgres.statements import statement

if TYPE_CHECKING:
    from wizard.systems.postgres.model import AuditTable, Login
    from wizard.systems.postgres.session import Session

COLUMNS = (
    "id", "operation_name", "operation_succeeded", "request_time", "api_key_id", "user_id",
    "ls_user_id", "organization_id", "workspace_id", "enrichments",
)  # fmt: skip
"""The documented columns."""
SECONDS = 120.0
"""What one page may take."""
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True)
class Asked:
    """Which entries, both ends of the range in it; empty filters leave all in."""

    start: datetime
    end: datetime
    organizations: tuple[UUID, ...] = ()
    operations: tuple[str, ...] = ()
    workspace: UUID | None = None
    newest_first: bool = False


def there(table: AuditTable | None, login: Login) -> AuditTable:
    """The table.

    Raises:
        Problem: LSA792 there is none.
    """
    if table is None:
        raise Problem(
            "LSA792", "There is no table audit_logs", on=login.subject, exit=Exit.FAILED
        )  # fmt: skip
    return table


def check_table(table: AuditTable | None, login: Login) -> AuditTable:
    """The table, where it can be read as documented.

    Raises:
        Problem: LSA792 there is none, LSA794 columns are missing, LSA795 it may not be read.
    """
    table = there(table, login)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise Problem(
            "LSA794",
            f"{table.schema}.audit_logs lacks documented columns: {', '.join(missing)}",
            on=login.subject,
            exit=Exit.FAILED,
        )
    if not table.readable:
        raise Problem(
            "LSA795",
            f"{table.schema}.audit_logs may not be read by this login",
            on=login.subject,
            exit=Exit.UNKNOWN,
        )
    return table


def page(
    session: Session, schema: str, asked: Asked, after: tuple[datetime, str] | None, limit: int
) -> Iterator[Entries]:
    """Entries after a place (moment and id of the last one), or the first ones, as they come.

    Raises:
        Problem: the server refuses it.
        ConnectionLost: it ended meanwhile.
    """
    words = ("before", "newest") if asked.newest_first else ("after", "oldest")
    query = statement(
        "audit_log_page", words=dict(zip(("step", "order"), words, strict=True)), schema=schema
    )
    edge = (asked.end, str(_LAST)) if asked.newest_first else (asked.start, str(_FIRST))
    moment, id = after or edge
    lines = session.lines(
        query,
        start=asked.start.isoformat(),
        end=asked.end.isoformat(),
        after_time=moment.isoformat(),
        after_id=id,
        organizations=_array(asked.organizations),
        operations=_array(asked.operations),
        workspace=str(asked.workspace or ""),
        limit=limit,
    )
    yield from map(Entries, lines)


def _array(values: Sequence[object]) -> str:
    """The text form of an array, which a name of letters and a UUID need no quoting in."""
    escaped = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
