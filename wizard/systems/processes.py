"""Whether a process that an earlier run started on this machine is still there."""

from __future__ import annotations

import os
import subprocess

LIMIT = 5.0


def still_runs(pid: int, word: str) -> bool | None:
    """Whether the process is there and its command has the word; None where that cannot be told.

    A number that was given to another program meanwhile has another command.
    """
    if os.name != "posix":
        return None
    argv = ["ps", "-o", "stat=", "-o", "command=", "-p", str(pid)]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, _, command = answer.stdout.strip().partition(" ")
    return bool(state) and not state.startswith("Z") and word in command
