"""Asking again after what passes: a lost connection, 429, 5xx. It honours Retry-After."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from wizard.problems import Problem
from wizard.systems.langsmith.answers import Later

T = TypeVar("T")

PASSING = frozenset({"LSA804", "LSA805", "LSA806", "LSA807", "LSA810", "LSA816", "LSA819"})
"""Findings that waiting may mend: the network, an overload, a restart of the backend."""
FIRST, LONGEST = 0.2, 30.0
"""Seconds of the first pause and of the longest one that we choose ourselves."""
SILENT = 5.0
"""Seconds between two words about it: several chains may wait for the same."""
ASKED_AT_MOST = 600.0
"""Seconds that a server may ask to be left alone."""


class Patience:
    """How long is asked again, for all chains of one reading; in seconds.

    Attributes:
        worked: whether there was any good answer yet: an address where nothing answers at all is
            told at once.
    """

    def __init__(self, limit: float, say: Callable[[str], None] = lambda _text: None) -> None:
        self.worked = False
        self.stop = threading.Event()
        self._limit = limit
        self._say = say
        self._said = -SILENT

    def ask(self, once: Callable[[], T]) -> T:
        """The answer, asked for again while what stands in the way may pass.

        Raises:
            Problem: it does not pass, or not within the limit.
        """
        began, pause = time.monotonic(), FIRST
        while True:
            try:
                answer = once()
            except Problem as problem:
                waits = self._waits(problem, pause)
                left = began + self._limit - time.monotonic()
                if waits is None or waits > left or self.stop.is_set():
                    raise
                if time.monotonic() - self._said >= SILENT:
                    self._said = time.monotonic()
                    self._say(f"{problem.what}; asking again in {waits:.1f} s")
                self.stop.wait(waits)
                pause = min(pause * 2, LONGEST)
            else:
                self.worked = True
                return answer

    def _waits(self, problem: Problem, pause: float) -> float | None:
        told = isinstance(problem, Later)
        if problem.id not in PASSING or not (told or self.worked):
            return None
        asked = problem.after if isinstance(problem, Later) else None
        if asked is not None:
            return asked if asked <= ASKED_AT_MOST else None
        import random

        return pause * random.uniform(0.7, 1.3)  # noqa: S311 - no secret
