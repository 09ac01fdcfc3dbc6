"""Several installations checked at once, each by a process of its own.

So each has its own cluster, login, limits and exit code, and memory does not grow with their
number. A key of LangSmith belongs to one of them: none is handed on to an installation that does
not name it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wizard.files import read_file
from wizard.options import OPTIONS, PREFIX, Kind, Option
from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.records.report import Report, report_of

LARGEST = 1_000_000
KEY = "LANGSMITH_API_KEY"
KEYS = (KEY, "LANGCHAIN_API_KEY", "LANGSMITH_AUDIT_API_KEY_FILE")
"""The variables that tell a key."""
OURS = f"{PREFIX}CHECK_"
"""How variables begin that tell this check what to do: what holds for each is told by flags."""
OWN = ("name", "api_key_env")
"""What a target says besides the options."""
_BY_NAME: Mapping[str, Option] = {it.name: it for it in OPTIONS if it.flags}


@dataclass(frozen=True)
class Installation:
    """One of several.

    Attributes:
        name: how it is told from the others.
        flags: the options that are its own.
        key_variable: the environment variable that has its API key; empty where none has.
    """

    name: str
    flags: tuple[str, ...] = ()
    key_variable: str = ""

    def environment(self) -> dict[str, str]:
        """This process's own, with no key but this installation's."""
        kept = {name: text for name, text in os.environ.items()
                if name not in KEYS and not name.startswith(OURS)}  # fmt: skip
        key = os.environ.get(self.key_variable, "") if self.key_variable else ""
        return kept | ({KEY: key} if key else {})


def of_contexts(contexts: Sequence[str]) -> list[Installation]:
    """One a context of the kubeconfig."""
    return [Installation(it, ("--context", it)) for it in dict.fromkeys(contexts)]


def read_targets(path: Path) -> list[Installation]:
    """Those of a file: TOML, a table `[[target]]` each, with options by their names.

    Raises:
        Problem: LSA901, it cannot be read, or says what no target has.
    """
    import tomllib

    try:
        document = tomllib.loads(read_file(path, LARGEST).decode())
        rows = document["target"]
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unusable(path, f"it is no TOML: {error}") from None
    except KeyError:
        raise _unusable(path, "it has no [[target]]") from None
    if not isinstance(rows, list) or not all(isinstance(it, dict) for it in rows) or not rows:
        raise _unusable(path, "target is no list of tables; write [[target]]")
    found = [_installation(path, number, row) for number, row in enumerate(rows, 1)]
    names = [it.name for it in found]
    for name in names:
        if names.count(name) > 1:
            raise _unusable(path, f"two targets are called {name}; give each a name")
    return found


def _installation(path: Path, number: int, row: Mapping[str, Any]) -> Installation:
    for name in row:
        if name not in _BY_NAME and name not in OWN:
            known = ", ".join((*OWN, *_BY_NAME))
            raise _unusable(path, f"target {number} has {name}; there are {known}")
    flags = [word for name in row if name in _BY_NAME for word in _flags(path, name, row[name])]
    told = (row.get("name"), row.get("context"), row.get("namespace"), f"target {number}")
    name = next(str(it) for it in told if it)
    return Installation(name, tuple(flags), str(row.get("api_key_env") or ""))


def _flags(path: Path, name: str, value: Any) -> list[str]:
    option = _BY_NAME[name]
    flag = option.flags[-1]
    if option.kind is Kind.SWITCH and isinstance(value, bool):
        return [flag] if value else []
    several = value if isinstance(value, list) else [value]
    if option.kind is Kind.SWITCH or not all(isinstance(it, str | int | float) for it in several):
        raise _unusable(path, f"{name} is {value!r}")
    # A file that is named is beside this one, whatever the working directory is.
    at = path.parent if option.metavar == "FILE" else None
    texts = [str(at / os.path.expanduser(str(it))) if at else str(it) for it in several]  # noqa: PTH111
    return [word for text in texts for word in (flag, text)]


def _unusable(path: Path, why: str) -> Problem:
    return Problem(
        "LSA901",
        f"The file of targets cannot be used: {why}",
        on=str(path),
        next_step="mend it: a table [[target]] for each, with options by their names",
        exit=Exit.USAGE,
    )


class Checks:
    """The checks of several installations, at most so many at a time."""

    def __init__(self, common: Sequence[str], at_once: int) -> None:
        self._common = tuple(common)
        self._at_once = at_once
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopped: signal.Signals | None = None

    def of(self, several: Sequence[Installation], say: Callable[[str], None]) -> list[Report]:
        """The report of each, in their order; a signal ends all of them, each with its report."""
        began = datetime.now(UTC)
        threads = ThreadPoolExecutor(self._at_once)
        waiting = [threads.submit(self._one, it, began) for it in several]
        try:
            for installation, future in zip(several, waiting, strict=True):
                say(f"{installation.name} is checked")
                future.result()
        except KeyboardInterrupt as interrupt:
            terminated = getattr(interrupt, "exit", Exit.INTERRUPTED) == Exit.TERMINATED
            with self._lock:
                self._stopped = signal.SIGTERM if terminated else signal.SIGINT
                for process in self._running.values():
                    process.send_signal(self._stopped)
        finally:
            threads.shutdown()
        return [it.result() for it in waiting]

    def _one(self, installation: Installation, began: datetime) -> Report:
        argv = [sys.executable, "-P", "-m", "wizard", "check", *self._common, *installation.flags]
        with self._lock:
            if self._stopped:
                code = 143 if self._stopped is signal.SIGTERM else 130
                return _without(installation, began, Exit(code), "it was not begun")
            process = subprocess.Popen(
                [*argv, "--format", "json"],
                env=installation.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self._running[installation.name] = process
        out, err = process.communicate()
        with self._lock:
            del self._running[installation.name]
        try:
            return report_of(json.loads(out), installation.name)
        except (ValueError, KeyError, TypeError):
            words = err.decode("utf-8", "replace").strip().splitlines()[:1]
            exit = Exit(process.returncode) if process.returncode in set(Exit) else Exit.UNEXPECTED
            why = f"its check ended with {process.returncode}: {' '.join(words)}"
            return _without(installation, began, exit or Exit.UNEXPECTED, why)


def _without(installation: Installation, began: datetime, exit: Exit, why: str) -> Report:
    """The report of a check that left none."""
    return Report({"name": installation.name}, (), exit, began, 0.0, ended=why)
