"""Drift between deployed values, the files and what is live: keys only, ours left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kubernetes.utils.quantity import parse_quantity
from leftovers import backend_env

from wizard.engine.propose import foresee
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.practice.scenarios.tools import patch_backend, reinstall, set_env
from wizard.problems import Problem
from wizard.settings import settings_from, target_from
from wizard.steps.upgrade.drift import drift
from wizard.steps.upgrade.live_drift import (
    LiveDrift,
    Sides,
    compared,
    live_drift,
    live_objects,
    quantity,
)
from wizard.systems.access import Systems
from wizard.systems.kubernetes.cluster import ARGO_ROLLOUTS
from wizard.systems.release.manifest import is_custom, resource_of
from wizard.systems.release.owners import managers_of

OURS = [
    {"name": "AUDIT_LOGS_ENABLED", "value": "true"},
    {"name": "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS", "value": "true"},
]


def env(*entries: dict) -> dict:
    return {"backend": {"deployment": {"extraEnv": list(entries)}}}


@pytest.mark.parametrize(
    ("deployed", "files"),
    [
        ({}, {}),
        ({"config": {"a": 1}}, {"config": {"a": 1}}),
        ({}, env(*OURS)),
        (env({"name": "X", "value": "1"}), env({"name": "X", "value": "1"}, *OURS)),
        ({"config": {"a": None}}, {"config": {"a": None}}),
        ({"config": {}}, {}),
    ],
)
def test_nothing_else_changes(deployed: dict, files: dict) -> None:
    assert drift(deployed, files).keys == ()


@pytest.mark.parametrize(
    ("deployed", "files", "keys"),
    [
        ({"config": {"oauth": {"key": "s3cret"}}}, {}, ["dropped: config.oauth.key"]),
        ({"a": 1}, {"a": 2}, ["changed: a"]),
        ({"a": 1}, {"a": True}, ["changed: a"]),
        ({}, {"a": {"b": []}}, ["added: a.b"]),
        ({"a": {"b": None}}, {}, ["dropped: a.b (null)"]),
        ({"a": {"b": None}}, {"a": {"b": 1}}, ["changed: a.b"]),
        ({}, {"a": None}, ["added: a (null)"]),
        (env({"name": "X", "value": "1"}), env(*OURS), ["changed: backend.deployment.extraEnv"]),
    ],
)
def test_every_other_key_is_named_and_refused(deployed: dict, files: dict, keys: list) -> None:
    found = drift(deployed, files)
    assert list(found.keys) == keys
    (lacking,) = found.consents(accepted=False)
    assert (lacking.option, lacking.refusal.id) == ("accept_drift", "LSA410")
    assert lacking.refusal.what.endswith(" in 1 other key")
    assert "s3cret" not in repr(lacking.refusal.detail)
    assert found.consents(accepted=True) == ()


@pytest.mark.parametrize(
    ("deployed", "lost"),
    [
        ({"config": {"apiKeySalt": "s3cret"}}, "dropped: config.apiKeySalt"),
        ({"config": {"langsmithLicenseKey": "s3cret"}}, "dropped: config.langsmithLicenseKey"),
        ({"config": {"basicAuth": {"jwtSecret": "s3cret"}}}, "dropped: config.basicAuth.jwtSecret"),
        ({"config": {"existingSecretName": "mine"}}, "dropped: config.existingSecretName"),
        ({"insights": {"encryptionKey": "s3cret"}}, "dropped: insights.encryptionKey"),
    ],
)
def test_what_nobody_can_bring_back_is_refused_whatever_is_said(deployed: dict, lost: str) -> None:
    with pytest.raises(Problem) as refused:
        drift(deployed, {}).refuse_losses()
    assert (refused.value.id, refused.value.detail) == ("LSA413", (lost,))
    drift({}, deployed).refuse_losses()
    drift({"config": {"apiKeySaltHint": "x"}}, {}).refuse_losses()


@pytest.mark.parametrize("scenario", ["lost-salt", "lost-license", "lost-jwt-secret", "live-salt"])
def test_lost_keys_end_the_run_before_anything(cluster, run, scenario) -> None:
    stage(cluster, SCENARIOS[scenario])
    before = cluster.values.read_bytes()
    answer = run("run", "--yes", "--all", "--accept-drift")
    assert answer.returncode == 3
    assert ("LSA420" if scenario == "live-salt" else "LSA413") in answer.stderr
    assert "night-shift" not in answer.stderr + answer.stdout
    assert cluster.values.read_bytes() == before
    assert cluster.run_helm("list", "--output", "json").stdout.count('"revision":"1"') == 1


@pytest.fixture
def systems(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    """The practice cluster as the steps see it, all organizations chosen."""
    for name, text in cluster.environment().items():
        monkeypatch.setenv(name, text)
    with Systems(target_from(settings_from({"all": True}, cluster.environment()))) as found:
        yield found


IMAGE = "docker.io/langchain/langsmith-backend:hot"


def edited_by_hand(cluster: PracticeCluster) -> None:
    """Variables and an image that somebody set on the live backend."""
    set_env(cluster, "kubectl-set", SAMPLING_RATE="0.2", ASYNCPG_POOL_MAX_SIZE="16")
    containers = [{"name": "backend", "image": IMAGE}]
    patch_backend(cluster, {"spec": {"template": {"spec": {"containers": containers}}}})


def test_what_nobody_touched_has_not_drifted(cluster, systems, helm: Path) -> None:
    cluster.use_helm(helm)
    reinstall(cluster)
    assert live_drift(systems) == LiveDrift()
    assert live_objects(systems, systems.manifest) == LiveDrift()


def test_what_the_server_rounds_or_drops_is_nobodys_edit() -> None:
    rounded, dropped, edited = ("spec", "cpu"), ("spec", "unknown"), ("spec", "type")
    new = {rounded: "1000m", dropped: 1, edited: "ClusterIP"}
    sides = Sides(new, new, {rounded: "1", edited: "NodePort"})
    live = {"metadata": {}}
    applied = {rounded: "1", edited: "ClusterIP"}
    asked = compared(sides, live, by_server=False, applied=lambda: applied)
    assert asked == LiveDrift(reverted=("spec.type",))

    def refused() -> None:
        raise Problem("LSA207", "You may not patch it", on="it", next_step="ask")

    everything = LiveDrift(reverted=("spec.cpu", "spec.type", "spec.unknown"))
    assert compared(sides, live, by_server=False, applied=refused) == everything


def test_an_edit_under_a_place_that_the_upgrade_changes_is_told() -> None:
    edited, untouched, added = ("spec", "replicas"), ("spec", "type"), ("spec", "grace")
    sides = Sides(
        {edited: 2, untouched: "A"},
        {edited: 3, untouched: "B", added: 60},
        {edited: 5, untouched: "A", added: 30},  # 30 is the server's default
    )
    found = compared(sides, {"metadata": {}}, by_server=False)
    assert found == LiveDrift(reverted=("spec.replicas",))


def test_who_owns_a_place_is_told_of_lists_by_whatever_keys_they_have() -> None:
    port = {"port": 80, "protocol": "TCP", "name": "http", "targetPort": 1}
    key = 'k:{"port":80,"protocol":"TCP"}'
    owned = {"f:spec": {"f:ports": {key: {"f:targetPort": {}}}, "f:rules": {}}}
    managed = [{"manager": "kubectl-edit", "fieldsV1": owned}]
    live = {"metadata": {"managedFields": managed}, "spec": {"ports": [port]}}
    told = [("ports[http]", "targetPort"), ("ports[0]", "targetPort"), ("rules[0]", "host")]
    untold = [("ports[http]", "name"), ("ports[https]", "targetPort"), ("ports[1]", "targetPort")]
    assert [managers_of(live, ("spec", *place)) for place in told] == [("kubectl-edit",)] * 3
    assert [managers_of(live, ("spec", *place)) for place in untold] == [()] * 3


OF_OTHERS = {
    "ConfigMap langsmith-config: data.LANGCHAIN_ENV": "kubectl-edit",
    "Deployment langsmith-queue: spec.replicas": "kubectl-scale",
    "Service langsmith-ace-backend: spec.ports[ace].targetPort": "kubectl-patch",
}
GONE = "Service langsmith-playground, which is gone"


def test_edits_of_other_objects_are_listed_with_who_made_them(cluster, systems) -> None:
    stage(cluster, SCENARIOS["edited-elsewhere"])
    cluster.kubernetes.faults.forbid("patch", "configmaps")  # then it cannot be tried either
    found = live_objects(systems, systems.manifest)
    lines = {f"{place} (set by {who})" for place, who in OF_OTHERS.items()}
    assert set(found.reverted) == lines | {GONE}
    assert found == LiveDrift(reverted=found.reverted)
    cluster.kubernetes.faults.forbid("get", "configmaps")
    systems.forget()
    (config, frontend) = sorted(live_objects(systems, systems.manifest).unread)
    assert config.startswith("ConfigMap langsmith-config: You may not get configmaps")
    assert frontend.startswith("ConfigMap langsmith-frontend")


@pytest.mark.parametrize("name", ["langsmith-queue", "langsmith-backend"])
def test_an_autoscaler_made_by_hand_is_named(cluster, systems, name: str) -> None:
    controllers = cluster.kubernetes.acting_as("kube-controller-manager")

    def drifted() -> tuple[str, ...]:
        systems.forget()
        found = live_drift(systems) + live_objects(systems, systems.manifest)
        return tuple(line.removeprefix(f"Deployment {name}: ") for line in found.reverted)

    controllers.patch("Deployment", "langsmith", name, {"spec": {"replicas": 3}})
    assert drifted() == ("spec.replicas (set by kube-controller-manager)",)
    for its, target in (("another", "not-there"), ("by-hand", name)):
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
        cluster.kubernetes.acting_as("kubectl-autoscale").create(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": its, "namespace": "langsmith"},
                "spec": {"scaleTargetRef": reference, "minReplicas": 3, "maxReplicas": 5},
            }
        )
    assert drifted() == ("spec.replicas (set by HorizontalPodAutoscaler by-hand)",)
    cluster.kubernetes.faults.forbid("list", "horizontalpodautoscalers")
    assert drifted() == ("spec.replicas (set by kube-controller-manager)",)


def test_edits_of_other_objects_are_undone_only_when_told(cluster, run, helm, helm4) -> None:
    cluster.use_helm(helm)
    reinstall(cluster)
    by_server = helm == helm4
    stage(cluster, SCENARIOS["edited-elsewhere"])
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 3
    told = " ".join(answer.stderr.split())
    assert GONE in told
    for place, who in OF_OTHERS.items():
        refused = f"live, set by {who}, which helm 4 refuses to change: {place}"
        assert (refused if by_server else f"would be put back: {place} (set by {who})") in told
    answer = run("run", "--yes", "--all", "--accept-drift")
    assert answer.returncode == 0, answer.stderr
    assert cluster.kubernetes.get("Service", "langsmith", "langsmith-playground")
    queue = cluster.kubernetes.get("Deployment", "langsmith", "langsmith-queue")
    assert queue["spec"]["replicas"] != 5
    config = cluster.kubernetes.get("ConfigMap", "langsmith", "langsmith-config")
    assert config["data"]["LANGCHAIN_ENV"] != "edited"
    service = cluster.kubernetes.get("Service", "langsmith", "langsmith-ace-backend")
    assert service["spec"]["ports"][0]["targetPort"] == "ace"


def test_live_edits_are_listed_asked_about_and_undone(cluster, systems, run) -> None:
    edited_by_hand(cluster)
    found = live_drift(systems)
    put_back = (
        "containers[backend].env[ASYNCPG_POOL_MAX_SIZE].value (set by kubectl-set)",
        "containers[backend].image (set by kubectl-patch)",
    )
    assert found == LiveDrift(put_back, ("containers[backend].env[SAMPLING_RATE]",))
    (change,) = [it for it in foresee(systems) if it.step == "helm_upgrade"]
    (lacking,) = change.consents
    assert (lacking.option, lacking.refusal.id) == ("accept_drift", "LSA414")
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 3
    assert "LSA414" in answer.stderr
    assert "LSA418" in answer.stderr
    answer = run("run", "--yes", "--all", "--accept-drift")
    assert answer.returncode == 0, answer.stderr
    env = backend_env(cluster)
    assert (env["ASYNCPG_POOL_MAX_SIZE"], env["SAMPLING_RATE"]) == ("8", "0.2")
    assert image_of(cluster) != IMAGE


def test_helm_4_is_forced_to_undo_what_somebody_set_only_when_told(
    cluster, systems, run, helm4
) -> None:
    cluster.use_helm(helm4)
    reinstall(cluster)
    edited_by_hand(cluster)
    found = live_drift(systems)
    assert found.reverted == ()
    assert [line.partition(",")[0] for line in found.refused] == ["kubectl-set", "kubectl-patch"]
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 3
    assert "which helm 4 refuses to change: containers[backend].image" in answer.stderr
    answer = run("run", "--yes", "--all", "--accept-drift")
    assert answer.returncode == 0, answer.stderr
    assert "--force-conflicts" in answer.stderr
    assert backend_env(cluster)["ASYNCPG_POOL_MAX_SIZE"] == "8"
    assert image_of(cluster) != IMAGE


def image_of(cluster: PracticeCluster) -> str:
    live = cluster.kubernetes.get("Deployment", "langsmith", "langsmith-backend")
    (container,) = live["spec"]["template"]["spec"]["containers"]
    return container["image"]


def test_an_argo_rollout_loses_what_was_added_to_its_containers(cluster, systems) -> None:
    rollouts = {"rollout": {"enabled": True}}
    reinstall(cluster, {"backend": rollouts, "platformBackend": rollouts}, rollouts=True)
    rollout = cluster.kubernetes.get("Rollout", "langsmith", "langsmith-backend")
    containers = rollout["spec"]["template"]["spec"]["containers"]
    containers[0]["env"].append({"name": "X", "value": "1"})
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    someone = cluster.kubernetes.acting_as("kubectl-edit")
    someone.patch("Rollout", "langsmith", "langsmith-backend", change)
    assert live_drift(systems).reverted == ("containers[backend].env[X]",)
    someone.delete("Rollout", "langsmith", "langsmith-platform-backend")
    gone = live_objects(systems, systems.manifest)
    assert gone == LiveDrift(reverted=("Rollout langsmith-platform-backend, which is gone",))
    assert not systems.cluster.serves(replace(ARGO_ROLLOUTS, plural="rolloutes"))
    assert not systems.cluster.serves(replace(ARGO_ROLLOUTS, group="argo.example"))


def test_kinds_that_helm_knows_no_schema_of_are_told_apart() -> None:
    custom = ("argoproj.io/v1alpha1", "keda.sh/v1alpha1", "gateway.networking.k8s.io/v1")
    own = ("v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1")
    assert [*map(is_custom, (*custom, *own))] == [True] * 3 + [False] * 4
    plurals = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies", "Gateway": "gateways"}
    assert {kind: resource_of(kind, "v1").plural for kind in plurals} == plurals


@pytest.mark.parametrize("major", [3, 4])
def test_a_null_that_is_deployed_and_not_in_the_files(cluster, run, request, major) -> None:
    """It took a default of the chart away, and the upgrade would bring that back."""
    if major == 4:
        cluster.use_helm(request.getfixturevalue("helm4"))
    kept = cluster.values.read_text()
    deployed = kept + "\nfrontend: {deployment: {replicas: null}}\n"
    cluster.values.write_text(deployed)
    reinstall(cluster)
    same = run("plan", "--all")
    assert same.returncode == 0, same.stdout + same.stderr
    cluster.values.write_text(kept)
    answer = run("plan", "--all")
    assert answer.returncode == 3
    assert "LSA410" in answer.stdout + answer.stderr
    assert "dropped: frontend.deployment.replicas (null)" in answer.stdout + answer.stderr
    assert "LSA411" not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "text",
    ["1", 2, "0.5", ".5", "5.", "-1", "100m", "1000u", "7n", "2k", "1M", "3G", "1T", "1P", "1E",
     "1Ki", "256Mi", "1.5Gi", "1Ti", "1Pi", "1Ei", "1e3", "1E3", "12E-2", "+4"],
)  # fmt: skip
def test_amounts_are_read_as_kubernetes_own_client_reads_them(text: object) -> None:
    assert quantity(text) == parse_quantity(text)


@pytest.mark.parametrize("text", ["", "1Kib", "1ki", "m", "1 Mi", None, "1e", "1m1"])
def test_what_is_no_amount_is_compared_as_it_stands(text: object) -> None:
    assert quantity(text) == repr(text)
