"""Cuts a connection whose server falls silent: libpq itself would wait for ever."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator

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
