"""The URL that LangSmith itself logs in with, and the login that it makes.

The credentials come from the Secret and key that the live backend names
(`POSTGRES_DATABASE_URI`), never from a guess.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Login, StoredUrl
    from wizard.systems.installation import Installation


def stored_url(cluster: Cluster, installation: Installation) -> StoredUrl:
    """The parts of the stored URL.

    Raises:
        Problem: the Secret or its key is not there, or the URL is of no use here.
    """
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


def login_of(
    stored: StoredUrl,
    installation: Installation,
    *,
    via: str,
    why: str = "",
    host: str = "",
    port: int = 0,
    certificates: Mapping[str, str] | None = None,
    forwarded: bool = False,
) -> Login:
    """The login as the stored URL says, or through another host and port, in both its readings.

    Certificates from the release stand for the paths of the URL, which are paths in its pods.
    """
    from wizard.systems.database import Login, libpq_options

    told = certificates or {}
    options = {"sslmode": told.get("sslmode", ""), **libpq_options(stored.parameters)}
    options |= {name: file for name, file in told.items() if name != "sslmode"}
    options = {name: value for name, value in options.items() if value}
    if host:  # what the URL says of TLS and addresses is for the way from inside the cluster
        inside = ("ssl", "hostaddr", "target_session_attrs")
        options = {name: v for name, v in options.items() if not name.startswith(inside)}
        options["sslmode"] = "prefer"
    login = Login(
        host=host or stored.host,
        port=port or stored.port,
        user=stored.user,
        password=stored.password,
        dbname=stored.dbname,
        options=options,
        schema=installation.database.schema,
        via=via,
        why=why,
        forwarded=forwarded,
        reading=stored.reading,
    )
    other = stored.otherwise
    if other is None:
        return login
    literal = replace(
        login,
        user=other.user,
        password=other.password,
        dbname=other.dbname,
        reading=other.reading,
    )
    return replace(login, otherwise=literal)
