"""What PostgreSQL says when a statement fails, turned into a Problem by its SQLSTATE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem

if TYPE_CHECKING:
    import psycopg

NOTHING = "nothing was changed"


class ConnectionLost(Problem):
    """The connection ended under a statement; what the server did with it is not known here."""


@dataclass(frozen=True)
class Limits:
    """Seconds that a statement may run, may wait for a lock, and the network may be silent."""

    statement: float
    lock: float
    answer: float


def statement_problem(
    error: psycopg.Error, on: str, limits: Limits, *, timed_out: bool = False
) -> Problem:
    """The problem that a failed statement is. DETAIL is left out: it may quote a row."""
    message = error.diag.message_primary or str(error)
    return refusal(error.sqlstate, message, on, limits, timed_out=timed_out)


def refusal(
    code: str | None, message: str, on: str, limits: Limits, *, timed_out: bool = False
) -> Problem:
    """The problem behind an SQLSTATE and the server's words; without a code nothing was heard."""
    if timed_out:
        return ConnectionLost(
            "LSA543",
            f"the server did not answer within {limits.answer:g} seconds",
            on=on,
            next_step="check the server and the way to it, and try again",
        )
    words = _words(code, message)
    if code is None or code.startswith(("08", "57P")):
        return ConnectionLost(
            "LSA542",
            "the connection to PostgreSQL was lost",
            on=on,
            next_step="check the server and the way to it, and try again",
            detail=words,
        )
    return _by_code(words, code, on, limits)


def _by_code(words: tuple[str, ...], code: str, on: str, limits: Limits) -> Problem:
    what, next_step, id = {
        "55P03": (
            f"a row or table lock did not come within {limits.lock:g} seconds",
            "wait until the other session is done, or give --lock-limit more seconds",
            "LSA541",
        ),
        "57014": (
            f"a statement was stopped: it took more than {limits.statement:g} seconds, "
            "or somebody cancelled it",
            "try again when the server is less busy",
            "LSA544",
        ),
        "25006": (
            "this database takes no writes: it is a replica or set to read-only",
            "connect to the primary",
            "LSA538",
        ),
        "42501": (
            "this login lacks a right",
            "run the GRANTs that langsmith-audit rbac prints, as the owner of the table",
            "LSA536",
        ),
        "40P01": (
            "another session and this one waited for each other (deadlock)",
            "try again",
            "LSA541",
        ),
    }.get(code, ("PostgreSQL refused a statement", "read the server's own words above", "LSA545"))
    return Problem(id, what, on=on, next_step=next_step, exit=Exit.UNKNOWN, detail=words)


def _words(code: str | None, message: str) -> tuple[str, ...]:
    prefix = f"{code}: " if code else ""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return tuple(prefix + line if not number else line for number, line in enumerate(lines[:6]))
