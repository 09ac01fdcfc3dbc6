"""The practice cluster as a process of its own: `python -m wizard.practice.serve`.

Standard input is the lifeline. The first line says what to serve, as JSON. After that, `keep` on a
line lets the cluster outlive its starter; the end of the input without it ends the cluster, so a
starter that is killed leaves nothing behind. On standard output there is one JSON object a line:
`{"home": …}`, `{"progress": …}`, then `{"ready": …}` or `{"problem": …}`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, TextIO

from wizard.exits import Exit
from wizard.practice.environment import FOREIGN
from wizard.problems import Problem

STOP_FILE = "stop"
"""A file of this name in the practice folder ends a kept cluster."""

MARK = ".langsmith-audit-practice"
"""The file by which a practice folder is known; it holds the process id."""

ENV_FILE = "env"
"""The file to source in a shell; it holds the API key."""

LOOK_EVERY = 0.2
"""Seconds between two looks for the stop file."""


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
    for line in stdin:
        if line.strip() == "keep":
            _let_go(home)
            return
    ending.set()


def _let_go(home: Path) -> None:
    """Nobody reads from here on: write to a file instead of to a broken pipe."""
    log = os.open(home / "serve.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    os.close(log)


def write_env(file: Path, settings: dict[str, str]) -> None:
    """The settings as a shell file, for the owner alone (0600)."""
    file.touch(mode=0o600)
    foreign = "|".join(FOREIGN)
    lines = [
        "# source this file, and helm, kubectl and langsmith-audit see the practice cluster",
        f'for name in $(env | sed -n -E "s/^(({foreign})[A-Za-z0-9_]*)=.*/\\1/p"); do',
        '  unset "$name"',
        "done",
    ]
    search, _, _ = settings["PATH"].partition(os.pathsep)
    lines.append(f'export PATH={shlex.quote(search)}:"$PATH"')
    lines += [
        f"export {name}={shlex.quote(value)}" for name, value in settings.items() if name != "PATH"
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
    return {
        "id": problem.id,
        "what": problem.what,
        "on": problem.on,
        "next_step": problem.next_step,
        "exit": int(problem.exit),
        "detail": list(problem.detail),
    }


if __name__ == "__main__":
    sys.exit(main())
