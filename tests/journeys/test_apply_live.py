"""Plan, approve, apply, apply again, stale, undo; also on any cluster, with --live."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from printed_roles import role, without

from wizard.article import WANTED
from wizard.practice.scenarios.tools import BACKEND, backend_env, backend_of, patch_backend, settled
from wizard.systems.kubernetes.rbac import Right

pytestmark = pytest.mark.live

NAMED = f"Deployment {BACKEND}"
TOUCHED = "langsmith-audit-test/touched"
SECRET = "hunter2hunter2"
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def mine(request: pytest.FixtureRequest) -> Any:
    """The cluster with each helm; on a live one with the helm that it was told."""
    major = request.param
    if request.config.getoption("--live"):
        told = request.getfixturevalue("live_cluster").helm_major
        if told != major:  # before a release is installed in vain
            pytest.skip(f"--live-helm is helm {told}")
        return request.getfixturevalue("cluster")
    practice = request.getfixturevalue("cluster")
    practice.use_helm(request.getfixturevalue(f"helm{major}"))
    return practice


def planned(run: Run, path: Path) -> dict[str, Any]:
    answer = run("plan", "--all", "--ticket", "CHG-1", "-o", str(path))
    assert answer.returncode == 0, answer.stderr
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def spec(**parts: Any) -> dict[str, Any]:
    return {"spec": parts}


def pods(cluster: Any, **parts: Any) -> dict[str, Any]:
    """A patch of the backend's container."""
    name = backend_of(cluster)["spec"]["template"]["spec"]["containers"][0]["name"]
    return spec(template={"spec": {"containers": [{"name": name, **parts}]}})


def annotated(name: str, value: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}


@dataclass(frozen=True)
class Move:
    """A patch of the backend by somebody, what is told of it, and the patch that takes it back."""

    there: Callable[[Any], dict[str, Any]]
    told: str
    back: Callable[[Any], dict[str, Any]]


def variable(cluster: Any, **entry: Any) -> dict[str, Any]:
    return pods(cluster, env=[{"name": "LSA_TEST", **entry}])


def image(cluster: Any) -> str:
    return str(backend_of(cluster)["spec"]["template"]["spec"]["containers"][0]["image"])


def moves(cluster: Any) -> dict[str, Move]:
    """Of each thing that a step rests on."""
    now, size = image(cluster), int(backend_of(cluster)["spec"]["replicas"])
    note = "metadata.annotations.team"
    return {
        "pod template": Move(
            lambda _: spec(template=annotated("team", "audit")),
            rf'pod template of {NAMED}: {note} +not set +"audit"',
            lambda _: spec(template=annotated("team", None)),
        ),
        "a variable": Move(
            lambda it: variable(it, value=SECRET),
            rf"pod template of {NAMED}: \S+env\[LSA_TEST\]\.value +not set +scrypt:\S+",
            lambda it: variable(it, **{"$patch": "delete"}),
        ),
        "rollout strategy": Move(
            lambda _: spec(minReadySeconds=1),
            rf"rollout strategy of {NAMED}: minReadySeconds +not set +1",
            lambda _: spec(minReadySeconds=None),
        ),
        "scale": Move(
            lambda _: spec(replicas=size + 1),
            rf"scale of {NAMED} +{size} +{size + 1}",
            lambda _: spec(replicas=size),
        ),
        "pause": Move(
            lambda _: spec(paused=True),
            rf"pause of {NAMED} +not paused +paused",
            lambda _: spec(paused=None),
        ),
        "image": Move(
            lambda it: pods(it, image="langchain/langsmith-backend:other"),
            rf"image of {NAMED} +{re.escape(now)} +langchain/langsmith-backend:other",
            lambda it: pods(it, image=now),
        ),
        "owner": Move(
            lambda _: annotated("argocd.argoproj.io/tracking-id", "audit:apps/x"),
            rf"owner of {NAMED} +Helm release \S+ +Argo CD \(application audit\)",
            lambda _: annotated("argocd.argoproj.io/tracking-id", None),
        ),
    }


def test_what_a_step_rests_on_is_named_with_who_moved_it(
    cluster: Any, run: Run, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    planned(run, plan)
    for name, move in moves(cluster).items():
        patch_backend(cluster, move.there(cluster), manager="kubectl-edit")
        answer = run("apply", str(plan), "--yes")
        assert answer.returncode == 7, (name, answer.stderr)
        assert re.search(move.told + r" +kubectl-edit at 20", answer.stderr), answer.stderr
        assert re.search("LSA920(.|\n)*changed: +nothing", answer.stderr), answer.stderr
        assert SECRET not in answer.stdout + answer.stderr
        patch_backend(cluster, move.back(cluster), manager="kubectl-edit")
    settled(cluster)
    assert set(WANTED).isdisjoint(backend_env(cluster))
    unmoved(run("apply", str(plan)))


def unmoved(answer: CompletedProcess[str]) -> None:
    """That all is as planned, and nothing but the yes is lacking."""
    assert answer.returncode == 2, answer.stderr
    assert "LSA900" in answer.stderr


def autoscaler(cluster: Any, lowest: int) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": BACKEND}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "by-hand", "namespace": cluster.namespace},
        "spec": {"scaleTargetRef": target, "minReplicas": lowest, "maxReplicas": lowest},
    }


def scaled_to(cluster: Any, size: int) -> None:
    cluster.kubernetes.until(lambda: backend_of(cluster)["spec"]["replicas"] == size, timeout=30)


