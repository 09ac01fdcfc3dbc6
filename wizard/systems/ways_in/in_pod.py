"""psql in the bundled PostgreSQL pod, with the pod's own user, database and client.

Source: Enabling Audit Logs in Self-Hosted LangSmith, Verification (kubectl exec … -- psql).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.ways_in.psql import PSQL, SETTINGS

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Login
    from wizard.systems.installation import Installation

SHELL = (
    SETTINGS
    + """export PGPASSWORD="${PGPASSWORD-$POSTGRES_PASSWORD}"
export PGUSER="${POSTGRES_USER:-postgres}"
export PGDATABASE="${POSTGRES_DB:-$PGUSER}"
"""
    + PSQL
)
"""What runs in the pod. The password is the pod's own variable and never leaves the pod."""


def exec_login(cluster: Cluster, installation: Installation, *, why: str) -> Login:
    """The login of a psql in the pod; nothing is started yet.

    Raises:
        Problem: LSA583, the release has no PostgreSQL of its own.
    """
    from wizard.systems.database import Login

    bundled, namespace = installation.postgres, installation.namespace
    if bundled is None:
        raise Problem(
            "LSA583",
            "There is no PostgreSQL pod to run psql in: the release's database is external",
            on=f"release in namespace {namespace}",
            next_step="log in from where the database can be reached: --database direct",
            exit=Exit.FAILED,
        )
    return Login(
        host="",
        port=0,
        user="",
        password="",
        dbname="",
        schema=installation.database.schema,
        via=f"psql in pod {bundled.pod}",
        why=why,
        psql=lambda: cluster.command(
            bundled.pod, namespace, bundled.container, ["sh", "-c", SHELL]
        ),
    )
