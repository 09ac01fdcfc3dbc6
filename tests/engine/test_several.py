"""Several installations side by side: each its own code, the worst decides, no key goes astray."""

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
from jsonschema import Draft202012Validator
from junit_schema import read
from prometheus_client.parser import text_string_to_metric_families

from wizard.engine.several import read_targets
from wizard.formats import OF_CHECKS
from wizard.practice.cluster import PracticeCluster
from wizard.problems import Problem
from wizard.resources import template

SCHEMA = Draft202012Validator(json.loads(template("check.schema.json")))


@pytest.fixture
def cluster(well_cluster: PracticeCluster) -> PracticeCluster:
    return well_cluster


@pytest.fixture
def kubeconfig(cluster: PracticeCluster, tmp_path: Path) -> Path:
    """Contexts `one` and `two` lead to the cluster, `gone` nowhere."""
    config = json.loads(cluster.kubeconfig.read_text())
    known = config["contexts"][0]["context"]
    nowhere = {"server": "https://127.0.0.1:1"}
    config["clusters"].append({"name": "gone", "cluster": nowhere})
    config["contexts"] = [
        {"name": "one", "context": known},
        {"name": "two", "context": known},
        {"name": "gone", "context": {**known, "cluster": "gone"}},
    ]
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    return file


@pytest.fixture
def check(run: Callable, kubeconfig: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
        return run("check", "--kubeconfig", str(kubeconfig), *options, env=env)

    return call


def targets(folder: Path, text: str) -> tuple[str, str]:
    (folder / "targets.toml").write_text(text)
    return "--targets", str(folder / "targets.toml")


def with_keys(cluster: PracticeCluster, folder: Path, *contexts: str) -> tuple[str, str]:
    (folder / "key").write_text(cluster.environment()["LANGSMITH_API_KEY"])
    rows = (f'[[target]]\ncontext = "{it}"\napi_key_file = "key"\n' for it in contexts)
    return targets(folder, "\n".join(rows))


def test_each_has_its_own_code_and_the_worst_decides(cluster, check, tmp_path) -> None:
    well = check(*with_keys(cluster, tmp_path, "one", "two"))
    assert well.returncode == 0, well.stdout
    assert well.stdout.splitlines()[-1].startswith("2 of 2 installations are well")
    answer = check(*with_keys(cluster, tmp_path, "one", "gone"), "--format", "json")
    document = json.loads(answer.stdout)
    SCHEMA.validate(document)
    codes = {it["target"]["name"]: it["exit_code"] for it in document["installations"]}
    assert codes == {"one": 0, "gone": 5}
    assert answer.returncode == document["exit_code"] == 5
    with cluster.connect() as database:
        database.execute("ALTER TABLE audit_logs RENAME TO elsewhere")
    assert check(*with_keys(cluster, tmp_path, "gone", "two")).returncode == 3


def test_a_table_shows_them_side_by_side(cluster, check, tmp_path) -> None:
    answer = check(*with_keys(cluster, tmp_path, "one", "gone"))
    head, first, second, empty, told, *_, last = answer.stdout.splitlines()
    assert head.split()[:3] == ["installation", "target", "release"]
    assert re.match(r"one +✓ .* 0  +[\d.]+ s", first)
    assert re.match(r"gone +\? .* 5  +[\d.]+ s", second)
    assert empty == ""
    assert told.startswith("gone: Not everything could be checked: LSA")
    assert last.startswith("1 of 2 installations are well")
    assert last.endswith("Not well: gone. Exit code 5.")


@pytest.mark.parametrize("format", OF_CHECKS)
def test_every_format_tells_several(check, format: str) -> None:
    answer = check("--context", "one", "--context", "gone", "--format", format)
    assert answer.returncode == (5 if format != "nagios" else 3)
    text = answer.stdout
    if format == "junit":
        assert {it.get("name").split(".")[0] for it in read(text)} == {"one", "gone"}
    elif format == "prometheus":
        families = {it.name: it for it in text_string_to_metric_families(text)}
        told = families["langsmith_audit_check_exit_code"].samples
        assert {(it.labels["name"], it.value) for it in told} == {("one", 5), ("gone", 5)}
    elif format == "json":
        SCHEMA.validate(json.loads(text))
    elif format == "html":
        assert text.count("<section id=") == 2
    else:
        assert "one" in text
        assert "gone" in text


def test_no_key_goes_to_one_that_does_not_name_it(cluster, check, tmp_path) -> None:
    answer = check("--context", "one", "--context", "two", "--format", "json")
    assert "handed on to none" in answer.stderr
    assert answer.stdout.count("LSA892") >= 2  # there is no API key
    text = '[[target]]\ncontext = "one"\napi_key_env = "ONE_KEY"\n[[target]]\ncontext = "two"\n'
    key = cluster.environment()["LANGSMITH_API_KEY"]
    answer = check(*targets(tmp_path, text), "--format", "json", ONE_KEY=key)
    found = {
        it["target"]["name"]: json.dumps(it) for it in json.loads(answer.stdout)["installations"]
    }
    assert "LSA892" not in found["one"]
    assert "LSA892" in found["two"]
    assert key not in answer.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no [[target]]"),
        ("target = 3", "no list"),
        ("[[target]]\ncolour = 1", "colour"),
        ("[[target]]\norg = [{}]", "org is"),
        ("[[target]]\nall = 'yes'", "all is"),
        ('[[target]]\ncontext = "a"\n[[target]]\ncontext = "a"', "two targets are called a"),
        ("[[target]", "no TOML"),
    ],
)
def test_a_file_that_says_what_no_target_has(text: str, why: str, tmp_path: Path) -> None:
    path = Path(targets(tmp_path, text)[1])
    with pytest.raises(Problem) as refused:
        read_targets(path)
    assert (refused.value.id, why in refused.value.what) == ("LSA901", True), refused.value.what


