"""`apply`: exactly what a plan says, or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from leftovers import (
    backend,
    entries,
    refused,
    rows,
    secrets_of,
    told_secrets,
    trace,
    writes,
)
from plans import written
from terminal import ENTER, Terminal

from wizard.options import STEP_NAMES
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage

MARK = "langsmith-audit/applied-plan"
APPLY = ("apply", "--yes")


@pytest.fixture
def plan(planned: dict, cluster: PracticeCluster, tmp_path: Path) -> Path:
    """The same plan in a file, on the cluster that it was made for."""
    return written(planned, tmp_path / "plan.json")


def test_a_plan_is_done_and_done_once(cluster, run, plan, planned) -> None:
    before = trace(cluster)
    answer = run(*APPLY, str(plan), "--approve", planned["id"][:12])
    assert answer.returncode == 0, answer.stderr
    after = trace(cluster)
    assert after.revisions == {"langsmith 1 superseded", "langsmith 2 deployed"}
    changed = {name for name in after.rows if after.rows[name] != before.rows[name]}
    assert changed == {"off", "null", "empty"}
    done = [entry["step"] for entry in entries(cluster) if entry["event"] == "done"]
    assert done == ["values_file", "helm_upgrade", "organizations", "backend_restart"]
    assert entries(cluster)[0]["plan"] == planned["id"]
    assert backend(cluster)["metadata"]["annotations"][MARK].startswith(planned["id"])
    assert told_secrets(secrets_of(cluster), [answer.stdout, answer.stderr]) == set()

    for forget in (False, True):  # the journal tells, then the cluster alone
        if forget:
            shutil.rmtree(cluster.home / "state")
        answer = run(*APPLY, str(plan))
        refused(cluster, answer, 7, "LSA917", "applied already")
    assert trace(cluster).rows == after.rows


def test_a_plan_is_applied_to_what_it_names_in_its_order_and_can_be_undone(
    cluster, run, tmp_path
) -> None:
    plan = tmp_path / "plan.json"
    assert run("plan", "--all", "--one-rollout", "-o", str(plan)).returncode == 0
    document = json.loads(plan.read_text())
    assert document["order"] == ["organizations", "values_file", "helm_upgrade"]
    assert document["rollouts"] == 1
    before = trace(cluster)
    with cluster.connect() as connection:
        connection.execute(
            "INSERT INTO organizations (id, display_name, is_personal, config)"
            " VALUES (gen_random_uuid(), 'new', false, '{\"can_use_audit_logs\": false}')"
        )
    other = {"LANGSMITH_AUDIT_NAMESPACE": "other", "LANGSMITH_AUDIT_VALUES": "/nowhere"}
    answer = run(*APPLY, str(plan), env=other)
    assert answer.returncode == 0, answer.stderr
    done = [entry["step"] for entry in entries(cluster) if entry["event"] == "done"]
    assert done == document["order"]
    with cluster.connect() as connection:
        found = connection.execute("SELECT config FROM organizations WHERE display_name = 'new'")
        assert found.fetchone() == ({"can_use_audit_logs": False},)

    answer = run("undo", "--yes")
    assert answer.returncode == 0, answer.stderr
    after = trace(cluster)
    assert after.values == before.values
    assert {name: row[0] for name, row in after.rows.items()} == {
        name: row[0] for name, row in before.rows.items()
    }


def test_a_chart_that_is_too_old_is_raised_by_the_plan_and_put_back_by_undo(
    cluster, run, tmp_path
) -> None:
    stage(cluster, SCENARIOS["too-old-chart"])
    plan = str(tmp_path / "plan.json")
    assert run("plan", "--all", "-o", plan).returncode == 3
    made = run("plan", "--all", "--accept-chart-change", "-o", plan)
    assert made.returncode == 0, made.stderr
    answer = run(*APPLY, plan)
    assert answer.returncode == 0, answer.stderr
    assert "Chart 0.12.33 can record audit logs" in answer.stderr
    answer = run("undo", "--yes")
    assert answer.returncode == 0, answer.stderr
    listed = cluster.run_helm("list", "-n", "langsmith", "-o", "json")
    assert json.loads(listed.stdout)[0]["chart"] == "langsmith-0.12.32"


def test_without_the_right_to_mark_the_journal_alone_tells(cluster, run, tmp_path) -> None:
    ids = ("--org", str(cluster.organizations["off"]))
    skip = [word for name in (*STEP_NAMES[2:5], STEP_NAMES[6]) for word in ("--skip", name)]
    answer = run("plan", *ids, *skip, "-o", str(tmp_path / "p"))
    assert answer.returncode == 0, answer.stderr
    cluster.kubernetes.faults.forbid("patch", "deployments")
    before = rows(cluster)
    answer = run(*APPLY, str(tmp_path / "p"))
    assert "Only the journal here tells that the plan was applied" in answer.stderr
    assert "AUDIT_LOGS_ENABLED" in cluster.values.read_text()
    assert rows(cluster) == before


def test_a_plan_without_changes_has_nothing_to_apply(cluster, run, tmp_path) -> None:
    skip = [word for name in STEP_NAMES[1:5] for word in ("--skip", name)]
    assert run("plan", "--all", *skip, "-o", str(tmp_path / "p")).returncode == 0
    document = json.loads((tmp_path / "p").read_text())
    assert document["no_changes"] is True
    answer = run(*APPLY, str(tmp_path / "p"))
    assert answer.returncode == 0, answer.stderr
    assert "Nothing to do" in answer.stdout
    assert writes(cluster) == []


def test_it_is_asked_once_for_the_whole_plan_and_never_without_a_terminal(
    cluster, run, plan, planned
) -> None:
    before = trace(cluster)
    cluster.kubernetes.requests.clear()
    answer = run("apply", str(plan))
    assert answer.returncode == 2, answer.stderr
    assert "LSA900" in answer.stderr
    with Terminal("apply", str(plan), env=cluster.environment(), cwd=cluster.home) as terminal:
        terminal.answer(f"Apply plan {planned['id'][:12]} now?", "n" + ENTER)
        assert terminal.end() == 8
    assert trace(cluster) == before
    assert writes(cluster) == []
    with Terminal("apply", str(plan), env=cluster.environment(), cwd=cluster.home) as terminal:
        terminal.answer(f"Apply plan {planned['id'][:12]} now?", "y" + ENTER)
        assert terminal.end() == 0
    assert "langsmith 2 deployed" in trace(cluster).revisions
