"""psql as a process of this machine: the exec way's session without a cluster."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wizard.systems.postgres.model import Wire

FLAGS = ("-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose")


class LocalPsql:
    """A `Wire` to a psql here."""

    def __init__(self, program: Path, env: Mapping[str, str]) -> None:
        self.code: int | None = None
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [str(program), *FLAGS], env=dict(env), stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
        )
        assert self.process.stdout
        assert self.process.stderr
        self._open = {self.process.stdout.fileno(): 1, self.process.stderr.fileno(): 2}

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)

    def receive(self, limit: float) -> tuple[int, bytes] | None:
        while self._open:
            ready, _, _ = select.select(list(self._open), [], [], limit)
            if not ready:
                raise TimeoutError
            data = os.read(ready[0], 65536)
            if data:
                return self._open[ready[0]], data
            del self._open[ready[0]]
        self.code = self.process.wait()
        return None

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
        self._open = {}
        try:
            self.code = self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def local_psql(bin_dir: Path, told: Mapping[str, Any]) -> Callable[[], Wire]:
    """What starts such a psql with this login."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PGHOST": str(told["host"]),
        "PGPORT": str(told["port"]),
        "PGUSER": told["user"],
        "PGPASSWORD": told["password"],
        "PGDATABASE": told["dbname"],
        "PGCLIENTENCODING": "UTF8",
        "PGAPPNAME": "langsmith-audit",
        "LC_ALL": "C",
    }
    return lambda: LocalPsql(bin_dir / "psql", env)
