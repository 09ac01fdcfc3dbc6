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


class TestedCluster(PracticeCluster):
    """Its database is copied back only where the server has written anything since."""

    _as_copied: tuple[str, str, str] | None = None

    def _copy_database(self, source: str, target: str) -> None:
        if self._as_copied != (source, target, self._written(source, target)):
            super()._copy_database(source, target)
            self._as_copied = (source, target, self._written(source, target))

    def _written(self, *databases: str) -> str:
        """Cut the connections to them; how far the server's log of writes has come."""
        with psycopg.connect(self.postgres.dsn("template1"), autocommit=True) as connection:
            connection.execute(CUT, databases)
            return str(connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone())


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
