"""The release is found by looking; of several one is picked, or all are listed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace

import pytest
import yaml
from leftovers import refused, writes
from reports import areas_of
from terminal import DOWN, ENTER, Terminal, bare

from wizard.engine.answers import Answers
from wizard.practice.cluster import PracticeCluster
from wizard.settings import settings_from, target_from
from wizard.systems.access import Systems
from wizard.systems.release.records import newest_of_each

NO_NAMES = {"LANGSMITH_AUDIT_NAMESPACE": "", "LANGSMITH_AUDIT_RELEASE": ""}
MOVED = {
    "namespace": "apps",
    "fullnameOverride": "audited",
    "backend": {"name": "api"},
    "postgres": {"name": "db"},
}
RENAMED = {"nameOverride": "smith"}
PLACES = [
    (
        {"LANGSMITH_AUDIT_NAMESPACE": "tools", "LANGSMITH_AUDIT_RELEASE": "traces"},
        *("apps", "audited-api", "audited-db"),
    ),
    (
        {"LANGSMITH_AUDIT_RELEASE": "eval"},
        *("langsmith", "eval-smith-backend", "eval-smith-postgres"),
    ),
]
"""What is told, the namespace of the objects, the backend and the bundled PostgreSQL."""


def install(
    cluster: PracticeCluster, name: str, namespace: str, values: dict | None = None
) -> None:
    """One more release of the chart; its hooks are left out, its pods come up by themselves."""
    file = cluster.home / f"{name}.yaml"
    file.write_text(yaml.safe_dump(values or {}))
    answer = cluster.run_helm(
        *("install", name, "langchain/langsmith", "--version", "0.12.33", "--no-hooks"),
        *("--namespace", namespace, "--create-namespace"),
        *("--values", str(cluster.values), "--values", str(file)),
    )
    assert answer.returncode == 0, answer.stderr


def place(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch, **told: str) -> list[str]:
    """Namespace, release and how they were found, without a terminal."""
    env = {**cluster.environment(), **NO_NAMES, **told}
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    target = Answers(settings_from({}, env), may_ask=False).locate()
    return [target.namespace, target.release, target.found]


def test_the_only_one_is_taken_by_looking(cluster, run, helm) -> None:
    cluster.use_helm(helm)
    cluster.kubernetes.write_kubeconfig(cluster.kubeconfig, namespace="default")
    answer = run("check", "--format", "json", env=NO_NAMES)
    target = json.loads(answer.stdout)["target"]
    assert (target["namespace"], target["release"]) == ("langsmith", "langsmith")
    assert target["found"] == "by looking, the only LangSmith in all namespaces"
    lists = {one.namespace for one in cluster.kubernetes.requests if one.resource == "secrets"}
    assert lists == {"", "langsmith"}
    assert writes(cluster) == []


class TestInANamespace:
    def test_no_helm_is_started(self, cluster, monkeypatch, tmp_path) -> None:
        told = {"LANGSMITH_AUDIT_NAMESPACE": "langsmith", "PATH": str(tmp_path)}
        found = place(cluster, monkeypatch, **told)
        words = "found by looking, the only LangSmith in namespace langsmith"
        assert found == ["langsmith", "langsmith", words]

    def test_what_is_kept_is_told_as_helm_lists_it(self, cluster, monkeypatch, systems) -> None:
        install(cluster, "eval", "langsmith", RENAMED)
        again = ("langchain/langsmith", "--version", "0.12.33", "--no-hooks")
        cluster.run_helm("upgrade", "eval", *again, "--reuse-values")
        cluster.run_helm("uninstall", "eval", "--keep-history", "--no-hooks")
        kept = newest_of_each(systems.cluster, "langsmith") or []
        assert [(it.name, it.revision, it.status) for it in kept] == [
            ("eval", 2, "uninstalled"),
            ("langsmith", 1, "deployed"),
        ]
        listed = systems.helm.releases("langsmith")
        assert [replace(it, updated="") for it in kept] == [
            replace(it, updated="") for it in listed
        ]

    def test_helm_is_asked_where_a_record_cannot_be_read(self, cluster, systems) -> None:
        name = "sh.helm.release.v1.langsmith.v1"
        broken = {"data": {"release": "bm90aGluZw=="}}
        someone = cluster.kubernetes.acting_as("kubectl-edit")
        someone.patch("Secret", "langsmith", name, broken)
        assert newest_of_each(systems.cluster, "langsmith") is None
        assert newest_of_each(systems.cluster, "elsewhere") == []


class TestWhereNotEverythingMayBeRead:
    def test_the_namespaces_that_may_be_read(self, cluster, monkeypatch) -> None:
        install(cluster, "hidden", "secret")
        cluster.kubernetes.faults.forbid("list", "secrets", namespace="")
        cluster.kubernetes.faults.forbid("list", "secrets", namespace="secret")
        found = place(cluster, monkeypatch)
        assert found[:2] == ["langsmith", "langsmith"]
        assert re.search(r"the 5 of 6 namespaces that may be read$", found[2])

    def test_the_namespace_of_the_context_alone(self, cluster, monkeypatch) -> None:
        cluster.kubernetes.faults.forbid("list", "secrets", namespace="")
        cluster.kubernetes.faults.forbid("list", "namespaces", namespace="")
        found = place(cluster, monkeypatch)
        assert found[:2] == ["langsmith", "langsmith"]
        assert "namespace langsmith alone" in found[2]

    def test_an_api_that_does_not_answer_is_told_by_the_walk(self, cluster, run) -> None:
        cluster.kubernetes.stop()
        answer = run("check", env=NO_NAMES)
        assert answer.returncode == 5
        assert "LSA115" in answer.stdout


class TestSeveral:
    @pytest.fixture
    def cluster(self, cluster: PracticeCluster) -> PracticeCluster:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}
        cluster.kubernetes.apply(namespace)
        install(cluster, "eval", "langsmith", RENAMED)
        install(cluster, "traces", "tools", MOVED)
        return cluster

    def test_all_are_listed_with_the_flags_to_type(self, cluster, run, monkeypatch) -> None:
        answer = run("run", "--yes", "--all", env=NO_NAMES)
        words = [
            rf"-n {namespace} --release {name} +\(chart 0\.12\.33, deployed\)"
            for namespace, name in (("langsmith", "eval"), ("langsmith", "langsmith"))
        ]
        refused(cluster, answer, 2, "LSA144", "There are 3 LangSmith", "-n tools", *words)
        assert (
            refused(
                cluster,
                run("check", env={"LANGSMITH_AUDIT_RELEASE": ""}),
                2,
                "LSA144",
                "There are 2 LangSmith",
            )
            is None
        )

    def test_an_undo_knows_the_one_that_was_changed_from_here(self, cluster, run) -> None:
        values = cluster.values.read_bytes()
        others = ("helm_upgrade", "organizations", "backend_restart", "audit_table", "audit_api")
        run("run", "--yes", "--all", *(word for step in others for word in ("--skip", step)))
        assert cluster.values.read_bytes() != values
        answer = run("undo", "--yes", env=NO_NAMES)
        assert answer.returncode == 0, answer.stderr
        assert cluster.values.read_bytes() == values
        refused(cluster, run("undo", "--yes", env=NO_NAMES), 2, "LSA144")  # there is none by now

    def test_one_name_is_enough_where_it_leaves_one(self, cluster, monkeypatch) -> None:
        traces = place(cluster, monkeypatch, LANGSMITH_AUDIT_RELEASE="traces")
        assert traces[:2] == ["tools", "traces"]
        tools = place(cluster, monkeypatch, LANGSMITH_AUDIT_NAMESPACE="tools")
        assert tools == [
            "tools",
            "traces",
            "found by looking, the only LangSmith in namespace tools",
        ]

    def test_one_is_picked_in_a_terminal(self, cluster) -> None:
        with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
            shown = terminal.see("What is the Helm release called?")
            assert re.search(r"eval +langsmith +0\.12\.33 +deployed", terminal.see("traces"))
            terminal.send(DOWN + DOWN + ENTER)
            shown = terminal.wait_for("API key of an organization admin")
            terminal.send("\x03")
            assert terminal.end() == 8
        assert re.search(r"namespace: tools\n +release: traces", shown)

    def test_its_objects_come_from_its_own_manifest(self, cluster, monkeypatch) -> None:
        for told, objects, backend, postgres in PLACES:
            env = {**cluster.environment(), **told}
            for name, text in env.items():
                monkeypatch.setenv(name, text)
            with Systems(target_from(settings_from({}, env))) as systems:
                found = systems.installation
                assert (found.namespace, found.backend.name) == (objects, backend)
                assert (found.postgres.name if found.postgres else None) == postgres
                assert systems.live_env["PORT"] == "1984"
                assert all(
                    re.match(rf"{backend}-\w+-\w+$", it.name) for it in systems.workload.pods()
                )
                assert systems.workload.pods()


def test_a_chart_without_a_helm_release_is_told_as_such(cluster, run) -> None:
    for secret in cluster.kubernetes.list("Secret", "langsmith", {"owner": "helm"}):
        argv = ["delete", "secret", secret["metadata"]["name"], "-n", "langsmith"]
        kubectl(cluster, *argv)
    answer = run("check", "--format", "json", env=NO_NAMES)
    report = json.loads(answer.stdout)
    assert (answer.returncode, report["target"]["release"]) == (3, "langsmith")
    (finding,) = [it for it in areas_of(answer.stdout)["release"] if it["id"] != "LSA908"]
    assert (finding["id"], finding["state"]) == ("LSA145", "fail")
    assert "label helm.sh/chart: langsmith-0.12.33" in finding["evidence"]
    answer = run("run", "--yes", "--all")
    refused(cluster, answer, 3, "LSA145", "without a Helm release", "Nothing was changed")


def kubectl(cluster: PracticeCluster, *argv: str) -> None:
    env = {**os.environ, **cluster.environment()}
    subprocess.run(["kubectl", *argv], env=env, check=True, capture_output=True, timeout=60)
