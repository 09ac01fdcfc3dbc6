"""The two streams: nothing that they cannot encode or take ends the program half way.

Where nobody reads any more (`| head`), what must not be left half-done comes to its end, and the
process leaves at the next safe point.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import stat
import sys
from typing import Any, TextIO, cast

from wizard.console import interrupts
from wizard.files import FULL
from wizard.problems import Exit, Problem

PLAIN = str.maketrans({
    "✓": "+", "✗": "x", "○": "o", "●": "*", "»": ">", "·": "-", "→": "->", "…": "...", "─": "-",
    "⚠": "!", "ℹ": "i", "▸": ">",
    **dict.fromkeys(map(chr, range(0x2800, 0x2900)), "*"),
})  # fmt: skip
"""What stands for our own marks where the encoding has none of them."""


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return text.encode("ascii", "backslashreplace").decode(), error.end


def encodable(text: str) -> bool:
    """Whether standard error can write it as it is."""
    try:
        text.encode(getattr(sys.stderr, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def prepare() -> None:
    """Let both streams write what their encoding lacks in ASCII: our marks, the rest escaped.

    So it is where LC_ALL says C, for which Python would write UTF-8.
    """
    codecs.register_error("in-ascii", _in_ascii)
    told = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE"))), "")
    plain = told in ("C", "POSIX") and "PYTHONIOENCODING" not in os.environ
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            encoding = "ascii" if plain else None
            cast("Any", stream).reconfigure(encoding=encoding, errors="in-ascii")


def for_programs() -> TextIO:
    """Standard output for what programs read: UTF-8, whatever the locale is."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        cast("Any", sys.stdout).reconfigure(encoding="utf-8", errors="backslashreplace")
    return sys.stdout


def folded(text: str, stream: TextIO | None, hang: str = "  ") -> str:
    """A line as it fits the stream's terminal, folded between words; elsewhere as it is."""
    try:
        if stream is None or not stream.isatty():
            return text
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return text
    if len(text) < width:
        return text
    import textwrap

    lead = text[: len(text) - len(text.lstrip())]
    fold = textwrap.TextWrapper(max(width - 1, 20), subsequent_indent=lead + hang)
    fold.break_long_words = fold.break_on_hyphens = False
    return fold.fill(text)


def appends() -> bool:
    """Whether standard output goes on in a file with something in it.

    A line that a kill has cut off there is ended, so that the next one is whole.
    """
    try:
        handle = sys.stdout.fileno()
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or not facts.st_size:
            return False
        with open(f"/dev/fd/{handle}", "rb") as file:  # noqa: PTH123 - a handle, no place
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                sys.stdout.write("\n")
    except (AttributeError, ValueError):
        return False
    except OSError:
        return True
    return True


def on_disk() -> None:
    """Write out what standard output has, to the disk where it is a file."""
    sys.stdout.flush()
    with contextlib.suppress(AttributeError, ValueError, OSError):
        os.fsync(sys.stdout.fileno())


def flushed() -> None:
    """Write out what is buffered.

    Raises:
        BrokenPipeError: nobody reads it.
        OSError: it cannot be written.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def silence() -> None:
    """Drop what could not be written, so that the interpreter's own end does not try again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _drop(stream)


def not_written(error: OSError) -> Problem | None:
    """The problem of standard output that takes no more; None for another error."""
    if error.errno not in (*FULL, errno.EIO) or error.filename is not None:
        return None
    return Problem(
        "LSA904",
        f"The result cannot be written: {error.strerror}",
        on="standard output",
        next_step="make room where it goes, or let it go elsewhere",
        exit=Exit.UNKNOWN,
    )


class Talk:
    """Standard error for the conversation: a disk that is full there stops nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if it can be."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)
        return len(text)

    def flush(self) -> None:
        """Flush, if it can be."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        _drop(self._stream)
        if isinstance(error, BrokenPipeError):
            interrupts.unread()


def _drop(stream: TextIO) -> None:
    """Let a stream lead nowhere from now on."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
