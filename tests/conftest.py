"""What the tests share: helm, PostgreSQL, and a practice cluster that is fresh for each test."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from wizard.practice.cluster import PracticeCluster, Snapshot
from wizard.practice.helm_binary import helm_binary
from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem

settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # other tests run on the same processors
settings.load_profile("shared")


@pytest.fixture(scope="session")
def helm3() -> Path:
    """A helm 3 binary, fetched once for all tests when PATH has none."""
    return _helm(3)


@pytest.fixture(scope="session")
def helm4() -> Path:
    """A helm 4 binary, fetched once for all tests when PATH has none."""
    return _helm(4)


def _helm(major: int) -> Path:
    try:
        return helm_binary(major)
    except Problem as problem:
        pytest.skip(f"helm {major}: {problem.what}")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not; gone after the test."""
    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PracticePostgres]:
    """A PostgreSQL server for this worker; make a database of your own in it."""
    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    server = PracticePostgres(folder / "postgres")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Path:
    """Each helm in turn: a test that asks for it runs once a major version."""
    return request.getfixturevalue(f"helm{request.param}")


@pytest.fixture(scope="session")
def shared_cluster(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot]]:
    """The practice cluster of this worker, and its state as it came up."""
    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    cluster = PracticeCluster(folder / "cluster", helm=helm3, pod_ready_after=0.05, job_takes=0.05)
    cluster.up()
    yield cluster, cluster.snapshot()
    cluster.down()
    shutil.rmtree(folder)


@pytest.fixture
def cluster(shared_cluster: tuple[PracticeCluster, Snapshot]) -> PracticeCluster:
    """A practice cluster as it came up: release 0.12.33 deployed, nothing done yet.

    Its helm is helm 3; `cluster.use_helm(helm)` takes another one.
    """
    cluster, snapshot = shared_cluster
    cluster.restore(snapshot)
    return cluster


@pytest.fixture
def run(cluster: PracticeCluster) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `langsmith-audit …` on the cluster, without a terminal; `env` adds variables."""

    def call(
        *arguments: str, env: dict[str, str] | None = None, timeout: float = 120, **more: object
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "wizard", *arguments],
            env=cluster.environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            **more,
        )

    return call
