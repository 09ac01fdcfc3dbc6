"""The certificates that the release gives LangSmith for its database, for a login from here."""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.installation import Installation, SecretKeys


@contextlib.contextmanager
def certificates(cluster: Cluster, installation: Installation) -> Iterator[dict[str, str]]:
    """libpq's options for them, in private files that are gone after the block.

    The server's certificate is then verified with its name, unless the stored URL says otherwise.

    Raises:
        Problem: LSA586, a Secret that the release names, or a key in it, is not there.
    """
    reference, namespace = installation.database, installation.namespace
    if not reference.authority and not reference.client:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="langsmith-audit-") as folder:
        options: dict[str, str] = {}
        if reference.authority:
            trusted = ("sslrootcert",)
            options |= _files(cluster, namespace, reference.authority, trusted, Path(folder))
            options["sslmode"] = "verify-full"
        if reference.client:
            own = ("sslcert", "sslkey")
            options |= _files(cluster, namespace, reference.client, own, Path(folder))
        yield options


def _files(
    cluster: Cluster, namespace: str, keys: SecretKeys, names: tuple[str, ...], folder: Path
) -> dict[str, str]:
    from wizard.systems.cluster import SECRETS

    data = (cluster.get(SECRETS, keys.secret, namespace) or {}).get("data") or {}
    written = {}
    for name, key in zip(names, keys.keys, strict=True):
        if not data.get(key):
            raise Problem(
                "LSA586",
                f"Secret {keys.secret} has no key {key} with the certificate for the database",
                on=f"Secret {keys.secret} in namespace {namespace}",
                next_step="log in another way: --database direct with PGHOST, PGSSLROOTCERT, "
                "PGSSLCERT and the like",
                exit=Exit.FAILED,
            )
        file = folder / name
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(base64.b64decode(data[key]))
        written[name] = str(file)
    return written
