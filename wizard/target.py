"""What a run acts on, and what it was told to do there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wizard.options import Settings

STORED = "stored"
"""The chart reference that means the chart in the release itself."""


@dataclass(frozen=True)
class Selection:
    """Which organizations are meant.

    Attributes:
        ids: ids or UI URLs as they were given.
        all: every shared organization.
        only_off: every shared organization with a stored false.
    """

    ids: tuple[str, ...] = ()
    all: bool = False
    only_off: bool = False

    @property
    def made(self) -> bool:
        """Whether anything was selected at all."""
        return bool(self.ids) or self.all or self.only_off


@dataclass(frozen=True)
class Target:
    """One LangSmith release, and the answers for it. Limits are in seconds.

    Attributes:
        repository: the URL of helm's repository that may be added or refreshed; empty: it may not.
        found: how the release was found, where nobody named it.
    """

    kubeconfig: Path | None
    context: str | None
    namespace: str
    release: str
    values: tuple[Path, ...]
    edit_file: Path | None
    chart: str
    chart_version: str | None
    database: str
    database_url_file: Path | None
    url: str | None
    ca_file: Path | None
    api_key: str = field(repr=False)
    selection: Selection
    skip: frozenset[str]
    force: bool
    accept_drift: bool
    accept_chart_change: bool
    take_over: bool
    accept_render: bool
    accept_failed: bool
    accept_owner: bool
    gitops: bool
    upgrade_limit: float
    rollout_limit: float
    patience: float
    one_rollout: bool
    connect_limit: float
    lock_limit: float
    repository: str = ""
    found: str = ""


@dataclass(frozen=True)
class Place:
    """The release that a run acts on, as journals tell it from others."""

    server: str
    namespace: str
    release: str

    def as_json(self) -> dict[str, str]:
        """The place as a journal holds it."""
        return {"server": self.server, "namespace": self.namespace, "release": self.release}


def target_from(settings: Settings) -> Target:
    """The target that the settings describe; what was not told has its default."""
    return Target(
        kubeconfig=_path(settings.get("kubeconfig")),
        context=settings.get("context"),
        namespace=settings.get("namespace") or "",
        release=settings.get("release") or "langsmith",
        values=tuple(Path(name) for name in settings.get("values") or ()),
        edit_file=_path(settings.get("edit_file")),
        chart=settings.get("chart"),
        chart_version=settings.get("chart_version"),
        database=settings.get("database"),
        database_url_file=_path(settings.get("database_url_file")),
        url=settings.get("url"),
        ca_file=_path(settings.get("ca_file")),
        api_key=settings.get("api_key") or "",
        selection=Selection(
            tuple(settings.get("org") or ()),
            bool(settings.get("all")),
            bool(settings.get("only_off")),
        ),
        skip=frozenset(settings.get("skip") or ()),
        force=bool(settings.get("force")),
        accept_drift=bool(settings.get("accept_drift")),
        accept_chart_change=bool(settings.get("accept_chart_change")),
        take_over=bool(settings.get("take_over")),
        accept_render=bool(settings.get("accept_render")),
        accept_failed=bool(settings.get("accept_failed")),
        accept_owner=bool(settings.get("accept_owner")),
        gitops=bool(settings.get("gitops")),
        upgrade_limit=settings.get("upgrade_limit"),
        rollout_limit=settings.get("rollout_limit"),
        patience=settings.get("patience"),
        one_rollout=bool(settings.get("one_rollout")),
        connect_limit=settings.get("connect_limit"),
        lock_limit=settings.get("lock_limit"),
        repository=settings.get("repo_url") if settings.get("repo_update") else "",
        found=_found(settings),
    )


def _found(settings: Settings) -> str:
    origins = (settings.origins.get(name, "") for name in ("release", "namespace"))
    return next((origin for origin in origins if origin.startswith("found")), "")


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
