"""One connection to PostgreSQL, where every transaction and every answer has its limit.

Made for poolers in transaction mode: no startup options, no prepared statements, and settings
with SET LOCAL alone.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq, sql
from psycopg.rows import DictRow, dict_row

from wizard.systems.database.connection_errors import bad_option, connection_problem, too_old
from wizard.systems.database.statement_errors import Limits, statement_problem
from wizard.systems.database.statements import script

if TYPE_CHECKING:
    from wizard.problems import Problem
    from wizard.systems.database.model import Login

APPLICATION = "langsmith-audit"
OLDEST = 14
READ_LIMIT = 30.0
"""Seconds that a reading statement may run."""
GRACE = 10.0
"""Seconds that the network may add to a statement's own limit."""

Row = DictRow


class Session:
    """A connection in autocommit mode with explicit transactions."""

    def __init__(self, login: Login, connection: psycopg.Connection[Row]) -> None:
        self.login = login
        self._connection = connection
        self._limits = Limits(READ_LIMIT, READ_LIMIT, READ_LIMIT + GRACE)

    @classmethod
    def open(cls, login: Login, connect_limit: int) -> Session:
        """Log in.

        Raises:
            Problem: unreachable, refused, no such database, TLS, out of time, too old.
        """
        try:
            connection = psycopg.connect(
                **_parameters(login, connect_limit),
                autocommit=True,
                prepare_threshold=None,
                row_factory=dict_row,
            )
        except psycopg.ProgrammingError:
            raise bad_option(login) from None
        except psycopg.Error as error:
            raise connection_problem(error, login, connect_limit) from None
        version = connection.info.server_version
        if version and version < OLDEST * 10000:
            connection.close()
            raise too_old(login, f"{version // 10000}.{version % 10000}", OLDEST)
        return cls(login, connection)

    def close(self) -> None:
        """End the connection; the server rolls back what was not committed."""
        self._connection.close()

    @property
    def lost(self) -> bool:
        """Whether the connection ended by itself."""
        return self._connection.broken

    @property
    def backend_pid(self) -> int:
        """The server process of this connection (the pooler's own number behind one)."""
        return self._connection.info.backend_pid

    @contextlib.contextmanager
    def reading(self, limit: float = READ_LIMIT) -> Iterator[Session]:
        """A read-only transaction whose statements may take `limit` seconds each."""
        self._limits = Limits(limit, limit, limit + GRACE)
        self.run(script("begin_reading", statement_limit=_milliseconds(limit)))
        try:
            yield self
        finally:
            self.roll_back()

    def begin(self, *, statement_limit: float, lock_limit: float, idle_limit: float) -> None:
        """Start a transaction that writes; the limits are in seconds."""
        self._limits = Limits(statement_limit, lock_limit, statement_limit + GRACE)
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
        self.run(sql.SQL("COMMIT"))

    def roll_back(self) -> None:
        """End the transaction without a trace; a lost connection has done so already."""
        if self._connection.closed:
            return
        if self._connection.info.transaction_status == pq.TransactionStatus.IDLE:
            return
        try:
            with self._answered():
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()

    def rows(self, query: sql.Composed, **values: Any) -> list[Row]:
        """The rows of a query with its parameters."""
        return self.run(query, values).fetchall()

    def run(
        self, query: sql.Composed | sql.SQL, values: Mapping[str, Any] | None = None
    ) -> psycopg.Cursor[Row]:
        """Run one statement (or a script without parameters) within the limits.

        Raises:
            ConnectionLost: the connection ended or fell silent.
            Problem: the server refused the statement.
        """
        timed_out = threading.Event()
        try:
            with self._answered(timed_out):
                return self._connection.execute(query, values)
        except psycopg.Error as error:
            raise self._problem(error, timed_out=timed_out.is_set()) from None

    def _problem(self, error: psycopg.Error, *, timed_out: bool) -> Problem:
        return statement_problem(error, self.login.subject, self._limits, timed_out=timed_out)

    @contextlib.contextmanager
    def _answered(self, timed_out: threading.Event | None = None) -> Iterator[None]:
        """Cut the connection when the server falls silent: libpq itself would wait for ever."""
        if self._connection.closed:
            yield
            return
        wire = _duplicate(self._connection.fileno())

        def cut() -> None:
            if timed_out is not None:
                timed_out.set()
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(self._limits.answer, cut)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
            watch.join()
            wire.close()


def _duplicate(number: int) -> socket.socket:
    """A second handle of a socket: the first stays libpq's, which may close it meanwhile."""
    borrowed = socket.socket(fileno=number)
    try:
        return borrowed.dup()
    finally:
        borrowed.detach()


def _parameters(login: Login, connect_limit: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "host": login.host,
        "port": login.port or "",
        "user": login.user,
        "password": login.password,
        "dbname": login.dbname,
    }
    return {
        **{name: value for name, value in login.options.items() if name != "options"},
        **{name: value for name, value in told.items() if value},
        "connect_timeout": connect_limit,
        "application_name": APPLICATION,
        "client_encoding": "UTF8",
        "options": "",  # also keeps PGOPTIONS out
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
