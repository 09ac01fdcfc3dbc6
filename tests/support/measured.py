"""What of the suite coverage measures: the product, and not what the tests stand on.

Whatever runs measured takes about twice the processor's time (before Python 3.14 there is no other
way to see branches), and the practice cluster and pytest would be half of that.
"""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

APART = ("practice-", "langsmith", "charts", "asyncio_")
"""How the names of the practice cluster's threads begin."""


def spare_practice() -> None:
    """From now on no thread of a practice cluster that begins in this process is measured."""
    measure = threading.gettrace()
    if measure is None:
        return

    def begin(frame: FrameType, event: str, arg: Any) -> Any:
        if threading.current_thread().name.startswith(APART):
            sys.settrace(None)
            return None
        return measure(frame, event, arg)

    threading.settrace(begin)


ENVIRONMENT = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
"""The variables by which coverage measures every Python process that is started."""

_seen: set[tuple[str, ...]] = set()


def first_of_its_kind(arguments: Sequence[str]) -> bool:
    """Whether this worker runs the command for the first time for the test function at work.

    So every test is measured with each command that it gives, but not with all its parameters.
    """
    if not ENVIRONMENT.keys() <= os.environ.keys():
        return False
    test = re.split(r"[\[ ]", os.environ.get("PYTEST_CURRENT_TEST", ""))[0]
    kind = (test, *arguments[:1])
    return kind not in _seen and not _seen.add(kind)


def stop() -> None:
    """Measure nothing more in this process."""
    coverage = sys.modules.get("coverage")
    if coverage and (running := coverage.Coverage.current()):
        running.stop()


@contextlib.contextmanager
def spared() -> Iterator[None]:
    """Nothing of the block is measured in this thread, nor in threads and processes of it."""
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    for name in ENVIRONMENT:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.update(ENVIRONMENT)
        sys.settrace(here)
        threading.settrace(in_threads)  # type: ignore[arg-type]