def test_what_does_not_matter_refuses_nothing(cluster: Any, run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    planned(run, plan)
    before = backend_of(cluster)
    size = int(before["spec"]["replicas"])
    patch_backend(cluster, annotated(TOUCHED, "yes"), manager="kubectl-annotate")
    patch_backend(cluster, {"metadata": {"labels": {"team": "audit"}}}, manager="kubectl-label")
    unmoved(run("apply", str(plan)))
    for replicas in (size + 1, size):
        patch_backend(cluster, spec(replicas=replicas), manager="kubectl")
        settled(cluster)
    unmoved(run("apply", str(plan)))
    someone = cluster.kubernetes.acting_as("kubectl-create")
    someone.create(autoscaler(cluster, size + 1))
    scaled_to(cluster, size + 1)
    back = {"spec": autoscaler(cluster, size)["spec"]}
    someone.patch("HorizontalPodAutoscaler", cluster.namespace, "by-hand", back)
    scaled_to(cluster, size)
    settled(cluster)
    after = backend_of(cluster)["metadata"]["generation"]
    assert after >= before["metadata"]["generation"] + 4
    unmoved(run("apply", str(plan)))


def test_a_plan_is_approved_applied_once_and_undone(mine: Any, run: Run, tmp_path: Path) -> None:
    plan, values = tmp_path / "plan.json", mine.values.read_bytes()
    id = planned(run, plan)["id"]
    shown = run("show", str(plan))
    assert (shown.returncode, id in shown.stdout) == (0, True), shown.stderr
    patch_backend(mine, annotated(TOUCHED, "yes"), manager="kubectl-annotate")
    for replicas in (1, -1):
        now = int(backend_of(mine)["spec"]["replicas"])
        patch_backend(mine, spec(replicas=now + replicas), manager="kubectl")
    settled(mine)

    answer = run("apply", "--yes", str(plan), "--approve", id[:12])
    assert answer.returncode == 0, answer.stderr
    assert {backend_env(mine)[name] for name in WANTED} == {"true"}
    assert backend_of(mine)["metadata"]["annotations"]["langsmith-audit/applied-plan"].startswith(
        id
    )

    again = run("apply", "--yes", str(plan))
    assert again.returncode == 7, again.stderr
    assert "LSA917" in again.stderr
    ran = run("run", "--yes", "--all")
    assert ran.returncode == 0, ran.stderr
    assert "Nothing to do" in ran.stdout

    undone = run("undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert set(WANTED).isdisjoint(backend_env(mine))
    assert mine.values.read_bytes() == values


def refused_as_moved(answer: CompletedProcess[str], told: str) -> None:
    assert answer.returncode == 7, answer.stderr
    assert re.search("LSA920(.|\n)*changed: +nothing", answer.stderr), answer.stderr
    assert re.search(told, answer.stderr), answer.stderr


SET = "UPDATE organizations SET config = {} WHERE id = '{}'"
OFF = "'{\"can_use_audit_logs\": false}'"
ROWS = {
    "config || '{\"more\": 1}'": "row {}.*another part of its config",
    "'{\"can_use_audit_logs\": true}'": "expected rows +3 +2",
}


# On the practice cluster, test_apply_stale.py moves these and all else that a plan rests on.
@pytest.mark.live_only
def test_rows_that_somebody_changed_since_are_named(mine: Any, run: Run, tmp_path: Path) -> None:
    plan, id = tmp_path / "plan.json", mine.organizations["off"]
    planned(run, plan)
    for config, told in ROWS.items():
        mine.psql(SET.format(config, id))
        before = mine.trace()
        refused_as_moved(run("apply", str(plan), "--yes"), told.format(id))
        assert mine.trace() == before
        mine.psql(SET.format(OFF, id))
    unmoved(run("apply", str(plan)))


@pytest.mark.live_only
def test_rights_that_were_taken_away_since_are_named(mine: Any, run: Run, tmp_path: Path) -> None:
    plan, before = tmp_path / "plan.json", mine.trace()
    granted = role(mine, "apply", "--from-release")
    planned(run, plan)
    taken = [
        ("patch", "deployments", "apps"),
        ("create", "secrets", ""),
        ("delete", "jobs", "batch"),
    ]
    for verb, what, group in taken:
        less = without(granted, Right(verb, what, group, mine.namespace))
        mine.kubernetes.faults.grant_only(less)
        refused_as_moved(run("apply", str(plan), "--yes"), f"right to {verb} {what}")
    assert mine.trace() == before
    mine.kubernetes.faults.grant_only(granted)
    unmoved(run("apply", str(plan)))


@pytest.mark.live_only
def test_a_backend_that_was_made_anew_is_named(mine: Any, run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    planned(run, plan)
    body = backend_of(mine)
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
        body["metadata"].pop(name)
    someone = mine.kubernetes.acting_as("kubectl-create")
    someone.delete("Deployment", mine.namespace, BACKEND)
    mine.kubernetes.until(
        lambda: mine.kubernetes.get("Deployment", mine.namespace, BACKEND) is None, timeout=30
    )
    someone.create({key: it for key, it in body.items() if key != "status"})
    settled(mine)
    before = mine.trace()
    told = rf"uid of {NAMED} +[0-9a-f-]{{36}} +[0-9a-f-]{{36}}"
    refused_as_moved(run("apply", str(plan), "--yes"), told)
    assert mine.trace() == before
    planned(run, plan)
    unmoved(run("apply", str(plan)))
