"""A change of rows, all or nothing, that always knows which of the two it was.

The second connection reads a change back, and tells what became of a lost commit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from wizard.problems import Exit, Problem
from wizard.record import dataclass, field
from wizard.systems.calls import poll
from wizard.systems.postgres.errors import NOTHING, ConnectionLost
from wizard.systems.postgres.model import Login, OrganizationsTable
from wizard.systems.postgres.opening import open_session
from wizard.systems.postgres.session import Session, server_number
from wizard.systems.postgres.statements import statement

IDLE_LIMIT = 30.0
"""Seconds after which the server ends our transaction by itself when we have vanished."""


class Work(ABC):
    """The rows that a transaction writes, and how to see them again.

    Attributes:
        at_work: the ids that are waited for, as PostgreSQL reads an array of them.
    """

    at_work = "{}"

    @abstractmethod
    def do(self, session: Session) -> bool:
        """Write them; whether anything was written at all."""

    @abstractmethod
    def differences(self, session: Session) -> tuple[str, ...]:
        """Where the rows are no longer as they were written, in words."""

    @abstractmethod
    def stands(self, session: Session) -> bool | None:
        """Whether all rows are as they were written; False when all are as before."""


class Committed(NamedTuple):
    """When it was committed by the server's clock, what is worth telling, and what else moved."""

    committed_at: datetime
    notes: tuple[str, ...]
    moved: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """What a change works with: the writing connection, how to open another, and limits in s.

    Attributes:
        server: the number of the server that the rows were read from; None: it may not be read.
        accept_moved: whether columns and keys besides the one may move, too.
        moved: those that did, as the work finds them.
    """

    session: Session
    login: Login
    connect_limit: int
    table: OrganizationsTable
    lock_limit: float = 5.0
    statement_limit: float = 30.0
    server: str | None = None
    accept_moved: bool = False
    moved: set[str] = field(default_factory=set)


def carry_out(bench: Bench, work: Work) -> Committed:
    """Do the work in one transaction, commit it, and read it back on a second connection.

    Without a changed row nothing is committed. The second connection is there before the first
    write, so that its lack cannot leave a change unproved.

    Raises:
        Problem: nothing was changed; or, LSA547 alone, it cannot be told.
    """
    try:
        witness = Witness(bench.login, bench.connect_limit)
    except Problem as problem:
        raise unchanged(problem) from None
    try:
        _same_server(bench, witness)
        return _carry_out(bench, witness, work)
    finally:
        bench.session.roll_back()
        witness.close()


def _same_server(bench: Bench, witness: Witness) -> None:
    """Both connections lead to the server that the rows were read from.

    Raises:
        Problem: LSA539, one does not: what leads there has changed since.
    """
    if bench.server is None:
        return
    try:
        with bench.session.reading() as session:
            numbers = {bench.server, server_number(session)}
        numbers.add(witness.ask(server_number))
    except Problem as problem:
        raise unchanged(problem) from None
    if len(numbers) > 1:
        raise Problem(
            "LSA539",
            f"this way in leads to another server than the rows were read from; {NOTHING}",
            on=bench.login.subject,
            next_step="see what the database's Service, DNS name or proxy leads to; "
            "then start again",
            detail=tuple(f"database system {number}" for number in sorted(map(str, numbers))),
        )


def _carry_out(bench: Bench, witness: Witness, work: Work) -> Committed:
    session = bench.session
    try:
        session.begin(
            statement_limit=bench.statement_limit,
            lock_limit=bench.lock_limit,
            idle_limit=IDLE_LIMIT,
        )
        if not work.do(session):
            return Committed(server_time(session), (), ())
        transaction = session.rows(statement("transaction_id"))[0]["id"]
    except Problem as problem:
        session.roll_back()
        if problem.id == "LSA541":
            holders = lock_holders(witness, bench.table, work.at_work)
            problem = problem.but(detail=(*problem.detail, *holders))
        raise unchanged(problem) from None
    notes = _commit(bench, witness, transaction, work)
    committed_at, differences = read_back(witness, work)
    return Committed(committed_at, notes + differences, tuple(sorted(bench.moved)))


def _commit(bench: Bench, witness: Witness, transaction: str, work: Work) -> tuple[str, ...]:
    try:
        bench.session.commit()
    except ConnectionLost as lost:
        committed = settle(witness, transaction, work)
        if committed is None:
            raise Problem(
                "LSA547",
                "the connection was lost during the commit, and within "
                f"{SETTLE_LIMIT:g} seconds nobody could say whether the change is in: either all "
                "of it is, or nothing",
                on=bench.login.subject,
                next_step="when the database answers again: langsmith-audit check",
                exit=Exit.STOPPED,
                detail=lost.detail,
            ) from None
        if not committed:
            raise unchanged(lost) from None
        return ("the connection was lost during the commit; the server says that it is in",)
    except Problem as problem:
        raise unchanged(problem) from None
    return ()


def unchanged(problem: Problem) -> Problem:
    """The same problem, saying that nothing was changed."""
    if NOTHING in problem.what:
        return problem
    return problem.but(what=f"{problem.what}; {NOTHING}")


T = TypeVar("T")

SETTLE_LIMIT = 60.0
"""Seconds within which the outcome of a commit must be known after the connection was lost."""
_HOLDER_LIMIT = 2.0
_IDS_TOLD = 3  # as many as row_lock_holders.sql gives


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


def read_back(witness: Witness, work: Work) -> tuple[datetime, tuple[str, ...]]:
    """The server's time, and what differs from what was committed (or why nobody could look)."""
    try:
        return witness.ask(lambda s: (server_time(s), work.differences(s)))
    except Problem as problem:
        note = f"committed, but it could not be read back on a second connection: {problem.what}"
        return datetime.now(UTC), (note,)


def settle(witness: Witness, transaction: str, work: Work) -> bool | None:
    """Whether the transaction with the lost commit is in; None when nobody can tell.

    The server is asked what became of the transaction, and its rows are looked at: after a
    failover that lost the commit, its number may by now be another transaction's.
    """
    for _ in poll(SETTLE_LIMIT):
        try:
            outcome = _outcome(witness, transaction)
            if outcome == "aborted":
                return False
            if outcome == "in progress":
                continue
            stands = witness.ask(work.stands)
        except Problem:
            continue  # not reachable yet
        return True if stands is None and outcome == "committed" else stands
    return None


def _outcome(witness: Witness, transaction: str) -> str | None:
    try:
        rows = witness.ask(lambda s: s.rows(statement("transaction_outcome"), id=transaction))
    except Problem as problem:
        if problem.id != "LSA545":
            raise
        return None  # this server has not come that far: it is another one
    answer: str | None = rows[0]["outcome"]
    return answer


def lock_holders(witness: Witness, table: OrganizationsTable, ids: str) -> tuple[str, ...]:
    """Who keeps us from the rows, as far as this login may see it."""

    def on_table(session: Session) -> list[dict[str, object]]:
        return session.rows(statement("table_lock_holders"), oid=table.oid)

    def on_rows(session: Session) -> list[dict[str, object]]:
        query = statement("row_lock_holders", schema=table.schema)
        return session.rows(query, ids=ids)

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
    count = row.get("rows")
    if isinstance(count, int):  # of ours; there is no number where it holds the whole table
        more = f" and {count - _IDS_TOLD} more" if count > _IDS_TOLD else ""
        parts.append(f"{count} row{'s' if count > 1 else ''}: {row['ids']}{more}")
    return ", ".join(parts)
