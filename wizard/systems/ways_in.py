"""The way to LangSmith's PostgreSQL: through the Kubernetes API, or directly.

The credentials come from the Secret and key that the live backend names
(`POSTGRES_DATABASE_URI`), never from a guess.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.exits import Exit
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Database, Login, StoredUrl
    from wizard.systems.installation import Installation
    from wizard.target import Target

LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR")


@contextlib.contextmanager
def database(target: Target, cluster: Cluster, installation: Installation) -> Iterator[Database]:
    """The open database for the time of the block.

    Raises:
        Problem: there is no way to it, or the login does not work.
    """
    from wizard.systems.database import Database

    limit = max(int(target.connect_limit), 1)
    with (
        login(target, cluster, installation) as way,
        Database.open(way, connect_limit=limit) as opened,
    ):
        yield opened


@contextlib.contextmanager
def login(target: Target, cluster: Cluster, installation: Installation) -> Iterator[Login]:
    """The login for the time of the block; a port-forward is open that long.

    Raises:
        Problem: the Secret, its URL, the Service or its pod cannot be found or read.
    """
    if target.database == "direct" and any(os.environ.get(name) for name in LIBPQ):
        yield _libpq_login(installation)
        return
    stored = _stored_url(cluster, installation)
    if target.database == "direct":
        yield _login(stored, installation, via="direct, as the stored URL says")
        return
    place = _behind(cluster, installation, stored)
    if place is None:
        yield _elsewhere(target, stored, installation)
        return
    with cluster.forward(place.pod, place.namespace, place.port) as local:
        via = f"port-forward to pod {place.pod}"
        host, port = (str(local.directory), 5432) if local.directory else (local.host, local.port)
        try:
            yield _login(stored, installation, via=via, host=host, port=port)
        except Problem:
            if local.problem:  # libpq only sees that its socket was closed
                raise local.problem from None
            raise


@dataclass(frozen=True)
class _Place:
    pod: str
    namespace: str
    port: int


def _libpq_login(installation: Installation) -> Login:
    """What the variables say is only repeated for the messages; libpq reads them itself."""
    from wizard.systems.database import Login

    told = {} if os.environ.get("PGSERVICE") else os.environ
    port = told.get("PGPORT", "")
    return Login(
        host=told.get("PGHOST", ""),
        port=int(port) if port.isdecimal() else 0,
        user=told.get("PGUSER", ""),
        password="",
        dbname=told.get("PGDATABASE", ""),
        schema=installation.database.schema,
        via="direct, as the PG… variables say",
    )


def _login(
    stored: StoredUrl, installation: Installation, *, via: str, host: str = "", port: int = 0
) -> Login:
    from wizard.systems.database import Login, libpq_options

    options = libpq_options(stored.parameters)
    if host:  # what the URL says of TLS and addresses is for the way from inside the cluster
        inside = ("ssl", "hostaddr", "target_session_attrs")
        options = {name: v for name, v in options.items() if not name.startswith(inside)}
        options["sslmode"] = "prefer"
    return Login(
        host=host or stored.host,
        port=port or stored.port,
        user=stored.user,
        password=stored.password,
        dbname=stored.dbname,
        options=options,
        schema=installation.database.schema,
        via=via,
    )


def _elsewhere(target: Target, stored: StoredUrl, installation: Installation) -> Login:
    if target.database == "port-forward":
        raise Problem(
            "LSA581",
            f"{stored.host} is no Service of namespace {installation.namespace}: "
            "there is no pod to forward a port of",
            on=f"database host {stored.host}",
            next_step="log in from where the database can be reached: --database direct",
            exit=Exit.FAILED,
        )
    return _login(stored, installation, via="direct, since its host is no Service of the cluster")


def _stored_url(cluster: Cluster, installation: Installation) -> StoredUrl:
    from wizard.systems.cluster import SECRETS
    from wizard.systems.database import parse_stored_url

    reference, where = installation.database, installation.namespace
    secret = cluster.get(SECRETS, reference.secret, where)
    encoded = ((secret or {}).get("data") or {}).get(reference.key)
    if not encoded:
        raise Problem(
            "LSA580",
            f"Secret {reference.secret} has no key {reference.key}"
            if secret
            else f"There is no Secret {reference.secret}",
            on=f"Secret {reference.secret} in namespace {where}",
            next_step="log in another way: --database direct with PGHOST and the like",
            exit=Exit.FAILED,
        )
    return parse_stored_url(base64.b64decode(encoded).decode("utf-8", "replace"))


def _behind(cluster: Cluster, installation: Installation, stored: StoredUrl) -> _Place | None:
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
    return _Place(ready[0]["metadata"]["name"], namespace, _pod_port(service, stored, ready[0]))


def _ready(pod: Mapping[str, Any]) -> bool:
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
