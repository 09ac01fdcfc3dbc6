"""`langsmith-audit check` as it is typed: what is looked at, what is told, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import forked
import pytest
from leftovers import in_background, wait_for, writes
from practice_cluster import practice
from reports import areas_of, ids_by
from terminal import Terminal

from wizard.arguments import waited
from wizard.checks.areas import AREAS

ALL = ("run", "--yes", "--all")


def test_all_well_is_a_line_an_area_and_the_verdict(cluster, run) -> None:
    assert run(*ALL).returncode == 0
    cluster.kubernetes.requests.clear()
    answer = run("check")
    assert answer.returncode == 0, answer.stdout
    where, *lines, empty, last = answer.stdout.splitlines()
    told = (cluster.kubernetes.url, "langsmith", "langsmith", "revision 2", "langsmith-0.12.33")
    assert where == f"  practice · {' · '.join(told)}"
    assert [line[4:].split("  ")[0] for line in lines] == [area.title for area in AREAS]
    assert empty == ""
    assert re.match(r"(All|Fine)", last)
    quiet = run("check", "-q")
    assert quiet.stdout.splitlines()[-1][:3] == last[:3]
    assert len(quiet.stdout.splitlines()) == 1
    told = run("check", "-v").stdout
    for id in ("LSA101", "LSA401", "LSA791", "LSA891", "CHART langsmith-0.12.33"):
        assert id in told
    assert writes(cluster) == []


def test_what_is_wrong_comes_first_and_the_last_line_names_it(cluster, run) -> None:
    answer = run("check")
    assert answer.returncode == 3
    lines = answer.stdout.splitlines()
    assert lines[0].strip().startswith("✗ The values lack AUDIT_LOGS_ENABLED")
    assert lines[0].endswith("LSA392")
    assert lines[1].strip() == f"values file {cluster.values}"
    assert any(line.strip().startswith("→ langsmith-audit plan") for line in lines)
    last = lines[-1]
    assert last.startswith("A check failed: LSA392, LSA402, ")
    assert last.endswith("Exit code 3.")


def test_without_helm_it_is_the_backend_that_is_told(tmp_path, helm) -> None:
    with practice(helm) as cluster:
        answer = forked.call(("check",), cluster.environment() | {"PATH": str(tmp_path)})
    assert answer.returncode == 3, answer.stdout
    assert "LSA402" in answer.stdout
    assert "LSA111" not in answer.stdout
    assert "no helm" not in answer.stdout


def test_only_what_is_named_is_looked_at(cluster, run) -> None:
    answer = run("check", "--only", "release", "--only", "LSA791", "--format", "json")
    assert answer.returncode == 0, answer.stdout
    found = areas_of(answer.stdout)
    assert list(found) == ["release", "table"]
    assert [it["check"] for it in found["table"]] == ["LSA791"]
    asked = {(it.verb, it.resource) for it in cluster.kubernetes.requests}
    assert ("list", "pods") in asked
    refused = run("check", "--only", "LSA999")
    assert (refused.returncode, "LSA901" in refused.stderr) == (2, True)


def test_the_list_is_told_offline() -> None:
    answer = forked.call(("check", "--list"), {"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    assert answer.returncode == 0, answer.stderr
    ids = re.findall(r"(?m)^  (LSA\d{3})  \S", answer.stdout)
    assert ids == [check.id for area in AREAS for check in area.checks]


def test_every_check_has_one_id_and_needs_earlier_ones() -> None:
    ids = [check.id for area in AREAS for check in area.checks]
    assert len(set(ids)) == len(ids)
    for area in AREAS:
        for check in area.checks:
            assert {*check.needs} <= {*ids[: ids.index(check.id)]}, check.id


def test_what_is_suppressed_does_not_count_and_is_counted(cluster, run) -> None:
    hidden = ("LSA392=known", "LSA402:Deployment *=next week@2099-01-01", "LSA822=off yet",
              "LSA891=no endpoint yet")  # fmt: skip
    typed = [word for it in hidden for word in ("--skip-finding", it)]
    answer = run("check", *typed)
    assert answer.returncode == 0, answer.stdout  # what rests on them does not count either
    assert "LSA392" not in answer.stdout
    assert "13 suppressed." in answer.stdout.splitlines()[-1]
    file = cluster.home / "suppressions.toml"
    file.write_text('[[suppress]]\nid = "LSA102"\nreason = "old"\n')
    answer = run("check", "--suppressions", str(file), "--format", "json", *typed)
    report = json.loads(answer.stdout)
    assert report["summary"]["suppressed"] == 13
    (told,) = areas_of(answer.stdout)["suppressions"]
    assert (told["id"], told["subject"]) == ("LSA962", f"{file}, suppression 1")
    held = [it["suppressed"] for found in areas_of(answer.stdout).values() for it in found]
    assert {"reason": "next week", "until": "2099-01-01"} in held


@pytest.mark.parametrize(("number", "exit"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_the_document_behind(cluster, number, exit) -> None:
    cluster.kubernetes.requests.clear()
    cluster.kubernetes.faults.delay(0.4)
    check = in_background(cluster, "check", "--format", "json")
    requests = cluster.kubernetes.requests
    wait_for(lambda: bool(list(requests)))
    cluster.kubernetes.faults.stall()
    check.send_signal(number)
    told, _ = check.communicate(timeout=60)
    cluster.kubernetes.faults.clear()
    assert check.returncode == exit, told
    report = json.loads(told)
    assert (report["exit_code"], report["verdict"]) == (exit, "not finished")
    assert report["summary"]["not-run"] >= 1


def test_what_is_wrong_with_the_options_leaves_a_document_too(cluster, run) -> None:
    answer = run("check", "--context", "nope", "--format", "json")
    assert answer.returncode == 2
    assert "LSA203" in answer.stderr
    assert json.loads(answer.stdout)["exit_code"] == 2
    assert ids_by(answer.stdout, "LSA230") == ["LSA203"]


def test_the_time_limit_names_what_did_not_answer(cluster, run) -> None:
    cluster.kubernetes.faults.stall()
    answer = run("check", "--format", "json", "--time-limit", "3")
    cluster.kubernetes.faults.clear()
    assert answer.returncode == 5, answer.stdout
    report = json.loads(answer.stdout)
    assert report["ended"] == "the time limit of 3 s is over"
    (late,) = [it for it in areas_of(answer.stdout)["target"] if it["id"] == "LSA960"]
    assert any("kubernetes" in line for line in late["evidence"])


class TestWaiting:
    def test_it_ends_early_where_nothing_would_mend_it(self, cluster, run) -> None:
        answer = run("check", "--wait", "1h")
        assert answer.returncode == 3

    def test_it_ends_when_all_is_well(self, cluster, run) -> None:
        assert run(*ALL).returncode == 0
        cluster.kubernetes.faults.forbid("get", "deployments")
        waiting = in_background(cluster, "check", "--wait", "5m", "--only", "workload")
        told, _ = waiting.communicate(timeout=60)
        assert waiting.returncode == 5, told  # a missing right is not mended by waiting
        cluster.kubernetes.faults.clear()
        cluster.kubernetes.faults.stall()
        waiting = in_background(cluster, "check", "--wait", "5m", "--connect-limit", "1")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(8)  # helm's own limit is 3 seconds
        cluster.kubernetes.faults.clear()
        told, _ = waiting.communicate(timeout=120)
        assert waiting.returncode == 0, told

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0", 0)]
    )
    def test_a_duration(self, text, seconds) -> None:
        assert waited(text) == seconds

    @pytest.mark.parametrize("text", ["", "soon", "5d", "-1", "0s0"])
    def test_what_is_none(self, text) -> None:
        with pytest.raises(ValueError):
            waited(text)


def test_a_spinner_comes_after_half_a_second_and_goes(cluster) -> None:
    cluster.kubernetes.faults.delay(0.6)
    with Terminal("check", env=cluster.environment()) as terminal:
        assert terminal.end() == 3
        assert "the API server answers" in terminal.raw.decode()
        assert not re.search("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", terminal.text())
