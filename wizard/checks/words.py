"""Spans of time and sizes in words."""

from __future__ import annotations

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
TWICE = 2
"""A unit is taken from twice its length on: 90 seconds are said as such."""


def span(seconds: float) -> str:
    """`90 seconds`, `5 minutes`, `3 days`."""
    whole = max(0, round(seconds))
    for length, name in UNITS:
        if whole >= TWICE * length or length == 1:
            number = whole // length
            return f"{number} {name}{'' if number == 1 else 's'}"
    raise AssertionError


def size(number: float) -> str:
    """Bytes in the largest unit that leaves a whole part: `12.3 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def counted(number: int, what: str, several: str = "") -> str:
    """`1 event`, `2,345 events`."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"
