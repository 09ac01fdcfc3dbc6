"""The ways to LangSmith's PostgreSQL, one file each, and which one is taken.

| way | when |
|---|---|
| port-forward | the stored URL names a Service of the cluster |
| direct | it names another host, or libpq's variables do and `direct` was asked for |
| exec | psql in the bundled PostgreSQL pod: asked for, or no port of it can be forwarded |
| manual | asked for: no connection is tried, a DBA runs the SQL |
| pod | asked for, since it writes to the cluster: psql in a short-lived pod of its own |
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wizard.problems import Exit, Problem
from wizard.systems.postgres.ways_in.direct import file_login, libpq_login, told_by_variables
from wizard.systems.postgres.ways_in.in_pod import Lasting, exec_login
from wizard.systems.postgres.ways_in.stored import (
    StoredUrl,
    behind,
    certificates,
    forwarded,
    login_of,
    stored_url,
)

if TYPE_CHECKING:
    from wizard.settings import Target
    from wizard.systems.kubernetes.cluster import Cluster
    from wizard.systems.postgres.database import Database
    from wizard.systems.postgres.model import Login
    from wizard.systems.release.installation import Installation

ASKED = "as --database asks"
PUBLIC = "public"
"""The schema of a LangSmith that names none (chart value postgres.external.schema)."""


NO_FORWARD = frozenset({"LSA207", "LSA209", "LSA210", "LSA215", "LSA216"})
"""What leads to the port-forward is not allowed, or the way to the pod does not carry it."""


@contextlib.contextmanager
def database(
    target: Target, cluster: Cluster, installation: Installation, lasting: Lasting | None = None
) -> Iterator[Database]:
    """The open database for the time of the block; `lasting` has what may stay open after it.

    Raises:
        Problem: there is no way to it, or the login does not work.
    """
    with contextlib.ExitStack() as stack:
        own = lasting or stack.enter_context(contextlib.closing(Lasting()))
        yield _opened(stack, target, cluster, installation, own)


def _opened(
    stack: contextlib.ExitStack,
    target: Target,
    cluster: Cluster,
    installation: Installation,
    lasting: Lasting,
) -> Database:
    """The database by the way that is wanted; by exec where `auto` finds no port-forward."""
    limit = max(int(target.connect_limit), 1)
    try:
        way = login(target, cluster, installation, lasting)
        return stack.enter_context(_by(way, limit, lasting))
    except Problem as problem:
        bundled = installation.postgres is not None and not installation.database.external
        if target.database != "auto" or problem.id not in NO_FORWARD or not bundled:
            raise
        first = problem
    why = f"no port can be forwarded: {first.what}"
    try:
        instead = contextlib.nullcontext(exec_login(cluster, installation, why=why))
        return stack.enter_context(_by(instead, limit, lasting))
    except Problem as second:
        raise first.but(
            detail=(*first.detail, f"psql in the pod was tried instead: {second.what}")
        ) from None


@contextlib.contextmanager
def _by(
    way: contextlib.AbstractContextManager[Login], limit: int, lasting: Lasting
) -> Iterator[Database]:
    from wizard.systems.postgres.database import Database

    with (
        way as told,
        lasting.known(told) as known,
        Database.open(known, connect_limit=limit) as opened,
    ):
        lasting.accepted(opened.login)
        yield opened


@contextlib.contextmanager
def login(
    target: Target, cluster: Cluster, installation: Installation, lasting: Lasting | None = None
) -> Iterator[Login]:
    """The login for the time of the block; a port-forward is open that long.

    Raises:
        Problem: the Secret, its URL, the Service or its pod cannot be found or read.
    """
    if target.database == "manual":
        raise never_read(installation)
    if target.database_url_file and target.database in ("auto", "direct"):
        yield file_login(target.database_url_file, installation)
        return
    if target.database == "exec":
        yield exec_login(cluster, installation, why=ASKED)
        return
    if target.database == "direct" and told_by_variables():
        yield libpq_login(installation)
        return
    stored = stored_url(cluster, installation)
    if target.database == "pod":
        with contextlib.ExitStack() as stack:
            own = lasting or stack.enter_context(contextlib.closing(Lasting()))
            yield own.pod(cluster, installation, stored, target.patience)
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


def never_read(installation: Installation) -> Problem:
    """Why nothing can be told of the database, and what a DBA can look at."""
    from wizard.systems.postgres.by_hand import list_by_hand

    return Problem(
        "LSA549",
        "The database is never read, as --database manual asks",
        on="LangSmith's PostgreSQL",
        next_step="ask a DBA to look, or choose another way in",
        detail=(list_by_hand(installation.database.schema or PUBLIC),),
    )


def _no_service(host: str, installation: Installation) -> Problem:
    return Problem(
        "LSA581",
        f"{host} is no Service of namespace {installation.namespace}: "
        "there is no pod to forward a port of",
        on=f"database host {host}",
        next_step="log in from where the database can be reached: --database direct",
        exit=Exit.FAILED,
    )
