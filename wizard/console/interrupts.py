"""Ctrl-C, SIGTERM and SIGHUP: the first waits for a safe point, the second leaves at once.

SIGHUP comes when the terminal is closed: what would be shown in it is then shown to nobody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from wizard.problems import Exit

HANGUP = getattr(signal, "SIGHUP", None)
ENDING = tuple(each for each in (signal.SIGTERM, HANGUP) if each is not None)
"""What ends a process that nobody is at."""


class Interrupted(KeyboardInterrupt):
    """The person or the system wants this process to end."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum
        self.exit = Exit.TERMINATED if signum in ENDING else Exit.INTERRUPTED


class Back(Exception):
    """The person wants the question before this one again."""


class Stopped(Exception):
    """A stop that was asked for earlier, at the safe point that has now been reached."""

    why = "Stopped at a safe point, as you asked"
    exit = Exit.INTERRUPTED


class Unread(Stopped):
    """Nobody reads what is said any more."""

    why = "Stopped, since nobody reads this any more"
    exit = Exit.UNREAD


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
        self.signum = 0
        self.unread = False
        self._guarded = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Take the signals for the time of the block, and restore the terminal after it."""
        _switches.append(self)
        try:
            with _handled((signal.SIGINT, *ENDING), self._handle), terminal_restored():
                yield
        finally:
            _switches.pop()

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
            raise Unread if self.unread else Stopped

    def nobody_reads(self) -> None:
        """Stop at the next safe point, or at once where this is one.

        Raises:
            Unread: it is one.
        """
        at_once = not self._guarded and threading.current_thread() is threading.main_thread()
        first, self.asked, self.unread = not self.unread, True, True
        if at_once and first:
            raise Unread

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if signum == HANGUP:
            let_go_of_the_terminal()
        if self._guarded and (signum == HANGUP or not self.asked):  # a shell may repeat a SIGHUP
            self.asked, self.signum = True, signum
            return
        interrupted = Interrupted(signum)
        if not _prompts or not _prompts[-1](interrupted):
            raise interrupted


_switches: list[StopSwitch] = []


def unread() -> None:
    """What is said is read by nobody any more (a closed pipe).

    Raises:
        Unread: a walk may be left here; where it may not, it is left later.
        BrokenPipeError: there is no walk.
    """
    if not _switches:
        raise BrokenPipeError
    _switches[-1].nobody_reads()


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """For the time of the block SIGTERM and SIGHUP unwind the stack, so that all cleans up.

    Raises:
        Interrupted: one came.
    """

    def leave(signum: int, _frame: FrameType | None) -> None:
        if signum == HANGUP:
            let_go_of_the_terminal()
        raise Interrupted(signum)

    with _handled(ENDING, leave):
        yield


@contextlib.contextmanager
def _handled(
    numbers: Iterable[int], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Handle these signals, but for a SIGHUP that is ignored (nohup); as before after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ignored = HANGUP is not None and signal.getsignal(HANGUP) is signal.SIG_IGN
    taken = [each for each in numbers if each != HANGUP or not ignored]
    before = {each: signal.signal(each, handler) for each in taken}
    try:
        yield
    finally:
        for number, each in before.items():
            signal.signal(number, each)


HANGUP_LIMIT = 1.0
"""Seconds after the end of a closed terminal until its SIGHUP must be here; ignored, it is not."""


def wait_for_hangup() -> None:
    """Let SIGHUP come where the terminal was closed: it is at its end a moment before that.

    Raises:
        Interrupted: it came, and is handled so.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        waiting = select.poll()
        waiting.register(sys.stdin.fileno(), 0)
        if any(event & select.POLLHUP for _, event in waiting.poll(0)):
            time.sleep(HANGUP_LIMIT)


@contextlib.contextmanager
def until_hangup() -> Iterator[None]:
    """What cannot be written in the block to a terminal that was closed is its SIGHUP's doing.

    Raises:
        Interrupted: it came.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EIO:
            wait_for_hangup()
        raise


def let_go_of_the_terminal() -> None:
    """Let the standard streams lead nowhere where they lead to a terminal that is gone."""
    import termios

    for handle in range(3):
        try:
            termios.tcgetattr(handle)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, handle)
                os.close(nowhere)


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
        with contextlib.suppress(termios.error):  # it is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        if sys.stderr and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            sys.stderr.write("\x1b[?25h")  # the cursor is shown
            sys.stderr.flush()


@contextlib.contextmanager
def no_echo() -> Iterator[None]:
    """For the time of the block the terminal shows nothing that is typed, `^C` neither."""
    with terminal_restored():
        with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):
            import termios

            with contextlib.suppress(termios.error):
                settings = termios.tcgetattr(sys.stdin)
                settings[3] &= ~termios.ECHO
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
        yield
