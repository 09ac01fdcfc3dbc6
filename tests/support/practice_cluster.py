"""Folders that every user may enter, and practice clusters in them, for as long as a test needs."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def practice(helm: Path, *, takes: float = QUICK, **options: Any) -> Iterator[PracticeCluster]:
    """A practice cluster whose pods and Jobs take so many seconds."""
    with entered() as folder:
        cluster = PracticeCluster(
            folder / "c", helm=helm, pod_ready_after=takes, job_takes=takes, **options
        )
        cluster.up()
        try:
            yield cluster
        finally:
            cluster.down()
