"""`python -m wizard`, and the console script `langsmith-audit`: a process for one command.

What it makes is seldom garbage and never much: looking for cycles in it, and taking all of it apart
when the interpreter ends, is a seventh of a health check's time.
"""

from __future__ import annotations

import gc
import os
from typing import NoReturn

gc.set_threshold(50_000)


def entry() -> NoReturn:
    """Run the command that was typed, which has written and put away what it had when it ends."""
    from wizard.cli import main

    os._exit(main())


if __name__ == "__main__":
    entry()
