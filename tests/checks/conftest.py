"""The health check on an installation where the job is done, and what one check finds there."""

from __future__ import annotations

from collections.abc import Callable

import forked
import pytest
from reports import found_by

from wizard.practice.cluster import PracticeCluster

Look = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def cluster(well_cluster: PracticeCluster) -> PracticeCluster:
    """An installation where the job is done."""
    return well_cluster


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
