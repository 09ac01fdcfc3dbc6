"""An apply that was killed is gone on with by the same plan, and by nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import forked
import pytest
from leftovers import backend, entries, refused, revisions, rows, trace, writes
from plans import written

from wizard.practice.cluster import PracticeCluster
from wizard.records.journal import runs
from wizard.records.runs import state as became

STEPS = ("values_file", "helm_upgrade", "organizations", "backend_restart")
RESTARTED = "kubectl.kubernetes.io/restartedAt"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")


@pytest.fixture(autouse=True)
def journals(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journals are those of the cluster."""
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(cluster.home / "state"))


def killed(cluster: PracticeCluster, step: str, when: str, plan: Path) -> None:
    """Apply, and be killed in this step."""
    words = (step, when, "sigkill", "apply", "--yes", str(plan))
    answer = forked.call(words, cluster.environment(), main="failpoints")
    assert answer.returncode == -9, answer.stdout + answer.stderr
    # helm goes on by itself, and was killed over before its process was noted.
    cluster.kubernetes.until(
        lambda: not any("pending" in each for each in revisions(cluster)), timeout=60
    )


@pytest.mark.parametrize("when", ["middle", "after"])
def test_killed_in_each_step_it_is_the_plan_that_is_done_once(
    cluster, run, planned, tmp_path, when
) -> None:
    plan = written(planned, tmp_path / "plan.json")
    before = trace(cluster)
    for step in STEPS:
        killed(cluster, step, when, plan)
        (left,) = runs()
        assert left.changed == STEPS[: STEPS.index(step) + 1]
    inode, written_rows = cluster.values.stat().st_ino, rows(cluster)
    restarted = backend(cluster)["spec"]["template"]["metadata"]["annotations"][RESTARTED]

    answer = run("apply", "--yes", str(plan), "--approve", planned["id"][:12])
    assert answer.returncode == 0, answer.stderr
    assert f"Run {left.id} of this plan was left unfinished" in answer.stderr
    (left,) = runs()
    assert str(became(left, runs())) == "done"
    assert revisions(cluster) == {"langsmith 1 superseded", "langsmith 2 deployed"}
    assert rows(cluster) == written_rows
    changed = {name for name, row in written_rows.items() if row != before.rows[name]}
    assert changed == {"off", "null", "empty"}
    assert cluster.values.stat().st_ino == inode
    live = backend(cluster)["spec"]["template"]["metadata"]["annotations"]
    assert when == "middle" or live[RESTARTED] == restarted
    events = [entry["event"] for entry in entries(cluster)]
    assert (events.count("begin"), events.count("resume"), events[-1]) == (1, 4, "end")
    refused(cluster, run("apply", "--yes", str(plan)), 7, "LSA917")

    answer = run("undo", "--yes")
    assert answer.returncode == 0, answer.stderr
    after = trace(cluster)
    assert after.values == before.values
    assert {name: row[0] for name, row in after.rows.items()} == {
        name: row[0] for name, row in before.rows.items()
    }
    assert "langsmith 3 deployed" in after.revisions


def test_it_is_gone_on_with_by_nothing_else_and_not_where_somebody_took_it_back(
    cluster, run, apply, planned, tmp_path
) -> None:
    plan = written(planned, tmp_path / "plan.json")
    original = cluster.values.read_bytes()
    killed(cluster, "helm_upgrade", "before", plan)
    edited = cluster.values.read_bytes()
    (left,) = runs()
    cluster.kubernetes.requests.clear()
    refused(cluster, run("run", "--yes", "--all"), 2, "LSA922", left.id, planned["id"][:12])
    refused(cluster, apply(str(plan), "--unfinished", "leave"), 7, "LSA917", left.id)

    cluster.values.write_bytes(original)
    answer = apply(str(plan))
    here = "--context practice -n langsmith --release langsmith"
    back = f"next: +langsmith-audit undo {here} puts back what was made"
    refused(cluster, answer, 7, "LSA920", "step 2 +made by the run that was left", back)
    cluster.values.write_bytes(edited)
    with cluster.connect() as connection:
        id = cluster.organizations["off"]
        connection.execute("UPDATE organizations SET config = '{}' WHERE id = %s", (id,))
    refused(cluster, apply(str(plan)), 7, "LSA920", f"row {id}")
    assert writes(cluster) == []
    assert [entry["event"] for entry in entries(cluster)][-1] == "intent"

    answer = apply(str(plan), "--unfinished", "undo")
    assert answer.returncode == 0, answer.stderr
    assert cluster.values.read_bytes() == original
    assert json.loads(plan.read_text()) == planned
    refused(cluster, apply(str(plan)), 7, "LSA917")
