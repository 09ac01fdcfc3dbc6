"""Organizations: list, search and bulk-enable against the same SQL in psql on the same server.

scripts/bench orgs [--large]      1,000 and 100,000 organizations; --large: 1,000,000 as well

The SQL is what our own run sends, written down while it runs: psql gets every statement of it,
and logs in again where we open a second connection. Both sides are logged in before the clock
starts; that start-up is shown once. Runs alternate, and the least of each side counts. What the
same command takes for one organization is shown first, and the ratio is of what more take beyond
that. CPU is the client's own, and the load is the machine's: where it is above the number of
processors, seconds say little. psql's output is thrown away, where ours keeps a file for undo.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import IO, Any
from uuid import UUID

import psycopg

from wizard.commands.orgs import PAGES
from wizard.practice.postgres import PracticePostgres
from wizard.records.rows import RowsFile
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.libpq import LibpqSession
from wizard.systems.postgres.model import Login
from wizard.systems.postgres.psql import psql_text
from wizard.systems.postgres.session import Session
from wizard.systems.postgres.statements import ROLLBACK, Statement

PAIRS = 11
BUDGET = 12.0
"""Seconds after which no other pair of runs is begun."""
SIZES = (1_000, 100_000)
LARGE = 1_000_000
PART = "99"
TABLE = """
DROP TABLE IF EXISTS organizations;
CREATE TABLE organizations (
    id uuid PRIMARY KEY, display_name text, is_personal boolean NOT NULL, config jsonb);
INSERT INTO organizations
SELECT gen_random_uuid(), 'Organization ' || md5(n::text), false,
       '{"can_use_audit_logs": false, "max_identities": 5, "can_use_rbac": true}'
FROM generate_series(1, %d) n;
VACUUM ANALYZE organizations;
CHECKPOINT;
"""
OFF = """
UPDATE organizations SET config = config || '{"can_use_audit_logs": false}';
VACUUM FULL ANALYZE organizations;
CHECKPOINT;
"""


@dataclass(frozen=True)
class Taken:
    """One run: seconds, the client's seconds on a processor, its peak memory in MB."""

    seconds: float
    cpu: float
    peak: float = 0.0


Figures = dict[str, tuple[Taken, Taken]]
"""By what was done: the fastest run of ours, and of psql."""


def main() -> None:
    """One table of figures a size."""
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:4])
        return
    sizes = (*SIZES, LARGE) if "--large" in sys.argv else SIZES
    with tempfile.TemporaryDirectory(prefix="lsa-") as name:
        Path(name).chmod(0o711)
        server = PracticePostgres(Path(name) / "postgres")
        server.start()
        try:
            _execute(server, TABLE % 1)
            _start_up(server)
            one: Figures = {}
            for size in (1, *sizes):
                _execute(server, TABLE % size)
                found = _figures(server, size, Path(name) / "sql", one)
                one = one or found
        finally:
            server.stop()


def _start_up(server: PracticePostgres) -> None:
    """The whole process, to its login and out again."""
    ours = min(_timed(lambda: _ours(server, "nothing")) for _ in range(5))
    psql = min(_timed(lambda: _psql(server, Path(os.devnull))) for _ in range(5))
    print(f"start-up and login, not in what follows: {_ms(ours)}   psql {_ms(psql)}")


def _figures(server: PracticePostgres, size: int, sql: Path, one: Figures) -> Figures:
    """Print a size's figures; `one` has those of one organization, but for itself."""
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"{size:,} organization{'s' if size > 1 else ''} ({load})", flush=True)
    with Database.open(_login(server.psql_env())) as database:
        database.find_organizations()
        first = min(_timed(database.organizations) for _ in range(11))
    print(f"  first page after connecting {_ms(first)}", flush=True)
    found: Figures = {}
    for name in ("list", "search", "enable"):
        _ours(server, name, sql)
        ours, psql = found[name] = _pairs(server, name, sql)
        ratio = ""
        if one:
            mine, theirs = (
                now.seconds - then.seconds for now, then in zip(found[name], one[name], strict=True)
            )
            ratio = f"ratio {mine / max(theirs, 0.0001):5.2f}   "
        print(
            f"  {name:<7} {_ms(ours.seconds)} (CPU {_ms(ours.cpu)})   "
            f"psql {_ms(psql.seconds)} (CPU {_ms(psql.cpu)})   {ratio}peak {ours.peak:4.0f} MB",
            flush=True,
        )
    return found


def _pairs(server: PracticePostgres, name: str, sql: Path) -> tuple[Taken, Taken]:
    """The fastest run of ours and of psql; each goes first in every second pair."""
    both: tuple[Callable[[], Taken], ...]
    both = (lambda: _ours(server, name), lambda: _psql(server, sql))
    taken: tuple[list[Taken], list[Taken]] = ([], [])
    spent = 0.0
    while len(taken[0]) < PAIRS and spent < BUDGET:
        for side in (0, 1) if len(taken[0]) % 2 else (1, 0):
            if name == "enable":
                _execute(server, OFF)
            taken[side].append(both[side]())
            spent += taken[side][-1].seconds
    ours, psql = (min(runs, key=lambda it: it.seconds) for runs in taken)
    return ours, psql


