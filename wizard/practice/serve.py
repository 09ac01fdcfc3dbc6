"""The practice cluster as a process of its own, and the starter's side of it.

`python -m wizard.practice.serve`: standard input is the lifeline. The first line says what to
serve, as JSON. After that, `keep` on a line lets the cluster outlive its starter; the end of the
input without it ends the cluster, so a starter that is killed leaves nothing behind. On standard
output there is one JSON object a line: `{"home": …}`, `{"progress": …}`, then `{"ready": …}` or
`{"problem": …}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from wizard.practice.chart_repository import FOREIGN, led_to
from wizard.problems import Exit, Problem

STOP_FILE = "stop"
"""A file of this name in the practice folder ends a kept cluster."""

MARK = ".langsmith-audit-practice"
"""The file by which a practice folder is known; it holds the process id."""

ENV_FILE = "env"
"""The file to source in a shell; it holds the API key."""

LOOK_EVERY = 0.2
"""Seconds between two looks for the stop file."""

END_LIMIT = 30.0
"""Seconds that the cluster may take to end and to remove its folder."""


def main() -> int:
    """Serve until the lifeline ends, or until the stop file is there; then remove the folder."""
    ending = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ending.set())
    order = json.loads(sys.stdin.readline() or "null")
    if order is None:
        return Exit.INTERRUPTED
    home = new_home()
    lifeline = threading.Thread(
        target=_hold, args=(sys.stdin, home, ending), name="lifeline", daemon=True
    )
    lifeline.start()
    try:
        _tell({"home": str(home)})
        return _serve(order, home, ending)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def new_home() -> Path:
    """A new practice folder in the system's folder for temporary files."""
    home = Path(tempfile.mkdtemp(prefix="lsa-"))
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        home.chmod(0o711)  # PostgreSQL runs as nobody then, and must get to its data
    (home / MARK).write_text(f"{os.getpid()}\n", encoding="utf-8")
    return home


def _serve(order: dict[str, Any], home: Path, ending: threading.Event) -> int:
    from wizard.practice.cluster import PracticeCluster
    from wizard.practice.scenarios import named, stage

    cluster = PracticeCluster(
        home,
        helm=Path(order["helm"]),
        pod_ready_after=order["pod_ready_after"],
        job_takes=order["job_takes"],
        chart_version=order["chart_version"],
        say=lambda text: _tell({"progress": text}),
    )
    try:
        cluster.up()
        if order["scenario"]:
            stage(cluster, named(order["scenario"]))
        write_env(home / ENV_FILE, cluster.settings())
        write_launcher(home / "bin" / "langsmith-audit")
        _tell({"ready": cluster.settings(), "url": cluster.url})
        while not ending.wait(LOOK_EVERY):
            if (home / STOP_FILE).exists():
                break
    except Problem as problem:
        _tell({"problem": _as_json(problem)})
        return problem.exit
    finally:
        cluster.down()
    return Exit.OK


def _hold(stdin: TextIO, home: Path, ending: threading.Event) -> None:
    """Wait for the end of the lifeline."""
    if not any(line.strip() == "keep" for line in stdin):
        ending.set()
        return
    # Nobody reads from here on: write to a file instead of to a broken pipe.
    log = os.open(home / "serve.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    os.close(log)


def write_env(file: Path, settings: dict[str, str]) -> None:
    """The settings as a shell file, for the owner alone (0600)."""
    file.touch(mode=0o600)
    foreign = "|".join(FOREIGN)
    search, _, _ = settings["PATH"].partition(os.pathsep)
    lines = [
        "# source this file, and helm, kubectl and langsmith-audit see the practice cluster",
        f'for name in $(env | sed -n -E "s/^(({foreign})[A-Za-z0-9_]*)=.*/\\1/p"); do',
        '  unset "$name"',
        "done",
        f'export PATH={shlex.quote(search)}:"$PATH"',
        *(
            f"export {name}={shlex.quote(value)}"
            for name, value in settings.items()
            if name != "PATH"
        ),
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_launcher(file: Path) -> None:
    """A `langsmith-audit` for who has sourced the file: this installation's own."""
    python = shlex.quote(sys.executable)
    file.write_text(f'#!/bin/sh\nexec {python} -P -m wizard "$@"\n', encoding="utf-8")
    file.chmod(0o755)


def _tell(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


def _as_json(problem: Problem) -> dict[str, Any]:
    fields = ("id", "what", "on", "next_step", "exit", "detail")
    return {name: getattr(problem, name) for name in fields}


class ServerProcess:
    """Starts this module in a session of its own, so that Ctrl-C does not reach it.

    `home` is the practice folder, which the server removes at its end; `settings` and `url` are
    known once it is ready; `kept` tells whether it goes on when this process ends.
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
        """Pass the progress on until the cluster is ready."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            message = json.loads(line)
            if "home" in message:
                self.home = Path(message["home"])
            elif "progress" in message:
                say(message["progress"])
            elif "problem" in message:
                told = message["problem"]
                words = {**told, "exit": Exit(told["exit"]), "detail": tuple(told["detail"])}
                raise Problem(words.pop("id"), words.pop("what"), **words)
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


if __name__ == "__main__":
    sys.exit(main())
