"""Scenarios in which somebody else owns the release's objects and would take our change back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import (
    BACKEND,
    VARIABLES,
    backend_env,
    make_namespace,
    patch_backend,
    set_env,
)

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

Json = dict[str, Any]

ARGO = "argocd-controller"
FLUX = "helm-controller"
TERRAFORM = "terraform-provider-helm_v2.17.0_x5"


@scenario
def argocd(cluster: PracticeCluster) -> None:
    """An Argo CD Application with selfHeal has taken over the objects: it is named with the marks
    it left, and the way through git is offered."""
    _application(cluster)
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
    _application(cluster)
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
    spec = {"chart": {"spec": {"chart": "langsmith", "version": cluster.chart_version}}}
    release = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": cluster.release, "namespace": cluster.namespace},
        "spec": {"interval": "10m", **spec, "driftDetection": {"mode": "enabled"}},
    }
    _custom(cluster, release, "helmreleases")
    controller = cluster.kubernetes.acting_as(FLUX)
    controller.take_over("helm")
    labels = {
        "helm.toolkit.fluxcd.io/name": cluster.release,
        "helm.toolkit.fluxcd.io/namespace": cluster.namespace,
    }
    for obj in _manifest(cluster, "get", "manifest", cluster.release):
        meta = obj["metadata"]
        controller.patch(
            obj["kind"], meta["namespace"], meta["name"], {"metadata": {"labels": labels}}
        )


@scenario
def terraform(cluster: PracticeCluster) -> None:
    """Terraform's helm provider installed the release: its field manager tells, and the way
    through its configuration is offered."""
    cluster.kubernetes.acting_as(TERRAFORM).take_over("helm")


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


def _manifest(cluster: PracticeCluster, *arguments: str) -> Iterator[Json]:
    """The objects that helm prints."""
    import yaml

    answer = cluster.run_helm(*arguments, "--namespace", cluster.namespace)
    cluster.must(answer, f"helm {arguments[0]}")
    yield from filter(None, yaml.safe_load_all(answer.stdout))


def _tracked(obj: Json) -> dict[str, str]:
    """The annotations that Argo CD puts on what it applies."""
    meta = obj["metadata"]
    group = obj["apiVersion"].rpartition("/")[0]
    identity = f"langsmith:{group}/{obj['kind']}:{meta['namespace']}/{meta['name']}"
    return {
        "argocd.argoproj.io/tracking-id": identity,
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(obj) + "\n",
    }


def _application(cluster: PracticeCluster) -> None:
    make_namespace(cluster, "argocd")
    source = {
        "repoURL": "https://git.example.com/platform/deployments.git",
        "path": "langsmith",
        "targetRevision": "main",
        "helm": {"valueFiles": ["values.yaml"]},
    }
    server = "https://kubernetes.default.svc"
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "langsmith", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"server": server, "namespace": cluster.namespace},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }
    _custom(cluster, application, "applications")


def _custom(cluster: PracticeCluster, obj: Json, plural: str) -> None:
    """Define a custom kind, and create an object of it."""
    define(cluster, obj, plural)
    cluster.kubernetes.acting_as("kubectl-create").create(obj)


def define(cluster: PracticeCluster, obj: Json, plural: str) -> None:
    """Create the CustomResourceDefinition of an object's kind, and wait until it is served."""
    group, _, version = obj["apiVersion"].rpartition("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    name = f"{plural}.{group}"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "names": {"kind": obj["kind"], "plural": plural, "singular": obj["kind"].lower()},
            "scope": "Namespaced",
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    cluster.kubernetes.acting_as("kubectl-create").create(definition)

    def established() -> bool:
        found = cluster.kubernetes.get("CustomResourceDefinition", None, name) or {}
        conditions = found.get("status", {}).get("conditions") or []  # null at first
        return any(one["type"] == "Established" for one in conditions)

    cluster.kubernetes.until(established, timeout=10)
