"""Who owns the backend besides helm: recognised, refused, accepted, or gone through git with."""

from __future__ import annotations

import re
import threading

import pytest
from leftovers import (
    NOTHING,
    backend_env,
    entries,
    in_background,
    refused,
    revisions,
    trace,
    wait_for,
)
from reports import found_by
from terminal import CONFIRM, ENTER, YES, Terminal, told

from wizard.article import WANTED
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.practice.scenarios.tools import VARIABLES
from wizard.systems.kubernetes.cluster import Cluster
from wizard.systems.release.owners import APPLICATIONS, Owner, owner_of, owner_says, writers

ALL = ("run", "--yes", "--all")
ENV = {'k:{"name":"AUDIT_LOGS_ENABLED"}': {".": {}, "f:value": {}}}


def entry(manager: str, operation: str = "Update", env: dict | None = None) -> dict:
    container = {'k:{"name":"backend"}': {"f:env": ENV if env is None else env}}
    spec = {"f:spec": {"f:template": {"f:spec": {"f:containers": container}}}}
    return {"manager": manager, "operation": operation, "fieldsV1": spec}


def live(*managers: dict, annotations: dict | None = None, labels: dict | None = None) -> dict:
    about = {"annotations": annotations, "labels": labels, "managedFields": list(managers)}
    return {"metadata": about}


HELM = entry("helm")
INSTANCE = {"app.kubernetes.io/instance": "langsmith"}


@pytest.mark.parametrize(
    ("object_", "words", "mark"),
    [
        (live(HELM), "", ""),
        (live(entry("helm-v4.1", "Apply"), entry("kubectl-edit"), labels=INSTANCE), "", ""),
        (
            live(annotations={"argocd.argoproj.io/tracking-id": "smith:apps/Deployment:a/b"}),
            "Argo CD (application smith)",
            "annotation argocd.argoproj.io/tracking-id: smith:",
        ),
        (
            live(labels={"argocd.argoproj.io/instance": "smith"}),
            "Argo CD (application smith)",
            "label argocd.argoproj.io/instance: smith",
        ),
        (
            live(entry("argocd-controller", "Apply"), labels=INSTANCE),
            "Argo CD (application langsmith)",
            "field manager argocd-controller",
        ),
        (
            live(labels={"helm.toolkit.fluxcd.io/name": "ls"}),
            "Flux (HelmRelease ls)",
            "label helm.toolkit.fluxcd.io/name: ls",
        ),
        (
            live(labels={"kustomize.toolkit.fluxcd.io/name": "apps"}),
            "Flux (Kustomization apps)",
            "label kustomize",
        ),
        (live(entry("helm-controller")), "Flux", "field manager helm-controller"),
        (live(entry("Terraform", "Apply")), "Terraform", "field manager Terraform"),
        (live(entry("my-operator", "Apply")), "my-operator", "applies 1 variables"),
        (live(entry("my-operator", "Apply", env={})), "", ""),
    ],
)
def test_owners_by_their_marks(object_: dict, words: str, mark: str) -> None:
    found = owner_of(object_, "backend")
    assert (found.words if found else "") == words
    assert mark in "\n".join(found.marks if found else ())


def test_who_set_a_variable() -> None:
    object_ = live(HELM, entry("kubectl-edit"), {"manager": "other", "fieldsV1": None})
    assert writers(object_, "backend", WANTED) == {WANTED[0]: "kubectl-edit"}
    assert writers(object_, "another", WANTED) == {}


@pytest.mark.parametrize(
    ("scenario", "id", "words"),
    [
        ("argocd", "LSA160", r"Argo CD \(application langsmith\) owns[^✗]*back by itself"),
        (
            "flux",
            "LSA161",
            r"Flux \(HelmRelease langsmith\) owns[^✗]*every 10m, drift detection en",
        ),
        ("terraform", "LSA162", "field manager terraform-provider-helm"),
    ],
)
def test_an_owner_is_told_and_nothing_is_upgraded(cluster, run, scenario, id, words) -> None:
    stage(cluster, SCENARIOS[scenario])
    before = trace(cluster)
    checked = run("check", "--format", "json").stdout
    told = found_by(checked, "LSA401")[1]
    assert (told["id"], told["state"]) == (id, "warn")
    refused(cluster, run(*ALL), 3, id, words, "--gitops", "--accept-owner", NOTHING)
    assert trace(cluster).revisions == before.revisions
    assert trace(cluster).values == before.values


@pytest.mark.parametrize("forbidden", [False, True], ids=["one-list", "one-by-one"])
def test_an_application_is_found_in_any_namespace(cluster, forbidden) -> None:
    stage(cluster, SCENARIOS["argocd"])
    other = cluster.kubernetes.get("Application", "argocd", "langsmith")
    other["metadata"] = {"name": "langsmith", "namespace": cluster.namespace}
    cluster.kubernetes.acting_as("kubectl-create").create(other)
    if forbidden:
        cluster.kubernetes.faults.forbid("list", "applications")
    api = Cluster.connect(cluster.kubeconfig, None)
    live = {"metadata": {"namespace": cluster.namespace}}

    def said(mark: str) -> str:
        return owner_says(api, Owner("Argo CD", f"application {mark}", ()), live)[0]

    assert said("langsmith").startswith("Application langsmith in namespace argocd is synced auto")
    for namespace in ("argocd", cluster.namespace):
        assert f" in namespace {namespace} " in said(f"{namespace}_langsmith")
    api.delete(APPLICATIONS, "langsmith", "argocd")
    assert f" in namespace {cluster.namespace} " in said("langsmith")
    api.close()


