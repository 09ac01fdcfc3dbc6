"""The checks of the release as helm has recorded it, and of who else drives the backend."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from wizard.article import LINES, WANTED
from wizard.checks.release import supported
from wizard.practice.scenarios import SCENARIOS, stage

ONLY = ("--only", "target", "--only", "release")
IDS = [f"LSA{number}" for number in (101, 181, 182, 183, 184, 186, 187)]
GOOD = dict.fromkeys(IDS, "pass") | {"LSA182": "info"}
AGAIN = ("upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33", "-n", "langsmith")


def test_all_is_well(found) -> None:
    assert {id: [it["state"] for it in found(id, *ONLY)] for id in IDS} == {
        id: [state] for id, state in GOOD.items()
    }


@pytest.mark.parametrize("id", IDS)
def test_nothing_is_green_where_nobody_answers(cluster, sees, id) -> None:
    cluster.kubernetes.faults.stall()
    told = sees(id, *ONLY, "--connect-limit", "1")
    cluster.kubernetes.faults.clear()
    assert told == [("LSA908", "not-run")]


@pytest.mark.parametrize("id", ["LSA181", "LSA183", "LSA184"])
def test_without_the_right_to_helms_secrets_it_is_unknown(cluster, sees, id) -> None:
    cluster.kubernetes.faults.forbid("list", "secrets")
    cluster.kubernetes.faults.forbid("get", "secrets")
    (told,) = sees(id, *ONLY)
    assert told[1] in ("unknown", "not-run")


def failed(cluster) -> None:
    cluster.kubernetes.faults.fail_job("migrations")
    assert cluster.run_helm(*AGAIN, "-f", str(cluster.values)).returncode != 0
    cluster.kubernetes.faults.clear()


def test_a_failed_upgrade_is_a_failed_release_a_failed_hook_and_a_failed_revision(
    cluster, found
) -> None:
    failed(cluster)
    assert [(it["id"], it["state"]) for it in found("LSA181", *ONLY)] == [("LSA151", "fail")]
    (hook,) = found("LSA184", *ONLY)
    assert hook["state"] == "fail"
    assert any("migrations" in line and "Failed" in line for line in hook["evidence"])
    assert [it["state"] for it in found("LSA101", *ONLY)] == ["pass"]
    (told,) = found("LSA183", *ONLY)
    assert (told["state"], told["message"]) == ("info", "1 revision of 3 failed: 3")
    assert cluster.run_helm("rollback", "langsmith", "2", "-n", "langsmith").returncode == 0
    assert [it["state"] for it in found("LSA181", *ONLY)] == ["pass"]
    assert [it["state"] for it in found("LSA183", *ONLY)] == ["info"]


def test_an_owner_is_told_with_its_marks(cluster, found) -> None:
    stage(cluster, SCENARIOS["argocd"])
    (told,) = found("LSA186", *ONLY)
    assert (told["id"], told["state"]) == ("LSA160", "info")
    assert told["evidence"]


def test_a_variable_that_was_set_by_hand(cluster, found) -> None:
    stage(cluster, SCENARIOS["edited-by-hand"])
    (told,) = found("LSA187", *ONLY)
    assert told["state"] == "warn"
    assert told["evidence"] == [f"{WANTED[0]} is set by field manager kubectl-edit"]


class TestOfANewerLine:
    @pytest.fixture
    def cluster(self, newer_cluster):
        cluster, snapshot = newer_cluster
        cluster.restore(snapshot)
        return cluster

    def test_it_is_out_of_support_too(self, found) -> None:
        (told,) = found("LSA182", *ONLY)
        assert (told["state"], "0.13" in told["message"]) == ("info", True)


class TestOfAnOlderChart:
    @pytest.fixture
    def cluster(self, shared_cluster):
        cluster, snapshot = shared_cluster
        cluster.restore(snapshot)
        return cluster

    def test_it_has_no_audit_logs(self, cluster, sees) -> None:
        stage(cluster, SCENARIOS["too-old-chart"])
        assert sees("LSA101", *ONLY) == [("LSA102", "fail")]


@pytest.mark.parametrize(
    ("version", "state"), [(f"{LINES[0]}.7", "pass"), ("0.12.33", "info"), ("99.0.0", "pass")]
)
def test_the_lines_that_are_supported(version, state) -> None:
    release = SimpleNamespace(chart_version=version, on="release langsmith")
    looked = SimpleNamespace(systems=SimpleNamespace(release=release))
    assert supported(looked).state == state
