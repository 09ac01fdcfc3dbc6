"""A real terminal for the prompts: the wizard in a pty, its screen as a person sees it."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType

import forked
import pexpect
import pexpect.fdpexpect
import pyte
from pyte.screens import Char

from wizard.practice.cluster import PracticeCluster

ENTER, SPACE, DOWN, UP, ERASE = "\r", " ", "\x1b[B", "\x1b[A", "\x7f"
TAB, SHIFT_TAB, HOME, END, ESCAPE = "\t", "\x1b[Z", "\x1b[1~", "\x1b[4~", "\x1b"
CTRL_A, CTRL_C, CTRL_D, CTRL_U = "\x01", "\x03", "\x04", "\x15"
ROWS, COLUMNS = 60, 120
LIMIT = 60.0
YES = "y" + ENTER
CONFIRM = "Do this now?"


class Forked(pexpect.fdpexpect.fdspawn):
    """What `pexpect.spawn` would be, of a fork of a process that is there already."""

    def __init__(self, args: tuple[str, ...], env: dict[str, str], cwd: Path | None, columns: int):
        ours, its = os.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self._fork = forked.shared().start(args, env, (its, its, its), cwd=cwd, session=True)
        os.close(its)
        super().__init__(ours, timeout=LIMIT)
        self.pid = self._fork.pid

    def wait(self) -> None:
        """Wait for its end; its status is in the attributes then."""
        code = self._fork.wait(LIMIT)
        self.exitstatus, self.signalstatus = (code, None) if code >= 0 else (None, -code)

    def getecho(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self.child_fd)[3] & termios.ECHO)

    def close(self, force: bool = True) -> None:
        """Take the terminal away, and end what is left."""
        super().close()
        if force:
            self._fork.kill()


class Terminal:
    """One command in a pseudo-terminal, as a rule of 60 lines by 120 columns.

    `redirect` is what a shell would have after the command (`>file`, `<&-`).
    """

    def __init__(
        self,
        *args: str,
        env: Mapping[str, str],
        cwd: Path | None = None,
        columns: int = COLUMNS,
        redirect: str = "",
        term: str = "xterm-256color",
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, ROWS, history=10_000, ratio=1)
        self._columns = columns
        self._stream = pyte.ByteStream(self.screen)
        self._before, self._seen = 0, ""
        self._above: list[str] = []
        self._shown = [""] * ROWS
        self.raw = b""
        whole = {**_unsized(env), "TERM": term}
        if forked.serves(whole) and not redirect:
            self._child = Forked(args, whole, cwd, columns)
        else:
            self._child = _spawned(args, redirect, whole, cwd, columns)
        self._child.delaybeforesend = None
        self.screen.write_process_input = self._answer_by_itself

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
        top = self.screen.history.top
        del self._above[len(top) :]  # the screen was reset
        self._above += [self._line(line) for line in islice(top, len(self._above), None)]
        for row in self.screen.dirty:
            self._shown[row] = self._line(self.screen.buffer[row])
        self.screen.dirty.clear()
        return "\n".join([*self._above, *self._shown])

    def _line(self, cells: Mapping[int, Char]) -> str:
        """A row of the screen; rows are rendered once, since a display that moves is read often."""
        return "".join([cells[column].data for column in range(self._columns)]).rstrip()

    def wait_for(self, words: str) -> str:
        """Read until these words are shown anew (after the last match); the whole text."""
        text, self._before = self._find(words)
        self._seen = text[: self._before]
        return text

    def see(self, words: str) -> str:
        """As `wait_for`, for what will be gone again: the next search begins where this one did."""
        return self._find(words)[0]

    def wait_until_gone(self, words: str) -> None:
        """Read until these words are no longer on the screen."""
        while words in self.text() and words in "\n".join(self._shown):
            self._must_read(f"{words!r} stays on the screen")

    def send(self, keys: str) -> None:
        """Type."""
        self._child.send(keys)

    def answer(self, prompt: str, keys: str) -> None:
        """Wait for a prompt, then type."""
        self.wait_for(prompt)
        self.send(keys)

    def resize(self, columns: int) -> None:
        """Make it as wide as this, which a signal tells the wizard; searches begin anew."""
        size = struct.pack("HHHH", ROWS, columns, 0, 0)
        fcntl.ioctl(self._child.child_fd, termios.TIOCSWINSZ, size)
        self.screen.resize(ROWS, columns)
        self._columns, self._before, self._seen = columns, 0, ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the wizard's process."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Take the terminal away from the wizard, as when its window is closed."""
        self._child.close(force=False)

    def ended(self) -> int:
        """The exit code of a wizard without a terminal, or minus the signal."""
        self._child.wait()
        signal = self._child.signalstatus
        return int(self._child.exitstatus) if signal is None else -int(signal)

    def end(self) -> int:
        """Read to the end; the exit code, or minus the signal."""
        while self._read():
            pass
        return self.ended()

    def left_behind(self) -> list[str]:
        """What is not as it was in the terminal; nothing, as it must be."""
        found = {
            "no echo": not self._child.getecho(),
            "no cursor": self.screen.cursor.hidden,
            "another page": b"\x1b[?1049" in self.raw,
            "bracketed paste": self.raw.rfind(b"\x1b[?2004h") > self.raw.rfind(b"\x1b[?2004l"),
        }
        return [name for name, there in found.items() if there]

    def _find(self, words: str) -> tuple[str, int]:
        until = time.monotonic() + LIMIT
        while True:
            text = self.text()
            at = text.find(words, self._before)
            if at >= 0:
                return text, at + len(words)
            if not self._read() or time.monotonic() > until:
                return self._find_redrawn(words)

    def _find_redrawn(self, words: str) -> tuple[str, int]:
        """From where lines were erased, when some were that the last match had before it."""
        text = self.text()
        both = enumerate(zip(text, self._seen, strict=False))
        alike = next((at for at, (now, then) in both if now != then), len(self._seen))
        at = text.find(words, alike)
        if at < 0:
            raise AssertionError(f"{words!r} was not shown; shown was:\n{text}")
        return text, at + len(words)

    def _must_read(self, why: str) -> None:
        if not self._read():
            raise AssertionError(f"{why}; shown was:\n{self.text()}")

    def _answer_by_itself(self, data: str) -> None:
        """What a terminal says when it is asked where its cursor is."""
        self._child.send(data)

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


