"""Upgrades that fail: told early, ended kindly, looked at, and put back when told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leftovers import (
    backend_env,
    backend_pods,
    entries,
    in_background,
    kept_texts,
    restarted,
    revisions,
    secrets_of,
    told_secrets,
    wait_for,
)

from wizard.practice.cluster import PracticeCluster

NAMESPACE = "langsmith"
BACKEND = {"app.kubernetes.io/component": "langsmith-backend"}
ALL = ("run", "--yes", "--all", "--patience", "0.3")
BACK = (*ALL, "--on-failure", "rollback")
Run = Callable[..., Any]


def events(cluster: PracticeCluster) -> list[str]:
    """What the journal tells of the upgrade."""
    return [one["event"] for one in entries(cluster) if one.get("step") == "helm_upgrade"]


def evidence(cluster: PracticeCluster) -> str:
    found = list((cluster.home / "state" / "runs").glob("*/*-evidence.txt"))
    assert len(found) == 1
    assert found[0].stat().st_mode & 0o077 == 0
    return found[0].read_text()


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_a_hopeless_rollout_ends_helm_kindly(
    cluster: PracticeCluster, run: Run, request: pytest.FixtureRequest, helm: str
) -> None:
    cluster.use_helm(request.getfixturevalue(helm))
    before = backend_pods(cluster)
    cluster.kubernetes.faults.fail_pods(BACKEND, "ImagePullBackOff")
    answer = run(*ALL)
    assert answer.returncode == 9, answer.stderr
    assert "LSA440" in answer.stderr
    assert "langsmith 2 failed" in revisions(cluster)
    assert before <= backend_pods(cluster)
    assert backend_env(cluster)["AUDIT_LOGS_ENABLED"] == "true"
    assert events(cluster) == ["intent", "evidence", "failed"]
    for said in (answer.stderr, evidence(cluster)):
        assert "revision 2 is failed" in said
        assert "the backend's template has both variables; 0 of 2 ready pods" in said
        assert "ImagePullBackOff" in said
    assert "blocking: pod langsmith-backend-" in answer.stderr
    assert "on node practice-node" in answer.stderr
    assert "  event: ! " in answer.stderr
    assert told_secrets(secrets_of(cluster), [answer.stderr, *kept_texts(cluster)]) == set()


UNDO = (
    "langsmith-audit undo --context practice -n langsmith --release langsmith, which runs "
    "helm --kube-context practice rollback langsmith 1"
)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_a_helm_that_is_killed_alone_is_undone_as_told(
    cluster: PracticeCluster, run: Run, request: pytest.FixtureRequest, helm: str
) -> None:
    cluster.use_helm(request.getfixturevalue(helm))
    before = cluster.values.read_bytes()
    cluster.kubernetes.faults.slow(jobs=600)
    wizard = in_background(cluster, "run", "--yes", "--all")
    wait_for(lambda: "langsmith 2 pending-upgrade" in revisions(cluster), limit=300)
    wait_for(lambda: [it for it in entries(cluster) if "helm" in it])
    os.kill(next(it["helm"] for it in entries(cluster) if "helm" in it), signal.SIGKILL)
    said, _ = wizard.communicate()
    cluster.kubernetes.faults.clear()
    assert wizard.returncode == 9, said
    assert "LSA443" in said
    told = " ".join(said.split())
    assert f"put revision 1 back: {UNDO}" in told
    again = run(*ALL)
    assert again.returncode == 3, again.stderr
    told = " ".join(again.stderr.split())
    assert "LSA152" in told
    assert f"{UNDO} -n langsmith" in told
    undone = run("undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert "langsmith 3 deployed" in revisions(cluster)
    assert cluster.values.read_bytes() == before
    assert "AUDIT_LOGS_ENABLED" not in backend_env(cluster)
    finished = run("run", "--yes", "--all")
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("change", ["upgrade", "restart"])
def test_what_a_policy_refuses_is_known_before_the_first_change(
    cluster: PracticeCluster, run: Run, change: str
) -> None:
    if change == "restart":  # the variables are there already
        assert run(*ALL, "--skip", "organizations", "--skip", "audit_api").returncode == 0
    before = cluster.values.read_bytes(), revisions(cluster), len(entries(cluster))
    cluster.kubernetes.faults.deny("patch", "deployments", "no limits", webhook="policy.example")
    answer = run(*ALL)
    assert answer.returncode == 3, answer.stderr
    assert "LSA442" in answer.stderr
    assert 'webhook "policy.example" denied the request: no limits' in answer.stderr
    assert (cluster.values.read_bytes(), revisions(cluster), len(entries(cluster))) == before


def test_a_quota_without_room_for_helms_record_is_known_before(
    cluster: PracticeCluster, run: Run
) -> None:
    before = cluster.values.read_bytes(), revisions(cluster)
    words = "exceeded quota: q, requested: secrets=1, used: secrets=9, limited: secrets=9"
    cluster.kubernetes.faults.deny("create", "secrets", words, name_contains="sh.helm.release")
    answer = run(*ALL)
    assert answer.returncode == 3, answer.stderr
    told = " ".join(answer.stderr.replace("|", " ").split())
    assert "LSA442" in told
    assert "Secret sh.helm.release.v1.langsmith.v2, helm's record: " in told
    assert "exceeded quota: q, requested: secrets=1" in told
    assert (cluster.values.read_bytes(), revisions(cluster)) == before


def test_what_helm_refused_at_once_was_not_begun(cluster: PracticeCluster, run: Run) -> None:
    wizard = in_background(cluster, *ALL)
    wait_for(lambda: [it for it in entries(cluster) if it["event"] == "done"])
    # the values file is edited by now, and all writes were tried before that
    cluster.kubernetes.faults.deny("create", "secrets", "full", name_contains="sh.helm.release")
    said, _ = wizard.communicate()
    assert wizard.returncode == 9, said
    assert "Now: revision 1, status deployed" in said
    assert "changed: " in said
    assert "begun, and not seen to its end" not in said
    cluster.kubernetes.faults.clear()
    answer = run("undo", "--yes")
    assert answer.returncode == 0, answer.stderr


def test_a_crash_is_shown_with_its_last_words_redacted(cluster: PracticeCluster, run: Run) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "CrashLoopBackOff")
    handler = cluster.kubernetes.log_handler
    secret = cluster.postgres.password
    words = f"no login for {secret} \x1b]52;c;ZXZpbA==\x07\u202eevil\x9b2J{'A' * 40_000}\nbye\n"
    cluster.kubernetes.log_handler = lambda _pod, _container: words
    try:
        answer = run(*ALL)
    finally:
        cluster.kubernetes.log_handler = handler
    assert answer.returncode == 9, answer.stderr
    assert "log: no login for ***" in answer.stderr
    assert secret not in answer.stderr + evidence(cluster)
    for text in (answer.stderr, *kept_texts(cluster)):
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text)
        assert "A" * 3_000 not in text
    assert r"\x1b]52;c;ZXZpbA==\x07\u202eevil\x9b2J" in evidence(cluster)
    assert "characters more)" in evidence(cluster)

    def try_again() -> None:  # as a kubelet does, within five minutes
        if cluster.kubernetes.get("Secret", NAMESPACE, "sh.helm.release.v1.langsmith.v3"):
            restarted(cluster, BACKEND, once=True)

    cluster.kubernetes.whenever(try_again)
    again = run(*ALL, "--accept-failed")  # the same template: the pods that are stuck already
    assert again.returncode == 9, again.stderr
    assert "LSA440" in again.stderr
    assert "langsmith 3 failed" in revisions(cluster)


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_a_rollback_that_was_asked_for(
    cluster: PracticeCluster, run: Run, request: pytest.FixtureRequest, helm: str
) -> None:
    cluster.use_helm(request.getfixturevalue(helm))
    before = backend_pods(cluster)
    cluster.kubernetes.faults.fail_pods(BACKEND, "CreateContainerConfigError")
    answer = run(*BACK)
    assert answer.returncode == 9, answer.stderr  # the values file stays as it was edited
    assert "helm rollback langsmith 1 --namespace langsmith" in answer.stderr
    assert "Will not come back: hook Jobs" in answer.stderr
    assert "langsmith 3 deployed" in revisions(cluster)
    assert "AUDIT_LOGS_ENABLED" not in backend_env(cluster)
    assert backend_pods(cluster) == before
    assert events(cluster) == ["intent", "evidence", "failed", "undoing", "undone"]
    undone = run("undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert "AUDIT_LOGS_ENABLED" not in cluster.values.read_text()
    assert "langsmith 3 deployed" in revisions(cluster)


def test_a_run_that_is_undone_as_a_whole(cluster: PracticeCluster, run: Run) -> None:
    assert run("values", str(cluster.values), "--write").returncode == 0
    cluster.kubernetes.faults.fail_job("auth-bootstrap")
    answer = run(*BACK)
    assert answer.returncode == 10, answer.stderr
    assert "langsmith-backend-auth-bootstrap: failed: BackoffLimitExceeded" in evidence(cluster)
    assert "the backend's template has both variables; 2 of 2 ready pods" in answer.stderr
    assert "AUDIT_LOGS_ENABLED" not in backend_env(cluster)
    assert [one["exit"] for one in entries(cluster) if one["event"] == "end"] == [10]
    assert "undone" in run("runs").stdout


def test_yes_alone_never_rolls_back(cluster: PracticeCluster, run: Run) -> None:
    cluster.kubernetes.faults.fail_job("auth-bootstrap")
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 9
    assert "langsmith 2 failed" in revisions(cluster)
    assert events(cluster) == ["intent", "evidence", "failed"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_helm_that_is_killed_leaves_the_release_pending_and_is_told(
    cluster: PracticeCluster, run: Run
) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    wizard = in_background(cluster, "run", "--yes", "--all")
    wait_for(lambda: "langsmith 2 pending-upgrade" in revisions(cluster))
    children = Path(f"/proc/{wizard.pid}/task/{wizard.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    wizard.communicate(timeout=60)
    assert wizard.returncode == 9
    said = evidence(cluster)
    assert "was ended by signal 9" in said
    assert "revision 2 is pending-upgrade" in said
    again = run("run", "--yes", "--all")
    assert "LSA152" in again.stderr
    assert "rollback langsmith 1" in again.stderr


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_helm_that_goes_on_without_the_wizard_is_waited_for(
    cluster: PracticeCluster,
) -> None:
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    wizard = in_background(cluster, "run", "--yes", "--all")
    try:
        wait_for(lambda: any(one["event"] == "note" for one in entries(cluster)))
        wait_for(lambda: "langsmith 2 pending-upgrade" in revisions(cluster))
    finally:
        wizard.kill()
        wizard.communicate()
    again = in_background(cluster, "run", "--yes", "--all")
    assert again.stdout
    told = next((it for it in again.stdout if "the run that was left is still at work" in it), "")
    cluster.kubernetes.faults.clear()
    said, _ = again.communicate(timeout=120)
    assert told, said
    assert again.returncode == 0, said
    assert "langsmith 2 deployed" in revisions(cluster)
