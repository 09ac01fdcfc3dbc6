"""The terminal's last line: drawn anew by us, until another program has something to say there.

A spinner is drawn over itself, and would wipe away what a credential plugin asks: a device code, a
question without an end of line.
"""

from __future__ import annotations

import sys
import threading

ERASED = "\r\x1b[2K"


class LastLine:
    """Whose the line is, from any thread; all is written to standard error."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._last_words: dict[object, str] = {}
        self._drawn = False

    def draw(self, text: str) -> bool:
        """Draw it anew, unless another program speaks; False where the terminal is gone."""
        with self._lock:
            if self._last_words:
                return True
            self._drawn = bool(text)
            return _write(ERASED + text)

    def speak(self, program: object, words: str) -> None:
        """Words of another program; what was drawn goes, and nothing is until its `end`."""
        with self._lock:
            self._last_words[program] = words
            _write((ERASED if self._drawn else "") + words)
            self._drawn = False

    def end(self, program: object) -> None:
        """It says no more: a line that it left open ends, for it would be drawn over."""
        with self._lock:
            if not self._last_words.pop(program, "\n").endswith("\n"):
                _write("\n")


LAST_LINE = LastLine()


def _write(text: str) -> bool:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # the terminal is gone; who asks next is told
        return False
    return True
