"""Scenarios of the release's objects: who else owns them, and what workloads they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from string import Template
from typing import TYPE_CHECKING

from wizard.practice.kubernetes.controllers.base import owner_reference, told_true
from wizard.practice.scenarios.releases import BUDGET, ONE
from wizard.practice.scenarios.tools import (
    BACKEND,
    VARIABLES,
    Json,
    backend_env,
    backend_of,
    enable_in_values,
    make_namespace,
    patch_backend,
    reinstall,
    scenario,
    set_env,
    settled,
    upgrade_arguments,
)
from wizard.resources import template, yaml_loader

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

ROLLOUT = {"rollout": {"enabled": True}}
ARGO = "argocd-controller"
ENABLED = """UPDATE organizations
SET config = COALESCE(config, '{}'::jsonb) || '{"can_use_audit_logs": true}'::jsonb
WHERE NOT is_personal"""


@scenario
def argocd(cluster: PracticeCluster) -> None:
    """An Argo CD Application with selfHeal has taken over the objects: it is named with the marks
    it left, and the way through git is offered."""
    make_namespace(cluster, "argocd")
    _custom(cluster, "Application")
    argo = cluster.kubernetes.acting_as(ARGO)
    for obj in _manifest(cluster, "get", "manifest", cluster.release):
        marks = {"metadata": {"annotations": _tracked(obj)}}
        meta = obj["metadata"]
        argo.patch(obj["kind"], meta["namespace"], meta["name"], marks)


@scenario
def argocd_without_release(cluster: PracticeCluster) -> None:
    """Argo CD has rendered and applied the chart: there is no helm release, only the label
    helm.sh/chart tells the version; the way through git is offered."""
    cluster.bare()
    make_namespace(cluster, cluster.namespace)
    make_namespace(cluster, "argocd")
    _custom(cluster, "Application")
    argo = cluster.kubernetes.acting_as(ARGO)
    chart = (cluster.chart, "--version", cluster.chart_version, "--no-hooks")
    values = ("--values", str(cluster.values))
    for obj in _manifest(cluster, "template", cluster.release, *chart, *values):
        obj["metadata"]["annotations"] = {**obj["metadata"].get("annotations", {}), **_tracked(obj)}
        argo.create(obj)
    cluster.settle()


@scenario
def flux(cluster: PracticeCluster) -> None:
    """A Flux HelmRelease owns the release: it is named, and the way through git is offered."""
    _custom(cluster, "HelmRelease")
    controller = cluster.kubernetes.acting_as("helm-controller")
    controller.take_over("helm")
    labels = {
        "helm.toolkit.fluxcd.io/name": cluster.release,
        "helm.toolkit.fluxcd.io/namespace": cluster.namespace,
    }
    for obj in _manifest(cluster, "get", "manifest", cluster.release):
        meta = obj["metadata"]
        change = {"metadata": {"labels": labels}}
        controller.patch(obj["kind"], meta["namespace"], meta["name"], change)


@scenario
def terraform(cluster: PracticeCluster) -> None:
    """Terraform's helm provider installed the release: its field manager tells, and the way
    through its configuration is offered."""
    cluster.kubernetes.acting_as("terraform-provider-helm_v2.17.0_x5").take_over("helm")


@scenario
def edited_by_hand(cluster: PracticeCluster) -> None:
    """Somebody edited one of the two variables with `kubectl edit`: the field manager kubectl-edit
    is named, and the upgrade brings helm's value back."""
    set_env(cluster, "kubectl-edit", AUDIT_LOGS_ENABLED="false")


@scenario
def owner_reverts(cluster: PracticeCluster) -> None:
    """An operator that nothing betrays takes the variables out of the backend as soon as helm has
    set them: the upgrade ends well, and the run says that they are not live any more."""
    env = [{"name": one["name"], "$patch": "delete"} for one in VARIABLES]
    containers = [{"name": "backend", "env": env}]
    without = {"spec": {"template": {"spec": {"containers": containers}}}}

    def revert() -> None:
        if cluster.kubernetes.get("Deployment", cluster.namespace, BACKEND) is None:
            return
        if any(one["name"] in backend_env(cluster) for one in VARIABLES):
            patch_backend(cluster, without, manager="some-operator")

    cluster.kubernetes.whenever(revert)


@scenario
def argo_rollout(cluster: PracticeCluster) -> None:
    """The backend is an Argo Rollout: it is restarted by spec.restartAt, and with helm 4 the
    wizard waits by itself."""
    reinstall(cluster, {"backend": ROLLOUT}, rollouts=True)


