"""Every call to an outside system, in a line for the debug log: what, how it ended, how long.

Never a body, a value or a header: argv and paths, and these redacted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wizard.systems.redact import redact

LOGGER = "langsmith_audit.calls"
_LONGEST = 2_000


@dataclass
class Call:
    """A call under way; who makes it says how it ended."""

    ended: str = ""


@contextmanager
def logged(system: str, what: str) -> Iterator[Call]:
    """Log what the block does, with its time; an exception is told by its kind alone."""
    began, call = time.monotonic(), Call()
    try:
        yield call
    except BaseException as error:
        told = getattr(error, "id", "") or type(error).__name__
        call.ended = f"{call.ended} {told}".strip()
        raise
    finally:
        spent = (time.monotonic() - began) * 1000
        text = redact(f"{system} {what}")[:_LONGEST]
        logging.getLogger(LOGGER).debug("%s → %s, %.0f ms", text, call.ended or "ok", spent)