def test_a_file_of_targets_has_the_options_by_their_names(tmp_path: Path) -> None:
    text = """
[[target]]
name = "eu"
context = "prod-eu"
org = ["a", "b"]
gitops = true
force = false
connect_limit = 3
values = ["values.yaml"]
api_key_file = "~/key"
"""
    (found,) = read_targets(Path(targets(tmp_path, text)[1]))
    assert found.name == "eu"
    words = " ".join(found.flags)
    assert "--context prod-eu --org a --org b --gitops --connect-limit 3" in words
    assert f"--values {tmp_path}/values.yaml" in words
    assert f"--api-key-file {Path('~/key').expanduser()}" in words
    assert "--force" not in words


def children(of: int) -> set[int]:
    """The checks that a process has running now."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = stat.read_text().rsplit(")", 1)[1].split()
            words = (stat.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(parts[1]) == of and b"check" in words and b"json" in words:
            found.add(int(stat.parent.name))
    return found


def started(cluster: PracticeCluster, kubeconfig: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "wizard", "check", "--kubeconfig", str(kubeconfig), *options],
        env=cluster.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_no_more_at_a_time_than_is_told(cluster, kubeconfig, tmp_path) -> None:
    rows = "".join(f'[[target]]\nname = "t{n}"\ncontext = "gone"\n' for n in range(6))
    process = started(cluster, kubeconfig, *targets(tmp_path, rows), "--at-once", "2")
    most = 0
    while process.poll() is None:
        most = max(most, len(children(process.pid)))
        time.sleep(0.01)
    out, _ = process.communicate()
    assert most == 2
    assert "0 of 6 installations are well" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_them_with_a_document(cluster, kubeconfig, tmp_path, number) -> None:
    cluster.kubernetes.faults.delay(2)
    options = (*with_keys(cluster, tmp_path, "one", "two"), "--at-once", "1", "--format", "json")
    cluster.kubernetes.requests.clear()
    process = started(cluster, kubeconfig, *options)
    while not cluster.kubernetes.requests:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    code = 143 if number is signal.SIGTERM else 130
    assert (process.returncode, "Traceback" in err) == (code, False)
    document = json.loads(out)
    SCHEMA.validate(document)
    assert document["exit_code"] == code
    ended = {it["target"]["name"]: it["ended"] for it in document["installations"]}
    assert ended["one"] in ("terminated", "interrupted")
    assert ended["two"] == "it was not begun"
    assert children(process.pid) == set()
