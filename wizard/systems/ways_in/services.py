"""The pod behind the Service that the stored URL names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import StoredUrl
    from wizard.systems.installation import Installation


@dataclass(frozen=True)
class Place:
    """A Service, and the port of a ready pod behind it."""

    service: str
    pod: str
    namespace: str
    port: int


def behind(cluster: Cluster, installation: Installation, stored: StoredUrl) -> Place | None:
    """The pod behind the Service that the stored host names; none when it names no Service."""
    from wizard.systems.cluster import PODS, SERVICES

    name, _, rest = stored.host.partition(".")
    if rest and ".svc" not in f".{rest}." and rest != installation.namespace:
        return None
    namespace = rest.split(".")[0] if rest else installation.namespace
    service = cluster.get(SERVICES, name, namespace)
    selector = ((service or {}).get("spec") or {}).get("selector")
    if not service or not selector:
        return None
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    ready = [pod for pod in cluster.list(PODS, namespace, labels=labels) if _ready(pod)]
    if not ready:
        raise Problem(
            "LSA582",
            f"No pod behind Service {name} is ready, so the database cannot be reached",
            on=f"Service {name} in namespace {namespace}",
            next_step=f"kubectl get pods -n {namespace} -l {labels}",
        )
    pod = ready[0]
    port = _pod_port(service, stored, pod)
    return Place(name, pod["metadata"]["name"], namespace, port)


def _ready(pod: Mapping[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False  # it stays listed, and ready, until its grace is over
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(it["type"] == "Ready" and it["status"] == "True" for it in conditions)


def _pod_port(service: Mapping[str, Any], stored: StoredUrl, pod: Mapping[str, Any]) -> int:
    ports = service["spec"].get("ports") or ()
    entry: Mapping[str, Any] = next((it for it in ports if it["port"] == stored.port), {})
    wanted = entry.get("targetPort", stored.port)
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == wanted:
                return int(port["containerPort"])
    return stored.port
