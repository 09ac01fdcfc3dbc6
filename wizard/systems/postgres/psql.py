"""A session over a psql that runs elsewhere: statements on its standard input, rows as JSON.

Nothing is spliced into the SQL: each value, identifier and limit is set as a psql variable
(`\\set`), and psql quotes it. psql ends at the first refused statement (ON_ERROR_STOP), and the
server rolls back with it.

It is a second kind of session under the same change: locking, comparing, counting, reading back
and telling lost commits apart are the same code for every way in.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wizard.problems import Problem
from wizard.record import replace
from wizard.systems.calls import logged
from wizard.systems.postgres.errors import refusal, refused_login, timed_out
from wizard.systems.postgres.model import Login, Wire
from wizard.systems.postgres.session import Row, Session
from wizard.systems.postgres.statements import ROLLBACK, Statement, copying, statement

STDOUT = 1
_LAST = 80
"""Bytes at the end of the output within which the mark is, with the row count."""
_NOTICES = ("00", "01", "02")
"""SQLSTATE classes of what psql reports without being refused anything."""
_SET = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"})
"""What stands within the quotes of an argument of `\\set`, which is on one line."""
_REFUSED = re.compile(r"^[^\s:]+:  (?P<code>[0-9A-Z]{5}): (?P<message>.*)$", re.MULTILINE)
"""A message with VERBOSITY verbose; the first word is in the server's language."""


class PsqlSession(Session):
    """One psql, from its start to its end."""

    def __init__(self, login: Login, wire: Wire) -> None:
        super().__init__(login)
        self._wire = wire
        self._mark = secrets.token_hex(16)
        self._output = {1: bytearray(), 2: bytearray()}
        self._ended = False
        self._closed = False
        self._in_transaction = False

    @classmethod
    def open(cls, login: Login, start: Callable[[], Wire], connect_limit: float) -> PsqlSession:
        """Start psql and see that it is logged in.

        Raises:
            Problem: psql cannot be started, or its login does not work.
        """
        session = cls(login, start())
        try:
            session._log_in(connect_limit)
        except BaseException:
            session.close()
            raise
        return session

    def close(self) -> None:
        """See `Session.close`."""
        self._closed = True
        self._wire.close()

    @property
    def lost(self) -> bool:
        """See `Session.lost`."""
        return self._ended

    def roll_back(self) -> None:
        """See `Session.roll_back`."""
        if self._ended or self._closed or not self._in_transaction:
            return
        self._in_transaction = False
        try:
            answer = self._exchange(psql_text(ROLLBACK, {}), self.limits.answer)
        except TimeoutError:
            answer = None
        if answer is None:
            self._end()

    def rows(self, query: Statement, **values: Any) -> list[Row]:
        """See `Session.rows`."""
        with logged("sql (psql)", query.label) as asked:
            lines, _ = self._must(psql_text(query, values, _as_json(query)))
            asked.ended = f"{len(lines)} rows"
        return [json.loads(line) for line in lines]

    def tuples(self, query: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """See `Session.tuples`."""
        return [tuple(row.values()) for row in self.rows(query, **values)]

    def lines(self, query: Statement, **values: Any) -> Iterator[list[str]]:
        """See `Session.lines`."""
        with logged("sql (psql)", query.label) as asked:
            lines, _ = self._must(psql_text(query, values, "\n".join(copying(query.source))))
            asked.ended = f"{len(lines)} rows"
        if lines:
            yield lines

    def run(self, query: Statement, **values: Any) -> int:
        """See `Session.run`."""
        if query.literals is not None:
            self._in_transaction = True
        with logged("sql (psql)", query.label) as asked:
            _, count = self._must(psql_text(query, values))
            asked.ended = f"{count} rows"
        if query.text == "COMMIT":
            self._in_transaction = False
        return count

    def _must(self, text: str) -> tuple[list[str], int]:
        if self._ended or self._closed:
            raise refusal(None, "psql has ended", self.login, self.limits)
        try:
            answer = self._exchange(text, self.limits.answer)
        except TimeoutError:
            self._end()
            raise refusal(None, "", self.login, self.limits, timed_out=True) from None
        if answer is None:
            self._end()
            raise self._refused()
        return answer

    def _exchange(self, text: str, limit: float) -> tuple[list[str], int] | None:
        """The lines that psql wrote until it was done, and the row count; None at its end.

        Raises:
            TimeoutError: it was not done within the limit.
        """
        until = time.monotonic() + limit
        mark = self._mark.encode()
        out = self._output[STDOUT]
        try:
            self._wire.send(f"{text}\\echo {self._mark} :ROW_COUNT\n".encode())
            while mark not in out[-_LAST:] or not out.endswith(b"\n"):
                got = self._wire.receive(max(until - time.monotonic(), 0.001))
                if got is None:
                    return None
                self._output[got[0]] += got[1]
        except TimeoutError:
            raise
        except OSError:
            self._drain()
            return None
        except BaseException:
            self._end()  # an interrupt: what psql says next would be no answer to the next question
            raise
        *lines, last = out.decode("utf-8", "replace").removesuffix("\n").split("\n")
        out.clear()
        return lines, int(last.split()[1])

    def _drain(self) -> None:
        """What psql still said before it could not be written to any more."""
        with contextlib.suppress(OSError):
            while got := self._wire.receive(1.0):
                self._output[got[0]] += got[1]

    def _end(self) -> None:
        self._ended = True
        self._wire.close()

    def _refused(self) -> Problem:
        text = self._output[2].decode("utf-8", "replace")
        found = [m for m in _REFUSED.finditer(text) if not m["code"].startswith(_NOTICES)]
        if found:
            last = found[-1]
            return refusal(last["code"], last["message"], self.login, self.limits)
        code = self._wire.code
        words = "psql's end was not seen" if code is None else f"psql ended with exit code {code}"
        return refusal(None, words, self.login, self.limits)

    def _log_in(self, limit: float) -> None:
        query = statement("identity")
        try:
            answer = self._exchange(psql_text(query, {}, _as_json(query)), limit)
        except TimeoutError:
            raise timed_out(self.login, limit) from None
        if answer is None:
            text = self._output[2].decode("utf-8", "replace")
            raise refused_login(text or f"psql ended with exit code {self._wire.code}", self.login)
        row = json.loads(answer[0][0])
        self.login = replace(self.login, user=row["user"], dbname=row["database"])
        self.check_version(row["version_number"])


def _as_json(query: Statement) -> str:
    """A query whose every row is one line, whatever the values hold."""
    return "\n".join(("SELECT row_to_json(q) FROM (", query.source, ") AS q"))


def psql_text(query: Statement, values: Mapping[str, Any], text: str = "") -> str:
    """The statement with its variables, as psql reads it."""
    told = {**query.variables, **{name: _text(value) for name, value in values.items()}}
    sets = "".join(f"\\set {name} '{value.translate(_SET)}'\n" for name, value in told.items())
    return f"{sets}{text or query.source};\n"


def _text(value: Any) -> str:
    """A value in the text form that PostgreSQL reads."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "{" + ",".join(map(_element, value)) + "}"
    return str(value)


def _element(value: Any) -> str:
    """An element of an array's text form."""
    if value is None:
        return "NULL"
    escaped = _text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
