"""The helm CLI of the user: releases, values, charts and upgrades, for helm 3 and helm 4.

Values files are given to it as it gets them, and it must not repeat the secrets in them.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass, field, replace
from wizard.systems.helm import process
from wizard.systems.helm.charts import MISSING, STALE, alias_of, refresh
from wizard.systems.helm.errors import Call, helm_problem
from wizard.systems.helm.reads import HelmReads, on_release, unreadable
from wizard.systems.helm.records import (
    Chart,
    Release,
    Revision,
    Rollback,
    Upgrade,
    UpgradeResult,
    split_chart,
)
from wizard.systems.values.reading import secrets_of

__all__ = [
    "Chart",
    "Helm",
    "Release",
    "Revision",
    "Rollback",
    "Upgrade",
    "UpgradeResult",
    "split_chart",
]

CHART_LIMIT = 120.0
STATE_MEANING = {
    "deployed": "The release is deployed.",
    "failed": "The release is marked failed; the objects may nevertheless already run as upgraded.",
    "pending-install": "helm was stopped during the install; every upgrade is blocked.",
    "pending-upgrade": "helm was stopped during the upgrade; every upgrade is blocked until a "
    "rollback to the last deployed revision.",
    "pending-rollback": "helm was stopped during a rollback; every upgrade is blocked.",
    "uninstalling": "The release is being removed.",
    "superseded": "A later revision has replaced this one.",
}


def typed(argv: Sequence[str]) -> str:
    """A command of helm as a person types it, by its name."""
    return shlex.join(["helm", *argv[1:]])


@dataclass
class Helm(HelmReads):
    """The user's helm; plugins, repositories and credentials are those of the user.

    With a `repository` (a URL), an alias that helm does not know is added from there, and an
    index that lacks the wanted version is refreshed.

    Variables that would send helm to another cluster (`HELM_KUBE*`, `HELM_NAMESPACE`) are not
    handed on: the cluster is the one of `kubeconfig` and `context` alone.
    """

    repository: str = ""
    running: process.Running | None = field(default=None, init=False, repr=False)
    _upgrading: Upgrade | None = field(default=None, init=False, repr=False)

    def chart_versions(self, chart: str, version: str) -> Chart:
        """The chart in exactly this version (`helm show chart`), from wherever it comes.

        Raises:
            Problem: the repository is not known or its index is old (with the two commands), the
                version is not there, or the reference leads to another version.
        """
        try:
            return self._shown(chart, version)
        except Problem as problem:
            told = self.repository and problem.id in (MISSING, STALE) and alias_of(chart)
            if not told:
                raise
            add = problem.id == MISSING
        refresh(self.binary, chart, self.repository, add=add)
        return self._shown(chart, version)

    def _shown(self, chart: str, version: str) -> Chart:
        argv = [str(self.binary), "show", "chart", chart, "--version", version]
        call = Call("helm show chart", f"chart {chart} {version}", chart, version)
        text = process.read(argv, call, limit=CHART_LIMIT)
        facts = _yaml(text, call)
        found = Chart(str(facts.get("version", "")), str(facts.get("appVersion", "")))
        if found.version != version:
            raise Problem(
                "LSA120",
                f"{chart} is the chart in version {found.version or '?'}, not {version}",
                on=call.on,
                next_step=f"name a chart of version {version} with --chart",
                exit=Exit.FAILED,
            )
        return found

    def chart_values(self, chart: str, version: str) -> dict[str, Any]:
        """The chart's own default values (`helm show values`)."""
        argv = [str(self.binary), "show", "values", chart, "--version", version]
        call = Call("helm show values", f"chart {chart} {version}", chart, version)
        return _yaml(process.read(argv, call, limit=CHART_LIMIT), call)

    def template(self, upgrade: Upgrade, edited: tuple[Path, bytes] | None = None) -> str:
        """The manifest with its hooks as the upgrade would render them; nothing is sent.

        `edited` gives other bytes for one of the values files. helm gets them through a pipe, so
        that they lie on no disk. What is rendered holds secrets.
        """
        call = self._upgrade_call("helm template", upgrade)
        if edited and edited[0] in upgrade.values:
            call = replace(call, secrets=call.secrets | secrets_of(edited[1]))
            upgrade = replace(upgrade, values=from_pipe(upgrade.values, edited[0]))
        argv = ["template", upgrade.release, upgrade.chart, "--namespace", upgrade.namespace]
        argv += ["--version", upgrade.version, *values_flags(upgrade), "--is-upgrade"]
        return self._read(argv, call, limit=CHART_LIMIT, stdin=edited[1] if edited else b"")

    def upgrade_argv(self, upgrade: Upgrade) -> list[str]:
        """The exact command line of the upgrade, as it is shown and as it is run.

        The same for helm 3 and 4: `--wait` alone means the watcher in helm 4. Never `--atomic` or
        `--rollback-on-failure`: what failed is looked at before anything is taken back.
        """
        argv = ["upgrade", upgrade.release, upgrade.chart, "--namespace", upgrade.namespace]
        argv += ["--version", upgrade.version, *values_flags(upgrade)]
        argv += ["--wait"] if upgrade.wait else []
        argv += ["--force-conflicts"] if upgrade.force_conflicts else []
        argv += ["--timeout", f"{upgrade.timeout}s"]
        return [str(self.binary), *argv, *self._cluster_flags()]

    def upgrade(self, upgrade: Upgrade, *, tick: Callable[[float], None]) -> UpgradeResult:
        """Runs the upgrade; calls `tick(elapsed seconds)` about twice a second.

        helm runs in a session of its own: a Ctrl-C in the terminal does not reach it. When `tick`
        raises, that propagates, helm goes on (`running.pid`) and `rejoin` waits for it again.

        Raises:
            Problem: helm failed; `detail` has its own words and the state that the release is in.
        """
        self.running = process.start(self.upgrade_argv(upgrade))
        self._upgrading = upgrade
        return self.rejoin(tick=tick)

    def rejoin(self, *, tick: Callable[[float], None]) -> UpgradeResult:
        """Waits on for an upgrade that `upgrade` left running."""
        running, upgrade = self.running, self._upgrading
        if running is None or upgrade is None:
            raise ValueError("no upgrade is running")
        code, stdout, stderr = running.wait(tick)
        self.running = self._upgrading = None
        seconds = time.monotonic() - running.started
        if code != 0:
            raise self._failed(self._upgrade_call("helm upgrade", upgrade), upgrade, code, stderr)
        match = re.search(r"^REVISION:\s*(\d+)", stdout, re.MULTILINE)
        if match:
            return UpgradeResult(int(match[1]), seconds)
        return UpgradeResult(self.release(upgrade.release, upgrade.namespace).revision, seconds)

    def rollback_argv(self, way: Rollback) -> list[str]:
        """The exact command line of the rollback, as it is shown and as it is run."""
        argv = ["rollback", way.release, str(way.revision), "--namespace", way.namespace]
        argv += ["--wait"] if way.wait else []
        argv += ["--timeout", f"{way.timeout}s"]
        return [str(self.binary), *argv, *self._cluster_flags()]

    def roll_back(self, way: Rollback, *, tick: Callable[[float], None]) -> UpgradeResult:
        """Runs the rollback; `tick` and signals as for `upgrade`.

        Raises:
            Problem: helm failed; `detail` has its own words and the state that the release is in.
        """
        running = process.start(self.rollback_argv(way))
        code, _, stderr = running.wait(tick)
        if code != 0:
            call = Call("helm rollback", on_release(way.release, way.namespace))
            raise self._failed(call, way, code, stderr)
        revision = self.release(way.release, way.namespace).revision
        return UpgradeResult(revision, time.monotonic() - running.started)

    def _failed(self, call: Call, way: Upgrade | Rollback, code: int, stderr: str) -> Problem:
        problem = helm_problem(call, stderr)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return problem.but(
            what="" if stderr.strip() else f"{call.did} {ended} and said nothing",
            exit=Exit.FAILED if problem.id == "LSA131" else problem.exit,
            detail=(*problem.detail, *self._state_after(way)),
        )

    def _state_after(self, upgrade: Upgrade | Rollback) -> tuple[str, ...]:
        try:
            release = self.release(upgrade.release, upgrade.namespace)
        except Problem as problem:
            return (f"The release's state could not be read afterwards: {problem.what}",)
        meaning = STATE_MEANING.get(release.status, "")
        return (f"Now: revision {release.revision}, status {release.status}. {meaning}".strip(),)

    def _upgrade_call(self, did: str, upgrade: Upgrade) -> Call:
        secrets = frozenset[str]().union(*(secrets_in(path) for path in upgrade.values))
        return Call(
            did,
            on_release(upgrade.release, upgrade.namespace),
            upgrade.chart,
            upgrade.version,
            secrets,
        )


def _yaml(text: str, call: Call) -> dict[str, Any]:
    import yaml

    try:
        facts = yaml.safe_load(text)
    except yaml.YAMLError:
        raise unreadable(call) from None
    if not isinstance(facts, dict):
        raise unreadable(call)
    return facts


def values_flags(upgrade: Upgrade) -> list[str]:
    """The values files as flags, in their order."""
    return [part for path in upgrade.values for part in ("--values", str(path))]


def secrets_in(path: Path) -> frozenset[str]:
    """The secrets of a values file, so that helm cannot repeat them."""
    try:
        return secrets_of(path.read_bytes())
    except OSError:
        return frozenset()


def from_pipe(paths: tuple[Path, ...], edited: Path) -> tuple[Path, ...]:
    """The last one of these is read from standard input, which helm can read once."""
    last = len(paths) - 1 - paths[::-1].index(edited)
    return (*paths[:last], Path("-"), *paths[last + 1 :])
