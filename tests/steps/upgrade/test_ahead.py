"""What stands in the way of an upgrade: found by looking, and its way round taken."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable

import pytest
import yaml
from leftovers import backend_env, refused
from reports import found_by

from wizard.article import WANTED
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.records.findings import State
from wizard.steps.upgrade.ahead import hazards, line_findings
from wizard.systems.access import Systems
from wizard.systems.helm.errors import Call, helm_problem

SALT = {"config": {"existingSecretName": "given"}}


def seen(systems: Systems) -> dict[str, State]:
    systems.forget()
    return {finding.id: finding.state for finding in hazards(systems).findings}


def budget(name: str, **spec: object) -> dict:
    labels = {"app.kubernetes.io/component": "langsmith-backend"}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "langsmith"},
        "spec": {"selector": {"matchLabels": labels}, **spec},
    }


def upgraded(cluster: PracticeCluster, **values: object) -> None:
    """The release with other values, as its owner would have upgraded it."""
    extra = cluster.home / "more.yaml"
    extra.write_text(yaml.safe_dump(values))
    argv = ("upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33")
    answer = cluster.run_helm(*argv, "-f", str(cluster.values), "-f", str(extra), "--no-hooks")
    assert answer.returncode == 0, answer.stderr


def test_a_cluster_without_load_balancer_is_upgraded_without_waiting_by_helm(cluster, run) -> None:
    cluster.kubernetes.faults.no_load_balancer()
    answer = run("check", "--format", "json")
    found = {finding["id"]: finding for finding in found_by(answer.stdout, "LSA401")}
    assert set(found) == {"LSA402", "LSA170", "LSA175"}
    assert found["LSA170"]["subject"] == "Service langsmith-frontend in namespace langsmith"
    assert found["LSA175"]["evidence"] == ["langsmith-backend-auth-bootstrap"]
    plan = run("plan", "--all").stdout
    (argv,) = re.findall(r"helm upgrade langsmith langchain/langsmith.*", plan)
    assert "--wait" not in argv
    assert "goes without helm's --wait" in re.sub(r"\s+", " ", plan)
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 0, answer.stderr
    assert all(backend_env(cluster)[name] == "true" for name in WANTED)


def test_helm_4_does_not_mind_a_load_balancer_without_address(cluster, systems, helm4) -> None:
    cluster.kubernetes.faults.no_load_balancer()
    cluster.use_helm(helm4)
    assert hazards(systems).wait
    assert set(seen(systems)) == {"LSA175"}


def test_an_argo_rollout_is_not_waited_for_by_helm_4(cluster, systems, helm4) -> None:
    cluster.kubernetes.serve_argo_rollouts()
    upgraded(cluster, backend={"rollout": {"enabled": True}})
    assert hazards(systems).wait
    cluster.use_helm(helm4)
    with Systems(systems.target) as afresh:
        found = hazards(afresh)
    assert not found.wait
    assert {it.id for it in found.findings} == {"LSA171", "LSA175"}


def recorded(cluster: PracticeCluster, change: Callable[[str], str]) -> None:
    """The release's newest revision with another record, as an older helm or cluster left it."""
    secrets = cluster.kubernetes.list("Secret", "langsmith", {"owner": "helm"})
    newest = max(secrets, key=lambda it: int(it["metadata"]["labels"]["version"]))
    packed = base64.b64decode(base64.b64decode(newest["data"]["release"]))
    text = change(gzip.decompress(packed).decode())
    data = base64.b64encode(base64.b64encode(gzip.compress(text.encode()))).decode()
    cluster.kubernetes.apply({**newest, "data": {"release": data}})


def test_a_kind_that_the_cluster_has_no_more_is_seen_before_helm_meets_it(cluster, run) -> None:
    upgraded(cluster, backend={"pdb": {"enabled": True, "minAvailable": 1}})
    recorded(cluster, lambda text: text.replace("policy/v1", "policy/v1beta1"))
    values = cluster.values.read_bytes()
    for command in (("plan", "--all"), ("run", "--yes", "--all")):
        answer = run(*command)
        refused(cluster, answer, 3, "LSA138", "policy/v1beta1", "helm mapkubeapis --kube-context")
        assert "PodDisruptionBudget langsmith-backend" in answer.stderr
    assert cluster.values.read_bytes() == values
    checked = run("check", "--all")
    assert "LSA138" in checked.stdout
    argv = ("upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33")
    said = cluster.run_helm(*argv, "-f", str(cluster.values)).stderr
    call = Call("helm upgrade", "release langsmith in namespace langsmith")
    assert helm_problem(call, said).id == "LSA138", said


