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


ENVIRONMENT = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
"""The variables by which coverage measures every Python process that is started."""


def _but_for_practice(measure: Any) -> Any:
    """What measures threads, but for those of a practice cluster."""
    if measure is None:
        return None

    def begin(frame: FrameType, event: str, arg: Any) -> Any:
        if threading.current_thread().name.startswith(APART):
            sys.settrace(None)
            return None
        return measure(frame, event, arg)

    return begin


_TRACES = (sys.gettrace(), _but_for_practice(threading.gettrace()))
_measuring = True
_seen: set[tuple[str, ...]] = set()


def first_of_its_kind(arguments: Sequence[str]) -> bool:
    """Whether this worker runs the command for the first time for the test function at work.

    So every test is measured with each command that it gives, but not with all its parameters.
    """
    if not _measuring:
        return False
    test = re.split(r"[\[ ]", os.environ.get("PYTEST_CURRENT_TEST", ""))[0]
    kind = (test, *arguments[:1])
    return kind not in _seen and not _seen.add(kind)


def running() -> Any:
    """Coverage's own object, where it measures this process."""
    coverage = sys.modules.get("coverage")
    return coverage.Coverage.current() if coverage else None


def save_once() -> None:
    """Save what ran up to now; forks of this process save what they run, and nothing besides.

    Each would look for every file of the product else, to tell that it did not run.
    """
    if measure := running():
        measure.save()
        measure._post_save_work = lambda: None


def stop() -> None:
    """Measure nothing more in this process, and save nothing."""
    if measure := running():
        measure.stop()
        measure._auto_save = False


@contextlib.contextmanager
def measuring(wanted: bool) -> Iterator[None]:
    """Whether the block is measured, with the threads and processes that it begins."""
    global _measuring
    before, _measuring = _measuring, wanted
    _trace(wanted)
    try:
        yield
    finally:
        _measuring = before
        _trace(before)


def _trace(wanted: bool) -> None:
    for name, text in ENVIRONMENT.items():
        if wanted:
            os.environ[name] = text
        else:
            os.environ.pop(name, None)
    here, in_threads = _TRACES if wanted else (None, None)
    threading.settrace(in_threads)  # type: ignore[arg-type]
    sys.settrace(here)
