"""`python -m wizard`, and the console script `langsmith-audit`: a process for one command.

What it makes is seldom garbage and never much: looking for cycles in it, while it is imported and
once more when the interpreter ends, is a seventh of a health check's time.
"""

from __future__ import annotations

import gc
import sys

gc.set_threshold(50_000)


def entry() -> int:
    """Run the command that was typed."""
    from wizard.cli import main

    code = main()
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(entry())
