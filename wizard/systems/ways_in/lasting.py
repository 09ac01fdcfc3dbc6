"""What stays between two looks: a pod of our own, and which reading of a password was accepted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.problems import Problem
from wizard.systems.ways_in.own_pod import pod_login, still_runs

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster
    from wizard.systems.database import Login, StoredUrl
    from wizard.systems.installation import Installation

REFUSED = "LSA524"


class Lasting:
    """What one run keeps of its way to the database; `close` removes the pod."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._way: Login | None = None
        self._pod = ""
        self._accepted: Login | None = None
        self._refused: tuple[tuple[str, ...], Problem] | None = None

    @contextlib.contextmanager
    def known(self, login: Login) -> Iterator[Login]:
        """The login with the reading of its password that was accepted before.

        So none fails at each look; and what a server has refused is not tried again.

        Raises:
            Problem: LSA524, of this same login before.
        """
        key = (login.via, login.user, login.password)
        if self._refused and self._refused[0] == key:
            raise self._refused[1]
        other, before = login.otherwise, self._accepted
        if other and before:
            same = other if before.reading == other.reading else login
            login = replace(same, why=before.why, otherwise=None)
        try:
            yield login
        except Problem as problem:
            if problem.id == REFUSED and login.reading:
                self._refused = key, problem
            raise

    def accepted(self, login: Login) -> None:
        """Note the login that was let in."""
        self._accepted = login

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
