"""What is read of one release, kept for one look.

What was read is kept until `forget()`, so that one look is consistent. A problem is kept too: a
cluster that cannot be reached is waited for once, not once a step.

The next look begins when the run holds the Lease, and after each change. What acts or waits (a
restart, the wait for a rollout, the pods after a commit) reads the workload anew. An edit of the
files in a run that asks nobody makes the files alone be read again: nothing else can have moved.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from wizard.aim import Aim, aim
from wizard.article import WANTED
from wizard.problems import Problem
from wizard.record import replace
from wizard.settings import Place, Target
from wizard.systems.kubernetes.cluster import Cluster
from wizard.systems.kubernetes.http import HEARD
from wizard.systems.release.records import (
    ReleaseRecords,
    Stored,
    history_of,
    record_of,
    stored_revisions,
)

if TYPE_CHECKING:
    from wizard.systems.helm.client import Helm
    from wizard.systems.helm.records import Chart, Release, Revision
    from wizard.systems.kubernetes.cluster import Cluster
    from wizard.systems.release.installation import Installation

T = TypeVar("T")
Look = TypeVar("Look", bound="ReleaseLook")


def kept(read: Callable[[Look], T]) -> Callable[[Look], T]:
    """What a property reads, kept for one look under the property's name."""

    @wraps(read)
    def known(look: Look) -> T:
        return look._once(read.__name__, partial(read, look))

    return known


def kept_with_revision(read: Callable[[Look], T]) -> Callable[[Look], T]:
    """The same beyond one look, while helm lists the release as before: records do not change."""

    @kept
    @wraps(read)
    def known(look: Look) -> T:
        if not look.release.revision:
            return read(look)
        told = look._records.of(look.release)
        if read.__name__ not in told:
            told[read.__name__] = read(look)
        return cast("T", told[read.__name__])

    return known


