"""The second connection: it reads a change back, and tells what became of a lost commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from wizard.problems import Problem
from wizard.systems.database import listing
from wizard.systems.database.opening import open_session
from wizard.systems.database.statement_errors import ConnectionLost
from wizard.systems.database.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wizard.systems.database.model import Login, OrganizationsTable
    from wizard.systems.database.session import Session

T = TypeVar("T")

SETTLE_LIMIT = 60.0
"""Seconds within which the outcome of a commit must be known after the connection was lost."""
_PAUSE = 0.5
_HOLDER_LIMIT = 2.0
_IDS_TOLD = 3  # as many as row_lock_holders.sql gives


class Made(Protocol):
    """The rows that a transaction wrote, and how to see them again."""

    def __bool__(self) -> bool:
        """Whether anything was written at all."""

    def differences(self, session: Session) -> tuple[str, ...]:
        """Where the rows are no longer as they were written, in words."""

    def stands(self, session: Session) -> bool | None:
        """Whether all rows are as they were written; False when all are as before."""


class Witness:
    """A connection beside the one that writes; opened again when it is lost."""

    def __init__(self, login: Login, connect_limit: int) -> None:
        self._login = login
        self._connect_limit = connect_limit
        self._session = open_session(login, connect_limit)

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def ask(self, question: Callable[[Session], T], *, limit: float = 30.0) -> T:
        """Ask in a transaction that writes nothing; once more on a fresh connection if lost.

        Raises:
            Problem: there is no answer.
        """
        if self._session.lost:  # a psql ends with the first statement that is refused
            self._open_again()
        try:
            return self._ask(question, limit)
        except ConnectionLost:
            self._open_again()
            return self._ask(question, limit)

    def _open_again(self) -> None:
        self._session.close()
        self._session = open_session(self._login, self._connect_limit)

    def _ask(self, question: Callable[[Session], T], limit: float) -> T:
        with self._session.reading(limit) as session:
            return question(session)


def server_time(session: Session) -> datetime:
    """The server's clock, in UTC."""
    return datetime.fromtimestamp(session.rows(statement("server_time"))[0]["now"], UTC)


def read_back(witness: Witness, made: Made) -> tuple[datetime, tuple[str, ...]]:
    """The server's time, and what differs from what was committed (or why nobody could look)."""
    try:
        return witness.ask(lambda s: (server_time(s), made.differences(s)))
    except Problem as problem:
        note = f"committed, but it could not be read back on a second connection: {problem.what}"
        return datetime.now(UTC), (note,)


def settle(witness: Witness, transaction: str, made: Made) -> bool | None:
    """Whether the transaction with the lost commit is in; None when nobody can tell.

    The server is asked what became of the transaction, and its rows are looked at: after a
    failover that lost the commit, its number may by now be another transaction's.
    """
    until = time.monotonic() + SETTLE_LIMIT
    while True:
        try:
            outcome = _outcome(witness, transaction)
            if outcome != "in progress":
                return _by_rows(witness, made, outcome)
        except Problem:
            outcome = None  # not reachable yet
        if time.monotonic() > until:
            return None
        time.sleep(_PAUSE)


def _outcome(witness: Witness, transaction: str) -> str | None:
    try:
        rows = witness.ask(lambda s: s.rows(statement("transaction_outcome"), id=transaction))
    except Problem as problem:
        if problem.id != "LSA545":
            raise
        return None  # this server has not come that far: it is another one
    answer: str | None = rows[0]["outcome"]
    return answer


def _by_rows(witness: Witness, made: Made, outcome: str | None) -> bool | None:
    if outcome == "aborted":
        return False
    stands = witness.ask(made.stands)
    if stands is None and outcome == "committed":
        return True
    return stands


def lock_holders(
    witness: Witness, table: OrganizationsTable, ids: Sequence[UUID]
) -> tuple[str, ...]:
    """Who keeps us from the rows, as far as this login may see it."""

    def on_table(session: Session) -> list[dict[str, object]]:
        return session.rows(statement("table_lock_holders"), oid=table.oid)

    def on_rows(session: Session) -> list[dict[str, object]]:
        query = statement("row_lock_holders", schema=table.schema)
        return session.rows(query, ids=listing.array_of(ids))

    for question in (on_table, on_rows):
        try:
            rows = witness.ask(question, limit=_HOLDER_LIMIT)
        except Problem:
            continue
        if rows:
            return tuple(_holder(row) for row in rows[:5])
    return ()


def _holder(row: dict[str, object]) -> str:
    parts = [f"held by server process {row['pid']}"]
    parts += [f"user {row['user']}"] if row["user"] else []
    parts += [f"application {row['application']}"] if row["application"] else []
    parts += [str(row["state"])] if row["state"] else []
    seconds = row["seconds"]
    parts += [f"its transaction is {seconds:.0f} s old"] if isinstance(seconds, int | float) else []
    return ", ".join([*parts, *_held(row)])


def _held(row: dict[str, object]) -> list[str]:
    """How many of our rows it holds, and which; nothing where it holds the whole table."""
    count = row.get("rows")
    if not isinstance(count, int):
        return []
    more = f" and {count - _IDS_TOLD} more" if count > _IDS_TOLD else ""
    return [f"{count} row{'s' if count > 1 else ''}: {row['ids']}{more}"]
