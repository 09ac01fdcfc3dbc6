"""Ctrl-C and SIGTERM: the first waits for a safe point, the second leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from wizard.problems import Exit


class Interrupted(KeyboardInterrupt):
    """The person or the system wants this process to end."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum
        self.exit = Exit.TERMINATED if signum == signal.SIGTERM else Exit.INTERRUPTED


class Stopped(Exception):
    """A stop that was asked for earlier, at the safe point that has now been reached."""


_prompts: list[Callable[[Interrupted], bool]] = []


@contextlib.contextmanager
def asking(leave: Callable[[Interrupted], bool]) -> Iterator[None]:
    """For the time of a prompt: a signal ends the prompt by `leave`, so that it can clean up.

    `leave` says whether it could; where not, the interruption is raised on the spot.
    """
    _prompts.append(leave)
    try:
        yield
    finally:
        _prompts.pop()


class StopSwitch:
    """Remembers that a stop was asked for while something must not be left half-done.

    The handler only notes it: a handler that prints could meet a print that it interrupted. Who
    shows progress shows `NOTICE` too.
    """

    NOTICE = "Stopping at the next safe point; Ctrl-C once more leaves at once"

    def __init__(self) -> None:
        self.asked = False
        self._guarded = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Take the signals for the time of the block, and restore the terminal after it."""
        names = [signal.SIGINT, signal.SIGTERM]
        before = {name: signal.signal(name, self._handle) for name in names}
        try:
            with terminal_restored():
                yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """For the time of the block the first signal only asks; the second one interrupts."""
        self._guarded = True
        try:
            yield
        finally:
            self._guarded = False

    def check(self) -> None:
        """A safe point.

        Raises:
            Stopped: a stop was asked for.
        """
        if self.asked:
            raise Stopped

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self._guarded and not self.asked:
            self.asked = True
            return
        interrupted = Interrupted(signum)
        if not _prompts or not _prompts[-1](interrupted):
            raise interrupted


@contextlib.contextmanager
def terminal_restored() -> Iterator[None]:
    """Put the terminal's settings back after the block, whatever ended it."""
    try:
        import termios

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (ImportError, AttributeError, OSError, ValueError, termios.error):
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        if sys.stderr and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            sys.stderr.write("\x1b[?25h")  # the cursor is shown
            sys.stderr.flush()