def _spawned(
    args: tuple[str, ...], redirect: str, env: dict[str, str], cwd: Path | None, columns: int
) -> pexpect.spawn:
    command = shlex.join([sys.executable, "-m", "wizard", *args])
    return pexpect.spawn(
        "/bin/sh",
        ["-c", f"exec {command} {redirect}"],
        env=env,
        cwd=cwd,
        dimensions=(ROWS, columns),
        timeout=LIMIT,
    )


def _unsized(env: Mapping[str, str]) -> dict[str, str]:
    """Without what would tell another size than the terminal's."""
    return {name: text for name, text in env.items() if name not in ("COLUMNS", "LINES")}


def bare(cluster: PracticeCluster) -> dict[str, str]:
    """The cluster's environment without a single answer: everything has to be asked."""
    answers = ("LANGSMITH_API_KEY", "LANGSMITH_AUDIT_NAMESPACE", "LANGSMITH_AUDIT_RELEASE")
    answers += ("LANGSMITH_AUDIT_VALUES",)
    return {name: text for name, text in cluster.environment().items() if name not in answers}


def prompts(cluster: PracticeCluster) -> list[tuple[str, str]]:
    """Every prompt on a fresh cluster, and the keys that answer it; one organization is picked."""
    return [
        ("API key of an organization admin", cluster.api_key + ENTER),
        ("Which values file", ENTER),
        ("For which organizations?", SPACE + ENTER),
    ]


def told(cluster: PracticeCluster) -> dict[str, str]:
    """The cluster's environment with every answer but the confirmations."""
    one = str(cluster.organizations["off"])
    return cluster.environment() | {"LANGSMITH_AUDIT_ORG": one}
