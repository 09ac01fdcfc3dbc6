"""Bad input: kubeconfig, helm, the release, the values files, the choice of organizations.

Each with a clear message, the documented exit code, and nothing changed or told that is secret.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import forked
import pytest
import yaml
from leftovers import (
    NOTHING,
    Staged,
    refused,
    revisions,
    secrets_of,
    started,
    told_secrets,
)
from practice_cluster import practice

from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios.tools import settled

MERE_OWNER = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
"""root without the capability to pass by a file's mode."""

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
modes_count = pytest.mark.skipif(
    AS_ROOT and not shutil.which("setpriv"), reason="root passes by file modes"
)


@pytest.fixture
def staged(cluster: PracticeCluster) -> Staged:
    return Staged(cluster)


def test_no_kubeconfig(staged, tmp_path) -> None:
    nowhere = str(tmp_path / "nowhere")
    staged.refuses(2, "LSA201", re.escape(nowhere), KUBECONFIG=nowhere)
    staged.refuses(2, "LSA201", re.escape(nowhere), options=("--kubeconfig", nowhere))


def test_a_kubeconfig_that_is_none(staged, tmp_path) -> None:
    broken = tmp_path / "kubeconfig"
    broken.write_text("clusters: [")
    staged.refuses(2, "LSA202", "not YAML", KUBECONFIG=str(broken))


def test_a_context_that_is_not_there(staged) -> None:
    staged.refuses(2, "LSA203", "no context nope.*practice", options=("--context", "nope"))


def test_an_api_server_that_nobody_reaches(staged) -> None:
    staged.cluster.kubernetes.stop()
    staged.refuses(5, "LSA115", "cannot reach", "connection refused")


def test_expired_credentials(staged) -> None:
    staged.cluster.kubernetes.faults.refuse_credentials()
    staged.refuses(5, "LSA116", "credentials", "kubectl --context practice auth whoami")


def test_no_helm(staged, tmp_path) -> None:
    staged.refuses(5, "LSA111", "no helm on PATH", "helm.sh/docs", PATH=str(tmp_path))


