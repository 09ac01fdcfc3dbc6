"""The tool with one thing going wrong at one point: `python failpoints.py STEP WHEN KIND ARGS…`.

WHEN is before, middle or after the step's write; KIND is what happens there: an unexpected
exception, SIGTERM, SIGHUP or SIGKILL to this process, or SIGSTOP with a SIGCONT a moment later. It
happens once.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

KINDS = ("exception", "sigterm", "sigkill")
SIGNALS = {
    "sigterm": signal.SIGTERM,
    "sighup": signal.SIGHUP,
    "sigkill": signal.SIGKILL,
    "sigstop": signal.SIGSTOP,
}
WHENS = ("before", "middle", "after")


class Fault:
    """What happens, once."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._left = 1

    def __call__(self) -> None:
        if not self._left:
            return
        self._left = 0
        if self._kind == "exception":
            raise RuntimeError("a failpoint")
        if self._kind == "sigstop":
            subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), SIGNALS[self._kind])


def wrap(
    owner: Any, name: str, *, before: Callable | None = None, after: Callable | None = None
) -> None:
    """Let something happen before or after each call."""
    real = getattr(owner, name)

    @functools.wraps(real)
    def wrapped(*args: Any, **more: Any) -> Any:
        if before:
            before()
        answer = real(*args, **more)
        if after:
            after()
        return answer

    setattr(owner, name, wrapped)


def values_file(when: str, fault: Fault) -> None:
    from wizard.systems.values import files

    if when == "middle":  # the new content is beside the file, and not yet in its place
        wrap(files, "_keep_facts", after=fault)
    else:
        wrap(files, "write_values", **{when: fault})


def helm_upgrade(when: str, fault: Fault) -> None:
    from wizard.systems.helm import process
    from wizard.systems.helm.client import Helm

    if when != "middle":
        wrap(Helm, "upgrade", **{when: fault})
        return
    real = process.start

    def start(argv: list[str]) -> process.Running:
        running = real(argv)
        helm = Helm.find(kubeconfig=None, context=None)
        while helm.release("langsmith", "langsmith").status != "pending-upgrade":
            if running.process.poll() is not None:
                raise AssertionError("helm ended before it was seen at work")
        fault()
        return running

    process.start = start


def helm_rollback(when: str, fault: Fault) -> None:
    from wizard.systems.helm.client import Helm

    wrap(Helm, "roll_back", **{when: fault})


def organizations(when: str, fault: Fault) -> None:
    from wizard.systems.postgres import transaction
    from wizard.systems.postgres.database import Database

    if when == "middle":  # the rows are written, and not yet committed
        wrap(transaction, "_commit", before=fault)
        return
    for name in ("enable", "enable_shown"):
        if hasattr(Database, name):
            wrap(Database, name, **{when: fault})


def backend_restart(when: str, fault: Fault) -> None:
    from wizard.systems.workload import Workload

    if when == "middle":  # the pods begin to roll
        wrap(Workload, "restart", after=fault)
    elif when == "before":
        wrap(Workload, "restart", before=fault)
    else:
        wrap(Workload, "wait", after=fault)


def main() -> int:
    """Set the failpoint, and run the tool."""
    step, when, kind, *arguments = sys.argv[1:]
    globals()[step](when, Fault(kind))
    from wizard.cli import main as tool

    return tool(arguments)


if __name__ == "__main__":
    sys.exit(main())
