"""The clients of the outside systems for one target, opened when they are first needed.

What was read is kept until `forget()`, so that one look at the systems is one consistent look. A
problem is kept too: a cluster that cannot be reached is waited for once, not once a step.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from wizard.aim import Aim, aim
from wizard.article import WANTED
from wizard.problems import Exit, Problem
from wizard.settings import Place, Target
from wizard.systems.langsmith.asking import Asking, agreed
from wizard.systems.release.records import ReleaseRecords, history_of, record_of, stored_revisions

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from uuid import UUID

    from wizard.systems.helm.client import Helm
    from wizard.systems.helm.records import Chart, Release, Revision, Upgrade
    from wizard.systems.kubernetes.cluster import Cluster, Resource
    from wizard.systems.kubernetes.forward import LocalForward
    from wizard.systems.kubernetes.rbac import Right
    from wizard.systems.langsmith.asking import Served
    from wizard.systems.postgres import Database
    from wizard.systems.postgres.ways_in.in_pod import Lasting
    from wizard.systems.release.installation import Installation
    from wizard.systems.release.records import Stored
    from wizard.systems.values import LayeredEdit
    from wizard.systems.workload import Workload

T = TypeVar("T")
OF_FILES = ("layers", "edit", "file_values", "given_values")
"""What is read of the values files, by the name under which it is kept."""


class Systems:
    """Helm, the cluster, the database and the API of one target.

    With `by_labels`, for what only looks: where helm's records may not be read, the live objects
    with the release's label stand for them.
    """

    def __init__(self, target: Target, *, by_labels: bool = False) -> None:
        self.target = target
        self._by_labels = by_labels
        self._unread: Problem | None = None
        self._clients = contextlib.ExitStack()
        self._looks = contextlib.ExitStack()
        self._stays: Lasting | None = None
        self._kept: dict[str, Any] = {}
        self._problems: dict[str, Problem] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._records = ReleaseRecords()
        self._charts: dict[tuple[str, str], Chart] = {}
        self._rendered: tuple[tuple[Any, ...], str] = ((), "")

    def __enter__(self) -> Systems:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._clients:
            self._looks.close()

    def forget(self) -> None:
        """Look afresh from now on; what is open to the database and the API is closed."""
        self._looks.close()
        for name in set(self._kept) - {"helm", "cluster"}:
            del self._kept[name]
        self._problems.clear()
        self._unread = None

    def forget_files(self) -> None:
        """Read the values files afresh from now on; the rest of the look stays."""
        for name in OF_FILES:
            self._kept.pop(name, None)
            self._problems.pop(name, None)

    def answer(self, target: Target) -> None:
        """Go on with a target that has more answers."""
        self.target = target
        if "cluster" in self._kept:
            self._aim(self._kept["cluster"])
        self.forget()

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
        from wizard.systems.kubernetes.http import HEARD

        return tuple(HEARD)

    @property
    def place(self) -> Place:
        """The release as journals tell it from others."""
        return Place(self.cluster.server, self.target.namespace, self.target.release)

    def uid_of(self, namespace: str) -> str:
        """A namespace's uid, the same whatever its API server is called; empty where it is gone.

        Raises:
            Problem: it may not be read.
        """
        from wizard.systems.kubernetes.cluster import NAMESPACES

        found = self.live_object(NAMESPACES, namespace, None) or {}
        return str((found.get("metadata") or {}).get("uid") or "")

    @property
    def release(self) -> Release:
        """The deployed release."""
        return self._once("release", self._read_release)

    @property
    def deployed_values(self) -> dict[str, Any]:
        """The values that the user gave to the deployed release; they hold secrets."""
        return self._of_revision("deployed_values", lambda: self.helm.user_values(*self._revision))

    @property
    def computed_values(self) -> dict[str, Any]:
        """The same with the chart's defaults; none where helm has no release. Secrets as well."""
        if not self.release.revision:
            return {}
        return self._of_revision(
            "computed_values", lambda: self.helm.computed_values(*self._revision)
        )

    @property
    def manifest(self) -> str:
        """The deployed manifest; its Secrets hold secrets."""
        return self._of_revision("manifest", self._read_manifest)

    def live_object(
        self, resource: Resource, name: str, namespace: str | None
    ) -> dict[str, Any] | None:
        """One object of the release as it is live; None where it is gone."""
        path = resource.path(namespace, name)
        workload: Workload | None = self._kept.get("workload")
        if workload and workload.path == path:  # it is read once a look, whoever asks
            return workload.found()
        return self._once(path, lambda: self.cluster.get(resource, name, namespace))

    @property
    def hooks(self) -> str:
        """The deployed release's hooks, as YAML."""
        return self._of_revision("hooks", lambda: self.helm.hooks(*self._revision))

    @property
    def took(self) -> float | None:
        """Seconds that the deployed revision took, to the end of its last hook Job."""
        where = self.target.release, self.target.namespace
        return self._of_revision("took", lambda: self.helm.last_took(*where))

    def rendered_at(self, revision: int) -> tuple[str, str]:
        """The manifest and the hooks of a revision that is kept; they hold secrets."""
        return self._once(f"revision {revision}", lambda: self._read_rendered(revision))

    @property
    def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first."""
        return self._once("history", self._read_history)

    @property
    def values_layers(self) -> list[tuple[Path, bytes]]:
        """The values files as they are now, in helm's order."""
        from wizard.systems.values import read_values

        files = self.target.values
        return self._once("layers", lambda: [(path, read_values(path)) for path in files])

    @property
    def values_edit(self) -> LayeredEdit:
        """The edit that the values files need, and which file gets it.

        Raises:
            Problem: `--edit-file` names a file that is not among the values files.
        """
        from wizard.systems.values import edit_layers

        into = self.target.edit_file
        if into and into not in self.target.values:
            raise not_understood("--edit-file", f"{into} is not one of the values files (-f)")
        return self._once("edit", lambda: edit_layers(self.values_layers, into=into))

    @property
    def file_values(self) -> dict[str, Any]:
        """The values of all files as helm merges them; they hold secrets."""
        from wizard.systems.values import effective_values

        return self._once("file_values", lambda: self._of_files(effective_values))

    @property
    def given_values(self) -> dict[str, Any]:
        """The same with the nulls in them, as helm would record them; they hold secrets."""
        from wizard.systems.values import given_values

        return self._once("given_values", lambda: self._of_files(given_values))

    def _of_files(self, read: Callable[[list[bytes]], dict[str, Any]]) -> dict[str, Any]:
        from wizard.systems.values import Refusal, of_file

        layers = self.values_layers
        try:
            return read([data for _, data in layers])
        except Refusal as refusal:
            raise of_file(refusal, *layers[refusal.layer]) from None

    @property
    def lacking(self) -> tuple[str, ...]:
        """The variables that the release's own manifest does not give the backend as "true"."""
        env = self.installation.backend.env
        return tuple(name for name in WANTED if env.get(name) != "true")

    @property
    def live_env(self) -> dict[str, str | None]:
        """The backend's variables as they are live: name to plain value."""
        return self._once("live_env", self.workload.live_env)

    @property
    def lacking_live(self) -> tuple[str, ...]:
        """The variables that the live backend does not have as "true"."""
        live = self.live_env
        return tuple(name for name in WANTED if live.get(name) != "true")

    @property
    def installation(self) -> Installation:
        """Which objects of the release are what."""
        return self._of_revision("installation", self._read_installation)

    @property
    def unread(self) -> Problem | None:
        """Why helm's records cannot be read, where the live objects stand for them."""
        if self._by_labels and self._unread is None:
            _ = self.installation
        return self._unread

    @property
    def workload(self) -> Workload:
        """The backend's workload."""
        return self._once("workload", self._open_workload)

    @property
    def database(self) -> Database:
        """LangSmith's PostgreSQL."""
        return self._once("database", self._open_database)

    @property
    def served(self) -> Served | None:
        """What the API says of the key's organization; none without a key."""
        return self._once("served", self._ask_api) if self.target.api_key else None

    def says_of(self, id: UUID) -> bool | None:
        """What the server says of one organization; None when this key cannot ask about it."""
        try:
            served = self.served
            if served is None:
                return None
            organization = served.organization
            if organization.id != id:
                organization = self._asking.organization(served.url, id)
        except Problem:
            return None
        return organization.can_use_audit_logs if organization.id == id else None

    @property
    def already_served(self) -> bool:
        """The server has audit logs for the key's organization, whatever turned them on.

        False also when it cannot be asked: the steps then go by what they see themselves.
        """
        try:
            return bool(self.served and self.served.on)
        except Problem:
            return False

    def may(self, right: Right) -> bool | None:
        """Whether the API server grants a right; None where it cannot be asked."""
        from wizard.systems.kubernetes.cluster import Resource

        what, _, sub = right.what.partition("/")
        try:
            return self._once(
                f"may {right.words}",
                lambda: self.cluster.allowed(
                    right.verb, Resource(what, "", right.group), right.namespace, subresource=sub
                ),
            )
        except Problem as problem:
            if problem.exit != Exit.FAILED and problem.id != "LSA207":
                raise
            return None

    def chart_facts(self, chart: str, version: str) -> Chart:
        """What `helm show chart` tells of the chart in exactly this version, read once a run.

        Raises:
            Problem: see `Helm.chart_versions`.
        """
        known = self._charts.get((chart, version))
        if known is None:
            known = self._charts[chart, version] = self.helm.chart_versions(chart, version)
        return known

    def renderings(self, upgrade: Upgrade, edited: tuple[Path, bytes] | None) -> tuple[str, str]:
        """The chart as the upgrade would render it, twice: what is not the same never is.

        A rendering that is to the letter the same as at an earlier look, from the same files, is
        not made once more. `edited` gives other bytes for one of the values files.

        Raises:
            Problem: the chart cannot be rendered with these values.
        """
        helm = self.helm
        files = dict(self.values_layers) | (dict([edited]) if edited else {})
        given = upgrade.chart, upgrade.version, *files.items()
        if self._rendered[0] == given:
            new = helm.template(upgrade, edited)
            return new, new if new == self._rendered[1] else helm.template(upgrade, edited)
        with ThreadPoolExecutor(2) as both:
            new, again = both.map(lambda _: helm.template(upgrade, edited), range(2))
        if new == again:
            self._rendered = given, new
        return new, again

    def chart_digest(self, chart: str, version: str) -> str:
        """`sha256:…` of the packaged chart.

        Raises:
            Problem: it cannot be had.
        """
        from wizard.systems.helm.charts import chart_digest

        return self._once(
            f"digest of {chart} {version}", lambda: chart_digest(self.helm.binary, chart, version)
        )

    def read_ahead(self, what: Iterable[str]) -> None:
        """Read those of AHEAD side by side, since none waits for another.

        What stands in the way is told where it is used.
        """

        def read(name: str) -> None:
            with contextlib.suppress(Exception):
                AHEAD[name](self)

        read("installation")  # all of them go by it
        if "installation" not in self._kept:
            return
        threads = [threading.Thread(target=read, args=(it,), name=it, daemon=True) for it in what]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

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

    def _of_revision(self, name: str, make: Callable[[], T]) -> T:
        """Kept beyond one look, while helm lists the release as before: records do not change."""

        def read() -> T:
            if not self.release.revision:
                return make()
            known = self._records.of(self.release)
            if name not in known:
                known[name] = make()
            return cast("T", known[name])

        return self._once(name, read)

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
        from wizard.systems.kubernetes.cluster import Cluster

        threading.Thread(target=_import_ahead).start()  # while the API server answers
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

    def _read_release(self) -> Release:
        """helm's release; with --gitops also what stands for one that helm does not have."""
        from wizard.systems.release.discovery import NOT_READABLE, not_by_helm, stand_in

        target = self.target
        place = target.namespace, target.release
        try:
            return self._records.newest(lambda: self.helm, self.cluster, *place)
        except Problem as problem:
            if self._keep_unread(problem):
                found = stand_in(self.cluster, target.namespace, target.release)
                if found:
                    return replace(found, status=NOT_READABLE)
            if problem.id != "LSA118":
                raise
            found = stand_in(self.cluster, target.namespace, target.release)
            if found and target.gitops:
                return found
            raise (not_by_helm(found) if found else problem) from None

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

    def _read_history(self) -> list[Revision]:
        name, namespace = self.target.release, self.target.namespace
        found = history_of(self.cluster, namespace, name, self.revisions())
        return found or self.helm.history(name, namespace)

    def _read_manifest(self) -> str:
        from wizard.systems.release.discovery import live_manifest

        if not self.release.revision:
            return live_manifest(self.cluster, self.release)
        return self.helm.manifest(*self._revision)

    def _read_installation(self) -> Installation:
        from wizard.systems.release.discovery import live_manifest
        from wizard.systems.release.installation import read_installation

        try:
            values, manifest = self.computed_values, self.manifest
        except Problem as problem:
            if not self._keep_unread(problem):
                raise
            values, manifest = {}, live_manifest(self.cluster, self.release)
        return read_installation(manifest, values, self.release)

    def _keep_unread(self, problem: Problem) -> bool:
        """Whether labels are to do for helm's records, which may not be read."""
        if not self._by_labels or problem.id != "LSA117":
            return False
        self._unread = problem
        return True

    def _open_workload(self) -> Workload:
        from wizard.systems.workload import Workload

        return Workload(self.cluster, self.installation)

    def _open_database(self) -> Database:
        from wizard.systems.postgres.ways_in.choose import database

        way = database(self.target, self.cluster, self.installation, self._lasting())
        return self._looks.enter_context(way)

    def _lasting(self) -> Lasting:
        """What stays open to the database between two looks; it is closed before the cluster."""
        if self._stays is None:
            from wizard.systems.postgres.ways_in.in_pod import Lasting

            self._stays = Lasting()
            self._clients.callback(self._stays.close)
        return self._stays

    def _ask_api(self) -> Served:
        told = self.target.url and not self.target.endpoint
        url = agreed(self.target, None if told else self.installation.url)
        if not url:
            return self._asking.served_through(self._forward())
        return self._asking.served(url, lambda: self.installation)

    @property
    def _asking(self) -> Asking:
        return Asking(self.target, self._looks)

    def _forward(self) -> contextlib.AbstractContextManager[LocalForward]:
        """A port of a backend pod: without a hostname there is no other way to the API."""
        from wizard.systems.workload import ready_pod

        pod = ready_pod(self.workload)
        port = self.installation.backend.port
        return self.cluster.forward(pod.name, self.installation.namespace, port, tcp=True)


AHEAD: Mapping[str, Callable[[Systems], object]] = {
    "installation": lambda systems: systems.installation,
    "workload": lambda systems: systems.workload.status(),
    "database": lambda systems: systems.database,
    "api": lambda systems: systems.served,
}
"""What can be read ahead."""


def _import_ahead() -> None:
    """Import what every look needs, which takes longer than an answer."""
    with contextlib.suppress(ImportError):  # told where it is needed
        for name in ("values", "langsmith.api", "postgres.database"):
            import_module(f"wizard.systems.{name}")


def not_understood(option: str, why: str) -> Problem:
    """A problem with what was given for an option."""
    return Problem(
        "LSA901",
        f"{option}: {why}",
        on=f"option {option}",
        next_step="correct it; langsmith-audit run --help lists what it takes",
        exit=Exit.USAGE,
    )
