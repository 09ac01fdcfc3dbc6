"""Folders that every user may enter, and practice clusters in them, for as long as a test needs."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from wizard.practice.cluster import PracticeCluster

QUICK = 0.05
"""Seconds until a pod is ready, and that a Job takes."""


@contextmanager
def entered() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


CUT = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname IN (%s, %s)
"""
TABLES = """
    SELECT relnamespace <> 'pg_catalog'::regnamespace, oid::regclass FROM pg_class
    WHERE relkind = 'r' AND relnamespace <> 'information_schema'::regnamespace
"""
AS_FILES = b" STRATEGY file_copy"
"""How a database is copied without each of its pages in the log of writes (PostgreSQL 15)."""


class TestedCluster(PracticeCluster):
    """Its database is copied back only where the server has written anything since."""

    _as_copied: tuple[str, str, str] | None = None

    def _copy_database(self, source: str, target: str) -> None:
        with psycopg.connect(self.postgres.dsn("template1"), autocommit=True) as connection:

            def written() -> str:
                """How far the server's log of writes has come; a first reader writes to it, too."""
                connection.execute("SELECT FROM pg_database")
                return str(connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone())

            connection.execute(CUT, (source, target))
            if self._as_copied == (source, target, written()):
                return
            connection.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)".encode())
            how = AS_FILES if connection.info.server_version >= 150000 else b""
            connection.execute(f"CREATE DATABASE {target} TEMPLATE {source}".encode() + how)
            self._as_copied = source, target, written()

    def snapshot(self, *name: str) -> Any:
        """As it is, but that the first reader of a copy will find nothing to note in its pages."""
        if not name:
            with self.connect() as connection:
                for own, table in connection.execute(TABLES).fetchall():
                    # Not VACUUM: it would count the rows, too.
                    act = "SELECT FROM" if own else "VACUUM (FREEZE)"
                    connection.execute(f"{act} {table}".encode())
        return super().snapshot(*name)


@contextmanager
def practice(helm: Path, *, takes: float = QUICK, **options: Any) -> Iterator[PracticeCluster]:
    """A practice cluster whose pods and Jobs take so many seconds."""
    with entered() as folder:
        cluster = TestedCluster(
            folder / "c", helm=helm, pod_ready_after=takes, job_takes=takes, **options
        )
        cluster.up()
        try:
            yield cluster
        finally:
            cluster.down()
