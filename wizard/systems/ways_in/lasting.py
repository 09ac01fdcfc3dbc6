"""What stays open between two looks: a pod of our own is made once, not once a look."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from wizard.systems.ways_in.own_pod import pod_login, still_runs

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Login, StoredUrl
    from wizard.systems.installation import Installation


class Lasting:
    """The pod of one run; `close` removes it."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._way: Login | None = None
        self._pod = ""

    def close(self) -> None:
        """Remove what is open."""
        self._way = None
        self._open.close()

    def pod(self, cluster: Cluster, installation: Installation, stored: StoredUrl) -> Login:
        """The login through the pod, a new one when there is none or its deadline has ended it.

        Raises:
            Problem: see `pod_login`.
        """
        if self._way is None or not still_runs(cluster, self._pod, installation.namespace):
            self.close()
            self._pod, self._way = self._open.enter_context(
                pod_login(cluster, installation, stored)
            )
        return self._way
