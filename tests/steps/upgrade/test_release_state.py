"""A release that is not deployed: what happened is told, with the ways out, which then work."""

from __future__ import annotations

import re
import shlex

import pytest
from leftovers import NOTHING, backend_env, refused, revisions, trace
from reports import found_by
from terminal import ENTER, Terminal, told

from wizard.article import WANTED
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage

ALL = ("run", "--yes", "--all")
WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d+ (s|minutes) ago\)"


def state_of(run) -> dict:
    answer = run("check", "--format", "json")
    assert answer.returncode == 3, answer.stdout
    return found_by(answer.stdout, "LSA181")[0]


def has(finding: dict, *patterns: str) -> None:
    evidence = "\n".join(finding["evidence"])
    for pattern in patterns:
        assert re.search(pattern, evidence, re.MULTILINE), (pattern, evidence)


def told_command(finding: dict, begins: str) -> list[str]:
    """The helm command of a finding's next step, as a person would copy it."""
    (text,) = re.findall(
        rf"(?<=helm --kube-context practice ){begins}[^(;:]*?(?= \(|, | and | ends|$)",
        finding["next_step"],
    )
    return shlex.split(text)


def test_a_killed_upgrade_is_told_and_the_told_way_out_works(cluster, run, helm) -> None:
    cluster.use_helm(helm)
    stage(cluster, SCENARIOS["pending-upgrade"])
    before = trace(cluster)
    finding = state_of(run)
    assert (finding["id"], finding["state"]) == ("LSA152", "fail")
    has(
        finding,
        rf"^revision 2: pending-upgrade since {WHEN}",
        rf"^last good revision: 1 \(langsmith-0\.12\.33\), of {WHEN}",
        r"^hook Job langsmith-backend-migrations: (did not run this time|not there)",
        r"^the live backend has both variables nevertheless",
    )
    refused(cluster, run(*ALL), 3, "LSA152", NOTHING)
    assert trace(cluster) == before
    command = told_command(finding, "rollback")
    assert command == ["rollback", "langsmith", "1", "-n", "langsmith", "--wait"]
    answer = cluster.run_helm(*command)
    assert answer.returncode == 0, answer.stderr
    assert run(*ALL).returncode == 0


def test_a_failed_upgrade_is_made_again_when_told_to(cluster, run) -> None:
    stage(cluster, SCENARIOS["failed-upgrade"])
    finding = state_of(run)
    assert finding["id"] == "LSA151"
    has(
        finding,
        rf"^revision 2: failed since {WHEN} \(.*post-upgrade hooks failed",
        r"^hook Job langsmith-backend-migrations: failed$",
        r"^the live backend has both variables nevertheless",
    )
    assert told_command(finding, "rollback")[:3] == ["rollback", "langsmith", "1"]
    refused(cluster, run(*ALL), 3, "LSA151", NOTHING)
    answer = run(*ALL, "--accept-failed")
    assert answer.returncode == 0, answer.stderr
    assert "langsmith 3 deployed" in revisions(cluster)
    assert all(backend_env(cluster)[name] == "true" for name in WANTED)
    assert run("check", "--all").returncode == 0


@pytest.mark.parametrize(
    ("scenario", "id", "evidence", "way"),
    [
        ("pending-install", "LSA150", "^there is no revision that was ever deployed", "uninstall"),
        ("pending-rollback", "LSA153", "^the live backend has neither variable", "rollback"),
        ("uninstalling", "LSA154", "^revision 1: uninstalling since", "uninstall"),
    ],
)
def test_other_states(cluster: PracticeCluster, run, scenario, id, evidence, way) -> None:
    stage(cluster, SCENARIOS[scenario])
    before = revisions(cluster)
    finding = state_of(run)
    assert finding["id"] == id
    has(finding, evidence)
    assert told_command(finding, way)[1] == "langsmith"
    refused(cluster, run(*ALL), 3, id, NOTHING)
    assert revisions(cluster) == before


def test_a_failed_release_is_asked_about_in_a_terminal(cluster) -> None:
    stage(cluster, SCENARIOS["failed-upgrade"])
    with Terminal(env=told(cluster)) as terminal:
        shown = terminal.wait_for("Upgrade the failed release again?")
        assert "The last operation on the release failed:" in shown
        assert "hook Job langsmith-backend-migrations: failed" in shown
        terminal.send("n" + ENTER)
        assert terminal.end() == 8
    assert "langsmith 2 failed" in revisions(cluster)
