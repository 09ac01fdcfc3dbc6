"""Organizations: list, search and bulk-enable against the same SQL in psql on the same server.

scripts/bench orgs [--large]      1,000 and 100,000 organizations; --large: 1,000,000 as well

Seconds are without start-up and login; memory is the peak of a process that does only this.
psql's output is thrown away, where ours keeps a file for undo.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from wizard.practice.postgres import PracticePostgres
from wizard.records.rows import RowsFile
from wizard.systems.database import Database, Login, Organization
from wizard.systems.database.listing import array_of
from wizard.systems.database.psql_session import psql_text
from wizard.systems.database.shown import BATCH
from wizard.systems.database.statements import COMMIT, ROLLBACK, script, statement

RUNS = 3
PAGE = 20_000
SIZES = (1_000, 100_000)
LARGE = 1_000_000
PART = "99"
WORDS = {"personal": "is_personal"}
TABLE = """
DROP TABLE IF EXISTS organizations;
CREATE TABLE organizations (
    id uuid PRIMARY KEY, display_name text, is_personal boolean NOT NULL, config jsonb);
INSERT INTO organizations
SELECT gen_random_uuid(), 'Organization ' || md5(n::text), false,
       '{"can_use_audit_logs": false, "max_identities": 5, "can_use_rbac": true}'
FROM generate_series(1, %d) n;
VACUUM ANALYZE organizations;
"""

Value = dict[str, Any]


def main() -> None:
    """One table of figures a size."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2])
        return
    sizes = (*SIZES, LARGE) if "--large" in sys.argv else SIZES
    with tempfile.TemporaryDirectory(prefix="lsa-") as name:
        Path(name).chmod(0o711)
        server = PracticePostgres(Path(name) / "postgres")
        server.start()
        try:
            for size in sizes:
                _fill(server, size)
                _figures(server, size)
        finally:
            server.stop()


def _figures(server: PracticePostgres, size: int) -> None:
    print(f"{size:,} organizations")
    with Database.open(_login(server.psql_env())) as database:
        first = statistics.median(_timed(database.organizations) for _ in range(11))
        chosen = list(_all(database))
    print(f"  first page after connecting     {first * 1000:9.1f} ms")
    start_up = statistics.median(_psql(server, "SELECT 1;\n") for _ in range(5))
    sql = {"list": _list_sql(chosen), "search": _search_sql(), "enable": _enable_sql(chosen)}
    for name, text in sql.items():
        ours, theirs, memory = [], [], 0.0
        for _ in range(RUNS):
            seconds, memory = _ours(server, name)
            ours.append(seconds)
            _off(server, name)
            theirs.append(_psql(server, text) - start_up)
            _off(server, name)
        mine, psql = statistics.median(ours), max(statistics.median(theirs), 0.0001)
        print(
            f"  {name:<7} {mine * 1000:9.1f} ms   psql {psql * 1000:9.1f} ms   "
            f"ratio {mine / psql:5.2f}   peak {memory:5.0f} MB"
        )


def _child(name: str) -> None:
    """Do one thing, and print the seconds that it took and this process's peak memory."""
    with Database.open(_login(dict(os.environ))) as database:
        work: dict[str, Callable[[], object]] = {
            "list": lambda: sum(1 for _ in _all(database)),
            "search": lambda: database.organizations(search=PART),
        }
        if name == "enable":
            work["enable"] = lambda: _enable(database)
        else:
            database.find_organizations()
        seconds = _timed(work[name])
    print(seconds, _peak())


def _peak() -> float:
    """This process's peak memory in MB; on Linux ru_maxrss counts what the parent had, too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)


def _ours(server: PracticePostgres, name: str) -> tuple[float, float]:
    argv = [sys.executable, __file__, "--child", name]
    env = os.environ | server.psql_env()
    answer = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    seconds, memory = answer.stdout.split()
    return float(seconds), float(memory)


def _psql(server: PracticePostgres, text: str) -> float:
    argv = [str(server.bin_dir / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    argv += ["-d", "postgres"]
    env, quiet = server.psql_env(), subprocess.DEVNULL
    began = time.perf_counter()
    subprocess.run(argv, input=text.encode(), env=env, stdout=quiet, check=True)
    return time.perf_counter() - began


def _list_sql(organizations: list[Organization]) -> str:
    """All pages, each in its own transaction, as `_all` reads them."""
    ends = [None, *(organizations[n - 1] for n in range(PAGE, len(organizations) + 1, PAGE))]
    return "".join(_read(_page(limit=PAGE, after=after)) for after in ends)


def _search_sql() -> str:
    return _read(_page(pattern=f"%{PART}%"))


def _enable_sql(organizations: list[Organization]) -> str:
    """What `_enable` runs, in its order: the marks, the transaction by batches, the read-back."""
    ids = sorted(organization.id for organization in organizations)
    ends = range(BATCH, len(ids) + 1, BATCH)
    values: Value = {"which": "needy", "limit": BATCH}
    marks = [
        psql_text(_statement("organizations_marks"), {**values, "after": str(after or "")})
        for after in (None, *(ids[end - 1] for end in ends))
    ]
    arrays = [array_of(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH)]
    names = ("lock", "kept", "enable", "proof")
    change = [
        psql_text(_statement(f"organizations_{name}"), {"ids": array})
        for array in arrays
        for name in names
    ]
    proof = [psql_text(_statement("organizations_proof"), {"ids": array}) for array in arrays]
    limits = {"statement_limit": "300s", "lock_limit": "5s", "idle_limit": "30s"}
    begin = psql_text(script("begin_writing", **limits), {})
    return "".join((_read("".join(marks)), begin, *change, psql_text(COMMIT, {}), *proof))


def _page(limit: int = 50, pattern: str = "%", after: Organization | None = None) -> str:
    values: Value = {
        "pattern": pattern,
        "prefix": "",
        "after_name": after.display_name if after else "",
        "after_id": str(after.id) if after else "",
        "with_personal": True,
        "only_off": False,
        "limit": limit,
    }
    return psql_text(_statement("organizations_page"), values)


def _read(query: str) -> str:
    begin = psql_text(script("begin_reading", statement_limit="300s"), {})
    return begin + query + psql_text(ROLLBACK, {})


def _statement(name: str) -> Any:
    return statement(name, words=WORDS, schema="public")


def _all(database: Database) -> Iterator[Organization]:
    after: tuple[str, UUID] | None = None
    while True:
        page = database.organizations(limit=PAGE, after=after)
        yield from page
        if len(page) < PAGE:
            return
        after = (page[-1].display_name, page[-1].id)


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


def _login(env: dict[str, str]) -> Login:
    return Login(env["PGHOST"], int(env["PGPORT"]), env["PGUSER"], env["PGPASSWORD"], "postgres")


def _fill(server: PracticePostgres, size: int) -> None:
    _execute(server, TABLE % size)


def _off(server: PracticePostgres, name: str) -> None:
    if name == "enable":
        _execute(
            server,
            "UPDATE organizations SET config = config || '{\"can_use_audit_logs\": false}';"
            "VACUUM FULL ANALYZE organizations",
        )


def _execute(server: PracticePostgres, text: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for one in filter(str.strip, text.split(";")):
            connection.execute(one.encode())


if __name__ == "__main__":
    main()