def test_budgets_that_block(cluster, systems, helm4) -> None:
    upgraded(cluster, backend={"pdb": {"enabled": True, "minAvailable": 2}})
    assert seen(systems)["LSA173"] is State.INFO
    (name,) = [it["metadata"]["name"] for it in cluster.kubernetes.list("PodDisruptionBudget")]
    cluster.kubernetes.apply(budget("others", minAvailable=9))
    cluster.kubernetes.apply(budget(name, minAvailable=3))

    def counted() -> bool:
        live = cluster.kubernetes.get("PodDisruptionBudget", "langsmith", name)
        return live.get("status", {}).get("desiredHealthy") == 3

    cluster.kubernetes.until(counted, timeout=20)
    assert seen(systems)["LSA173"] is State.INFO
    cluster.use_helm(helm4)
    with Systems(systems.target) as afresh:
        found = hazards(afresh)
    assert not found.wait
    (told,) = [it for it in found.findings if it.id == "LSA172"]
    assert (told.subject, told.state) == (
        f"PodDisruptionBudget {name} in namespace langsmith",
        State.WARN,
    )
    cluster.kubernetes.faults.forbid("list", "poddisruptionbudgets")
    assert seen(systems)["LSA180"] is State.UNKNOWN


def test_a_budget_that_holds_up_the_restart_of_a_rollout(cluster, systems) -> None:
    stage(cluster, SCENARIOS["budget-blocks"])
    assert seen(systems)["LSA173"] is State.WARN
    (told,) = [it for it in hazards(systems).findings if it.id == "LSA173"]
    assert "--one-rollout" in told.next_step


def test_an_image_that_changes_is_told(cluster, systems) -> None:
    cluster.values.write_text(cluster.values.read_text() + "\nimages:\n  backendImage: {tag: x1}\n")
    assert seen(systems)["LSA179"] is State.WARN
    systems.forget()
    (told,) = [it for it in hazards(systems).findings if it.id == "LSA179"]
    assert "from 0.12.72 to x1" in told.message


def env(*names: str) -> list[dict]:
    return [{"name": name, "value": "secret-value"} for name in names]


@pytest.mark.parametrize(
    ("version", "values", "id", "keys"),
    [
        (
            "0.13.0",
            {"backend": {"autoscaling": {"enabled": True}}},
            "LSA176",
            ["backend.autoscaling.enabled"],
        ),
        (
            "0.12.33",
            {"queue": {"autoscaling": {"hpa": {"enabled": True}}}},
            "LSA176",
            ["queue.autoscaling.hpa"],
        ),
        ("0.15.1", {}, "LSA177", ["insights.encryptionKey", "polly.encryptionKey"]),
        ("0.16.0", {**SALT, "config": {**SALT["config"], "polly": {}}}, "LSA177", ["config.polly"]),
        (
            "0.14.0",
            {"commonEnv": env("PORT", "A"), "config": {"deployment": {"enabled": True}}},
            "LSA178",
            ["PORT"],
        ),
    ],
)
def test_values_of_another_chart_line(version: str, values: dict, id: str, keys: list) -> None:
    (found,) = line_findings(values, version)
    assert (found.id, list(found.evidence)) == (id, keys)
    assert "secret-value" not in repr(found)


@pytest.mark.parametrize(
    ("version", "values"),
    [
        ("0.12.33", {"backend": {"autoscaling": {"enabled": True}}}),
        ("0.13.0", {"backend": {"autoscaling": {"hpa": {"enabled": True}}}}),
        ("0.15.0", {}),
        ("0.15.1", SALT),
        ("0.15.1", {"insights": {"enabled": False}, "polly": {"encryptionKey": "k"}}),
        ("0.14.0", {"commonEnv": env("PORT")}),
        ("0.14.0", {"commonEnv": env("HOST_DOCS_PREFIX"), "hostBackend": {"enabled": True}}),
        ("0.13.43", {"commonEnv": env("PORT"), "hostBackend": {"enabled": True}}),
        ("0.13.0", {"backend": None, "config": "odd", "commonEnv": {"A": 1}}),
    ],
)
def test_values_that_fit_their_chart(version: str, values: dict) -> None:
    assert line_findings(values, version) == ()
