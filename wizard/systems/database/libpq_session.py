"""A session over the driver's own connection (psycopg, libpq)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import pq, sql
from psycopg.rows import dict_row, tuple_row
from psycopg.types.string import TextLoader

from wizard.problems import Problem
from wizard.systems.calls import logged
from wizard.systems.database.connection_errors import (
    bad_option,
    check_system_certificates,
    connection_problem,
)
from wizard.systems.database.session import APPLICATION, Row, Session
from wizard.systems.database.silence import Silence
from wizard.systems.database.statement_errors import statement_problem

if TYPE_CHECKING:
    from wizard.systems.database.model import Login
    from wizard.systems.database.statements import Statement

R = TypeVar("R")


class LibpqSession(Session):
    """A connection of this process."""

    def __init__(self, login: Login, connection: psycopg.Connection[Row]) -> None:
        super().__init__(login)
        self._connection = connection
        self._silence = Silence(connection.fileno())

    @classmethod
    def open(cls, login: Login, connect_limit: int) -> LibpqSession:
        """Log in.

        Raises:
            Problem: unreachable, refused, no such database, TLS, out of time, too old.
        """
        check_system_certificates(login, pq.version())
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
        connection.adapters.register_loader("uuid", TextLoader)
        session = cls(login, connection)
        try:
            session.check_version(connection.info.server_version)
        except Problem:
            session.close()
            raise
        return session

    def close(self) -> None:
        """End the connection; the server rolls back what was not committed."""
        self._silence.close()
        self._connection.close()

    @property
    def lost(self) -> bool:
        """Whether the connection ended by itself."""
        return self._connection.broken

    def roll_back(self) -> None:
        """End the transaction without a trace; a lost connection has done so already."""
        if self._connection.closed:
            return
        if self._connection.info.transaction_status == pq.TransactionStatus.IDLE:
            return
        try:
            with self._silence.ends_after(self._limits.answer):
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()

    def rows(self, query: Statement, **values: Any) -> list[Row]:
        """See `Session.rows`."""
        with logged("sql", query.label) as asked:
            found = self._execute(query.composed(), values, self._connection.cursor()).fetchall()
            asked.ended = f"{len(found)} rows"
        return found

    def tuples(self, query: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """See `Session.tuples`."""
        cursor = self._connection.cursor(row_factory=tuple_row)
        with logged("sql", query.label) as asked:
            found = self._execute(query.composed(), values, cursor).fetchall()
            asked.ended = f"{len(found)} rows"
        return found

    def run(self, query: Statement, **values: Any) -> int:
        """See `Session.run`."""
        with logged("sql", query.label) as asked:
            count = self._execute(query.composed(), values, self._connection.cursor()).rowcount
            asked.ended = f"{max(count, 0)} rows"
        return count

    def _execute(
        self, query: sql.Composed, values: Mapping[str, Any], cursor: psycopg.Cursor[R]
    ) -> psycopg.Cursor[R]:
        try:
            with self._silence.ends_after(self._limits.answer):
                return cursor.execute(query, values or None)
        except psycopg.Error as error:
            raise statement_problem(
                error, self.login.subject, self._limits, timed_out=self._silence.broken
            ) from None


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
