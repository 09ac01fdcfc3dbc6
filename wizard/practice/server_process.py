"""The practice cluster's process, seen from the one that starts it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wizard.exits import Exit
from wizard.practice.environment import led_to
from wizard.problems import Problem

END_LIMIT = 30.0
"""Seconds that the cluster may take to end and to remove its folder."""


class ServerProcess:
    """Starts `wizard.practice.serve` in a session of its own, so that Ctrl-C does not reach it.

    Attributes:
        home: the practice folder, once it is made; the server removes it at its end.
        settings: the variables that lead to the cluster, once it is ready.
        url: LangSmith's URL, once it is ready.
        kept: whether it goes on when this process ends.
    """

    def __init__(
        self,
        helm: Path,
        *,
        chart_version: str = "0.12.33",
        pod_ready_after: float = 1.0,
        job_takes: float = 0.5,
        scenario: str = "",
    ) -> None:
        self.home: Path | None = None
        self.settings: dict[str, str] = {}
        self.url = ""
        self.kept = False
        # Not a pipe, which would be full one day, and not in the folder, which the server removes.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wizard.practice.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        order = {
            "helm": str(helm),
            "chart_version": chart_version,
            "pod_ready_after": pod_ready_after,
            "job_takes": job_takes,
            "scenario": scenario,
        }
        self._write(json.dumps(order))

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def wait_until_ready(self, say: Callable[[str], None]) -> None:
        """Pass the progress on until the cluster is ready.

        Raises:
            Problem: it does not come up.
        """
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            message = json.loads(line)
            if "home" in message:
                self.home = Path(message["home"])
            elif "progress" in message:
                say(message["progress"])
            elif "problem" in message:
                raise _problem(message["problem"])
            else:
                self.settings, self.url = message["ready"], message["url"]
                return
        raise self._gone()

    def environment(self) -> dict[str, str]:
        """This process's environment, with helm, kubectl and langsmith-audit led to the cluster."""
        return led_to(self.settings)

    def keep(self) -> None:
        """Let the cluster go on when this process ends."""
        self._write("keep")
        self._close()
        self.kept = True

    def end(self) -> None:
        """End the cluster and wait until nothing is left of it; idempotent."""
        self._close()
        try:
            self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            if self.home is not None:
                remove_leftovers(self.home)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _close(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _gone(self) -> Problem:
        self._close()
        code = self._process.wait(END_LIMIT)
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace")
        return Problem(
            "LSA956",
            f"the practice cluster does not come up: its process ended with exit code {code}",
            on=f"process {self._process.pid}",
            next_step="start again; if it stays so, report it with the lines above",
            detail=tuple(words.strip().splitlines()[-8:]),
        )


def remove_leftovers(home: Path) -> None:
    """What a server that was killed could not remove: its database server and its folder."""
    from wizard.practice.postgres import PracticePostgres

    PracticePostgres(home / "postgres").stop()
    shutil.rmtree(home, ignore_errors=True)


def _problem(told: dict[str, Any]) -> Problem:
    return Problem(
        told["id"],
        told["what"],
        on=told["on"],
        next_step=told["next_step"],
        exit=Exit(told["exit"]),
        detail=tuple(told["detail"]),
    )
