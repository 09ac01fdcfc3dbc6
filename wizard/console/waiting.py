"""A spinner for what takes longer than half a second, in a terminal alone; a line in a dumb one."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.status import Status

AFTER = 0.5
"""Seconds of silence: what is done by then needs no spinner, nor its imports."""


class Waiting:
    """For the time of the block: what is waited for, on standard error."""

    def __init__(self, what: str = "") -> None:
        self._what = what
        self._status: Status | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(AFTER, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if sys.stderr and sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._status:
                self._status.stop()

    def on(self, what: str) -> None:
        """What is waited for from now on."""
        self._what = what
        if self._status:
            self._status.update(self._line())

    def _show(self) -> None:
        from wizard.console.screen import talk

        console = talk()
        with self._lock:
            if self._timer.finished.is_set():
                return
            if console.is_dumb_terminal:
                console.print(f"  … {self._what}", markup=False)
            else:
                self._status = console.status(self._line(), spinner="dots")
                self._status.start()

    def _line(self) -> str:
        from rich.markup import escape

        return escape(self._what)
