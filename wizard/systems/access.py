"""All outside systems of one target, opened when they are first needed.

What was read of them is kept as what was read of the release is; see `ReleaseLook`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from wizard.article import WANTED
from wizard.problems import Exit, Problem
from wizard.settings import STORED, Target
from wizard.systems.langsmith.asking import Asking, agreed, sound
from wizard.systems.release.look import ReleaseLook, kept

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from wizard.systems.helm.records import Upgrade
    from wizard.systems.kubernetes.cluster import Cluster, Resource
    from wizard.systems.kubernetes.forward import LocalForward
    from wizard.systems.kubernetes.rbac import Right
    from wizard.systems.langsmith.api import LangSmithApi
    from wizard.systems.langsmith.asking import Served, Sounded
    from wizard.systems.postgres.audit_state import AuditState
    from wizard.systems.postgres.database import Database
    from wizard.systems.postgres.model import AuditTable, OrganizationCounts
    from wizard.systems.postgres.ways_in.in_pod import Lasting
    from wizard.systems.values.model import LayeredEdit
    from wizard.systems.workload import Workload

OF_FILES = ("values_layers", "values_edit", "file_values", "given_values")
"""What is read of the values files."""


class Systems(ReleaseLook):
    """The release, the values files, the backend, the database and the API of one target."""

    def __init__(self, target: Target, *, by_labels: bool = False) -> None:
        super().__init__(target, by_labels=by_labels)
        self._stays: Lasting | None = None
        self._rendered: tuple[tuple[Any, ...], str] = ((), "")

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

    def uid_of(self, namespace: str) -> str:
        """A namespace's uid, the same whatever its API server is called; empty where it is gone.

        Raises:
            Problem: it may not be read.
        """
        from wizard.systems.kubernetes.cluster import NAMESPACES

        found = self.live_object(NAMESPACES, namespace, None) or {}
        return str((found.get("metadata") or {}).get("uid") or "")

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
    @kept
    def values_layers(self) -> list[tuple[Path, bytes]]:
        """The values files as they are now, in helm's order."""
        from wizard.systems.values.files import read_values

        return [(path, read_values(path)) for path in self.target.values]

    @property
    @kept
    def values_edit(self) -> LayeredEdit:
        """The edit that the values files need, and which file gets it.

        Raises:
            Problem: `--edit-file` names a file that is not among the values files.
        """
        from wizard.systems.values.edit import edit_layers

        into = self.target.edit_file
        if into and into not in self.target.values:
            raise not_understood("--edit-file", f"{into} is not one of the values files (-f)")
        return edit_layers(self.values_layers, into=into)

    @property
    @kept
    def file_values(self) -> dict[str, Any]:
        """The values of all files as helm merges them; they hold secrets."""
        from wizard.systems.values.reading import effective_values

        return self._of_files(effective_values)

    @property
    @kept
    def given_values(self) -> dict[str, Any]:
        """The same with the nulls in them, as helm would record them; they hold secrets."""
        from wizard.systems.values.reading import given_values

        return self._of_files(given_values)

    def _of_files(self, read: Callable[[list[bytes]], dict[str, Any]]) -> dict[str, Any]:
        from wizard.systems.values.edit import of_file
        from wizard.systems.values.model import Refusal

        layers = self.values_layers
        try:
            return read([data for _, data in layers])
        except Refusal as refusal:
            raise of_file(refusal, *layers[refusal.layer]) from None

    @property
    @kept
    def live_env(self) -> dict[str, str | None]:
        """The backend's variables as they are live: name to plain value."""
        return self.workload.live_env()

    @property
    def lacking_live(self) -> tuple[str, ...]:
        """The variables that the live backend does not have as "true"."""
        live = self.live_env
        return tuple(name for name in WANTED if live.get(name) != "true")

    @property
    @kept
    def workload(self) -> Workload:
        """The backend's workload."""
        from wizard.systems.workload import Workload

        return Workload(self.cluster, self.installation)

    @property
    @kept
    def database(self) -> Database:
        """LangSmith's PostgreSQL."""
        from wizard.systems.postgres.ways_in.choose import database

        cluster, installation = self.cluster, self.installation
        if self._stays is None:
            from wizard.systems.postgres.ways_in.in_pod import Lasting

            self._stays = Lasting()  # open from look to look, and closed before the cluster
            self._clients.callback(self._stays.close)
        way = database(self.target, cluster, installation, self._stays)
        return self._looks.enter_context(way)

    @property
    @kept
    def server_version(self) -> str:
        """The API server's version."""
        return self.cluster.server_version()

    @property
    @kept
    def quotas(self) -> list[dict[str, Any]]:
        """The quotas of the installation's namespace."""
        from wizard.systems.kubernetes.cluster import QUOTAS

        return self.cluster.list(QUOTAS, self.installation.namespace)

    @property
    @kept
    def organization_counts(self) -> OrganizationCounts:
        """How many organizations there are, by what is stored for them."""
        return self.database.organization_counts()

    @property
    def audit_table(self) -> AuditTable | None:
        """The audit_logs table; None where there is none."""
        return self._once("audit_logs", self.database.audit_logs_table)

    @property
    @kept
    def audit_state(self) -> AuditState:
        """What is in the audit_logs table, of the key's or the one chosen organization, or of all.

        Raises:
            Problem: the database cannot be asked, or has no such table (LSA792).
        """
        from wizard.systems.postgres.audit_log import there

        table = there(self.audit_table, self.database.login)
        return self.database.audit_state(table, self.organization)

    @property
    def organization(self) -> UUID | None:
        """The organization whose log is looked at: the key's, else the one chosen, or none."""
        from wizard.settings import organization_id

        with contextlib.suppress(Problem):
            if self.served:
                return self.served.organization.id
        ids = self.target.selection.ids
        return organization_id(ids[0]) if len(ids) == 1 else None

    @property
    @kept
    def served(self) -> Served | None:
        """What the API says of the key's organization; none without a key."""
        if not self.target.api_key:
            return None
        url = self._url()
        if not url:
            return self._asking.served_through(self._forward())
        return self._asking.served(url, lambda: self.installation)

    @property
    @kept
    def sounded(self) -> Sounded:
        """What else the API tells; only with a key.

        Raises:
            Problem: the API does not answer at all.
        """
        served = self.served
        assert served  # noqa: S101 - told to the type checker
        return sound(served)

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

    def renderings(self, upgrade: Upgrade, edited: tuple[Path, bytes] | None) -> tuple[str, str]:
        """The chart as the upgrade would render it, twice: what is not the same never is.

        They are made once a look. A rendering that is to the letter the same as at an earlier look,
        from the same files, is not made once more. `edited` gives other bytes for one of the values
        files.

        Raises:
            Problem: the chart cannot be rendered with these values.
        """
        from concurrent.futures import ThreadPoolExecutor

        helm = self.helm
        files = dict(self.values_layers) | (dict([edited]) if edited else {})
        given = upgrade.chart, upgrade.version, *files.items()
        kept = self.known("renderings")
        if kept and kept[0] == given:
            new, again = kept[1:]
        elif self._rendered[0] == given:
            new = helm.template(upgrade, edited)
            again = new if new == self._rendered[1] else helm.template(upgrade, edited)
        else:
            with ThreadPoolExecutor(2) as both:
                new, again = both.map(lambda _: helm.template(upgrade, edited), range(2))
            if new == again:
                self._rendered = given, new
        self._kept["renderings"] = given, new, again
        return new, again

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
        first = sorted(what, key=lambda it: it not in LONGEST)
        threads = [threading.Thread(target=read, args=(it,), name=it, daemon=True) for it in first]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _open_cluster(self) -> Cluster:
        threading.Thread(target=_import_ahead).start()  # while the API server answers
        return super()._open_cluster()

    @property
    @kept
    def log(self) -> LangSmithApi:
        """The API for reading the log of the chosen organization, or of the key's own."""
        url = self._url()
        if not url:
            forward = self._looks.enter_context(self._forward())
            url = f"http://{forward.host}:{forward.port}"
        return self._asking.log(url)

    def refusal(self, problem: Problem) -> Problem:
        """A refusal of the log as a check tells it."""
        return self._asking.refusal(self.log.base_url, problem)

    def _url(self) -> str | None:
        """The API's URL; None where the release has no address of its own."""
        told = self.target.url and not self.target.endpoint
        return agreed(self.target, None if told else self.installation.url)

    @property
    def _asking(self) -> Asking:
        return Asking(self.target, self._looks)

    def _forward(self) -> contextlib.AbstractContextManager[LocalForward]:
        """A port of a backend pod: without a hostname there is no other way to the API."""
        from wizard.systems.workload import ready_pod

        pod = ready_pod(self.workload)
        port = self.installation.backend.port
        return self.cluster.forward(pod.name, self.installation.namespace, port, tcp=True)


