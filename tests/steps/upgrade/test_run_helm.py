"""What is shown of an upgrade under way, and what is asked when it failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from leftovers import backend_env, revisions, wait_for
from rich.console import Console
from terminal import CONFIRM, DOWN, ENTER, YES, Terminal, told

from wizard.console.interrupts import StopSwitch
from wizard.console.progress import Progress
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.problems import Problem
from wizard.settings import settings_from, target_from
from wizard.steps.step2_values_file import ValuesFile
from wizard.steps.step3_helm_upgrade import HelmUpgrade
from wizard.steps.upgrade.run_helm import UpgradeView
from wizard.systems.access import Systems
from wizard.systems.helm.records import Upgrade

BACKEND = {"app.kubernetes.io/component": "langsmith-backend"}


class Recorder:
    """A watch that keeps everything that it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown: list[tuple[str, tuple[str, ...]]] = []
        self.noted: dict[str, str | int] = {}

    def waiting(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        self.shown.append((what, tuple(lines)))

    def finishing(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        self.waiting(what, seconds, lines)

    def note(self, **facts: str | int) -> None:
        self.noted |= facts

    def backup(self, name: str) -> Path:
        return self.folder / name

    @property
    def lines(self) -> list[str]:
        return list(dict.fromkeys(line for _, lines in self.shown for line in lines))


@pytest.fixture
def systems(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    """The practice cluster as the steps see it, its values file edited."""
    environment = cluster.environment() | {"LANGSMITH_AUDIT_PATIENCE": "1"}
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    with Systems(target_from(settings_from({}, environment))) as found:
        watch = Recorder(cluster.home)
        edit = ValuesFile().propose(found, ())
        assert edit
        ValuesFile().apply(found, edit, watch)
        found.forget()
        yield found


def upgrade(systems: Systems, watch: Recorder) -> None:
    change = HelmUpgrade().propose(systems, ())
    assert change
    HelmUpgrade().apply(systems, change, watch)


def test_hooks_pods_and_events_are_shown(
    cluster: PracticeCluster, systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.steps.upgrade.run_helm.LOOK_SECONDS", 0.1)
    watch = Recorder(cluster.home)
    cluster.kubernetes.faults.slow(pods=1.5, jobs=1.0)
    upgrade(systems, watch)
    first = {lines[0] for what, lines in watch.shown if "helm upgrade is running" in what}
    assert all(line.startswith("waits for ") for line in first)
    assert any("hook Job langsmith-backend-migrations: running" in line for line in first)
    assert any("the backend's rollout: " in line for line in first)
    hooks = [line.split()[2] for line in watch.lines if line.startswith("hook Job ")]
    assert {"langsmith-backend-migrations", "langsmith-backend-auth-bootstrap"} <= set(hooks)
    assert any("ScalingReplicaSet" in line for line in watch.lines)
    assert not any("cannot be read" in line for line in watch.lines)
    assert isinstance(watch.noted["helm"], int)
    _, last = watch.shown[-1]
    assert len(last) == len(set(last))
    assert "langsmith 2 deployed" in revisions(cluster)


def test_what_may_not_be_read_is_a_line_and_fails_nothing(
    cluster: PracticeCluster, systems: Systems
) -> None:
    cluster.kubernetes.faults.forbid("list", "events")
    watch = Recorder(cluster.home)
    cluster.kubernetes.faults.slow(pods=1.0)
    upgrade(systems, watch)
    assert any("events cannot be read now" in line for line in watch.lines)
    cluster.kubernetes.faults.clear()
    assert "langsmith 2 deployed" in revisions(cluster)


def test_a_rollout_that_is_under_way_is_waited_for(
    cluster: PracticeCluster, systems: Systems
) -> None:
    class Mending(Recorder):
        def waiting(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
            super().waiting(what, seconds, lines)
            if "under way before" in what:
                cluster.kubernetes.faults.clear()

    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    from datetime import UTC, datetime

    systems.workload.restart(at=datetime.now(UTC))
    watch = Mending(cluster.home)
    upgrade(systems, watch)
    assert "under way before" in watch.shown[0][0]
    assert "langsmith 2 deployed" in revisions(cluster)


def test_a_hook_job_that_cannot_start_ends_helm(cluster: PracticeCluster, systems: Systems) -> None:
    labels = {"job-name": "langsmith-backend-migrations"}
    cluster.kubernetes.faults.fail_pods(labels, "ImagePullBackOff")
    with pytest.raises(Problem) as caught:
        upgrade(systems, Recorder(cluster.home))
    assert caught.value.id == "LSA440"
    assert "hook Job langsmith-backend-migrations, pod" in caught.value.what
    assert "langsmith 2 failed" in revisions(cluster)
    asked = [(it.verb, it.resource) for it in cluster.kubernetes.requests]
    assert asked.count(("list", "events")) == 1  # where the watch begins
    assert asked.count(("watch", "events")) >= 1
    assert asked.count(("list", "jobs")) > 2


def at_rest(cluster: PracticeCluster) -> bool:
    """Whether there are as many pods as are wanted: none of a Job, none on its way out."""
    pods = cluster.kubernetes.list("Pod", cluster.namespace)
    wanted = (it for kind in ("Deployment", "StatefulSet") for it in cluster.kubernetes.list(kind))
    left = [pod for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")]
    return len(left) == sum(each["spec"]["replicas"] for each in wanted)


def test_a_hook_job_whose_pod_a_quota_does_not_let_in_ends_helm(
    cluster: PracticeCluster, systems: Systems
) -> None:
    answer = cluster.run_helm(  # so that the backend does not roll
        *("upgrade", "langsmith", "langchain/langsmith", "--namespace", "langsmith"),
        *("--version", cluster.chart_version, "--values", str(cluster.values)),
    )
    assert answer.returncode == 0, answer.stderr
    wait_for(lambda: at_rest(cluster))  # else what goes makes room under the quota
    stage(cluster, SCENARIOS["quota-exceeded"])
    watch = Recorder(cluster.home)
    way = Upgrade(
        "langsmith", "langsmith", "langchain/langsmith", cluster.chart_version, (cluster.values,)
    )
    with closing(UpgradeView(systems, watch, rolls=False)) as view, pytest.raises(Problem):
        systems.helm.upgrade(way, tick=view.tick)
    assert re.match(r"hook Job [\w-]+: FailedCreate: .*exceeded quota: compute", view.hopeless)
    assert any(line.startswith("stuck: hook Job langsmith-backend-") for line in watch.lines)


def test_what_keeps_a_rollout_is_told_at_once_and_once() -> None:
    out = StringIO()
    switch = StopSwitch()
    progress = Progress(Console(file=out, width=200), switch, None)
    with progress.running():
        progress.waiting("rolling", 0.0, ("1 of 2 updated",))
        progress.waiting("rolling", 2.0, ("1 of 2 updated", "stuck: FailedCreate: quota"))
        progress.waiting("rolling", 3.0, ("1 of 2 updated",))
        progress.waiting("rolling", 4.0, ("1 of 2 updated", "stuck: FailedCreate: quota"))
        progress.waiting("rolling", 17.0, ("1 of 2 updated", "stuck: FailedCreate: quota"))
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert lines == [
        "… rolling, 0 s: 1 of 2 updated",
        "… rolling, 2 s: 1 of 2 updated; stuck: FailedCreate: quota",
        "… rolling, 17 s: 1 of 2 updated; stuck: FailedCreate: quota",
    ]


@pytest.mark.parametrize(("keys", "exit"), [(ENTER, 9), (DOWN + ENTER, 9)], ids=["stop", "back"])
def test_a_rollback_is_offered_in_a_terminal(
    cluster: PracticeCluster, keys: str, exit: int
) -> None:
    cluster.kubernetes.faults.fail_job("auth-bootstrap")
    with Terminal(env=told(cluster), cwd=cluster.home) as terminal:
        terminal.answer(CONFIRM, YES)
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("Will not come back: hook Jobs")
        terminal.answer("The upgrade failed. What now?", keys)
        assert terminal.end() == exit
        assert terminal.left_behind() == []
    back = keys != ENTER
    assert ("langsmith 3 deployed" in revisions(cluster)) == back
    assert ("AUDIT_LOGS_ENABLED" not in backend_env(cluster)) == back
