"""Scenarios in which deployed values, the values file and what is live differ."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import Json, edit_values, reinstall, set_env

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster


@scenario
def drift_dropped_key(cluster: PracticeCluster) -> None:
    """A deployed key is missing in the values file: the upgrade would drop it, and is refused
    until that is accepted."""
    reinstall(cluster, {"config": {"logLevel": "debug"}})
    edit_values(cluster, {"config": {"logLevel": None}})


@scenario
def drift_changed_key(cluster: PracticeCluster) -> None:
    """The values file says something else than what is deployed: listed, and asked about."""
    edit_values(cluster, {"backend": {"deployment": {"replicas": 3}}})


@scenario
def lost_salt(cluster: PracticeCluster) -> None:
    """The values file has another config.apiKeySalt: every API key would be lost, so the upgrade
    is refused."""
    edit_values(cluster, {"config": {"apiKeySalt": "5f0c1de2a7b94683"}})


@scenario
def lost_license(cluster: PracticeCluster) -> None:
    """The values file lacks config.langsmithLicenseKey, which is deployed: refused."""
    edit_values(cluster, {"config": {"langsmithLicenseKey": None}})


@scenario
def lost_jwt_secret(cluster: PracticeCluster) -> None:
    """The values file lacks config.basicAuth.jwtSecret, which is deployed: everybody would be
    logged out, so the upgrade is refused."""
    edit_values(cluster, {"config": {"basicAuth": {"jwtSecret": None}}})


@scenario
def live_edit(cluster: PracticeCluster) -> None:
    """Somebody ran `kubectl set env` on the backend: the release does not have it, and the upgrade
    may take it away."""
    set_env(cluster, "kubectl-set", SAMPLING_RATE="0.2")


@scenario
def live_only(cluster: PracticeCluster) -> None:
    """Both variables are live by `kubectl set env` and not in the release: the next upgrade would
    drop them, so they are brought into the values file."""
    set_env(
        cluster,
        "kubectl-set",
        AUDIT_LOGS_ENABLED="true",
        DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS="true",
    )


@scenario
def edited_elsewhere(cluster: PracticeCluster) -> None:
    """Somebody scaled the queue, edited the ConfigMap and a Service and deleted another, all beside
    helm: each is listed, with who did it, and the upgrade would put it back."""
    _edit(cluster, "kubectl-scale", "Deployment", "langsmith-queue", {"spec": {"replicas": 5}})
    env = {"data": {"LANGCHAIN_ENV": "edited"}}
    _edit(cluster, "kubectl-edit", "ConfigMap", "langsmith-config", env)
    ports = {"spec": {"ports": [{"port": 1987, "targetPort": 1999}]}}
    _edit(cluster, "kubectl-patch", "Service", "langsmith-ace-backend", ports)
    someone = cluster.kubernetes.acting_as("kubectl")
    someone.delete("Service", cluster.namespace, "langsmith-playground")


@scenario
def live_salt(cluster: PracticeCluster) -> None:
    """Somebody put another API key salt into the live Secret: the upgrade would put the old one
    back, and is refused whatever is said."""
    salt = {"data": {"api_key_salt": b64encode(b"a-salt-of-the-night-shift").decode()}}
    _edit(cluster, "kubectl-edit", "Secret", "langsmith-secrets", salt)


def _edit(cluster: PracticeCluster, manager: str, kind: str, name: str, change: Json) -> None:
    cluster.kubernetes.acting_as(manager).patch(kind, cluster.namespace, name, change)
