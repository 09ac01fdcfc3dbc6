"""The release as helm has recorded it, and who else drives the backend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from wizard.article import LINES, at_least
from wizard.checks.check import Check, Sight
from wizard.checks.words import counted, span
from wizard.records.findings import Finding, State, passed
from wizard.steps.procedure import the_step
from wizard.steps.rights import BACKEND, RELEASE, RELEASES
from wizard.steps.upgrade.owner import IDS, OTHER

CHART = the_step("chart_version")
STATES = frozenset({"LSA104", "LSA117", "LSA150", "LSA151", "LSA152", "LSA153", "LSA154"})
"""Findings of the release's state; all others of the step are of the chart."""


def chart(sight: Sight) -> Iterator[Finding]:
    """The chart has audit logs."""
    yield from (it for it in sight.observed(CHART).findings if it.id not in STATES)


def status(sight: Sight) -> Iterator[Finding]:
    """The release is deployed."""
    found = [it for it in sight.observed(CHART).findings if it.id in STATES]
    yield from found
    if not found:
        release = sight.systems.release
        yield passed(
            "LSA181",
            release.on,
            f"Revision {release.revision} is {release.status}",
            _age(release.updated),
        )


def supported(sight: Sight) -> Finding:
    """The chart's line is supported."""
    release = sight.systems.release
    line = ".".join(release.chart_version.removeprefix("v").split(".")[:2])
    known = ", ".join(LINES)
    if line in LINES or at_least(release.chart_version, f"{LINES[0]}.0"):
        message = f"Chart line {line} is supported, or newer than this tool knows"
        message = f"Chart line {line} is supported" if line in LINES else message
        return passed("LSA182", release.on, message, f"known: {known}")
    return Finding(
        "LSA182",
        State.INFO,
        release.on,
        f"Chart line {line} is out of support: LangChain supports the newest three lines",
        (f"the newest three that this version of the tool knows: {known}",),
        "plan an upgrade, a line at a time",
    )


def failures(sight: Sight) -> Finding:
    """No revision that is kept has failed."""
    release = sight.systems.release
    if sight.systems.unread:
        raise sight.systems.unread
    if not release.revision:
        return Finding("LSA183", State.SKIP, release.on, "There is no helm release to have failed")
    kept = sight.systems.kept_revisions or sight.systems.history
    failed = [it.revision for it in kept if it.status == "failed"]
    if not failed:
        message = f"No revision has failed, of {len(kept)} that helm keeps"
        return passed("LSA183", release.on, message)
    which = ", ".join(map(str, failed))
    message = f"{counted(len(failed), 'revision')} of {len(kept)} failed: {which}"
    step = f"helm history {release.name} -n {release.namespace} tells why"
    return Finding("LSA183", State.INFO, release.on, message, (), step)


def hooks(sight: Sight) -> Finding:
    """The hooks of the deployed revision succeeded."""
    release = sight.systems.release
    if sight.systems.unread:
        raise sight.systems.unread
    if not release.revision:
        return Finding("LSA184", State.SKIP, release.on, "There is no helm release to run hooks")
    ran = sight.systems.hooks_ran
    if ran is None:
        message = "How the chart's hooks ended is not told: helm keeps its records elsewhere"
        return Finding("LSA184", State.INFO, release.on, message)
    wrong = [f"{name}: {phase}" for name, phase in ran if phase != "Succeeded"]
    if wrong:
        return Finding(
            "LSA184",
            State.FAIL,
            release.on,
            f"{counted(len(wrong), 'hook')} of revision {release.revision} did not succeed",
            tuple(wrong),
            f"look at its Job: kubectl get jobs -n {release.namespace}; migrations may be missing",
        )
    return passed("LSA184", release.on, f"All {counted(len(ran), 'hook')} that ran succeeded")


def owner(sight: Sight) -> Finding:
    """Who besides helm drives the backend."""
    from wizard.systems.release.owners import owner_of

    backend = sight.systems.installation.backend
    subject = f"{backend.kind} {backend.name}"
    found = owner_of(sight.systems.workload.live(), backend.container)
    if not found:
        return passed("LSA186", subject, "Nobody but helm drives the backend")
    id = IDS.get(found.tool, OTHER)
    message = f"{found.words} drives the backend: what it has in git is what will be"
    step = "keep both variables there; --gitops edits the file and waits for it"
    return Finding(id, State.INFO, subject, message, found.marks, step)


def by_hand(sight: Sight) -> Finding:
    """Nobody but helm has set one of the variables."""
    from wizard.article import WANTED
    from wizard.systems.release.owners import writers

    backend = sight.systems.installation.backend
    subject = f"{backend.kind} {backend.name}"
    by = writers(sight.systems.workload.live(), backend.container, WANTED)
    if not by:
        return passed("LSA187", subject, "Neither variable was set by hand")
    if sight.systems.target.gitops:
        message = "Both variables are of whoever drives the backend, as --gitops says"
        return Finding("LSA187", State.SKIP, subject, message)
    lines = tuple(f"{name} is set by field manager {manager}" for name, manager in by.items())
    message = "A variable was set by hand: the next helm upgrade may take it away, or be refused"
    step = "put it into the values file, and upgrade: langsmith-audit run"
    return Finding("LSA187", State.WARN, subject, message, lines, step)


def _age(updated: str) -> str:
    try:
        at = datetime.fromisoformat(updated)
    except ValueError:
        return "when it was made is not known"
    ago = span((datetime.now(UTC) - at).total_seconds()) if at.tzinfo else ""
    return f"made {at:%Y-%m-%d %H:%M}" + (f", {ago} ago" if ago else "")


RECORDED = (RELEASES, RELEASE)
CHECKS = (
    Check("LSA101", "the chart has audit logs", chart, CHART.access, ("LSA230",), CHART.name),
    Check("LSA181", "the release is deployed", status, (), ("LSA230",), CHART.name),
    Check("LSA182", "the chart's line is supported", supported, (), ("LSA230",), CHART.name),
    Check("LSA183", "no revision failed", failures, RECORDED, ("LSA230",), CHART.name),
    Check("LSA184", "the chart's hooks succeeded", hooks, RECORDED, ("LSA230",), CHART.name),
    Check("LSA186", "nobody but helm drives the backend", owner, BACKEND, ("LSA230",), CHART.name),
    Check("LSA187", "no variable was set by hand", by_hand, BACKEND, ("LSA230",), CHART.name),
)
