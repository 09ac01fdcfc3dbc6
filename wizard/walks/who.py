"""Who changed something, as far as the cluster, helm's history, the journal or the file tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from wizard.problems import Problem
from wizard.records.journal import runs
from wizard.records.plan_file import Plan
from wizard.systems.access import Systems
from wizard.walks.differences import Difference

RELEASE = ("release ", "deployed ")
FILE = "content of "


def attributed(
    systems: Systems, plan: Plan, differences: Iterable[Difference]
) -> tuple[Difference, ...]:
    """The differences, each with who changed it where something tells."""
    return tuple(replace(it, who=it.who or _who(systems, plan, it.what)) for it in differences)


def _who(systems: Systems, plan: Plan, what: str) -> str:
    try:
        if what.startswith(RELEASE):
            return _last_revision(systems)
    except Problem:
        return ""
    if what.startswith(FILE):
        return _written(Path(what.removeprefix(FILE)))
    if what.startswith("row "):
        return _last_run(systems, plan, "organizations")
    return ""


def _last_revision(systems: Systems) -> str:
    target = systems.target
    history = systems.helm.history(target.release, target.namespace)
    if not history:
        return ""
    last = history[-1]
    return f"helm revision {last.revision} at {last.updated}: {last.description}"


def _last_run(systems: Systems, plan: Plan, step: str) -> str:
    """A run from this machine that changed it since the plan was made."""
    for run in reversed(runs()):
        if run.place == systems.place.as_json() and step in run.changed:
            at = str(run.entries[-1]["at"])
            if datetime.fromisoformat(at) > datetime.fromisoformat(plan.created.at):
                return f"langsmith-audit run {run.id}"
    return ""


def _written(path: Path) -> str:
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return ""
    return f"written at {written:%Y-%m-%d %H:%M:%S} UTC"