LONGEST = ("database", "table")
"""What takes the longest way, mostly waiting, and so begins before the rest."""
AHEAD: Mapping[str, Callable[[Systems], object]] = {
    "installation": lambda systems: systems.installation,
    "workload": lambda systems: systems.workload.status(),
    "database": lambda systems: (systems.database.identity(), systems.organization_counts),
    "api": lambda systems: systems.served and systems.sounded,
    "server_version": lambda systems: systems.server_version,
    "quotas": lambda systems: systems.quotas,
    "table": lambda systems: systems.audit_state,
    "chart": lambda systems: [
        systems.chart_facts(it.chart, it.version) for it in _upgrade(systems)
    ],
    "rendering": lambda systems: [_render(systems, it) for it in _upgrade(systems)],
}
"""What can be read ahead."""


def _upgrade(systems: Systems) -> Iterator[Upgrade]:
    """The upgrade that lacking variables will want, where no more is asked for than that."""
    target = systems.target
    more = target.gitops or target.repository or target.chart_version or target.chart == STORED
    if target.values and systems.lacking and not more:
        from wizard.systems.helm.records import Upgrade

        release = systems.release
        at = release.name, release.namespace, target.chart, release.chart_version
        yield Upgrade(*at, target.values)


def _render(systems: Systems, upgrade: Upgrade) -> tuple[str, str]:
    layered = systems.values_edit
    pending = layered.edit.outcome in ("insert", "update")
    return systems.renderings(upgrade, (layered.path, layered.edit.data) if pending else None)


def _import_ahead() -> None:
    """Import what every look needs, which takes longer than an answer."""
    with contextlib.suppress(ImportError):  # told where it is needed
        for name in ("values.edit", "langsmith.api", "postgres.database"):
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