class ReleaseLook:
    """What is read of one release, through helm's records and the cluster.

    With `by_labels`, for what only looks: where helm's records may not be read, the live objects
    with the release's label stand for them.
    """

    def __init__(self, target: Target, *, by_labels: bool = False) -> None:
        self.target = target
        self._by_labels = by_labels
        self._unread: Problem | None = None
        self._clients = contextlib.ExitStack()
        self._looks = contextlib.ExitStack()
        self._kept: dict[str, Any] = {}
        self._problems: dict[str, Problem] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._records = ReleaseRecords()
        self._charts: dict[tuple[str, str], Chart] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._clients:
            self._looks.close()

    def forget(self) -> None:
        """Look afresh from now on; what is open to the database and the API is closed."""
        self._looks.close()
        for name in set(self._kept) - {"helm", "cluster"}:
            del self._kept[name]
        self._problems.clear()
        self._unread = None

    @property
    def helm(self) -> Helm:
        """The user's own helm."""
        helm = self._once("helm", self._open_helm)
        helm.repository = self.target.repository
        return helm

    @property
    def cluster(self) -> Cluster:
        """The Kubernetes API of the context."""
        return self._once("cluster", self._open_cluster)

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """What a person should hear of the login to the cluster, once that was needed."""
        return tuple(HEARD)

    @property
    def place(self) -> Place:
        """The release as journals tell it from others."""
        return Place(self.cluster.server, self.target.namespace, self.target.release)

    @property
    @kept
    def release(self) -> Release:
        """The deployed release; with --gitops also what stands for one that helm does not have."""
        from wizard.systems.release.discovery import NOT_READABLE, not_by_helm, stand_in

        target = self.target
        place = target.namespace, target.release
        try:
            return self._records.newest(lambda: self.helm, self.cluster, *place)
        except Problem as problem:
            if self._keep_unread(problem):
                found = stand_in(self.cluster, *place)
                if found:
                    return replace(found, status=NOT_READABLE)
            if problem.id != "LSA118":
                raise
            found = stand_in(self.cluster, *place)
            if found and target.gitops:
                return found
            raise (not_by_helm(found) if found else problem) from None

    @property
    @kept_with_revision
    def deployed_values(self) -> dict[str, Any]:
        """The values that the user gave to the deployed release; they hold secrets."""
        return self.helm.user_values(*self._revision)

    @property
    @kept_with_revision
    def computed_values(self) -> dict[str, Any]:
        """The same with the chart's defaults; none where helm has no release. Secrets as well."""
        return self.helm.computed_values(*self._revision) if self.release.revision else {}

    @property
    @kept_with_revision
    def manifest(self) -> str:
        """The deployed manifest; its Secrets hold secrets."""
        from wizard.systems.release.discovery import live_manifest

        if not self.release.revision:
            return live_manifest(self.cluster, self.release)
        return self.helm.manifest(*self._revision)

    @property
    @kept_with_revision
    def hooks(self) -> str:
        """The deployed release's hooks, as YAML."""
        return self.helm.hooks(*self._revision)

    @property
    @kept_with_revision
    def took(self) -> float | None:
        """Seconds that the deployed revision took, to the end of its last hook Job."""
        return self.helm.last_took(self.target.release, self.target.namespace)

    @property
    @kept_with_revision
    def hooks_ran(self) -> tuple[tuple[str, str], ...] | None:
        """Each hook of the deployed revision with how it ended; None where helm does not tell."""
        return None

    @property
    @kept_with_revision
    def wanted_kubernetes(self) -> str | None:
        """The versions that the chart wants, empty for any; None where helm does not tell."""
        return None

    @property
    def kept_revisions(self) -> tuple[Stored, ...]:
        """All revisions that helm keeps, as this look's first reading has them, oldest first."""
        _ = self.release
        return self._records.stored

    def rendered_at(self, revision: int) -> tuple[str, str]:
        """The manifest and the hooks of a revision that is kept; they hold secrets."""
        return self._once(f"revision {revision}", lambda: self._read_rendered(revision))

    @property
    @kept
    def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first."""
        name, namespace = self.target.release, self.target.namespace
        found = history_of(self.cluster, namespace, name, self.revisions())
        return found or self.helm.history(name, namespace)

    @property
    def lacking(self) -> tuple[str, ...]:
        """The variables that the release's own manifest does not give the backend as "true"."""
        env = self.installation.backend.env
        return tuple(name for name in WANTED if env.get(name) != "true")

    @property
    @kept_with_revision
    def installation(self) -> Installation:
        """Which objects of the release are what."""
        from wizard.systems.release.discovery import live_manifest
        from wizard.systems.release.installation import read_installation

        try:
            values, manifest = self.computed_values, self.manifest
        except Problem as problem:
            if not self._keep_unread(problem):
                raise
            values, manifest = {}, live_manifest(self.cluster, self.release)
        return read_installation(manifest, values, self.release)

    @property
    def unread(self) -> Problem | None:
        """Why helm's records cannot be read, where the live objects stand for them."""
        if self._by_labels and self._unread is None:
            _ = self.installation
        return self._unread

    def chart_facts(self, chart: str, version: str) -> Chart:
        """What `helm show chart` tells of the chart in exactly this version, read once a run.

        Raises:
            Problem: see `Helm.chart_versions`.
        """
        known = self._charts.get((chart, version))
        if known is None:
            known = self._charts[chart, version] = self.helm.chart_versions(chart, version)
        return known

    def chart_digest(self, chart: str, version: str) -> str:
        """`sha256:…` of the packaged chart.

        Raises:
            Problem: it cannot be had.
        """
        from wizard.systems.helm.charts import chart_digest

        return self._once(
            f"digest of {chart} {version}", lambda: chart_digest(self.helm.binary, chart, version)
        )

    def known(self, name: str) -> Any:
        """What was read already by this name; None where it was not. Nothing is read."""
        return self._kept.get(name)

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._locks.setdefault(name, threading.RLock()):
            if name in self._problems:
                raise self._problems[name]
            if name not in self._kept:
                try:
                    self._kept[name] = make()
                except Problem as problem:
                    self._problems[name] = problem
                    raise
            return cast("T", self._kept[name])

    @property
    def _revision(self) -> tuple[str, str, int]:
        return self.target.release, self.target.namespace, self.release.revision

    def _open_helm(self) -> Helm:
        from wizard.systems.helm.client import Helm

        self.cluster.log_in()  # here its own words are told, and a login is renewed as it should be
        return Helm.find(
            kubeconfig=self.target.kubeconfig,
            context=self.cluster.context or None,  # as shown, whatever becomes the current one
            connect_limit=self.target.connect_limit,
        )

    def _open_cluster(self) -> Cluster:
        cluster = Cluster.connect(
            self.target.kubeconfig, self.target.context, limit=self.target.connect_limit
        )
        self._clients.callback(cluster.close)
        self._aim(cluster)
        return cluster

    def _aim(self, cluster: Cluster) -> None:
        target = self.target
        file, place = str(target.kubeconfig or ""), (target.namespace, target.release)
        aim(Aim(cluster.context, file, *place, target.typed))

    def revisions(self) -> tuple[Stored, ...]:
        """The release's revisions at this moment, by the labels of helm's Secrets, oldest first.

        Empty where only helm itself can tell.
        """
        return stored_revisions(self.cluster, self.target.namespace, self.target.release)

    def _read_rendered(self, revision: int) -> tuple[str, str]:
        name, namespace = self.target.release, self.target.namespace
        found = record_of(self.cluster, namespace, name, revision)
        if found:
            return found.manifest, found.hooks
        at = name, namespace, revision
        return self.helm.manifest(*at), self.helm.hooks(*at)

    def _keep_unread(self, problem: Problem) -> bool:
        """Whether labels are to do for helm's records, which may not be read."""
        if not self._by_labels or problem.id not in ("LSA117", "LSA207"):
            return False
        self._unread = problem
        return True