def _child(name: str, sql: str) -> None:
    """Do one thing, and print its seconds and this process's peak memory; or write its SQL."""
    work: dict[str, Callable[[Database], object]] = {
        "nothing": lambda _: None,
        "list": _listed,
        "search": lambda database: database.organizations(search=PART),
        "enable": _enable,
    }
    with Database.open(_login(dict(os.environ))) as database, _written(sql):
        cpu = time.process_time()
        seconds = _timed(lambda: work[name](database))
        cpu = time.process_time() - cpu
    print(seconds, cpu, _peak())


@contextlib.contextmanager
def _written(path: str) -> Iterator[None]:
    """Write what the block's sessions send as a script for psql, one session after another."""
    if not path:
        yield
        return
    told: dict[Session, IO[str]] = {}
    with contextlib.ExitStack() as files:

        def note(session: Session, query: Statement, values: Mapping[str, Any]) -> None:
            if session not in told:
                told[session] = files.enter_context(tempfile.TemporaryFile("w+"))
            told[session].write(psql_text(query, values))

        with _noted(note):
            yield
        with Path(path).open("w") as script:
            for number, file in enumerate(told.values()):
                script.write("\\connect\n" if number else "")
                file.seek(0)
                shutil.copyfileobj(file, script)


@contextlib.contextmanager
def _noted(note: Callable[[Session, Statement, Mapping[str, Any]], None]) -> Iterator[None]:
    names = ("rows", "tuples", "run")
    plain = {name: getattr(LibpqSession, name) for name in (*names, "roll_back")}

    def noting(name: str) -> Callable[..., Any]:
        def send(self: LibpqSession, query: Statement, **values: Any) -> Any:
            note(self, query, values)
            return plain[name](self, query, **values)

        return send

    def roll_back(self: LibpqSession) -> None:
        note(self, ROLLBACK, {})
        plain["roll_back"](self)

    try:
        for name in names:
            setattr(LibpqSession, name, noting(name))
        LibpqSession.roll_back = roll_back  # type: ignore[method-assign]
        yield
    finally:
        for name, method in plain.items():
            setattr(LibpqSession, name, method)


def _peak() -> float:
    """This process's peak memory in MB; on Linux ru_maxrss counts what the parent had, too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)


def _ours(server: PracticePostgres, name: str, sql: Path | None = None) -> Taken:
    argv = [sys.executable, __file__, "--child", name, str(sql or "")]
    env = os.environ | server.psql_env()
    answer = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return Taken(*map(float, answer.stdout.split()[-3:]))


def _psql(server: PracticePostgres, sql: Path) -> Taken:
    """Run a file in a psql that is logged in."""
    argv = [str(server.bin_dir / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    argv += ["-d", "postgres"]
    env = os.environ | server.psql_env()
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=env, stdin=pipe, stdout=pipe, stderr=DEVNULL) as psql:
        assert psql.stdin
        assert psql.stdout

        def told(text: str) -> float:
            psql.stdin.write(f"{text}\n\\echo done\n".encode())
            psql.stdin.flush()
            if psql.stdout.readline() != b"done\n":
                raise RuntimeError("psql refused the SQL")
            return _cpu(psql.pid)

        before = told(f"\\o {os.devnull}")
        began = time.perf_counter()
        after = told(f"\\i {sql}")
        return Taken(time.perf_counter() - began, after - before)


def _cpu(pid: int) -> float:
    """Seconds that a process has been on a processor; NaN where the system does not say so."""
    path = Path(f"/proc/{pid}/schedstat")
    return int(path.read_text().split()[0]) / 1e9 if path.exists() else math.nan


def _listed(database: Database) -> None:
    """As `orgs` does it, to the last page."""
    after: tuple[str, UUID] | None = None
    limit, later = PAGES
    while len(page := database.organizations(limit=limit, after=after)) == limit:
        after, limit = (page[-1].display_name, page[-1].id), later


def _enable(database: Database) -> None:
    """As a run does it: see which rows need it, and change them, with the undo file on disk."""
    shown = database.show("needy")
    with tempfile.TemporaryDirectory() as folder:
        file = RowsFile(Path(folder) / "rows")
        database.enable_shown(shown, file, statement_limit=300)
        file.close()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:9.1f} ms"


def _login(env: Mapping[str, str]) -> Login:
    return Login(env["PGHOST"], int(env["PGPORT"]), env["PGUSER"], env["PGPASSWORD"], "postgres")


def _execute(server: PracticePostgres, text: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for one in filter(str.strip, text.split(";")):
            connection.execute(one.encode())


if __name__ == "__main__":
    main()
