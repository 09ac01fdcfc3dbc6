"""The ways to LangSmith's PostgreSQL, one file each, and which one is taken.

| way | when |
|---|---|
| port-forward | the stored URL names a Service of the cluster |
| direct | it names another host, or libpq's variables do and `direct` was asked for |
| exec | asked for: psql in the bundled PostgreSQL pod |
| pod | asked for, since it writes to the cluster: psql in a short-lived pod of its own |
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.ways_in.certificates import certificates
from wizard.systems.ways_in.direct import libpq_login, told_by_variables
from wizard.systems.ways_in.in_pod import exec_login
from wizard.systems.ways_in.own_pod import pod_login
from wizard.systems.ways_in.port_forward import forwarded
from wizard.systems.ways_in.services import behind
from wizard.systems.ways_in.stored import login_of, stored_url

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Database, Login, StoredUrl
    from wizard.systems.installation import Installation
    from wizard.target import Target

ASKED = "as --database asks"


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
    if target.database == "exec":
        yield exec_login(cluster, installation)
        return
    if target.database == "direct" and told_by_variables():
        yield libpq_login(installation)
        return
    stored = stored_url(cluster, installation)
    if target.database == "pod":
        with pod_login(cluster, installation, stored) as way:
            yield way
        return
    if target.database == "direct":
        with _straight(cluster, installation, stored, ASKED) as way:
            yield way
        return
    place = behind(cluster, installation, stored)
    if place is not None:
        with forwarded(cluster, installation, stored, place) as way:
            yield way
        return
    if target.database == "port-forward":
        raise _no_service(stored.host, installation)
    why = f"the stored host {stored.host} is no Service of the cluster"
    with _straight(cluster, installation, stored, why) as way:
        yield way


@contextlib.contextmanager
def _straight(
    cluster: Cluster, installation: Installation, stored: StoredUrl, why: str
) -> Iterator[Login]:
    """Directly, as the stored URL says, with the certificates that the release has for it."""
    with certificates(cluster, installation) as files:
        via = "direct, as the stored URL says"
        yield login_of(stored, installation, via=via, why=why, certificates=files)


def _no_service(host: str, installation: Installation) -> Problem:
    return Problem(
        "LSA581",
        f"{host} is no Service of namespace {installation.namespace}: "
        "there is no pod to forward a port of",
        on=f"database host {host}",
        next_step="log in from where the database can be reached: --database direct",
        exit=Exit.FAILED,
    )
