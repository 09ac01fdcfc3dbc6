"""Events are watched from a moment on: what was there is not read, and what comes is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from leftovers import wait_for

from wizard.practice.kubernetes import PracticeKubernetes
from wizard.practice.kubernetes.store import HISTORY
from wizard.problems import Problem
from wizard.systems.kubernetes import watching
from wizard.systems.kubernetes.cluster import Cluster
from wizard.systems.kubernetes.watching import EventWatch

WEB = {"web"}


@pytest.fixture
def kube(monkeypatch: pytest.MonkeyPatch) -> Iterator[PracticeKubernetes]:
    """An API server with nothing on it, and a watch that is tried again at once."""
    monkeypatch.setattr(watching, "PAUSE", 0.02)
    server = PracticeKubernetes()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cluster(kube: PracticeKubernetes, tmp_path: Path) -> Iterator[Cluster]:
    """The same as the steps see it."""
    kube.write_kubeconfig(tmp_path / "kubeconfig")
    with closing(Cluster.connect(tmp_path / "kubeconfig", None)) as cluster:
        yield cluster


def happens(kube: PracticeKubernetes, name: str, count: int = 1, about: str = "web") -> None:
    """An event about a pod, for the first time or once more."""
    event: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": about},
        "reason": "BackOff",
        "message": name,
        "type": "Warning",
        "count": count,
        "lastTimestamp": f"2026-01-01T00:00:{count:02}Z",
    }
    kube.apply(event)


def told(watch: EventWatch) -> dict[str, int]:
    """How often each message was told."""
    return {event.message: event.count for event in watch.about(WEB)}


def asked(kube: PracticeKubernetes, verb: str) -> int:
    return sum((it.verb, it.resource) == (verb, "events") for it in kube.requests)


def test_only_what_is_new_is_told_and_counted(kube: PracticeKubernetes, cluster: Cluster) -> None:
    happens(kube, "old")
    happens(kube, "again", 6)
    with closing(EventWatch(cluster, "default")) as watch:
        assert told(watch) == {}
        happens(kube, "again", 7)
        happens(kube, "new", 2)
        happens(kube, "other", about="somebody")
        happens(kube, "new", 5)
        happens(kube, "again", 8)
        wait_for(lambda: told(watch) == {"again": 2, "new": 5})
        assert [event.message for event in watch.about(WEB)] == ["new", "again"]
    assert asked(kube, "list") == asked(kube, "watch") == 1


def test_a_watch_that_the_server_ends_goes_on_from_there(
    kube: PracticeKubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 1)
    with closing(EventWatch(cluster, "default")) as watch:
        happens(kube, "first")
        wait_for(lambda: asked(kube, "watch") > 1)
        happens(kube, "second")
        wait_for(lambda: told(watch) == {"first": 1, "second": 1})
    assert asked(kube, "list") == 1


def test_a_missing_right_is_told_as_long_as_it_lacks(
    kube: PracticeKubernetes, cluster: Cluster
) -> None:
    kube.faults.forbid("watch", "events")
    with closing(EventWatch(cluster, "default")) as watch:
        happens(kube, "missed for now")
        wait_for(lambda: asked(kube, "watch") > 1)
        with pytest.raises(Problem, match="You may not watch events in namespace default"):
            watch.about(WEB)
        kube.faults.clear()
        wait_for(lambda: not watch.problem and told(watch) == {"missed for now": 1})


def test_one_that_lags_behind_what_the_server_remembers_begins_anew(
    kube: PracticeKubernetes, cluster: Cluster
) -> None:
    kube.faults.forbid("watch", "events")
    with closing(EventWatch(cluster, "default")) as watch:
        for count in range(HISTORY + 1):
            happens(kube, "forgotten", count + 1)
        kube.faults.clear()
        wait_for(lambda: asked(kube, "list") > 1)
        happens(kube, "remembered")
        wait_for(lambda: not watch.problem and told(watch) == {"remembered": 1})


def test_only_so_many_are_kept(
    kube: PracticeKubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "KEPT", 2)
    with closing(EventWatch(cluster, "default")) as watch:
        for name, count in (("one", 1), ("two", 1), ("one", 2), ("three", 1)):
            happens(kube, name, count)
        wait_for(lambda: set(told(watch)) == {"one", "three"})
