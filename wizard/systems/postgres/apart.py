"""A connection in a process of its own, which imports the driver while this one reads the cluster.

The driver's import takes as long as half of a health check; two processors share the two. The
process is a fork from before anything was read, so it has no secret but the login that it is given,
over a pair of sockets that has no name. Limits are kept there, as in `libpq`. It ends with its
session, or with this process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Iterator
from io import BufferedRWPair
from typing import Any, NoReturn

from wizard.problems import Problem
from wizard.record import replace
from wizard.systems.calls import logged
from wizard.systems.postgres.errors import refusal
from wizard.systems.postgres.model import Login
from wizard.systems.postgres.session import Row, Session
from wizard.systems.postgres.statements import Statement

ENDS_WITHIN = 2.0
"""Seconds that the process has to log out."""


class Driver:
    """The process; `ask` is answered one call after another."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            ours.close()
            _serve(its)
        its.close()
        self._wire = ours
        self._stream = ours.makefile("rwb")
        self._asking = threading.Lock()
        self.ended = False

    def ask(self, *call: Any) -> tuple[Any, ...]:
        """What it answers: a Problem or None, whether the connection was lost, what was found.

        Raises:
            EOFError: the process has ended.
        """
        with self._asking:
            try:
                pickle.dump(call, self._stream)
                self._stream.flush()
                answer: tuple[Any, ...] = pickle.load(self._stream)  # noqa: S301 - our own fork's
            except (EOFError, OSError, ValueError, pickle.UnpicklingError):
                self.end()
                raise EOFError from None
            except BaseException:
                self.end()  # an interrupt: what comes next would answer no later question
                raise
        return answer

    def end(self) -> None:
        """Let it log out and end; twice is once."""
        if self.ended:
            return
        self.ended = True
        self._wire.close()
        with contextlib.suppress(OSError, ValueError):
            self._stream.close()
        until = time.monotonic() + ENDS_WITHIN
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(self._pid, signal.SIGKILL)
                time.sleep(0.002)


_ready: list[Driver] = []


@contextlib.contextmanager
def ahead() -> Iterator[None]:
    """The process for the first login within the block, where a fork is safe."""
    if hasattr(os, "fork") and threading.active_count() == 1:
        _ready.append(Driver())
    try:
        yield
    finally:
        while _ready:
            _ready.pop().end()


def taken() -> Driver | None:
    """The process that waits for a login; once."""
    return _ready.pop() if _ready else None


def _serve(wire: socket.socket) -> NoReturn:
    """The other process: it says nothing, and what stops this program is not meant for it."""
    try:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(nowhere, handle)
        _answer(wire)
    finally:
        os._exit(0)


def _answer(wire: socket.socket) -> None:
    from wizard.systems.postgres.libpq import LibpqSession

    stream = wire.makefile("rwb")
    login, connect_limit = pickle.load(stream)  # noqa: S301 - this program's own
    try:
        session = LibpqSession.open(login, connect_limit)
    except Problem as problem:
        _reply(stream, problem, None)
        return
    _reply(stream, None, session.lost)
    with contextlib.closing(session):
        while True:
            name, limits, told, values = pickle.load(stream)  # noqa: S301
            session.limits = limits
            try:
                found = getattr(session, name)(*told, **values)
            except Problem as problem:
                _reply(stream, problem, session.lost)
            else:
                _reply(stream, None, session.lost, found)


def _reply(stream: BufferedRWPair, *reply: Any) -> None:
    pickle.dump(reply, stream)
    stream.flush()


class ApartSession(Session):
    """The session of that process."""

    def __init__(self, login: Login, driver: Driver) -> None:
        super().__init__(login)
        self._driver = driver
        self._lost = False

    @classmethod
    def open(cls, login: Login, driver: Driver, connect_limit: int) -> ApartSession:
        """Log in.

        Raises:
            Problem: as `LibpqSession.open`.
            EOFError: the process has ended.
        """
        problem, *_ = driver.ask(replace(login, psql=None, otherwise=None), connect_limit)
        if problem:
            driver.end()
            raise problem
        return cls(login, driver)

    def close(self) -> None:
        """End the connection, and its process."""
        self._driver.end()

    @property
    def lost(self) -> bool:
        """Whether the connection ended by itself."""
        return self._lost

    def roll_back(self) -> None:
        """See `Session.roll_back`."""
        if not self._driver.ended:
            self._ask("roll_back")

    def rows(self, query: Statement, **values: Any) -> list[Row]:
        """See `Session.rows`."""
        with logged("sql", query.label) as asked:
            found: list[Row] = self._ask("rows", query, **values)
            asked.ended = f"{len(found)} rows"
        return found

    def tuples(self, query: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """See `Session.tuples`."""
        with logged("sql", query.label) as asked:
            found: list[tuple[Any, ...]] = self._ask("tuples", query, **values)
            asked.ended = f"{len(found)} rows"
        return found

    def run(self, query: Statement, **values: Any) -> int:
        """See `Session.run`."""
        with logged("sql", query.label) as asked:
            count: int = self._ask("run", query, **values)
            asked.ended = f"{max(count, 0)} rows"
        return count

    def _ask(self, name: str, *told: Any, **values: Any) -> Any:
        try:
            problem, self._lost, *found = self._driver.ask(name, self.limits, told, values)
        except EOFError:
            self._lost = True
            raise refusal(None, "its process has ended", self.login, self.limits) from None
        if problem:
            raise problem
        return found[0]
