"""What helm is asked and what it tells: releases, revisions, charts and upgrades."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wizard.record import dataclass
from wizard.systems.redact import redact

UPGRADE_TIMEOUT = 1800


@dataclass(frozen=True)
class Release:
    """A release as `helm list` shows it, in whatever state it is."""

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    chart_name: str
    chart_version: str
    app_version: str
    updated: str

    @property
    def on(self) -> str:
        """The release as messages name it."""
        return f"release {self.name} in namespace {self.namespace}"


@dataclass(frozen=True)
class Revision:
    """One row of `helm history`."""

    revision: int
    status: str
    chart: str
    updated: str
    description: str


@dataclass(frozen=True)
class Record:
    """What helm keeps of one revision; texts and values hold secrets.

    Attributes:
        row: as `helm history` tells it.
        manifest, hooks: as `helm get manifest` and `helm get hooks` print them.
        user_values: as `helm get values` tells them.
        computed_values: the same with the chart's own (`--all`); what is null is left out.
        took: seconds from its begin to the end of the last hook Job, see `took`.
        ran: each hook with how its last run ended (`Succeeded`, `Failed`, …).
        kubernetes: the versions that the chart wants (`>=1.25.0-0`); empty where it wants none.
    """

    release: Release
    row: Revision
    manifest: str
    hooks: str
    user_values: dict[str, Any]
    computed_values: dict[str, Any]
    took: float | None
    ran: tuple[tuple[str, str], ...] = ()
    kubernetes: str = ""


@dataclass(frozen=True)
class Chart:
    """What `helm show chart` tells of one chart in one version."""

    version: str
    app_version: str


@dataclass(frozen=True)
class Upgrade:
    """One `helm upgrade`: chart and version pinned, values files in helm's own order.

    Attributes:
        timeout: seconds that helm waits for each operation (`--timeout`).
        wait: whether helm waits for the objects to become ready (`--wait`).
        force_conflicts: whether helm 4 sets what another field manager has set.
    """

    release: str
    namespace: str
    chart: str
    version: str
    values: tuple[Path, ...]
    timeout: int = UPGRADE_TIMEOUT
    wait: bool = True
    force_conflicts: bool = False


@dataclass(frozen=True)
class Rollback:
    """One `helm rollback` to an earlier revision; `timeout` and `wait` as for an upgrade."""

    release: str
    namespace: str
    revision: int
    timeout: int = UPGRADE_TIMEOUT
    wait: bool = True


@dataclass(frozen=True)
class UpgradeResult:
    """The revision that an upgrade made, and how many seconds it took."""

    revision: int
    seconds: float


def read_release(row: Mapping[str, Any]) -> Release:
    """A row of `helm list --output json`."""
    chart = str(row["chart"])
    name, version = split_chart(chart)
    return Release(
        str(row["name"]),
        str(row["namespace"]),
        int(row["revision"]),
        str(row["status"]),
        chart,
        name,
        version,
        str(row["app_version"]),
        str(row["updated"]),
    )


def read_revision(row: Mapping[str, Any]) -> Revision:
    """A row of `helm history --output json`; its description is redacted."""
    return Revision(
        int(row["revision"]),
        str(row["status"]),
        str(row["chart"]),
        str(row["updated"]),
        redact(str(row["description"])),
    )


def split_chart(chart: str) -> tuple[str, str]:
    """Name and version of helm's CHART column (`langsmith-0.12.33-rc.1`)."""
    match = re.fullmatch(r"(.+?)-(v?\d+\.\d+\.\d+.*)", chart)
    return (match[1], match[2]) if match else (chart, "")


def took(status: Mapping[str, Any]) -> float | None:
    """Seconds that `helm status --output json` tells of: to the end of the last hook that ran."""
    try:
        runs = [hook.get("last_run") or {} for hook in status.get("hooks") or []]
        began = datetime.fromisoformat(str((status.get("info") or {})["last_deployed"]))
        ended = [datetime.fromisoformat(str(run["completed_at"])) for run in runs if run]
        seconds = max((end - began).total_seconds() for end in ended)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return seconds if seconds > 0 else None
