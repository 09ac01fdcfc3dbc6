"""A change of rows, all or nothing, that always knows which of the two it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.database.statement_errors import NOTHING, ConnectionLost
from wizard.systems.database.statements import statement
from wizard.systems.database.witness import (
    SETTLE_LIMIT,
    Made,
    Witness,
    lock_holders,
    read_back,
    server_time,
    settle,
)

if TYPE_CHECKING:
    from wizard.systems.database.model import Login, OrganizationsTable
    from wizard.systems.database.session import Session

IDLE_LIMIT = 30.0
"""Seconds after which the server ends our transaction by itself when we have vanished."""

M = TypeVar("M", bound=Made)


@dataclass(frozen=True)
class Outcome(Generic[M]):
    """What was committed, when by the server's clock, and what is worth telling about it."""

    made: M
    committed_at: datetime
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """What a change works with: the writing connection, how to open another, and limits in s."""

    session: Session
    login: Login
    connect_limit: int
    table: OrganizationsTable
    lock_limit: float
    statement_limit: float


def carry_out(bench: Bench, ids: Sequence[UUID], work: Callable[[Session], M]) -> Outcome[M]:
    """Do the work in one transaction, commit it, and read it back on a second connection.

    `ids` are the rows that are waited for, by which a lock's holder is found; the work may change
    them as it goes. Without a changed row nothing is committed. The second connection is there
    before the first write, so that its lack cannot leave a change unproved.

    Raises:
        Problem: nothing was changed; or, LSA547 alone, it cannot be told.
    """
    try:
        witness = Witness(bench.login, bench.connect_limit)
    except Problem as problem:
        raise unchanged(problem) from None
    try:
        return _carry_out(bench, witness, ids, work)
    finally:
        bench.session.roll_back()
        witness.close()


def _carry_out(
    bench: Bench, witness: Witness, ids: Sequence[UUID], work: Callable[[Session], M]
) -> Outcome[M]:
    session = bench.session
    try:
        session.begin(
            statement_limit=bench.statement_limit,
            lock_limit=bench.lock_limit,
            idle_limit=IDLE_LIMIT,
        )
        made = work(session)
        if not made:
            return Outcome(made, server_time(session), ())
        transaction = session.rows(statement("transaction_id"))[0]["id"]
    except Problem as problem:
        session.roll_back()
        raise unchanged(_with_holders(problem, bench, witness, ids)) from None
    notes = _commit(bench, witness, transaction, made)
    committed_at, differences = read_back(witness, made)
    return Outcome(made, committed_at, notes + differences)


def _commit(bench: Bench, witness: Witness, transaction: str, made: Made) -> tuple[str, ...]:
    try:
        bench.session.commit()
    except ConnectionLost as lost:
        committed = settle(witness, transaction, made)
        if committed is None:
            raise _not_known(bench, lost) from None
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


def unexpected(bench: Bench, written: int, count: int, detail: Sequence[str] = ()) -> Problem:
    """LSA546: an UPDATE wrote another number of rows than `count`, or other values."""
    return Problem(
        "LSA546",
        f"the UPDATE wrote {written} rows where {count} were expected, or other values (a "
        f"trigger, a rule or a policy may be at work); it was rolled back and {NOTHING}",
        on=bench.login.subject,
        next_step="ask the DBA what else acts on this table",
        exit=Exit.UNKNOWN,
        detail=tuple(detail),
    )


def _with_holders(problem: Problem, bench: Bench, witness: Witness, ids: Sequence[UUID]) -> Problem:
    if problem.id != "LSA541":
        return problem
    return problem.but(detail=lock_holders(witness, bench.table, ids))


def _not_known(bench: Bench, lost: ConnectionLost) -> Problem:
    return Problem(
        "LSA547",
        "the connection was lost during the commit, and within "
        f"{SETTLE_LIMIT:g} seconds nobody could say whether the change is in: either all of it "
        "is, or nothing",
        on=bench.login.subject,
        next_step="when the database answers again: langsmith-audit check",
        exit=Exit.STOPPED,
        detail=lost.detail,
    )
