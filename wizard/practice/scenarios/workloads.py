"""Scenarios of the backend's workload: kinds, sizes, budgets, and rollouts that are on already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.scenarios.owners import define
from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import BACKEND, backend_of, patch_backend, reinstall

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

ONE = {"deployment": {"replicas": 1}}
BUDGET = {"pdb": {"enabled": True, "minAvailable": 1}}
ROLLOUT = {"rollout": {"enabled": True}}


@scenario
def argo_rollout(cluster: PracticeCluster) -> None:
    """The backend is an Argo Rollout: it is restarted by spec.restartAt, and with helm 4 the
    wizard waits by itself."""
    reinstall(cluster, {"backend": ROLLOUT}, rollouts=True)


@scenario
def hpa(cluster: PracticeCluster) -> None:
    """An autoscaler sets the number of pods, spec.replicas is not in the chart: all goes well."""
    scaling = {"enabled": True, "minReplicas": 2, "maxReplicas": 4}
    reinstall(cluster, {"backend": {"autoscaling": scaling}})


@scenario
def keda(cluster: PracticeCluster) -> None:
    """A KEDA ScaledObject sets the number of pods: all goes well."""
    reinstall(cluster, {"backend": {"autoscaling": {"enabled": True, "createHpa": False}}})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": BACKEND}
    bounds = {"minReplicaCount": 2, "maxReplicaCount": 4}
    trigger = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}}
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": BACKEND, "namespace": cluster.namespace},
        "spec": {"scaleTargetRef": target, **bounds, "triggers": [trigger]},
    }
    define(cluster, scaled, "scaledobjects")
    made = cluster.kubernetes.acting_as("kubectl-create").create(scaled)
    _keda_hpa(cluster, made)
    cluster.kubernetes.until(lambda: _size(cluster) == bounds["minReplicaCount"], timeout=10)
    cluster.settle()


@scenario
def one_replica(cluster: PracticeCluster) -> None:
    """The backend has one pod: the new one comes before the old one goes."""
    reinstall(cluster, {"backend": ONE})


@scenario
def budget_one_replica(cluster: PracticeCluster) -> None:
    """A PodDisruptionBudget asks for the only pod: a Deployment rolls nevertheless, a drained node
    waits."""
    reinstall(cluster, {"backend": {**ONE, **BUDGET}})


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
    """A rollout is on, and its pods are slow: that is told, and no restart is added to it."""
    cluster.kubernetes.faults.slow(pods=20.0)
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
    strategy: dict[str, Any] = {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}
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
    cluster.kubernetes.until(lambda: not _addresses(cluster), timeout=10)


def _addresses(cluster: PracticeCluster) -> list[Any]:
    service = cluster.kubernetes.get("Service", cluster.namespace, "langsmith-frontend") or {}
    return list(service.get("status", {}).get("loadBalancer", {}).get("ingress", []))


def _size(cluster: PracticeCluster) -> int:
    return int(backend_of(cluster)["spec"].get("replicas", 1))


def _keda_hpa(cluster: PracticeCluster, scaled: dict[str, Any]) -> None:
    """The autoscaler that KEDA makes for a ScaledObject."""
    spec = scaled["spec"]
    owner = {
        "apiVersion": scaled["apiVersion"],
        "kind": scaled["kind"],
        "name": scaled["metadata"]["name"],
        "uid": scaled["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    cluster.kubernetes.acting_as("keda").create(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {
                "name": f"keda-hpa-{BACKEND}",
                "namespace": cluster.namespace,
                "ownerReferences": [owner],
            },
            "spec": {
                "scaleTargetRef": spec["scaleTargetRef"],
                "minReplicas": spec["minReplicaCount"],
                "maxReplicas": spec["maxReplicaCount"],
            },
        }
    )