def test_an_owner_can_be_passed_over_knowingly(cluster, run) -> None:
    stage(cluster, SCENARIOS["flux"])
    answer = run(*ALL, "--accept-owner")
    assert answer.returncode == 0, answer.stderr
    assert "langsmith 2 deployed" in revisions(cluster)


def test_a_variable_that_was_set_by_hand_is_told(cluster, run) -> None:
    stage(cluster, SCENARIOS["edited-by-hand"])
    report = run("check", "--format", "json").stdout
    told = found_by(report, "LSA401")[1]
    assert told["id"] == "LSA164"
    assert told["evidence"] == [f"{WANTED[0]} is set by field manager kubectl-edit"]


def sync(cluster: PracticeCluster) -> None:
    """What Argo CD does when the edited values file is pushed."""
    change = {
        "spec": {"template": {"spec": {"containers": [{"name": "backend", "env": [*VARIABLES]}]}}}
    }
    cluster.kubernetes.acting_as("argocd-controller").patch(
        "Deployment", cluster.namespace, "langsmith-backend", change
    )


def waiting(cluster: PracticeCluster) -> bool:
    """Whether the run has edited the file, and begun to wait for the sync."""
    return any(
        (it["event"], it.get("step")) == ("intent", "helm_upgrade") for it in entries(cluster)
    )


def test_the_git_way_waits_for_the_sync_and_runs_no_helm(cluster, run) -> None:
    stage(cluster, SCENARIOS["argocd"])
    before = revisions(cluster)
    walk = in_background(cluster, *ALL, "--gitops")
    wait_for(lambda: waiting(cluster))
    assert WANTED[0] in cluster.values.read_text()
    assert WANTED[0] not in backend_env(cluster)
    sync(cluster)
    output, _ = walk.communicate(timeout=120)
    assert walk.returncode == 0, output
    assert "Argo CD (application langsmith) has brought the variables" in output
    assert re.search(r"commit and push \S+values.yaml", output)
    assert revisions(cluster) == before
    again = run(*ALL, "--gitops")
    assert again.returncode == 0, again.stderr
    assert "Nothing to do" in again.stdout


def test_the_git_way_without_a_helm_release(cluster, run) -> None:
    stage(cluster, SCENARIOS["argocd-without-release"])
    refused(cluster, run(*ALL), 3, "LSA145", "--gitops", NOTHING)
    walk = in_background(cluster, *ALL, "--gitops")
    wait_for(lambda: waiting(cluster))
    sync(cluster)
    output, _ = walk.communicate(timeout=120)
    assert walk.returncode == 0, output
    assert "revision: none" in output
    assert revisions(cluster) == frozenset()
    assert run("check", "--all", "--gitops").returncode == 0


def test_a_plan_of_the_git_way_is_applied(cluster, run, tmp_path) -> None:
    stage(cluster, SCENARIOS["argocd"])
    file = tmp_path / "plan.json"
    answer = run("plan", "--all", "--gitops", "-o", str(file))
    assert answer.returncode == 0, answer.stderr
    assert "wait until Argo CD (application langsmith) has brought" in answer.stdout
    assert "helm upgrade langsmith" not in answer.stdout
    walk = in_background(cluster, "apply", str(file), "--yes")
    wait_for(lambda: waiting(cluster))
    sync(cluster)
    output, _ = walk.communicate(timeout=120)
    assert walk.returncode == 0, output
    assert "langsmith 1 deployed" in revisions(cluster)


def test_a_sync_that_does_not_come_is_given_up(cluster, run) -> None:
    stage(cluster, SCENARIOS["argocd"])
    answer = run(*ALL, "--gitops", "--upgrade-limit", "1")
    refused(cluster, answer, 9, "LSA165", "within 1 seconds", "changed: +.*values.yaml")


def test_the_git_way_is_offered_first_in_a_terminal(cluster) -> None:
    stage(cluster, SCENARIOS["argocd"])
    with Terminal(env=told(cluster)) as terminal:
        shown = terminal.wait_for("Go through git instead")
        assert "LSA160" in shown
        terminal.send(YES)
        terminal.wait_for(CONFIRM)
        terminal.send(YES)
        terminal.wait_for("wait until Argo CD (application langsmith) has brought")
        terminal.wait_for(CONFIRM)
        push = threading.Timer(0.5, sync, [cluster])
        push.start()
        terminal.send(YES)
        terminal.wait_for("has brought the variables")
        terminal.wait_for(CONFIRM)
        terminal.send("n" + ENTER)
        assert terminal.end() == 9
        push.join()


def test_helm_all_the_same_in_a_terminal(cluster) -> None:
    stage(cluster, SCENARIOS["flux"])
    with Terminal(env=told(cluster)) as terminal:
        terminal.wait_for("Go through git instead")
        terminal.send("n" + ENTER)
        terminal.wait_for("Upgrade with helm all the same?")
        terminal.send(ENTER)
        assert terminal.end() == 8
