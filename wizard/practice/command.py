"""`langsmith-audit practice`: a cluster to rehearse on, and the wizard on it."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from wizard.console.paper import UNFOLDED
from wizard.practice import scenarios
from wizard.practice.helm_binary import helm_binary
from wizard.practice.serve import (
    END_LIMIT,
    ENV_FILE,
    MARK,
    STOP_FILE,
    ServerProcess,
    remove_leftovers,
)
from wizard.problems import Exit, Problem


def main(args: argparse.Namespace) -> int:
    """Bring the cluster up, run the wizard on it, clean up; gives the wizard's exit code."""
    if args.stop:
        return stop(Path(args.stop))
    if args.list:
        shown = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNFOLDED
        sys.stdout.write(scenarios.listing(shown))
        return Exit.OK
    if args.scenario:
        scenarios.named(args.scenario)
    _need_extra()
    with _on(signal.SIGTERM, _exit):
        return _practise(args, helm_binary(args.helm, say=_say))


def _practise(args: argparse.Namespace, helm: Path) -> int:
    started = time.monotonic()
    _say("A practice cluster is coming up.")
    server = ServerProcess(helm, chart_version=args.chart_version, scenario=args.scenario)
    try:
        server.wait_until_ready(_say)
        _say(f"The practice cluster is ready after {time.monotonic() - started:.1f} s.")
        code = Exit.OK if args.no_wizard else _run_wizard(server, args)
        if args.keep:
            server.keep()
            _say(_how_to(server))
    finally:
        if not server.kept:
            with _no_interrupts():
                server.end()
            _say("The practice cluster is gone.")
    if code not in (Exit.OK, Exit.DECLINED) and not args.keep:
        _say(
            f"The wizard ended with {code}; with --keep its pods, logs and journal stay to look at."
        )
    return code


def _run_wizard(server: ServerProcess, args: argparse.Namespace) -> int:
    command = [sys.executable, "-P", "-m", "wizard", "run", *args.wizard_options]
    if args.yes:
        command += ["--yes", "--all"]
    # Ctrl-C reaches the wizard too, which knows what is safe: wait for what it decides.
    with _no_interrupts(), _forwarded_sigterm() as attach:
        wizard = subprocess.Popen(command, env=server.environment())
        attach(wizard)
        code = wizard.wait()
    return code if code >= 0 else 128 - code


def stop(home: Path) -> int:
    """End a kept cluster and wait until its folder is gone; also where its process was killed."""
    if not (home / MARK).exists():
        raise Problem(
            "LSA957",
            "there is no practice cluster in this folder",
            on=str(home),
            next_step="name the folder that --keep printed; a cluster that has ended has none",
            exit=Exit.USAGE,
        )
    if not _answers(home):
        remove_leftovers(home)
        return Exit.OK
    (home / STOP_FILE).touch()
    limit = time.monotonic() + END_LIMIT
    while home.exists():
        if time.monotonic() > limit:
            raise Problem(
                "LSA957",
                f"the practice cluster did not end within {END_LIMIT:.0f} seconds",
                on=str(home),
                next_step="try again; ps tells whether wizard.practice.serve still runs",
            )
        time.sleep(0.05)
    _say("The practice cluster is gone.")
    return Exit.OK


def _answers(home: Path) -> bool:
    """Whether the cluster's Kubernetes API still listens."""
    try:
        config = json.loads((home / "kubeconfig").read_text(encoding="utf-8"))
        address = urlsplit(config["clusters"][0]["cluster"]["server"])
        with socket.create_connection((address.hostname, address.port or 0), timeout=5):
            return True
    except (OSError, ValueError):
        return False


EXTRA = ("aiohttp", "cryptography")
"""What the extra brings; PostgreSQL may also be the machine's own."""


def _need_extra() -> None:
    if any(importlib.util.find_spec(name) is None for name in EXTRA):
        raise Problem(
            "LSA906",
            "the practice cluster needs packages that are not installed",
            on="the extra langsmith-audit[practice]",
            next_step="pip install 'langsmith-audit[practice]'",
            exit=Exit.USAGE,
        )


def _how_to(server: ServerProcess) -> str:
    env = f"{server.home}/{ENV_FILE}"
    return (
        f"The practice cluster keeps running, LangSmith answers at {server.url}.\n"
        f"  Point a shell at it:  . {env}\n"
        "  Then, for example:    langsmith-audit check; helm list; kubectl get pods\n"
        f"  Stop it:              langsmith-audit practice --stop {server.home}"
    )


@contextlib.contextmanager
def _on(signum: int, handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = signal.signal(signum, handler)
    try:
        yield
    finally:
        signal.signal(signum, before)


def _exit(*_: object) -> None:
    raise SystemExit(int(Exit.TERMINATED))


def _no_interrupts() -> contextlib.AbstractContextManager[None]:
    # A function, not SIG_IGN: a child would inherit that.
    return _on(signal.SIGINT, lambda *_: None)


@contextlib.contextmanager
def _forwarded_sigterm() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """SIGTERM goes to the child that is attached, also when it came before there was one."""
    children: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def forward(signum: int, _frame: FrameType | None) -> None:
        asked.append(signum)
        for child in children:
            child.send_signal(signum)

    def attach(child: subprocess.Popen[bytes]) -> None:
        children.append(child)
        if asked:
            child.terminate()

    with _on(signal.SIGTERM, forward):
        yield attach


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
