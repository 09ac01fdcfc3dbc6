"""A real terminal for the prompts: the wizard in a pty, its screen as a person sees it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from types import TracebackType

import pexpect
import pyte

ENTER, SPACE, DOWN, CTRL_C, CTRL_D = "\r", " ", "\x1b[B", "\x03", "\x04"
ROWS, COLUMNS = 60, 120
LIMIT = 60.0


class Terminal:
    """One command in a pseudo-terminal of 60 lines by 120 columns."""

    def __init__(self, *args: str, env: Mapping[str, str]) -> None:
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000, ratio=1)
        self._stream = pyte.ByteStream(self._screen)
        self._before = 0
        self.raw = b""
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "wizard", *args],
            env={**env, "TERM": "xterm-256color"},
            dimensions=(ROWS, COLUMNS),
            timeout=LIMIT,
        )
        self._child.delaybeforesend = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.close(force=True)

    @property
    def pid(self) -> int:
        """The wizard's process."""
        return int(self._child.pid)

    def text(self) -> str:
        """All that was shown, scrolled-out lines too."""
        above = ["".join(line[column].data for column in range(COLUMNS)).rstrip()
                 for line in self._screen.history.top]  # fmt: skip
        return "\n".join([*above, *(line.rstrip() for line in self._screen.display)])

    def wait_for(self, words: str, *, since: int | None = None) -> str:
        """Read until these words are shown anew (after the last match); the whole text."""
        start = self._before if since is None else since
        until = time.monotonic() + LIMIT
        while True:
            text = self.text()
            at = text.find(words, start)
            if at >= 0:
                self._before = at + len(words)
                return text
            if not self._read() or time.monotonic() > until:
                raise AssertionError(f"{words!r} was not shown; shown was:\n{text}")

    def send(self, keys: str) -> None:
        """Type."""
        self._child.send(keys)

    def answer(self, prompt: str, keys: str) -> None:
        """Wait for a prompt, then type."""
        self.wait_for(prompt)
        self.send(keys)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the wizard's process."""
        os.kill(self.pid, number)

    def end(self) -> int:
        """Read to the end; the exit code, or minus the signal."""
        while self._read():
            pass
        self._child.wait()
        if self._child.signalstatus is not None:
            return -int(self._child.signalstatus)
        return int(self._child.exitstatus)

    def echoes(self) -> bool:
        """Whether the terminal echoes, as it must when the wizard has left."""
        return bool(self._child.getecho())

    def _read(self) -> bool:
        try:
            data = self._child.read_nonblocking(65536, timeout=LIMIT)
        except pexpect.EOF:
            return False
        except pexpect.TIMEOUT:
            raise AssertionError(f"nothing for {LIMIT:.0f} s; shown was:\n{self.text()}") from None
        self.raw += data
        self._stream.feed(data)
        return True
