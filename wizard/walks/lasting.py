"""How long something lasts, as it is typed: `90m`, `12h`, `7d`."""

import re
from datetime import timedelta

LASTING = "7d"
"""How long a plan may be applied: a week has one change window in most houses."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=366)


def lasting(text: str) -> timedelta:
    """The time; ValueError when it is none, or more than a year."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if not match:
        raise ValueError(text)
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not timedelta(0) < found <= _LONGEST:
        raise ValueError(text)
    return found
