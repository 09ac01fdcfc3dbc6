"""Runs the helm CLI: reads with a limit, and upgrades that outlive a Ctrl-C.

One that an earlier run started on this machine may still be there.

helm is asked to end by SIGTERM and is never killed: SIGKILL leaves the release pending, which
blocks every later upgrade.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO

from wizard.problems import Problem
from wizard.record import dataclass, field
from wizard.systems import calls
from wizard.systems.calls import logged
from wizard.systems.helm.errors import Call, helm_problem

TICK_SECONDS = 0.5
REDIRECTING = (
    "HELM_KUBE",  # would send helm to another cluster than the one that is shown and confirmed
    "HELM_NAMESPACE",
    "HELM_DEBUG",
)


def environment() -> dict[str, str]:
    """The user's environment for helm, without what would redirect it to another cluster."""
    inherited = calls.environment()
    return {name: text for name, text in inherited.items() if not name.startswith(REDIRECTING)}


def read(argv: Sequence[str], call: Call, *, limit: float, stdin: bytes = b"") -> str:
    """Helm's stdout; `stdin` is what it gets to read.

    Raises:
        Problem: helm ended with an error, cannot be run, or did not answer within `limit` seconds.
    """
    try:
        with logged("helm", shlex.join(argv)) as run:
            done = answer(argv, stdin, limit)
            run.ended = f"exit {done.returncode}"
    except subprocess.TimeoutExpired:
        raise Problem(
            "LSA114",
            f"{call.did} did not answer within {limit:g} seconds",
            on=call.on,
            next_step="see whether the API server answers: kubectl get --raw /readyz",
        ) from None
    except OSError as error:
        raise cannot_run(argv[0], error) from None
    if done.returncode != 0:
        raise helm_problem(call, done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "replace")


def answer(argv: Sequence[str], stdin: bytes, limit: float) -> subprocess.CompletedProcess[bytes]:
    """What helm answers with in `limit` seconds, whatever its exit code."""
    return subprocess.run(
        argv, capture_output=True, input=stdin, env=environment(), timeout=limit, check=False
    )


def cannot_run(binary: str, error: OSError) -> Problem:
    """The Problem of a helm file that is there and does not start."""
    return Problem(
        "LSA112",
        f"helm is there and cannot be run: {error.strerror or type(error).__name__}",
        on=binary,
        next_step="Try: helm version. Install helm 3 or 4: https://helm.sh/docs/intro/install/",
    )


@dataclass
class Running:
    """A helm child in a session of its own, writing to files: it survives this process.

    Attributes:
        pid: the child's process id.
        started: `time.monotonic()` of the start.
    """

    process: subprocess.Popen[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    def end(self) -> None:
        """Ask helm to end: it then marks the release failed. Never a kill, which leaves it pending.

        Source: helm's own signal handling (SIGTERM, and CTRL_BREAK on Windows).
        """
        if self.process.poll() is not None:
            return
        if sys.platform == "win32":
            self.process.send_signal(signal.CTRL_BREAK_EVENT)
        else:  # the whole session, since `helm` may be a script around the real one
            os.killpg(self.process.pid, signal.SIGTERM)

    def wait(self, tick: Callable[[float], None]) -> tuple[int, str, str]:
        """Exit code, stdout and stderr; calls `tick(elapsed seconds)` about twice a second.

        What `tick` raises propagates; helm goes on and can be waited for again.
        """
        code: int | None = None
        with logged("helm", f"process {self.pid}") as run:
            while code is None:
                tick(time.monotonic() - self.started)  # at once: it notes which process is at work
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = self.process.wait(timeout=TICK_SECONDS)
            run.ended = f"exit {code}"
        return code, _text(self.stdout), _text(self.stderr)


def start(argv: Sequence[str]) -> Running:
    """Starts helm detached from the terminal's Ctrl-C, its output in unnamed files."""
    stdout, stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with logged("helm", shlex.join(argv)) as run:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=environment(),
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            run.ended = f"process {process.pid}"
    except OSError as error:
        raise cannot_run(argv[0], error) from None
    return Running(process, stdout, stderr)


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")


LIMIT = 5.0


def still_runs(pid: int, word: str) -> bool | None:
    """Whether the process is there and its command has the word; None where that cannot be told.

    A number that was given to another program meanwhile has another command.
    """
    if os.name != "posix":
        return None
    argv = ["ps", "-o", "stat=", "-o", "command=", "-p", str(pid)]
    try:
        answer = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            env=calls.environment(),
            timeout=LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, _, command = answer.stdout.strip().partition(" ")
    return bool(state) and not state.startswith("Z") and word in command
