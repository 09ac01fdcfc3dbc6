"""What of the suite coverage measures: the product, and not what the tests stand on.

Whatever runs measured takes about twice the processor's time (before Python 3.14 there is no other
way to see branches), and the practice cluster and pytest would be half of that.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
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


@contextlib.contextmanager
def spared() -> Iterator[None]:
    """Nothing of the block is measured in this thread, nor in threads that begin in it."""
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.settrace(here)
        threading.settrace(in_threads)  # type: ignore[arg-type]
