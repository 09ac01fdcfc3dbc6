"""What the steps say they touch is what is touched, and a right that is missing is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
import yaml
from leftovers import OURS, trace, writes
from practice_cluster import practice

from wizard.checks.areas import ACCESS, AREAS
from wizard.engine.rights import NEEDS
from wizard.practice.cluster import PracticeCluster, Snapshot
from wizard.practice.kubernetes.routes import Request
from wizard.steps.procedure import STEPS
from wizard.steps.rights import IDENTITY, LEASE, TRIED
from wizard.steps.step import Access

DECLARED = sorted(
    {
        access
        for access in (*(it for step in STEPS for it in step.access), *ACCESS)
        if access.system == "kubernetes"
    },
    key=lambda access: (access.what, access.verb, access.changes),
)
LOOKING = [
    access
    for access in DECLARED
    if not access.changes
    and not access.optional
    and not access.kind
    and access.way in ("", "port-forward")
]
CHANGING = [
    Access("kubernetes", verb, what, group)
    for verb, group, what in (
        ("create", "", "secrets"),
        ("update", "", "secrets"),
        ("patch", "", "services"),
        ("patch", "apps", "deployments"),
        ("patch", "apps", "statefulsets"),
        ("create", "batch", "jobs"),
        ("delete", "batch", "jobs"),
        ("watch", "batch", "jobs"),
    )
]
"""Rights that a run lacks half-way, unless it asks; all of them: `tests/engine/test_rights.py`."""
ALL = ("run", "--yes", "--all")

Right = tuple[str, str, str]


def name(access: Access) -> str:
    return f"{access.verb} {access.what}"


def right(access: Access) -> Right:
    return access.verb, access.group, access.what


def asked(request: Request) -> Right:
    what = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    return request.verb, request.group, what


def needed(walk: str) -> set[Right]:
    """What the walk cannot do without, the usual way in and the usual backend given; of helm's
    own what helm 3 always asks for."""
    return {
        right(it)
        for it in NEEDS[walk]
        if it.system in ("kubernetes", "helm") and not (it.optional or it.kind)
        if it.way in ("", "port-forward")
        if it.system == "kubernetes" or right(it) not in NOT_BY_HELM_3
    }


NOT_BY_HELM_3 = {
    *(
        (verb, group, what)
        for verb in ("list", "watch", "patch")
        for group, what in (
            ("", "configmaps"),
            ("", "secrets"),
            ("", "serviceaccounts"),
            ("", "services"),
            ("apps", "deployments"),
            ("apps", "statefulsets"),
        )
    ),
    ("patch", "batch", "jobs"),
    ("delete", "", "secrets"),
}
"""What helm 4 alone asks for, what the API server's defaults decide, and a full history."""


def forbid(cluster: PracticeCluster, access: Access) -> None:
    resource, _, subresource = access.what.partition("/")
    cluster.kubernetes.faults.forbid(access.verb, resource, subresource)


@pytest.fixture(scope="module")
def done(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot, list[Request]]]:
    """A practice cluster on which the job is done, and what doing it asked the API for."""
    with practice(helm3) as cluster:
        cluster.kubernetes.requests.clear()
        assert forked.call(ALL, cluster.environment()).returncode == 0
        requests = list(cluster.kubernetes.requests)
        yield cluster, cluster.snapshot(), requests


