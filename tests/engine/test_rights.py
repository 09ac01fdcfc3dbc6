"""What `rbac` prints suffices for each walk, and each right that lacks is named before a change."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode, b64encode
from pathlib import Path

import forked
import pytest
import yaml
from leftovers import backend_env, trace, writes
from practice_cluster import practice
from printed_roles import rights, role, without
from reports import found_by

from wizard.engine.answers import Answers
from wizard.engine.propose import foresee
from wizard.engine.rights import NEEDS, needed
from wizard.engine.rights import asked as asked_for
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios.tools import settled
from wizard.records.changes import Change
from wizard.settings import settings_from
from wizard.systems.access import Systems
from wizard.systems.kubernetes.rbac import Right, roles

WALKS = ("check", "plan", "run", "apply", "undo")
ALL = ("run", "--yes", "--all")
READING = ("get", "list", "watch")


VIEW = {
    "": (
        "configmaps", "endpoints", "events", "limitranges", "namespaces", "persistentvolumeclaims",
        "pods", "pods/log", "pods/status", "replicationcontrollers", "resourcequotas",
        "serviceaccounts", "services",
    ),
    "apps": ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "discovery.k8s.io": ("endpointslices",),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
}  # fmt: skip
"""The ClusterRole `view` that every cluster has, bound in one namespace."""


def view(namespace: str) -> list[dict]:
    found = (
        Right(verb, what, group, namespace)
        for group, names in VIEW.items()
        for what in names
        for verb in READING
    )
    return roles(found, "view")


def test_what_rbac_prints_suffices_for_every_walk(cluster, run, helm, tmp_path) -> None:
    cluster.use_helm(helm)
    granted = {walk: role(cluster, walk, "--from-release") for walk in WALKS}
    for walk, documents in granted.items():  # so what the README lists suffices as well
        assert rights(documents) <= rights(role(cluster, walk)), walk
    only = cluster.kubernetes.faults.grant_only
    plan = str(tmp_path / "plan.json")

    only(granted["plan"])
    answer = run("plan", "--all", "--format", "json", "-o", plan)
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["exit_code"] == 0
    lacks = document["rights"]["lacking"]
    assert "patch deployments.apps in namespace langsmith" in lacks
    assert writes(cluster) == []

    only(granted["apply"])
    answer = run("apply", plan, "--yes")
    assert answer.returncode == 0, answer.stderr
    assert backend_env(cluster)["AUDIT_LOGS_ENABLED"] == "true"
    only(granted["check"])
    assert run("check").returncode == 0
    only(granted["undo"])
    answer = run("undo", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert "AUDIT_LOGS_ENABLED" not in backend_env(cluster)
    only(granted["run"])
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    assert "confirmed" in answer.stderr


@pytest.mark.live
def test_who_made_the_plan_may_see_more_than_who_applies_it(cluster, run, tmp_path) -> None:
    """The uid of kube-system, which tells clusters apart, is none that a Role lets see."""
    plan = str(tmp_path / "plan.json")
    answer = run("plan", "--all", "-o", plan)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(Path(plan).read_text())["target"]["cluster_uid"]
    cluster.kubernetes.faults.grant_only(role(cluster, "apply", "--from-release"))
    answer = run("apply", plan)
    assert (answer.returncode, "LSA900" in answer.stderr) == (2, True), answer.stderr


@pytest.mark.live
@pytest.mark.live_only
def test_what_rbac_prints_suffices_on_any_cluster(cluster, run, tmp_path) -> None:
    granted = {walk: role(cluster, walk, "--from-release") for walk in WALKS}
    plan = str(tmp_path / "plan.json")
    walks = (
        ("plan", "--all", "-o", plan),
        ("apply", plan, "--yes"),
        ("check",),
        ("undo", "--yes"),
        ALL,
    )
    for walk, *options in walks:
        cluster.kubernetes.faults.grant_only(granted[walk])
        answer = run(walk, *options)
        assert answer.returncode == 0, f"{walk}: {answer.stdout}{answer.stderr}"


def walk_of(run, walk: str, plan: Path) -> tuple[str, ...]:
    """The words of a walk that has something to change, without its yes."""
    if walk == "apply":
        assert run("plan", "--all", "-o", str(plan)).returncode == 0
        return (walk, str(plan))
    if walk == "undo":
        assert run(*ALL).returncode == 0
        return (walk,)
    return (walk, "--all")


@pytest.mark.live
@pytest.mark.live_only
@pytest.mark.parametrize("walk", ["run", "apply", "undo"])
def test_each_right_is_named_or_gone_without_on_any_cluster(cluster, run, tmp_path, walk) -> None:
    """A walk that lacks its yes alone (LSA900) would have begun to change."""
    words = walk_of(run, walk, tmp_path / "plan.json")
    granted, before = role(cluster, walk, "--from-release"), cluster.trace()
    spared = {(it.verb, it.what, it.group) for it in NEEDS[walk] if it.optional}
    spared.add(("delete", "secrets", ""))  # the history is short yet
    unneeded = set()
    for right in sorted(rights(granted), key=str):
        cluster.kubernetes.faults.grant_only(without(granted, right))
        answer = run(*words)
        told = answer.stdout + answer.stderr
        if "LSA900" in told:
            assert (right.verb, right.what, right.group) in spared, right
            unneeded.add(right)
            continue
        assert answer.returncode in (5, 7), (right, told)
        assert re.search(rf"\b{right.verb}\b.*\b{right.what}\b", told), (right, told)
    assert cluster.trace() == before
    cluster.kubernetes.faults.grant_only(roles(rights(granted) - unneeded, "least"))
    answer = run(*words, "--yes")
    assert answer.returncode == 0, answer.stderr


def test_a_release_that_helm_4_made(helm4, tmp_path) -> None:
    """It applies on the server's side: every object is patched, hooks are applied."""
    with practice(helm4) as cluster:
        granted = {walk: role(cluster, walk, "--from-release") for walk in ("run", "undo")}
        for walk, options in (("run", ("--yes", "--all")), ("undo", ("--yes",))):
            cluster.kubernetes.faults.grant_only(granted[walk])
            answer = forked.call((walk, *options), cluster.environment())
            assert answer.returncode == 0, answer.stderr


