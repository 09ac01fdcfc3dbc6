"""One connection to PostgreSQL, where every transaction and every answer has its limit.

There are two kinds, a driver's connection and a psql that runs elsewhere. Both are made for
poolers in transaction mode: no startup options, no prepared statements, settings with SET LOCAL.
"""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from wizard.systems.postgres.errors import Limits, too_old
from wizard.systems.postgres.model import Login
from wizard.systems.postgres.statements import COMMIT, Statement, script, statement

APPLICATION = "langsmith-audit"
OLDEST = 14
READ_LIMIT = 30.0
"""Seconds that a reading statement may run."""
GRACE = 10.0
"""Seconds that the network may add to a statement's own limit."""

Row = dict[str, Any]


class Session(ABC):
    """A connection in autocommit mode with explicit transactions.

    Attributes:
        login: the login; for messages, and for the schema.
        limits: those of the transaction under way.
        many: so many lines are well asked for at once.
    """

    many = 10_000

    def __init__(self, login: Login) -> None:
        self.login = login
        self.limits = Limits(READ_LIMIT, READ_LIMIT, READ_LIMIT + GRACE)
        self._reading = threading.Lock()

    @abstractmethod
    def close(self) -> None:
        """End the connection; the server rolls back what was not committed."""

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether the connection ended by itself."""

    @abstractmethod
    def roll_back(self) -> None:
        """End the transaction without a trace; a lost connection has done so already."""

    @abstractmethod
    def rows(self, query: Statement, **values: Any) -> list[Row]:
        """The rows of a query with its parameters.

        Raises:
            ConnectionLost: the connection ended or fell silent.
            Problem: the server refused the statement.
        """

    @abstractmethod
    def tuples(self, query: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """As `rows`, for many of them: the values in the order of their columns, ids as text."""

    def lines(self, query: Statement, **values: Any) -> Iterator[list[str]]:
        """As `rows`, for very many, some at a time as they come, until the limit is over.

        A line each in COPY's text form, nothing where null is. Not of the session of a check,
        which reads little.
        """
        raise NotImplementedError

    @abstractmethod
    def run(self, query: Statement, **values: Any) -> int:
        """Run a statement, or a script of settings; the number of rows that it wrote or locked.

        Raises:
            ConnectionLost: the connection ended or fell silent.
            Problem: the server refused the statement.
        """

    def check_version(self, number: int) -> None:
        """Refuse a server that this tool's SQL does not run on; `number` as in 140007.

        Raises:
            Problem: LSA530.
        """
        if number and number < OLDEST * 10000:
            raise too_old(self.login, f"{number // 10000}.{number % 10000}", OLDEST)

    @contextlib.contextmanager
    def reading(self, limit: float = READ_LIMIT) -> Iterator[Session]:
        """A read-only transaction whose statements may take `limit` seconds each.

        Of several threads one reads after the other.
        """
        with self._reading:
            self.limits = Limits(limit, limit, limit + GRACE)
            self.run(script("begin_reading", statement_limit=_milliseconds(limit)))
            try:
                yield self
            finally:
                self.roll_back()

    def begin(self, *, statement_limit: float, lock_limit: float, idle_limit: float) -> None:
        """Start a transaction that writes; the limits are in seconds."""
        self.limits = Limits(statement_limit, lock_limit, statement_limit + GRACE)
        self.run(
            script(
                "begin_writing",
                statement_limit=_milliseconds(statement_limit),
                lock_limit=_milliseconds(lock_limit),
                idle_limit=_milliseconds(idle_limit),
            )
        )

    def commit(self) -> None:
        """Commit.

        Raises:
            ConnectionLost: the answer did not come; the transaction may be in or not.
            Problem: the server refused, and rolled back.
        """
        self.run(COMMIT)


def server_number(session: Session, identity: Row | None = None) -> str | None:
    """PostgreSQL's own number of the server; None without the right to read it."""
    row = identity or session.rows(statement("identity"))[0]
    if not row["may_read_control"]:
        return None
    number: str = session.rows(statement("system_identifier"))[0]["system_identifier"]
    return number


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
