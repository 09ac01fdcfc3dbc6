"""Every exit code of a health check in every format, and a document on every way out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from junit_schema import read
from prometheus_client.parser import text_string_to_metric_families

from wizard.formats import OF_CHECKS
from wizard.practice.cluster import PracticeCluster
from wizard.resources import template

SCHEMA = Draft202012Validator(json.loads(template("check.schema.json")))
MACHINES = [it for it in OF_CHECKS if it != "text"]
NAGIOS = {0: 0, 4: 1, 3: 2}


@pytest.fixture
def cluster(well_cluster: PracticeCluster) -> PracticeCluster:
    return well_cluster


def of_document(format: str, text: str) -> int | None:
    """The exit code that a document tells; None where the format has none."""
    if format == "json":
        document = json.loads(text)
        SCHEMA.validate(document)
        return int(document["exit_code"])
    if format == "yaml":
        return int(yaml.safe_load(text)["exit_code"])
    if format == "prometheus":
        values = {it.name: it.samples[-1].value for it in text_string_to_metric_families(text)}
        return int(values["langsmith_audit_check_exit_code"])
    if format == "junit":
        read(text)
    if format == "html":
        assert text.rstrip().endswith("</html>")
    if format == "github":
        assert text.startswith(("::error ", "::warning ", "::notice "))
    if format == "nagios":
        assert text.startswith("LANGSMITH AUDIT ")
    told = re.search(r"Exit code (\d+)", text)
    return int(told[1]) if told else None


def turned_off(cluster: PracticeCluster) -> None:
    with cluster.connect() as database:
        database.execute(
            "UPDATE organizations SET config = '{\"can_use_audit_logs\": false}' "
            "WHERE NOT is_personal AND display_name <> 'Meridian Freight'"
        )


WAYS: dict[str, tuple[int, tuple[str, ...], Callable[[PracticeCluster], object]]] = {
    "well": (0, (), lambda cluster: None),
    "warned": (4, ("--fail-on", "warn"), turned_off),
    "failed": (3, (), lambda it: it.connect().execute("ALTER TABLE audit_logs RENAME TO gone")),
    "unknown": (5, (), lambda it: it.kubernetes.faults.forbid("list", "pods")),
    "usage": (2, ("--context", "nope"), lambda cluster: None),
    "late": (5, ("-t", "0.4"), lambda it: it.kubernetes.faults.stall()),
}
"""An exit code, the options, and what has to be staged for it."""


@pytest.mark.parametrize("way", WAYS)
def test_every_exit_code_in_every_format(cluster, run, way: str) -> None:
    code, options, stage = WAYS[way]
    stage(cluster)
    for format in OF_CHECKS:
        answer = run("check", *options, "--format", format)
        assert answer.returncode == (code if format != "nagios" else NAGIOS.get(code, 3)), format
        assert "Traceback" not in answer.stderr
        if (format, way) == ("text", "usage"):
            assert "LSA203" in answer.stderr
        else:
            assert of_document(format, answer.stdout) in (code, None), format


@pytest.mark.parametrize("options", [("--nope",), ("--suppressions", "/none"), ("-t", "x")])
def test_nagios_is_told_where_nothing_could_begin(run, options: tuple[str, ...]) -> None:
    answer = run("check", *options, "--format", "nagios")
    assert answer.returncode == 3
    assert answer.stdout.startswith("LANGSMITH AUDIT UNKNOWN - ")
    assert len(answer.stdout.splitlines()) == 1


def test_text_is_no_file_and_others_are(cluster, run, tmp_path: Path) -> None:
    answer = run("check", "--output", str(tmp_path / "it"))
    assert (answer.returncode, "LSA901" in answer.stderr) == (2, True)
    for format in MACHINES:
        answer = run("check", "--format", format, "--output", str(tmp_path / format))
        assert (answer.returncode, answer.stdout) == (0, "")
        assert of_document(format, (tmp_path / format).read_text()) in (0, None)


def test_the_verdict_goes_into_a_file_too(cluster, run, tmp_path: Path) -> None:
    file = tmp_path / "termination-log"
    file.touch()
    answer = run("check", "--verdict-file", str(file))
    assert file.read_text().strip() in " ".join(answer.stdout.split())
    answer = run("check", "--context", "nope", "--verdict-file", str(file))
    assert (answer.returncode, "nope" in file.read_text()) == (2, True)
    answer = run("check", "--verdict-file", str(tmp_path / "none" / "it"))
    assert (answer.returncode, "LSA904" in answer.stderr) == (0, True)


def asked(cluster: PracticeCluster) -> set[tuple[str, str]]:
    return {(it.verb, it.resource) for it in list(cluster.kubernetes.requests)}


def test_a_signal_leaves_a_document(cluster) -> None:
    cluster.kubernetes.faults.delay(1)
    for format in MACHINES:
        cluster.kubernetes.requests.clear()
        process = subprocess.Popen(
            [sys.executable, "-m", "wizard", "check", "--format", format],
            env=cluster.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while ("list", "secrets") not in asked(cluster):
            # its own first: one of the process before may be answered yet
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == (143 if format != "nagios" else 3)
        assert of_document(format, out) in (143, None)
        assert "Traceback" not in err
        if format == "json":
            document = json.loads(out)
            assert document["ended"] == "terminated"
            assert document["summary"]["not-run"]