def test_the_role_that_the_plan_names_is_what_its_maker_lacks(cluster, run, tmp_path) -> None:
    cluster.kubernetes.faults.grant_only(role(cluster, "plan"))
    plan = str(tmp_path / "plan.json")
    for face in ("text", "markdown", "html"):
        answer = run("plan", "--all", "--format", face, "-o", plan)
        assert answer.returncode == 0, answer.stderr
        assert "whoever applies it needs" in answer.stdout
        assert "verbs: [create, update, " in answer.stdout
    document = json.loads(Path(plan).read_text())
    named = document["rights"]
    more = list(yaml.safe_load_all(named["role"]))
    assert len(rights(more)) == len(named["lacking"])
    cluster.kubernetes.requests.clear()
    answer = run("apply", plan, "--yes")
    assert answer.returncode == 7, answer.stderr
    assert "right to patch deployments" in answer.stderr
    assert writes(cluster) == []
    read, *_ = role(cluster, "plan")
    cluster.kubernetes.faults.grant_only([read, *more])
    answer = run("apply", plan, "--yes")
    assert answer.returncode == 0, answer.stderr


def changes_of(
    cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch
) -> tuple[Systems, tuple[Change, ...]]:
    """What a run would change, looked at in this process."""
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    settings = settings_from({"all": True}, cluster.environment())
    systems = Systems(Answers(settings, may_ask=False).locate())
    return systems, foresee(systems)


def test_each_right_taken_away_is_named_before_the_first_change(
    cluster, run, helm, monkeypatch
) -> None:
    """Those to look are needed for the look itself; all others are asked for."""
    cluster.use_helm(helm)
    granted = role(cluster, "run", "--from-release")
    systems, changes = changes_of(cluster, monkeypatch)
    with systems:
        wanted = needed(systems, changes)
        assert {it for it in rights(granted) if it.verb not in READING} - set(wanted) == {
            *(
                Right(verb, "leases", "coordination.k8s.io", "langsmith")
                for verb in ("create", "patch", "delete")
            ),
            Right("create", "pods/portforward", "", "langsmith"),
            Right("delete", "secrets", "", "langsmith"),  # the history is short yet
        }
        assert set(wanted) <= rights(granted)
        for right in wanted:
            cluster.kubernetes.faults.grant_only(without(granted, right))
            systems.forget()
            told = asked_for(systems, wanted)
            assert [it for it in wanted if told[it] is False] == [right]


@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
def test_the_role_view_sees_what_it_may(cluster, run, named) -> None:
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    cluster.kubernetes.faults.grant_only(view(cluster.namespace))
    other = {} if named else {"LANGSMITH_AUDIT_NAMESPACE": "", "LANGSMITH_AUDIT_RELEASE": ""}
    answer = run("check", "--format", "json", env=other)
    assert answer.returncode == 5, answer.stdout + answer.stderr
    report = answer.stdout
    told = {
        id: [(it["id"], it["state"]) for it in found_by(report, id)]
        for id in ("LSA101", "LSA401", "LSA560", "LSA591", "LSA791", "LSA891")
    }
    assert told["LSA101"] == [("LSA101", "pass")]
    assert [it["id"] for it in found_by(report, "LSA181")] == ["LSA117"]
    assert "list secrets in namespace langsmith" in found_by(report, "LSA181")[0]["message"]
    assert told["LSA401"] == [("LSA401", "pass"), ("LSA404", "unknown")]
    assert "AUDIT_LOGS_ENABLED=true" in found_by(report, "LSA401")[0]["evidence"]
    (pods,) = found_by(report, "LSA691")
    assert any("langsmith-backend-" in line for line in pods["evidence"])
    assert told["LSA560"] == [("LSA207", "unknown")]
    assert "get secrets" in found_by(report, "LSA560")[0]["message"]
    assert told["LSA591"] == [("LSA908", "not-run")]
    assert {state for _, state in told["LSA791"] + told["LSA891"]} <= {"unknown", "not-run"}


