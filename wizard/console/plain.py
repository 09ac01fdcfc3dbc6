"""The questions where the terminal can only show lines (TERM=dumb): asked and answered in lines."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence

from wizard.console.entries import Entry, rows


def needed() -> bool:
    """Whether the terminal cannot move its cursor."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def ask_line(question: str, default: str = "") -> str:
    """A line; the default when it is empty.

    Raises:
        EOFError: the person left.
    """
    sys.stderr.write(f"? {question} " + (f"[{default}] " if default else ""))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip() or default


def ask_secret(question: str) -> str:
    """A line that is not shown.

    Raises:
        EOFError: the person left.
    """
    return getpass.getpass(f"? {question} ", stream=sys.stderr).strip()


def ask_yes(question: str) -> bool:
    """Yes or no; anything but yes is no."""
    return ask_line(f"{question} (y/N)").lower() in ("y", "yes")


def ask_numbers(question: str, entries: Sequence[Entry], *, several: bool) -> tuple[str, ...]:
    """The values of the entries whose numbers were typed."""
    for number, (entry, row) in enumerate(zip(entries, rows(entries), strict=True), 1):
        sys.stderr.write(f"  {'-' if entry.disabled else number:>3}  {row}\n")
    hint = "numbers, with blanks between them" if several else "a number"
    while True:
        typed = ask_line(f"{question} ({hint})").replace(",", " ").split()
        picked = [_entry(word, entries) for word in typed]
        if picked and all(picked) and (several or len(picked) == 1):
            return tuple(dict.fromkeys(entry.value for entry in picked if entry))
        sys.stderr.write("  Type the numbers of lines that have one; Ctrl-C leaves.\n")


def _entry(word: str, entries: Sequence[Entry]) -> Entry | None:
    number = int(word) if word.isdecimal() and word.isascii() and len(word) < 6 else 0
    found = entries[number - 1] if 1 <= number <= len(entries) else None
    return found if found and not found.disabled else None
