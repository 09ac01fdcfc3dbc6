"""Through the Kubernetes API to a pod's port, into a local socket that only this process uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wizard.problems import Problem
from wizard.systems.ways_in.stored import login_of

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Login, StoredUrl
    from wizard.systems.installation import Installation
    from wizard.systems.ways_in.services import Place


@contextlib.contextmanager
def forwarded(
    cluster: Cluster, installation: Installation, stored: StoredUrl, place: Place
) -> Iterator[Login]:
    """The login through a port-forward that is open for the time of the block."""
    with cluster.forward(place.pod, place.namespace, place.port) as local:
        via = f"port-forward to pod {place.pod}"
        why = f"the stored URL names Service {place.service}"
        host, port = (str(local.directory), 5432) if local.directory else (local.host, local.port)
        try:
            yield login_of(
                stored, installation, via=via, why=why, host=host, port=port, forwarded=True
            )
        except Problem:
            if local.problem:  # libpq only sees that its socket was closed
                raise local.problem from None
            raise