def test_the_role_view_sees_variables_that_are_not_there(cluster, run) -> None:
    cluster.kubernetes.faults.grant_only(view(cluster.namespace))
    answer = run("check")
    assert answer.returncode == 3, answer.stdout
    assert "The backend runs without AUDIT_LOGS_ENABLED" in answer.stdout
    answer = run(*ALL)  # nothing but a look goes by labels
    assert answer.returncode == 5, answer.stderr
    assert "LSA117" in answer.stderr
    assert writes(cluster) == []


def keep(cluster: PracticeCluster, revisions: int) -> None:
    """Give the release so many revisions, as so many upgrades would."""
    name = "sh.helm.release.v1.langsmith.v"
    first = cluster.kubernetes.get("Secret", cluster.namespace, f"{name}1")
    kept = json.loads(gzip.decompress(b64decode(b64decode(first["data"]["release"]))))
    for number in range(1, revisions + 1):
        status = "deployed" if number == revisions else "superseded"
        kept["version"], kept["info"]["status"] = number, status
        packed = b64encode(b64encode(gzip.compress(json.dumps(kept).encode()))).decode()
        labels = {**first["metadata"]["labels"], "version": str(number), "status": status}
        about = {"name": f"{name}{number}", "namespace": cluster.namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Secret", "type": first["type"], "metadata": about}
        cluster.kubernetes.apply({**body, "data": {"release": packed}})


def test_a_full_history_needs_the_right_to_delete_its_oldest_revision(cluster, run) -> None:
    granted = role(cluster, "run", "--from-release")
    right = Right("delete", "secrets", "", "langsmith")
    keep(cluster, 9)
    cluster.kubernetes.faults.grant_only(without(granted, right))
    before = trace(cluster)
    cluster.kubernetes.requests.clear()
    answer = run(*ALL)
    assert answer.returncode == 5, answer.stderr
    assert "You may not delete secrets" in answer.stderr
    assert writes(cluster) == []
    assert trace(cluster) == before
    cluster.kubernetes.faults.grant_only(granted)
    for walk in (ALL, ("undo", "--yes")):
        answer = run(*walk)
        assert answer.returncode == 0, answer.stderr
    deleted = [it.name for it in cluster.kubernetes.requests if it.verb == "delete"]
    assert "sh.helm.release.v1.langsmith.v1" in deleted


def test_of_a_short_history_nothing_is_deleted_whatever_the_revision_is(cluster, run) -> None:
    keep(cluster, 12)
    for number in range(1, 11):
        cluster.kubernetes.acting_as("kubectl").delete(
            "Secret", cluster.namespace, f"sh.helm.release.v1.langsmith.v{number}"
        )
    granted = role(cluster, "run", "--from-release")
    less = without(granted, Right("delete", "secrets", "", "langsmith"))
    cluster.kubernetes.faults.grant_only(less)
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr


def test_an_undo_that_lacks_a_right_changes_nothing(cluster, run) -> None:
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    settled(cluster)  # the last of the old pods is counted off
    granted = role(cluster, "undo", "--from-release")
    lacks = Right("patch", "statefulsets", "apps", "langsmith")
    cluster.kubernetes.faults.grant_only(without(granted, lacks))
    before = trace(cluster)
    cluster.kubernetes.requests.clear()
    answer = run("undo", "--yes")
    assert answer.returncode == 5, answer.stderr
    assert "You may not patch statefulsets" in answer.stderr
    assert writes(cluster) == []
    assert trace(cluster) == before


def test_an_undo_of_rows_asks_for_the_restart_that_follows(cluster, run) -> None:
    skipped = ("values_file", "helm_upgrade", "audit_api")
    answer = run(*ALL, *(word for name in skipped for word in ("--skip", name)))
    assert "UPDATE organizations" in answer.stderr
    settled(cluster)  # the last of the old pods is counted off
    cluster.kubernetes.faults.forbid("patch", "deployments")
    before = trace(cluster)
    answer = run("undo", "--yes")
    assert answer.returncode == 5, answer.stderr
    assert "You may not patch deployments" in answer.stderr
    assert trace(cluster) == before
