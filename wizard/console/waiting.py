"""What is waited for, in a terminal alone: a spinner, or a line in a dumb one.

It goes without rich, which takes longer to import than the first words may take to come.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from types import TracebackType
from typing import Self

from wizard.console.output import encodable
from wizard.terminal import LAST_LINE

BEGAN = time.monotonic()
FIRST, AFTER = 0.08, 0.5
"""Seconds of silence: from the program's start on, and later."""
LATER = 1.0
"""Seconds after which it is no start any more."""
FRAMES, PLAIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"


class Waiting:
    """For the time of the block, which writes nothing else: what is waited for, on stderr."""

    def __init__(self, what: str = "") -> None:
        self._what = what
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if sys.stderr and sys.stderr.isatty():
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def on(self, what: str) -> None:
        """What is waited for from now on."""
        self._what = what

    def _show(self) -> None:
        since = time.monotonic() - BEGAN
        if self._ended.wait(max(FIRST - since, 0) if since < LATER else AFTER):
            return
        if os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
            with contextlib.suppress(OSError, ValueError):  # it is gone; who asks next is told
                sys.stderr.write(f"  … {self._what}\n")
                sys.stderr.flush()
            return
        frames = FRAMES if encodable(FRAMES) else PLAIN
        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns - 4
        except (OSError, ValueError):
            width = 76
        at = 0
        while not self._ended.wait(0.1 if at else 0):
            if not LAST_LINE.draw(f"{frames[at % len(frames)]} {self._what[:width]}"):
                return
            at += 1
        LAST_LINE.draw("")