class TestWhenTheJobIsDone:
    @pytest.fixture
    def cluster(self, done) -> PracticeCluster:
        cluster, snapshot, _ = done
        cluster.restore(snapshot)
        return cluster

    def test_check_asks_for_what_is_declared_and_nothing_else(self, cluster, run) -> None:
        before = trace(cluster)
        answer = run("check")
        assert answer.returncode == 0, answer.stdout
        found = {asked(request) for request in cluster.kubernetes.requests if request.resource}
        declared = {right(access) for access in LOOKING}
        assert found <= declared
        # The WebSocket's GET is all that a server of today asks for.
        assert declared - found == {("create", "", "pods/portforward")}
        assert all(it.user_agent.startswith(OURS) for it in cluster.kubernetes.requests)  # no helm
        assert writes(cluster) == []
        assert trace(cluster) == before

    @pytest.mark.parametrize("access", LOOKING, ids=name)
    def test_check_without_a_right_says_which(self, cluster, run, access) -> None:
        forbid(cluster, access)
        cluster.kubernetes.faults.forbid("*", "pods", "exec")  # it would be taken instead
        before = trace(cluster)
        answer = run("check", "--format", "json")
        assert answer.returncode == 5, answer.stdout
        report = json.loads(answer.stdout)
        assert [area["name"] for area in report["areas"]] == [area.name for area in AREAS]
        findings = [finding for area in report["areas"] for finding in area["findings"]]
        telling = [one for one in findings if one["id"] in ("LSA117", "LSA207")]
        assert {one["state"] for one in telling} == {"unknown"}
        words = json.dumps(telling)
        assert access.verb in words
        assert access.what in words
        assert answer.stderr == ""
        assert writes(cluster) == []
        assert trace(cluster) == before

    @pytest.mark.parametrize("way", ["exec", "pod"])
    def test_another_way_asks_for_what_is_declared_for_it(self, cluster, run, way) -> None:
        answer = run("check", env={"LANGSMITH_AUDIT_DATABASE": way})
        assert answer.returncode == 0, answer.stdout
        found = {asked(request) for request in cluster.kubernetes.requests}
        own = {right(access) for access in DECLARED if access.way == way}
        assert found <= own | {right(access) for access in LOOKING if not access.way}
        assert own - found <= {("create", "", "pods/exec")}  # as with a port-forward

    def test_without_a_port_forward_psql_in_the_pod_is_taken(self, cluster, run) -> None:
        cluster.kubernetes.faults.forbid("*", "pods", "portforward")
        why = "(no port can be forwarded: You may not create pods/portforward in namespace"
        for walk in (("check", "--all"), ("check",), ("plan", "--all"), ("orgs",)):
            answer = run(*walk, "--format", "json")
            assert answer.returncode == 0, answer.stdout
            words = answer.stdout + answer.stderr
            assert "way in: psql in pod langsmith-postgres-0" in words
            assert why in words

    @pytest.mark.parametrize("access", CHANGING, ids=name)
    def test_check_needs_no_right_to_change_anything(self, cluster, run, access) -> None:
        forbid(cluster, access)
        assert run("check").returncode == 0

    def test_a_run_touches_what_is_declared_and_helm_the_release(self, done) -> None:
        _, _, requests = done
        declared = {right(access) for access in NEEDS["run"]}
        ours = {asked(one) for one in requests if one.user_agent.startswith(OURS)}
        assert ours <= declared
        # The Lease is renewed in a run that takes longer than this one.
        assert {right(it) for it in LEASE if it.verb != "patch"} <= ours
        everything = {asked(one) for one in requests}
        assert needed("run") - everything == {("create", "", "pods/portforward")}
        assert {("patch", "apps", "deployments")} < ours
        helms = {asked(one) for one in requests if one.user_agent.startswith("Helm/")}
        assert helms <= declared


@pytest.mark.parametrize("access", CHANGING, ids=name)
def test_a_run_that_may_not_change_something_changes_nothing(cluster, run, access) -> None:
    forbid(cluster, access)
    before = trace(cluster)
    answer = run(*ALL)
    assert answer.returncode == 5, answer.stderr
    assert "LSA207" in answer.stderr
    assert f"You may not {access.verb} {access.what}" in answer.stderr
    assert f"  resources: [{access.what}]\n  verbs: [{access.verb}]\n" in answer.stderr
    assert writes(cluster) == []
    assert trace(cluster) == before


def test_a_server_that_answers_no_questions_about_rights_is_believed(cluster, run) -> None:
    cluster.kubernetes.faults.forbid("create", "selfsubjectaccessreviews")
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr


def test_plan_apply_and_undo_ask_for_what_is_declared_and_nothing_else(
    cluster, run, tmp_path
) -> None:
    plan = str(tmp_path / "plan.json")
    walks = {"plan": ("--all", "-o", plan), "apply": (plan, "--yes"), "undo": ("--yes",)}
    for walk, options in walks.items():
        cluster.kubernetes.requests.clear()
        answer = run(walk, *options)
        assert answer.returncode == 0, answer.stderr
        requests = cluster.kubernetes.requests
        ours = {asked(one) for one in requests if one.user_agent.startswith(OURS)}
        declared = {right(access) for access in NEEDS[walk]}
        assert ours <= declared, walk
        if walk == "undo":  # it needs the systems of what it puts back alone
            continue
        lacking = needed(walk) - {asked(one) for one in requests}
        assert lacking == {("create", "", "pods/portforward")}, walk
        own = {right(access) for access in IDENTITY}
        own |= {right(it) for it in TRIED if not it.kind}
        assert own <= ours


def test_every_step_says_what_it_touches() -> None:
    for step in STEPS:
        assert step.access, step.name
        changing = [access for access in step.access if access.changes]
        changes = step.name not in ("chart_version", "audit_table", "audit_api")
        assert bool(changing) == changes, step.name


def test_all_rights_that_lack_are_named_at_once_as_one_role(cluster, run) -> None:
    for verb, what in (("create", "jobs"), ("update", "secrets"), ("get", "configmaps")):
        cluster.kubernetes.faults.forbid(verb, what)
    before = trace(cluster)
    answer = run(*ALL)
    assert answer.returncode == 5, answer.stderr
    assert "LSA143" in answer.stderr
    role = answer.stderr[answer.stderr.index("apiVersion:") : answer.stderr.index("  on:")]
    assert yaml.safe_load(role) == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "langsmith-audit", "namespace": "langsmith"},
        "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["update"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
        ],
    }
    assert writes(cluster) == []
    assert trace(cluster) == before
