"""One look at the systems is one reading; what a whole run asks for is counted, never timed."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from leftovers import OURS

from wizard.practice.cluster import PracticeCluster
from wizard.problems import Problem
from wizard.records.changes import Change
from wizard.settings import settings_from, target_from
from wizard.steps.procedure import STEPS
from wizard.systems.access import Systems
from wizard.systems.calls import heard
from wizard.systems.helm.records import Upgrade
from wizard.systems.release.records import kept_in
from wizard.systems.values.as_helm import without_nulls

NAME = "langsmith-backend"
ALL = ("run", "--yes", "--all")
SAME = ("upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33", "--reuse-values")


@pytest.fixture
def systems(
    cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Systems]:
    """The systems as a walk sees them, by helm 3, or the one that the test is given."""
    cluster.use_helm(request.getfixturevalue(getattr(request, "param", "helm3")))
    for name, text in cluster.environment().items():
        monkeypatch.setenv(name, text)
    with Systems(target_from(settings_from({}, cluster.environment()))) as found:
        yield found


def helms(cluster: PracticeCluster) -> Counter[str]:
    """The helm processes of the newest run, by what they were started for."""
    log = max((cluster.home / "state" / "runs").glob("*/debug.log"), key=lambda it: str(it.parent))
    calls = re.findall(r"\] helm (\S*/helm .*) → ", log.read_text(encoding="utf-8"))
    return Counter(re.sub(r"\S*/helm ((?:get )?\S+).*", r"\1", call) for call in calls)


def readings(cluster: PracticeCluster, resource: str = "deployments", name: str = NAME) -> int:
    """How often we have read an object since the test began."""
    asked = [it for it in cluster.kubernetes.requests if it.user_agent.startswith(OURS)]
    return sum((it.verb, it.resource, it.name) == ("get", resource, name) for it in asked)


def listed_by_helm(cluster: PracticeCluster) -> int:
    """How often helm has listed its Secrets since the test began."""
    asked = [it for it in cluster.kubernetes.requests if not it.user_agent.startswith(OURS)]
    return sum((it.verb, it.resource) == ("list", "secrets") for it in asked)


def test_a_run_starts_few_helms_and_reads_the_backend_once_a_look(
    cluster: PracticeCluster, run
) -> None:
    began = time.monotonic()
    answer = run(*ALL)
    more = int(time.monotonic() - began) // 10  # what is ten seconds old is read again
    assert answer.returncode == 0, answer.stderr
    found = helms(cluster)
    assert found == {"version": 1, "show": 1, "template": 3, "upgrade": 1}
    records = [f"sh.helm.release.v1.langsmith.v{number}" for number in (1, 2)]
    assert [readings(cluster, "secrets", it) for it in records] == [1, 1]
    assert readings(cluster) <= 11 + more  # three looks, and before, while and after it rolls


def test_what_an_upgrade_will_want_of_helm_is_read_ahead(
    systems: Systems, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems.read_ahead(("chart", "rendering"))
    monkeypatch.setattr(systems.helm, "binary", tmp_path / "no-helm")
    assert [it.step for it in proposed(systems)] == ["values_file", "helm_upgrade"]
    systems.forget()
    with pytest.raises(Problem):
        proposed(systems)


def proposed(systems: Systems) -> list[Change]:
    """What the first three steps propose."""
    changes: list[Change] = []
    for step in STEPS[:3]:
        changes += filter(None, [step.propose(systems, changes)])
    return changes


@pytest.mark.parametrize("systems", ["helm3", "helm4"], indirect=True)
def test_helm_is_asked_again_only_when_the_revision_moved(
    cluster: PracticeCluster, systems: Systems
) -> None:
    first = systems.release
    cluster.kubernetes.requests.clear()
    for _ in range(2):
        systems.forget()
        assert systems.release == first
    assert listed_by_helm(cluster) == 0
    assert cluster.run_helm(*SAME).returncode == 0
    assert systems.release == first  # it is still the same look
    systems.forget()
    assert (systems.release.revision, systems.release.status) == (2, "deployed")
    stored = systems.revisions()
    history = systems.helm.history(first.name, first.namespace)
    assert [(it.revision, it.status) for it in stored] == [
        (it.revision, it.status) for it in history
    ]


def test_labels_that_do_not_agree_with_helm_are_not_believed(
    cluster: PracticeCluster, systems: Systems
) -> None:
    assert systems.release.status == "deployed"
    secret = "sh.helm.release.v1.langsmith.v1"
    pending = {"metadata": {"labels": {"status": "pending-upgrade"}}}
    cluster.kubernetes.acting_as("Helm").patch("Secret", cluster.namespace, secret, pending)
    for _ in range(2):
        cluster.kubernetes.requests.clear()
        systems.forget()
        assert systems.release.status == "deployed"  # helm goes by the record
        assert listed_by_helm(cluster) == 1


def told(systems: Systems) -> list[object]:
    """All that helm has recorded; a time of `helm list` is written otherwise."""
    systems.forget()
    found = [replace(systems.release, updated=""), systems.manifest, systems.hooks, systems.history]
    values = [systems.deployed_values, without_nulls(systems.computed_values)]
    return [*found, *values, systems.took, systems.rendered_at(1)]


@pytest.mark.parametrize("systems", ["helm3", "helm4"], indirect=True)
def test_what_cannot_be_read_here_is_asked_of_helm_and_the_same(
    cluster: PracticeCluster, systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.run_helm(*SAME).returncode == 0
    cluster.kubernetes.requests.clear()
    first = told(systems)
    assert listed_by_helm(cluster) == 0
    assert systems.took is not None
    monkeypatch.setattr("wizard.systems.helm.stored.MOST_VALUES", 0)
    with Systems(systems.target) as others:
        assert told(others) == first
    assert listed_by_helm(cluster) > 0


def test_where_records_may_be_listed_alone_helm_says_what_it_may_not_read(
    cluster: PracticeCluster, systems: Systems
) -> None:
    cluster.kubernetes.faults.forbid("get", "secrets")
    assert systems.release.status == "deployed"
    with pytest.raises(Problem) as caught:
        _ = systems.manifest
    assert caught.value.id == "LSA117"


@pytest.mark.parametrize("why", ["another driver", "no right"])
def test_where_the_labels_cannot_tell_helm_is_asked(
    cluster: PracticeCluster, systems: Systems, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    assert systems.revisions()
    if why == "no right":
        cluster.kubernetes.faults.forbid("list", "secrets")
    else:
        monkeypatch.setenv("HELM_DRIVER", "memory")
    assert systems.revisions() == ()
    assert (kept_in() is None) == (why == "another driver")
    with pytest.raises(Problem):  # helm may not list them either, or knows no release there
        _ = systems.release


def test_what_is_read_of_a_release_is_of_the_revision_that_was_listed(
    cluster: PracticeCluster, systems: Systems
) -> None:
    assert systems.release.revision == 1
    assert cluster.run_helm(*SAME, "--set", "added=true").returncode == 0
    assert "added" not in systems.deployed_values
    assert "added" not in systems.computed_values
    systems.forget()
    assert systems.deployed_values["added"] is True
    assert systems.computed_values["added"] is True


def test_a_rendering_is_made_again_where_anything_differs(
    cluster: PracticeCluster, systems: Systems
) -> None:
    calls: list[str] = []
    upgrade = Upgrade("langsmith", "langsmith", cluster.chart, "0.12.33", (cluster.values,))

    def made(edited: tuple[Path, bytes] | None = None) -> tuple[set[str], int]:
        systems.forget()
        calls.clear()
        with heard(calls.append):
            both = systems.renderings(upgrade, edited)
        return set(both), sum("/helm template " in it for it in calls)

    first, count = made()
    assert (len(first), count) == (1, 2)
    assert made() == (first, 1)
    other = cluster.values.read_bytes().replace(b"ASYNCPG_POOL_MAX_SIZE", b"ANOTHER")
    then, count = made((cluster.values, other))
    assert (then != first, count) == (True, 2)
    cluster.values.write_bytes(other)
    assert made() == (then, 1)  # the edit has come true


def test_the_values_files_are_read_once_a_look(cluster: PracticeCluster, systems: Systems) -> None:
    first = systems.file_values
    cluster.values.write_text(f"{cluster.values.read_text()}\nadded: true\n")
    assert systems.file_values is first
    systems.forget()
    assert systems.file_values == {**first, "added": True}


def test_when_files_alone_moved_nothing_else_is_read_again(
    cluster: PracticeCluster, systems: Systems
) -> None:
    first, live = systems.file_values, systems.live_env
    cluster.values.write_text(f"{cluster.values.read_text()}\nadded: true\n")
    cluster.kubernetes.requests.clear()
    systems.forget_files()
    assert systems.file_values == {**first, "added": True}
    assert systems.live_env is live
    assert systems.release.revision == 1
    assert cluster.kubernetes.requests == []


def test_what_is_read_ahead_is_read_once(cluster: PracticeCluster, systems: Systems) -> None:
    everything = ("workload", "database", "api")
    systems.read_ahead(everything)
    cluster.kubernetes.requests.clear()
    systems.read_ahead(everything)
    assert systems.workload.status().done
    assert systems.database.organization_counts().shared
    assert systems.served is not None
    assert cluster.kubernetes.requests == []


def test_what_stands_in_the_way_of_reading_ahead_is_told_where_it_is_used(
    cluster: PracticeCluster, systems: Systems
) -> None:
    cluster.kubernetes.faults.forbid("get", "deployments")
    systems.read_ahead(("workload", "api"))
    with pytest.raises(Problem) as caught:
        _ = systems.live_env
    assert caught.value.id == "LSA207"
    assert systems.served is not None
    systems.forget()
    cluster.kubernetes.faults.forbid("list", "secrets")
    systems.read_ahead(("workload", "api"))  # nothing tells what the release has
    with pytest.raises(Problem) as caught:
        _ = systems.installation
    assert caught.value.id == "LSA117"


def test_a_values_file_that_cannot_be_read_is_a_problem_of_that_file(
    cluster: PracticeCluster, systems: Systems, run
) -> None:
    cluster.values.write_text("backend:\n  deployment: [\n")
    for read in (lambda: systems.file_values, lambda: systems.given_values):
        with pytest.raises(Problem) as caught:
            read()
        assert caught.value.on.startswith(f"values file {cluster.values}, line ")
        assert "mend the line" in caught.value.next_step
    answer = run("plan", "--all", "--skip", "values_file")
    assert answer.returncode == 3, answer.stderr
    assert f"values file {cluster.values}" in answer.stdout + answer.stderr


def test_a_server_that_nobody_verifies_is_one_warning(cluster: PracticeCluster, run) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    told = config["clusters"][0]["cluster"]
    del told["certificate-authority-data"]
    told["insecure-skip-tls-verify"] = True
    cluster.kubeconfig.write_text(json.dumps(config))
    answer = run("check", "--format", "json")
    report = json.loads(answer.stdout)
    found = [it for area in report["areas"] for it in area["findings"] if it["id"] == "LSA219"]
    assert [(it["check"], it["state"]) for it in found] == [("LSA231", "warn")]
    assert "insecure-skip-tls-verify" in found[0]["message"]
    assert answer.stderr == ""
    listed = run("orgs", env={"LANGSMITH_AUDIT_NAMESPACE": "", "LANGSMITH_AUDIT_RELEASE": ""})
    assert listed.stderr.count("LSA219") == 1
