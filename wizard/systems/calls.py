"""Calls to outside systems: a line for who listens, and asking until something has happened.

What other programs get of this process's environment.

In the line is what was called, how it ended and how long it took; never a body, a value or a
header: argv and paths, and these redacted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from wizard.record import dataclass
from wizard.safe import safe

_LONGEST = 2_000
PAUSE = 1.0
"""The longest pause of `poll`, in seconds."""
OURS = ("LANGSMITH_", "LANGCHAIN_", "PG")
"""How the variables begin that no other program needs: the API key and the database's password."""


def environment() -> dict[str, str]:
    """The environment for other programs: the person's own, without what is for this one alone."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
    if "~" in kept.get("KUBECONFIG", ""):  # as this program reads it; Go's take it as it stands
        parts = kept["KUBECONFIG"].split(os.pathsep)
        kept["KUBECONFIG"] = os.pathsep.join(map(os.path.expanduser, parts))
    return kept


@dataclass
class Call:
    """A call under way; who makes it says how it ended."""

    ended: str = ""


_listeners: list[Callable[[str], None]] = []
_under_way: dict[int, tuple[str, float]] = {}


def under_way() -> list[str]:
    """The calls that have not ended, and for how long each of them is waited for."""
    now = time.monotonic()
    told = sorted(_under_way.copy().values(), key=lambda it: it[1])
    return [f"{_redacted(what)}, for {now - began:.1f} s" for what, began in told]


@lru_cache(maxsize=1024)
def _redacted(text: str) -> str:
    """A run asks for the same path again and again."""
    from wizard.systems.redact import redact  # its patterns take longer than a request

    return safe(redact(text[:_LONGEST]))


@contextmanager
def heard(by: Callable[[str], None]) -> Iterator[None]:
    """Tell each call that ends during the block, in a line."""
    _listeners.append(by)
    try:
        yield
    finally:
        _listeners.remove(by)


@contextmanager
def logged(system: str, what: str) -> Iterator[Call]:
    """Tell what the block does, with its time; an exception is told by its kind alone."""
    began, call = time.monotonic(), Call()
    _under_way[id(call)] = f"{system} {what}", began
    try:
        yield call
    except BaseException as error:
        told = getattr(error, "id", "") or type(error).__name__
        call.ended = f"{call.ended} {told}".strip()
        raise
    finally:
        del _under_way[id(call)]
        if _listeners:
            spent = (time.monotonic() - began) * 1000
            line = f"{_redacted(f'{system} {what}')} → {call.ended or 'ok'}, {spent:.0f} ms"
            for listener in _listeners.copy():
                listener(line)


def poll(limit: float) -> Iterator[float]:
    """The seconds since the start, each time that it is time to ask again.

    At once, then after pauses of a quarter of what was waited so far, up to `PAUSE`. It ends after
    an asking later than `limit` seconds: what follows the loop says that it took too long.
    """
    began = time.monotonic()
    while True:
        seconds = time.monotonic() - began
        yield seconds
        if seconds > limit:
            return
        time.sleep(min(PAUSE, 0.05 + seconds / 4))
