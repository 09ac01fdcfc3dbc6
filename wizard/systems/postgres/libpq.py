"""A session over the driver's own connection (psycopg, libpq).

A connection whose server falls silent is cut: libpq itself would wait for ever.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import pq, sql
from psycopg.rows import dict_row, tuple_row
from psycopg.types.string import TextLoader

from wizard.problems import Problem
from wizard.systems.calls import logged
from wizard.systems.postgres.errors import (
    bad_option,
    check_system_certificates,
    connection_problem,
    statement_problem,
)
from wizard.systems.postgres.session import APPLICATION, Row, Session
from wizard.systems.postgres.statements import MARK, WORDS, Statement, copying

if TYPE_CHECKING:
    import re

    from wizard.systems.postgres.model import Login


R = TypeVar("R")
SOME = 60
"""Lines that are taken at a time: what is made of them is done while the processor has them."""


class LibpqSession(Session):
    """A connection of this process."""

    many = 50_000

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
            with contextlib.nullcontext() if login.by_variables else without_variables():
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
            with self._silence.ends_after(self.limits.answer):
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()

    def rows(self, query: Statement, **values: Any) -> list[Row]:
        """See `Session.rows`."""
        with logged("sql", query.label) as asked:
            found = self._execute(composed(query), values, self._connection.cursor()).fetchall()
            asked.ended = f"{len(found)} rows"
        return found

    def tuples(self, query: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """See `Session.tuples`."""
        cursor = self._connection.cursor(row_factory=tuple_row)
        with logged("sql", query.label) as asked:
            found = self._execute(composed(query), values, cursor).fetchall()
            asked.ended = f"{len(found)} rows"
        return found

    def lines(self, query: Statement, **values: Any) -> Iterator[list[str]]:
        """See `Session.lines`."""
        before, source, after = copying(composed(query))
        asks = sql.SQL(before) + source + sql.SQL(after)
        copying_out = self._connection.cursor().copy(asks, values)
        with logged("sql", query.label), self._limited(), copying_out as copy:
            rows = iter(copy)
            while some := b"".join(islice(rows, SOME)):
                yield some.decode().split("\n")[:-1]

    def run(self, query: Statement, **values: Any) -> int:
        """See `Session.run`."""
        with logged("sql", query.label) as asked:
            count = self._execute(composed(query), values, self._connection.cursor()).rowcount
            asked.ended = f"{max(count, 0)} rows"
        return count

    def _execute(
        self, query: sql.Composed, values: Mapping[str, Any], cursor: psycopg.Cursor[R]
    ) -> psycopg.Cursor[R]:
        with self._limited():
            return cursor.execute(query, values or None)

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        try:
            with self._silence.ends_after(self.limits.answer):
                yield
        except psycopg.Error as error:
            raise statement_problem(
                error, self.login, self.limits, timed_out=self._silence.broken
            ) from None


def composed(query: Statement) -> sql.Composed:
    """The statement for the driver: values as parameters, `%` doubled, or no parameters."""
    text, at = query.source, 0
    parts: list[sql.Composable] = []
    for mark in MARK.finditer(text):
        parts.append(_plain(text[at : mark.start()], doubled=query.literals is None))
        parts.append(_part(mark, query))
        at = mark.end()
    parts.append(_plain(text[at:], doubled=query.literals is None))
    return sql.Composed(parts)


def _part(mark: re.Match[str], query: Statement) -> sql.Composable:
    if mark["identifier"]:
        return sql.Identifier(query.identifiers[mark["identifier"]])
    if mark["word"]:
        return sql.SQL(WORDS[query.words[mark["word"]]])
    if query.literals is None:
        return sql.Placeholder(mark["value"])
    return sql.Literal(query.literals[mark["value"]])


def _plain(text: str, *, doubled: bool) -> sql.SQL:
    # The text is the template's own, never a user's.
    return sql.SQL(text.replace("%", "%%") if doubled else text)


_VARIABLES = threading.Lock()


@contextlib.contextmanager
def without_variables() -> Iterator[None]:
    """None of libpq's variables during the block: no parameter outranks some (PGTZ, PGSERVICE)."""
    with _VARIABLES:
        names = [name for name in os.environ if name.startswith("PG")]
        kept = {name: os.environ.pop(name) for name in names}
        try:
            yield
        finally:
            os.environ.update(kept)


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


LOOK_SECONDS = 0.25


class Silence:
    """Looks after one connection, in one thread for all of its statements.

    Attributes:
        broken: whether the connection was cut, because an answer took too long.
    """

    def __init__(self, handle: int) -> None:
        # A second handle: the first stays libpq's, which may close it meanwhile. `socket.dup` would
        # make libpq's own blocking as well: libpq then waits for ever within an answer of more than
        # some 64 KB.
        self._wire = socket.fromfd(handle, socket.AF_INET, socket.SOCK_STREAM)
        self._lock = threading.Lock()
        self._until = math.inf
        self._ended = threading.Event()
        self.broken = False
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def ends_after(self, seconds: float) -> Iterator[None]:
        """Cut the connection when the block takes longer."""
        self._set(time.monotonic() + seconds)
        try:
            yield
        finally:
            self._set(math.inf)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()
        self._wire.close()

    def _set(self, moment: float) -> None:
        with self._lock:
            self._until = moment

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            with self._lock:
                if time.monotonic() < self._until:
                    continue
                self.broken = True
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
            return
