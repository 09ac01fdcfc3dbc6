"""The failure matrix: each step that writes, whatever happens before, in and after its write.

4 steps × 3 moments × 3 ways to fail × resume and undo: 72 cells; a closed terminal (SIGHUP), and a
process that is stopped and continued, in the middle of each write. One test is two of them: from
the same failure one resumes and one undoes. After each, the system is as planned or as it was,
nothing was done twice, and the journal tells the truth.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
import pytest
from failpoints import KINDS, WHENS
from leftovers import backend, backend_env, backend_pods, revisions, rows
from practice_cluster import practice

from wizard.practice.cluster import PracticeCluster, Snapshot
from wizard.records.journal import Run, runs
from wizard.records.runs import Made, made
from wizard.records.runs import state as became

STEPS = ("values_file", "helm_upgrade", "organizations", "backend_restart")
LEFT_OUT = {
    "values_file": ("helm_upgrade", "organizations", "backend_restart"),
    "helm_upgrade": ("organizations", "backend_restart"),
    "organizations": ("values_file", "helm_upgrade", "backend_restart"),
    "backend_restart": ("values_file", "helm_upgrade"),
}
"""What a cell leaves out, so that it costs little: all that comes after, and what is not needed."""
EXITS = {"exception": 1, "sigterm": 9, "sighup": 9, "sigkill": -9}
PLANNED = {"langsmith 1 superseded", "langsmith 2 deployed"}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")


@dataclass(frozen=True)
class Seen:
    """Everything that a step could do twice, or leave half-done."""

    values: bytes
    inode: int
    revisions: frozenset[str]
    env: dict[str, str]
    rows: dict[str, tuple[Any, str]]
    restarted: str
    generation: int
    pods: set[str]
    folder: frozenset[str]

    @property
    def configs(self) -> dict[str, Any]:
        """What the rows hold, whoever wrote them."""
        return {name: config for name, (config, _) in self.rows.items()}

    @property
    def on(self) -> bool:
        """Whether the shared rows are on, all of them; none or all is asserted."""
        told = {name: it for name, it in self.configs.items() if name not in ("personal", "on")}
        on = [bool(it) and it.get("can_use_audit_logs") is True for it in told.values()]
        assert all(on) or not any(on), "never between"
        return all(on)


def see(cluster: PracticeCluster) -> Seen:
    live = backend(cluster)
    annotations = live["spec"]["template"]["metadata"].get("annotations") or {}
    return Seen(
        cluster.values.read_bytes(),
        cluster.values.stat().st_ino,
        revisions(cluster),
        backend_env(cluster),
        rows(cluster),
        annotations.get("kubectl.kubernetes.io/restartedAt", ""),
        live["metadata"]["generation"],
        backend_pods(cluster),
        frozenset(path.name for path in cluster.values.parent.iterdir()),
    )


@pytest.fixture(scope="module")
def fresh(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot]]:
    with practice(helm3, takes=0.02) as cluster:
        yield cluster, cluster.snapshot()


@pytest.fixture
def cluster(fresh: tuple[PracticeCluster, Snapshot], monkeypatch) -> PracticeCluster:
    cluster, snapshot = fresh
    cluster.restore(snapshot)
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(cluster.home / "state"))
    return cluster


def tool(
    cluster: PracticeCluster, *words: str, main: str = forked.PROGRAM
) -> subprocess.CompletedProcess[str]:
    return forked.call(words, cluster.environment(), main=main)


def arguments(step: str) -> list[str]:
    skipped = (*LEFT_OUT[step], "audit_table", "audit_api")
    return ["run", "--yes", "--all", *(word for each in skipped for word in ("--skip", each))]


def settled(cluster: PracticeCluster) -> bool:
    """No helm is at work, and the backend's rollout is over."""
    status, spec = backend(cluster)["status"], backend(cluster)["spec"]
    counts = {status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    quiet = not any("pending" in each for each in revisions(cluster))
    same = status.get("observedGeneration") == backend(cluster)["metadata"]["generation"]
    return quiet and same and counts == {spec["replicas"]} and len(backend_pods(cluster)) == 2


def is_made(step: str, when: str, kind: str) -> bool:
    """Whether the write is there after the failure; helm and a rollout go on by themselves."""
    if kind in ("sigterm", "sighup") or when == "after":
        return True
    return when == "middle" and step in ("helm_upgrade", "backend_restart")


def changed(step: str, before: Seen, now: Seen) -> bool:
    """Whether the step's write is there, once."""
    return {
        "values_file": now.values != before.values,
        "helm_upgrade": "langsmith 2 deployed" in now.revisions,
        "organizations": now.on,
        "backend_restart": now.restarted != before.restarted,
    }[step]


def assert_true(run: Run, step: str, there: bool) -> None:
    """That the journal does not say more than is so."""
    told = [it for it in made(run) if it.step == step]
    assert len(told) == 1
    if told[0].outcome == "done":
        assert there
    if told[0].outcome == "failed":
        assert not there
    assert not run.ended
    assert str(became(run, runs())) in ("unfinished", "failed")


CELLS = [(step, when, kind) for step in STEPS for when in WHENS for kind in KINDS]
CELLS += [(step, "middle", "sighup") for step in STEPS]


@pytest.mark.parametrize(("step", "when", "kind"), CELLS, ids=["-".join(it) for it in CELLS])
def test_resumed_or_undone(cluster, tmp_path, step, when, kind) -> None:
    before = see(cluster)
    failed = tool(cluster, step, when, kind, *arguments(step), main="failpoints")
    assert failed.returncode == EXITS[kind], failed.stdout + failed.stderr
    cluster.kubernetes.until(lambda: settled(cluster), timeout=60)
    there = see(cluster)
    assert changed(step, before, there) == is_made(step, when, kind)
    (left,) = runs()
    assert_true(left, step, is_made(step, when, kind))
    if kind in ("sigterm", "sighup"):
        assert "langsmith-audit run" in failed.stderr
        assert "langsmith-audit undo" in failed.stderr

    kept = cluster.snapshot("failed")
    state = shutil.copytree(cluster.home / "state", tmp_path / "state")
    resumed(cluster, step, before, there, left)
    cluster.restore(kept)
    shutil.rmtree(cluster.home / "state")
    shutil.copytree(state, cluster.home / "state")
    undone(cluster, step, before, left)


def resumed(cluster: PracticeCluster, step: str, before: Seen, there: Seen, left: Run) -> None:
    """The planned state; what was there already is not written again."""
    again = tool(cluster, *arguments(step))
    assert again.returncode == 0, again.stderr
    assert f"Run {left.id} was left unfinished" in again.stderr
    now = see(cluster)
    assert changed(step, before, now)
    assert now.folder == before.folder | {"state", "kubecache"} & now.folder, "no file beside it"
    if step in ("values_file", "helm_upgrade"):
        assert now.values.count(b"name: AUDIT_LOGS_ENABLED") == 1
    if there.values != before.values:
        assert now.inode == there.inode
    assert now.revisions == (PLANNED if step == "helm_upgrade" else before.revisions)
    if there.on:
        assert now.rows == there.rows, "no row is written twice"
    once = step in ("helm_upgrade", "backend_restart")
    assert now.generation == before.generation + once
    if step == "backend_restart":
        assert not now.pods & before.pods
    (run,) = runs()
    assert str(became(run, runs())) == "done"


def undone(cluster: PracticeCluster, step: str, before: Seen, left: Run) -> None:
    """The state from before the run."""
    made_there = see(cluster)
    back = tool(cluster, "undo", "--yes")
    assert back.returncode == 0, back.stderr
    now = see(cluster)
    assert now.values == before.values
    assert now.env == before.env
    assert now.configs == before.configs
    assert now.folder - {"state", "kubecache"} == before.folder - {"state", "kubecache"}
    if made_there.rows == before.rows:
        assert now.rows == before.rows, "rows that were not changed are not written"
    elif made_there.on:
        assert not now.pods & made_there.pods, "the pods knew the rows as they were"
    rolled_back = "langsmith 2 deployed" in made_there.revisions
    deployed = "langsmith 3 deployed" if rolled_back else "langsmith 1 deployed"
    assert [it for it in now.revisions if it.endswith(" deployed")] == [deployed]
    found = runs()
    (run,) = [it for it in found if it.id == left.id]
    assert str(became(run, found)) == "undone"
    told = {it.step: it for it in made(found[-1])} if found[-1].undoes else {}
    assert set(told) <= set(STEPS)
    assert all(isinstance(it, Made) and it.outcome == "done" for it in told.values())
    again = tool(cluster, "undo", "--yes")
    assert again.returncode == 0, again.stderr
    assert "Nothing to do" in again.stdout
    assert see(cluster) == now


@pytest.mark.parametrize("step", STEPS)
def test_stopped_and_continued(cluster, step) -> None:
    before = see(cluster)
    done = tool(cluster, step, "middle", "sigstop", *arguments(step), main="failpoints")
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.kubernetes.until(lambda: settled(cluster), timeout=60)
    assert changed(step, before, see(cluster))
    (run,) = runs()
    assert [it.outcome for it in made(run) if it.step == step] == ["done"]
    assert str(became(run, runs())) == "done"
    assert cluster.kubernetes.list("Lease", cluster.namespace) == []
