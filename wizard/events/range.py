"""The time range, as people give it: durations before now, or times with a zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from wizard.problems import Exit, Problem
from wizard.record import dataclass

UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""Seconds of each unit."""
LONGEST = timedelta(days=3660)
_PART = r"(\d{1,9})([wdhms])"
_DURATION = r"(?:\d{1,9}[wdhms])+"
_ZONE = r"(?<=[\d:.])\s*\[?([A-Za-z][A-Za-z_/+-]*)\]?$"


@dataclass(frozen=True)
class Range:
    """From one moment to another, both of them in it.

    Attributes:
        notes: what was taken for granted, to be said.
        open: nobody said where it ends: it ends now.
    """

    start: datetime
    end: datetime
    notes: tuple[str, ...] = ()
    open: bool = False

    @property
    def words(self) -> str:
        """The range as a person reads it."""
        return f"{told(self.start)} to {told(self.end)}"


def range_of(since: str, until: str | None, now: datetime) -> Range:
    """The range that `--since` and `--until` tell.

    Raises:
        Problem: LSA830, one cannot be understood, or the end is before the start.
    """
    notes: list[str] = []
    start = _moment("--since", since, now, notes)
    end = _moment("--until", until, now, notes) if until else now
    if end < start:
        raise _refused(
            "--until" if until else "--since",
            f"the end ({told(end)}) is before the start ({told(start)})",
        )
    return Range(start, end, tuple(notes), open=not until)


def duration(option: str, text: str) -> timedelta:
    """`90m`, `1h30m`, `7d`.

    Raises:
        Problem: LSA830, it is none, or longer than ten years.
    """
    bare = text.strip().lower()
    if not re.fullmatch(_DURATION, bare):
        raise _refused(option, f"{text!r} is no duration")
    seconds = sum(int(number) * UNITS[unit] for number, unit in re.findall(_PART, bare))
    if seconds > LONGEST.total_seconds():
        raise _refused(option, f"{text!r} is longer than ten years")
    return timedelta(seconds=seconds)


def _moment(option: str, text: str, now: datetime, notes: list[str]) -> datetime:
    bare = text.strip()
    if re.fullmatch(_DURATION, bare.lower()):
        return now - duration(option, bare)
    if bare.lower() == "now":
        return now
    try:
        moment = datetime.fromisoformat(bare.replace("z", "Z"))
    except ValueError:
        raise _refused(option, _why(bare)) from None
    if moment.tzinfo is None:
        notes.append(f"{option} {bare} has no zone, and is taken as UTC")
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _refused(option, f"{text!r} is no time of this calendar") from None


def _why(text: str) -> str:
    zone = re.search(_ZONE, text)
    if zone and zone[1] not in ("Z", "z") and text[:4].isdigit():
        return f"{text!r} has a zone that is not known here: {zone[1]}"
    if text.startswith(("+", "-")):
        return f"{text!r} has a sign; a duration counts back from now without one"
    return f"{text!r} is neither a duration nor a time"


def told(moment: datetime) -> str:
    """A moment as messages name it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _refused(option: str, what: str) -> Problem:
    return Problem("LSA830", what, on=f"option {option}", exit=Exit.USAGE)


def days(wanted: Range, *, longest: timedelta = timedelta(days=1)) -> Sequence[Range]:
    """The range in windows of at most a day, oldest first; they share the moment between them."""
    windows = []
    start = wanted.start
    while start + longest < wanted.end:
        windows.append(Range(start, start + longest))
        start += longest
    return [*windows, Range(start, wanted.end)]
