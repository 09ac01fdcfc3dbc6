"""Reading the log: against curl in a loop over the same pages, and psql's COPY of the same rows.

scripts/bench events       20,000 events of 20 days; LANGSMITH_AUDIT_BENCH_EVENTS for another number

The stand-in of the API is a process of its own and takes DELAY seconds for an answer, as a server
with a database behind it does: without any, one would measure Python against Python on the same
processors. Output goes to a file on both sides. Runs alternate, and the least of each side counts.
Where the load is above the number of processors, seconds say little and ratios a little more.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from event_log import KEY, ORGANIZATION, copied, rows  # noqa: E402

from wizard.events.range import Range, days  # noqa: E402
from wizard.practice.postgres import PracticePostgres  # noqa: E402
from wizard.resources import template  # noqa: E402
from wizard.systems.langsmith.api import LangSmithApi  # noqa: E402

COUNT = int(os.environ.get("LANGSMITH_AUDIT_BENCH_EVENTS", "20000"))
DAYS, DELAY, PAIRS = 20, 0.02, 5
END = datetime(2026, 11, 1, tzinfo=UTC)
RANGE = Range(END - timedelta(days=DAYS), END)
TOOL = str(Path(sys.executable).with_name("langsmith-audit"))
SINCE = ["--since", RANGE.start.isoformat(), "--until", RANGE.end.isoformat()]


def main() -> None:
    """All figures."""
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"{COUNT:,} events of {DAYS} days, {DELAY * 1000:.0f} ms an answer ({load})")
    with tempfile.TemporaryDirectory(prefix="lsa-") as name:
        home = Path(name)
        for variable in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
            os.environ.pop(variable, None)  # an installed program is compiled
        os.environ["PYTHONPYCACHEPREFIX"] = str(home / "compiled")
        home.chmod(0o711)
        key = home / "curl"
        key.touch(mode=0o600)
        key.write_text(f'header = "X-API-Key: {KEY}"\n')
        with _serving() as url:
            _from_api(url, home, key)
        _from_table(home)


@contextlib.contextmanager
def _serving() -> Iterator[str]:
    argv = [sys.executable, str(ROOT / "tests/support/event_log.py"), str(COUNT), str(DAYS)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*argv, str(DELAY)], stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.communicate()


def _from_api(url: str, home: Path, key: Path) -> None:
    env = {**os.environ, "LANGSMITH_API_KEY": KEY, "LANGSMITH_AUDIT_STATE_DIR": str(home)}
    ten = {"start_time": RANGE.start.isoformat(), "end_time": RANGE.end.isoformat(), "limit": "10"}
    curl = ["curl", "-sK", str(key), f"{url}/api/v1/audit-logs?{urlencode(ten)}"]
    ours = [TOOL, "events", "--url", url, "--limit", "10", *SINCE]
    first, theirs, version = _least(env, ours, curl, [TOOL, "--version"], pairs=15)
    print(f"events --limit 10        {_ms(first)}   curl {_ms(theirs)}   --version {_ms(version)}"
          f"   {first / (theirs + version):.2f} × both")  # fmt: skip
    addresses = home / "addresses"
    addresses.write_text("".join(f"{it}\n" for it in _pages(url)))
    pages = len(addresses.read_text().splitlines())
    quoted = shlex.quote(str(key))
    loop = f'while read -r url; do curl -sK {quoted} "$url"; done < {addresses}'
    every = [TOOL, "events", "--url", url, "--all", "-o", "ndjson", *SINCE]
    one, many, theirs = _least(
        env, [*every, "--at-a-time", "1"], every, ["sh", "-c", loop], pairs=3
    )  # fmt: skip
    print(f"curl, a page a process   {_ms(theirs)}   {pages} pages")
    print(f"events --all, one window {_ms(one)}   {one / theirs:.2f} × curl")
    print(f"events --all, four       {_ms(many)}   {many / theirs:.2f} × curl")


def _pages(url: str) -> Iterator[str]:
    """The addresses of all pages, as our own windows ask for them."""
    api = LangSmithApi(url, KEY)
    for window in days(RANGE):
        cursor = None
        while True:
            told = {"start_time": _iso(window.start), "end_time": _iso(window.end), "limit": "100"}
            more = {"cursor": cursor} if cursor else {}
            yield f"{url}/api/v1/audit-logs?{urlencode(told | more)}"
            page = api.audit_logs(start=window.start, end=window.end, limit=100, cursor=cursor)
            cursor = page.cursor
            if not cursor:
                break


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _from_table(home: Path) -> None:
    server = PracticePostgres(home / "postgres")
    server.start()
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE organizations (id uuid PRIMARY KEY, display_name text, "
                "is_personal boolean NOT NULL DEFAULT false, config jsonb)"
            )
            connection.execute("INSERT INTO organizations VALUES (%s, 'Acme')", (ORGANIZATION,))
            connection.execute(template("practice/sql/audit_logs.sql").encode())
            copied(connection, rows(COUNT * 5, RANGE.start, RANGE.end))
            connection.execute("VACUUM ANALYZE audit_logs")
        env = {**os.environ, **server.psql_env(), "BENCH": str(home)}
        psql = [str(server.bin_dir / "psql"), "-X", "-q", "-d", "postgres", "-c"]
        plain = "SELECT * FROM audit_logs ORDER BY request_time, id"
        child = [sys.executable, __file__, "--child"]
        nothing = [*child, "nothing"]
        ours, start, raw, login = _least(
            env, [*child, "read"], nothing, [*psql, f"COPY ({plain}) TO STDOUT"], [*psql, ""]
        )
        mine, theirs = ours - start, raw - login
        print(f"table, {COUNT * 5:,} rows     {_ms(mine)}   psql COPY {_ms(theirs)}"
              f"   {mine / theirs:.2f} ×, each beyond its start and login")  # fmt: skip
    finally:
        server.stop()


def _child(what: str) -> None:
    """Log in as the tool does, and write every event of the table."""
    from wizard.events.table import FromTable
    from wizard.events.wanted import Wanted
    from wizard.formats.events import writer
    from wizard.formats.events.strict import shape
    from wizard.systems.postgres.database import Database
    from wizard.systems.postgres.model import Login

    env = os.environ
    login = Login(env["PGHOST"], int(env["PGPORT"]), env["PGUSER"], env["PGPASSWORD"], "postgres")
    with Database.open(login) as database:
        if what == "read":
            out = writer("ndjson", shape(strictly=False, hec=False), {})
            for batch in FromTable(database, Wanted(RANGE)).batches(RANGE):
                out.write(batch.events)


def _least(env: dict[str, str], *commands: Sequence[str], pairs: int = PAIRS) -> list[float]:
    """The least seconds of each command; they take turns."""
    taken: list[list[float]] = [[] for _ in commands]
    for _ in range(pairs):
        for number, command in enumerate(commands):
            taken[number].append(_timed(command, env))
    return [min(one) for one in taken]


def _timed(argv: Sequence[str], env: dict[str, str]) -> float:
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        subprocess.run(argv, env=env, stdout=out, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - began


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:8.1f} ms"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2])
    else:
        main()
