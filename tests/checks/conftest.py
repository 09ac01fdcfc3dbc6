"""The health check on an installation where the job is done, and what one check finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import pytest
from practice_cluster import practice
from reports import found_by

from wizard.practice.cluster import PracticeCluster, Snapshot

ALL = ("run", "--yes", "--all")
Look = Callable[..., list[tuple[str, str]]]


@pytest.fixture(scope="session")
def well(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot]]:
    """A practice cluster of this worker on which audit logs are on."""
    with practice(helm3) as cluster:
        assert forked.call(ALL, cluster.environment()).returncode == 0
        yield cluster, cluster.snapshot()


@pytest.fixture
def cluster(well: tuple[PracticeCluster, Snapshot]) -> PracticeCluster:
    """The same, as it was."""
    cluster, snapshot = well
    cluster.restore(snapshot)
    return cluster


@pytest.fixture
def found(cluster: PracticeCluster) -> Callable[..., list[dict]]:
    """What one check finds: `found(ID, *arguments, env={…})`."""

    def call(id: str, *arguments: str, env: dict[str, str] | None = None) -> list[dict]:
        whole = cluster.environment() | (env or {})
        answer = forked.call(("check", "--format", "json", *arguments), whole, 120)
        assert answer.returncode in (0, 3, 5), answer.stdout + answer.stderr
        return found_by(answer.stdout, id)

    return call


@pytest.fixture
def sees(found) -> Look:
    """The ids and states of what one check finds."""

    def call(id: str, *arguments: str, **more: object) -> list[tuple[str, str]]:
        return [(it["id"], it["state"]) for it in found(id, *arguments, **more)]

    return call
