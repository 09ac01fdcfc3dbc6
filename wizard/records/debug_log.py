"""The debug log beside the journal: every call to an outside system, redacted, bounded, 0600.

What happens before a run has a folder is kept in memory, and written when it gets one.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from time import gmtime
from typing import Any, ClassVar

from wizard import __version__
from wizard.files import open_private

NAME = "debug.log"
ROOT = "langsmith_audit"
LARGEST = 2_000_000
"""Bytes; one older file of this size is kept besides."""
EARLY = 2_000
"""Lines that are kept in memory until the run has a folder."""


class _Utc(logging.Formatter):
    converter = staticmethod(gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class _Private(RotatingFileHandler):
    """Readable by its owner alone; a log that cannot be written stops nothing."""

    def _open(self) -> Any:
        def opener(path: str, flags: int) -> int:
            return open_private(Path(path), flags)

        return open(self.baseFilename, "a", encoding="utf-8", opener=opener)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing: the disk may be full."""


class _Kept(logging.Handler):
    """The last lines, in memory, until there is a file for them."""

    current: ClassVar[_Kept | None] = None

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._early: deque[logging.LogRecord] = deque(maxlen=EARLY)
        self._file: _Private | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, or keep it."""
        if self._file:
            self._file.handle(record)
        else:
            self._early.append(record)

    def into(self, folder: Path) -> None:
        """Write what was kept into the run's folder, and everything from now on."""
        if self._file:
            return
        with contextlib.suppress(OSError):
            self._file = _Private(folder / NAME, maxBytes=LARGEST, backupCount=1, delay=True)
            self._file.setFormatter(_Utc("%(asctime)s [%(threadName)s] %(message)s"))
        while self._file and self._early:
            self._file.handle(self._early.popleft())

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            if self._file:
                self._file.close()
        super().close()


@contextlib.contextmanager
def kept() -> Iterator[Callable[[str], None]]:
    """Keep a debug log for the time of the block, of the lines that what it gives is told."""
    logger, handler = logging.getLogger(ROOT), _Kept()
    before = logger.level, logger.propagate, _Kept.current
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    _Kept.current = handler
    logger.debug("langsmith-audit %s, process %d", __version__, os.getpid())
    try:
        yield logger.debug
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate, _Kept.current = before
        handler.close()


def into(folder: Path) -> None:
    """Write the log beside this run's journal from now on; without `kept` there is none."""
    if _Kept.current:
        _Kept.current.into(folder)