def test_a_helm_of_an_unknown_major(staged, tmp_path) -> None:
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v5.0.1\n")
    helm.chmod(0o755)
    staged.refuses(5, "LSA113", r"v5\.0\.1", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_no_such_namespace_or_release(staged) -> None:
    staged.refuses(3, "LSA118", "langsmith in namespace nope", options=("-n", "nope"))
    staged.refuses(
        3, "LSA118", "no release other .*there: langsmith", options=("--release", "other")
    )


def upgraded(cluster: PracticeCluster, *more: str) -> subprocess.CompletedProcess[str]:
    return cluster.run_helm(
        *("upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33"),
        *("-n", "langsmith", "-f", str(cluster.values), *more),
    )


def test_a_failed_release(cluster) -> None:
    cluster.kubernetes.faults.fail_job("migrations")
    assert upgraded(cluster).returncode != 0
    cluster.kubernetes.faults.clear()
    assert "langsmith 2 failed" in revisions(cluster)
    Staged(cluster).refuses(
        3,
        "LSA151",
        "failed since",
        "helm --kube-context practice rollback langsmith 1 -n langsmith",
    )


def test_a_release_that_was_left_half_way(cluster) -> None:
    cluster.kubernetes.faults.fail_pods({}, "NotReady")
    argv = ["upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33", "--wait"]
    argv += ["-n", "langsmith", "-f", str(cluster.values), "--set", "backend.deployment.replicas=3"]
    helm = subprocess.Popen(
        [str(cluster.helm), *argv],
        env=cluster.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pending = "langsmith 2 pending-upgrade"
    cluster.kubernetes.until(lambda: pending in revisions(cluster), timeout=60)
    helm.kill()
    helm.wait()
    cluster.kubernetes.faults.clear()
    settled(cluster)  # helm may have scaled the backend before it was ended
    Staged(cluster).refuses(
        3, "LSA152", "pending-upgrade since", "helm --kube-context practice rollback langsmith 1 "
    )


def test_a_chart_that_is_too_old(helm3) -> None:
    with practice(helm3, takes=0.02, chart_version="0.12.32") as cluster:
        staged = Staged(cluster)
        staged.refuses(3, "LSA102", r"0\.12\.32 is older than 0\.12\.33", "APP VERSION 0.12.70")
        refused(cluster, staged.run("check"), 3, "LSA102")


def test_a_chart_that_is_not_langsmith(cluster, tmp_path) -> None:
    chart = tmp_path / "other"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: other\nversion: 1.2.3\n")
    (chart / "templates" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
    )
    assert cluster.run_helm("install", "other", str(chart), "-n", "langsmith").returncode == 0
    Staged(cluster).refuses(3, "LSA103", "chart other, not langsmith", options=("--release=other",))


def test_a_chart_that_is_not_to_be_had(staged) -> None:
    staged.refuses(3, "LSA120", "0.99.0", "helm repo update", options=("--chart-version", "0.99.0"))
    staged.refuses(2, "LSA119", "helm repo add", options=("--chart", "nobody/langsmith"))


@pytest.mark.parametrize(
    ("content", "exit", "id", "word"),
    [
        (None, 2, "LSA301", "No such file"),
        ("a folder", 2, "LSA301", "not a regular file"),
        ("config: [1, 2\nbackend: {", 3, "LSA312", ":[12]"),
        ("- a\n- list\n", 3, "LSA314", "mapping"),
        ("config: {{ .Values.x }}\n", 3, "LSA324", "template"),
    ],
)
def test_a_values_file_that_is_none(cluster, content, exit, id, word) -> None:
    other = cluster.home / "other.yaml"
    if content == "a folder":
        other.mkdir()
    elif content:
        other.write_text(content)
    Staged(cluster).refuses(exit, id, word, "other.yaml", options=("-f", str(other)))


@modes_count
def test_a_values_file_that_may_not_be_read(staged, tmp_path) -> None:
    values = tmp_path / "values.yaml"
    values.touch(mode=0o000)
    before = MERE_OWNER if AS_ROOT else ()
    arguments = ("run", "--yes", "--all", "-f", str(values))
    answer = started(staged.cluster, arguments, before=before)
    refused(staged.cluster, answer, 2, "LSA301", "Permission denied", NOTHING)
    staged.unchanged()


@modes_count
def test_a_values_file_that_may_not_be_written(staged) -> None:
    cluster = staged.cluster
    cluster.values.chmod(0o400)
    before = MERE_OWNER if AS_ROOT else ()
    answer = started(cluster, ("run", "--yes", "--all"), before=before)
    refused(cluster, answer, 3, "LSA332", "write-protected", NOTHING)
    staged.unchanged()


@modes_count
def test_a_values_file_in_a_folder_that_may_not_be_written(cluster, tmp_path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    values = shutil.copy(cluster.values, folder)
    folder.chmod(0o500)
    staged = Staged(cluster)
    before = MERE_OWNER if AS_ROOT else ()
    answer = started(cluster, ("run", "--yes", "--all", "-f", str(values)), before=before)
    folder.chmod(0o700)
    refused(cluster, answer, 3, "LSA332", "Permission denied", re.escape(str(folder)), NOTHING)
    assert [path.name for path in folder.iterdir()] == ["values.yaml"]
    staged.unchanged()


def test_values_that_are_not_the_deployed_ones(cluster) -> None:
    secrets = secrets_of(cluster)
    values = yaml.safe_load(cluster.values.read_text())
    del values["config"]["apiKeySalt"]
    values["config"]["basicAuth"]["jwtSecret"] = "another-secret-of-somebody"
    values["queue"]["deployment"]["replicas"] = 7
    cluster.values.write_text(yaml.safe_dump(values))
    staged = Staged(cluster)
    answer = staged.run("run", "--yes", "--all")
    keys = (
        r"dropped: config\.apiKeySalt",
        r"changed: config\.basicAuth\.jwtSecret",
    )
    refused(cluster, answer, 3, "LSA413", *keys, NOTHING)
    staged.unchanged()
    told = answer.stdout + answer.stderr
    assert told_secrets(secrets | {"new": "another-secret-of-somebody"}, [told]) == set()
    refused(cluster, staged.run("plan", "--all"), 3, "LSA413")


@pytest.mark.parametrize(
    ("choice", "exit", "id", "word"),
    [
        ("11111111-2222-4333-8444-555555555555", 3, "LSA597", "11111111-2222"),
        ("not-an-id", 2, "LSA506", "not-an-id"),
        ("personal", 3, "LSA594", r"Personal \(e60d3c94"),
    ],
)
def test_a_wrong_choice_of_organizations(cluster, choice, exit, id, word) -> None:
    chosen = str(cluster.organizations.get(choice, choice))
    staged = Staged(cluster)
    for walk in (("run", "--yes"), ("plan",)):
        answer = staged.run(*walk, "--org", chosen)
        refused(cluster, answer, exit, id, word)
        staged.unchanged()


def test_no_organizations_at_all(cluster) -> None:
    with cluster.connect() as connection:
        connection.execute("TRUNCATE organizations CASCADE")
    staged = Staged(cluster)
    staged.refuses(3, "LSA593", "no shared organization", "personal: 0")
    refused(cluster, staged.run("check"), 3, "LSA593")


def test_a_config_that_is_no_object_stops_everything(cluster) -> None:
    with cluster.connect() as connection:
        connection.execute(
            "UPDATE organizations SET config = 'null' WHERE id = %s",
            (cluster.organizations["empty"],),
        )
    Staged(cluster).refuses(3, "LSA595", "Tidewater Research", "no JSON object")


def test_answers_that_nobody_gave_are_listed_at_once(staged) -> None:
    empty = {"LANGSMITH_AUDIT_VALUES": "", "LANGSMITH_API_KEY": ""}
    answer = staged.run("run", "--yes", **empty)
    flags = ("-f|--values", "LANGSMITH_AUDIT_VALUES", "--org ID", "LANGSMITH_API_KEY")
    refused(staged.cluster, answer, 2, "LSA900", "3 answers", *flags, NOTHING)
    staged.unchanged()


def test_a_key_file_that_is_not_there_or_endless(staged, tmp_path) -> None:
    for file, words in ((str(tmp_path / "key"), "No such file"), ("/dev/zero", "a device")):
        staged.refuses(2, "LSA909", words, options=("--api-key-file", file))


def test_a_journal_that_cannot_be_written(staged, tmp_path) -> None:
    file = tmp_path / "file"
    file.touch()
    state = {"LANGSMITH_AUDIT_STATE_DIR": str(file / "state")}
    staged.refuses(5, "LSA902", "LANGSMITH_AUDIT_STATE_DIR", **state)


@pytest.mark.parametrize("how", ["others may write", "another user's"])
def test_a_run_that_somebody_else_planted_is_not_believed(cluster, run, how) -> None:
    before = cluster.values.read_bytes()
    assert run("run", "--yes", "--all").returncode == 0
    state = cluster.home / "state"
    (planted,) = (state / "runs").iterdir()
    if how == "others may write":
        state.chmod(0o777)
    elif AS_ROOT:
        os.chown(planted, 12345, 12345)
    else:
        pytest.skip("only root may give files away")
    edited = cluster.values.read_bytes()
    for command in (("undo", "--yes"), ("undo", planted.name, "--yes"), ("run", "--yes", "--all")):
        refused(cluster, run(*command), 5, "LSA940", NOTHING)
    assert cluster.values.read_bytes() == edited != before
    for command in ("check", "plan"):
        answer = run(command, "--all")
        assert answer.returncode == 0, answer.stderr
        assert "Earlier runs are not known here" in answer.stderr
        assert "LSA940" in answer.stderr


def test_a_journal_in_a_folder_of_somebody_else(staged, tmp_path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o500)
    if AS_ROOT and not shutil.which("setpriv"):
        pytest.skip("root passes by file modes")
    before = MERE_OWNER if AS_ROOT else ()
    env = {"LANGSMITH_AUDIT_STATE_DIR": str(folder)}
    answer = started(staged.cluster, ("run", "--yes", "--all"), env, before=before)
    refused(staged.cluster, answer, 5, "LSA902", "Permission denied", NOTHING)
    staged.unchanged()


def test_what_was_typed_wrong_is_repeated_safely() -> None:
    for words in (
        ("check", "--nosuch\x1b]52;c;x\x07"),
        ("check", "--format", "\u202eevil"),
        ("nosuch\x9b",),
        ("runs", "a", "b\x1b[2J"),
        ("plan", "--expires", "\x1b"),
    ):
        answer = forked.call(words, dict(os.environ))
        assert answer.returncode == 2, answer.stderr
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(answer.stderr), answer.stderr
