"""A process that imports the database's driver while this one reads the cluster.

The import takes as long as half of a health check; two processors share the two. So the process is
a fork from before anything else was imported, and imports little itself. From before anything was
read, too: it has no secret but the login that it is given, over pipes that have no name. It says
nothing, and ends with its session, or with this process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

ENDS_WITHIN = 2.0
"""Seconds that the process has to log out."""


class Driver:
    """The process; `ask` is answered one call after another."""

    def __init__(self) -> None:
        (its_in, our_out), (our_in, its_out) = os.pipe(), os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(our_out)
            os.close(our_in)
            _serve(os.fdopen(its_in, "rb"), os.fdopen(its_out, "wb"))
        os.close(its_in)
        os.close(its_out)
        self._told, self._answers = os.fdopen(our_out, "wb"), os.fdopen(our_in, "rb")
        self._asking = threading.Lock()
        self.ended = False

    def ask(self, *call: Any) -> tuple[Any, ...]:
        """What it answers: a Problem or None, whether the connection was lost, what was found.

        Raises:
            EOFError: the process has ended.
        """
        import pickle

        with self._asking:
            try:
                pickle.dump(call, self._told)
                self._told.flush()
                answer: tuple[Any, ...] = pickle.load(self._answers)  # noqa: S301 - our own fork's
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
        for stream in (self._told, self._answers):
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        until = time.monotonic() + ENDS_WITHIN
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(self._pid, signal.SIGKILL)
                time.sleep(0.002)


_ready: list[Driver] = []


@contextlib.contextmanager
def ahead() -> Iterator[None]:
    """The process for the first login within the block, where a fork is safe and can be had."""
    if hasattr(os, "fork") and threading.active_count() == 1:
        with contextlib.suppress(OSError):  # too many processes: it is done in this one, then
            _ready.append(Driver())
    try:
        yield
    finally:
        while _ready:
            _ready.pop().end()


def taken() -> Driver | None:
    """The process that waits for a login; once."""
    return _ready.pop() if _ready else None


def _serve(told: BinaryIO, answers: BinaryIO) -> NoReturn:
    """The other process: what stops this program is not meant for it."""
    try:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(nowhere, handle)
        _answer(told, answers)
    finally:
        os._exit(0)


def _answer(told: BinaryIO, answers: BinaryIO) -> None:
    import pickle

    from wizard.problems import Problem
    from wizard.systems.postgres.libpq import LibpqSession  # first: it takes longest

    def reply(*answer: Any) -> None:
        pickle.dump(answer, answers)
        answers.flush()

    login, connect_limit = pickle.load(told)  # noqa: S301 - this program's own
    try:
        session = LibpqSession.open(login, connect_limit)
    except Problem as problem:
        return reply(problem, None)
    reply(None, session.lost)
    with contextlib.closing(session):
        while True:
            name, limits, positional, values = pickle.load(told)  # noqa: S301
            session.limits = limits
            try:
                found = getattr(session, name)(*positional, **values)
            except Problem as problem:
                reply(problem, session.lost)
            else:
                reply(None, session.lost, found)