@scenario
def keda(cluster: PracticeCluster) -> None:
    """A KEDA ScaledObject sets the number of pods: all goes well."""
    reinstall(cluster, {"backend": {"autoscaling": {"enabled": True, "createHpa": False}}})
    scaled = _custom(cluster, "ScaledObject")
    meta, spec = scaled["metadata"], scaled["spec"]
    least, most = spec["minReplicaCount"], spec["maxReplicaCount"]
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": f"keda-hpa-{meta['name']}",
            "namespace": meta["namespace"],
            "ownerReferences": [owner_reference(scaled)],
        },
        "spec": {
            "scaleTargetRef": spec["scaleTargetRef"],
            "minReplicas": least,
            "maxReplicas": most,
        },
    }
    cluster.kubernetes.acting_as("keda").create(autoscaler)
    cluster.kubernetes.until(
        lambda: backend_of(cluster)["spec"].get("replicas", 1) == least, timeout=10
    )
    cluster.settle()


@scenario
def budget_blocks(cluster: PracticeCluster) -> None:
    """An Argo Rollout with one pod and a budget that wants it: its restart evicts, and so never
    gets on."""
    reinstall(cluster, {"backend": {**ONE, **BUDGET, **ROLLOUT}}, rollouts=True)


@scenario
def paused(cluster: PracticeCluster) -> None:
    """Somebody paused the Deployment: nothing rolls, which is told with the way to resume it."""
    patch_backend(cluster, {"spec": {"paused": True}}, manager="kubectl-rollout")


@scenario
def rolling_already(cluster: PracticeCluster) -> None:
    """All is done by hand, and the restart at its end is on, with slow pods: that is told, a run
    waits for it, and adds no restart to it."""
    enable_in_values(cluster)
    cluster.must(cluster.run_helm(*upgrade_arguments(cluster)), "helm upgrade")
    settled(cluster)
    with cluster.connect() as database:
        database.execute(ENABLED)
    cluster.kubernetes.faults.slow(pods=8.0)
    notes = {"kubectl.kubernetes.io/restartedAt": "2026-02-11T09:30:00Z"}
    change = {"spec": {"template": {"metadata": {"annotations": notes}}}}
    patch_backend(cluster, change, manager="kubectl-rollout")
    cluster.kubernetes.until(
        lambda: backend_of(cluster)["status"].get("unavailableReplicas", 0) > 0, timeout=10
    )


@scenario
def on_delete(cluster: PracticeCluster) -> None:
    """PostgreSQL's StatefulSet updates OnDelete: helm waits for no pod of it, and the backend is
    as usual (a Deployment knows no OnDelete)."""
    strategy: Json = {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}
    cluster.kubernetes.acting_as("kubectl-patch").patch(
        "StatefulSet", cluster.namespace, "langsmith-postgres", {"spec": strategy}
    )


@scenario
def slow_pods(cluster: PracticeCluster) -> None:
    """Each pod takes 12 s and each Job 4 s: the live view has something to show."""
    cluster.kubernetes.faults.slow(pods=12.0, jobs=4.0)


@scenario
def no_load_balancer(cluster: PracticeCluster) -> None:
    """The frontend's Service gets no address, so helm 3 --wait would run into its limit: the
    wizard waits for the backend by itself."""
    cluster.kubernetes.faults.no_load_balancer()

    def has_none() -> bool:
        service = cluster.kubernetes.get("Service", cluster.namespace, "langsmith-frontend") or {}
        return not service.get("status", {}).get("loadBalancer", {}).get("ingress")

    cluster.kubernetes.until(has_none, timeout=10)


def _manifest(cluster: PracticeCluster, *arguments: str) -> Iterator[Json]:
    """The objects that helm prints."""
    import yaml

    answer = cluster.run_helm(*arguments, "--namespace", cluster.namespace)
    cluster.must(answer, f"helm {arguments[0]}")
    yield from filter(None, yaml.load_all(answer.stdout, Loader=yaml_loader()))


def _tracked(obj: Json) -> dict[str, str]:
    """The annotations that Argo CD puts on what it applies."""
    meta = obj["metadata"]
    group = obj["apiVersion"].rpartition("/")[0]
    identity = f"langsmith:{group}/{obj['kind']}:{meta['namespace']}/{meta['name']}"
    return {
        "argocd.argoproj.io/tracking-id": identity,
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(obj) + "\n",
    }


def _custom(cluster: PracticeCluster, kind: str) -> Json:
    """Define a custom kind of templates/practice/custom, and create the object that is there."""
    import yaml

    def text(file: str, **more: str) -> Json:
        named = {name: getattr(cluster, name) for name in ("namespace", "release", "chart_version")}
        filled = Template(template(f"practice/custom/{file}.yaml")).substitute(named, **more)
        parsed: Json = yaml.safe_load(filled)
        return parsed

    someone, obj = cluster.kubernetes.acting_as("kubectl-create"), text(kind.lower())
    group, _, version = obj["apiVersion"].rpartition("/")
    definition = text("definition", kind=kind, name=kind.lower(), group=group, version=version)
    someone.create(definition)

    def established() -> bool:
        name = definition["metadata"]["name"]
        found = cluster.kubernetes.get("CustomResourceDefinition", None, name)
        return told_true(found or {}, "Established") is not None

    cluster.kubernetes.until(established, timeout=10)
    return someone.create(obj)
