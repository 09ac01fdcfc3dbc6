"""A release that is not `deployed`: what happened, since when, how far it came, the ways out.

Nothing is ever rolled back from here: the commands are told.

A `failed` one may be upgraded again with a consent of its own, since that is helm's way out; a
`pending-*` one is left to a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wizard.article import WANTED, new_enough
from wizard.problems import Exit, Problem
from wizard.records.changes import Consent
from wizard.records.findings import Finding, failed
from wizard.records.journal import known_runs
from wizard.records.runs import last_not_undone, made
from wizard.systems.kubernetes.cluster import JOBS
from wizard.systems.release.manifest import objects_of

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Revision

FAILED = "failed"

WHAT = {
    "pending-install": ("LSA150", "helm was stopped, or is at work, in the first installation"),
    FAILED: ("LSA151", "The last operation on the release failed"),
    "pending-upgrade": ("LSA152", "helm was stopped, or is at work, in an upgrade"),
    "pending-rollback": ("LSA153", "helm was stopped, or is at work, in a rollback"),
    "uninstalling": ("LSA154", "The release is being uninstalled, or helm was stopped in it"),
}


def state_finding(systems: Systems) -> Finding:
    """What is known of a release that is not deployed."""
    release = systems.release
    history = systems.history
    id, what = WHAT.get(
        release.status, ("LSA104", f"The release is {release.status}, not deployed")
    )
    return failed(
        id,
        release.on,
        f"{what}; nothing is built on that" if release.status != FAILED else what,
        *_told(systems, history),
        next_step=_ways_out(systems, history),
    )


def state_consents(systems: Systems) -> tuple[Consent, ...]:
    """The yes that is needed to upgrade a release whose last operation failed."""
    if systems.release.status != FAILED or systems.target.accept_failed:
        return ()
    found = state_finding(systems)
    refusal = Problem(
        found.id,
        found.message,
        on=found.subject,
        next_step=found.next_step,
        exit=Exit.FAILED,
        detail=found.evidence,
    )
    return (Consent("accept_failed", refusal),)


def may_go_on(systems: Systems) -> bool:
    """Whether an upgrade can be the way out: helm takes a failed release, and no pending one."""
    return systems.release.status == FAILED and bool(systems.target.values)


def _told(systems: Systems, history: Sequence[Revision]) -> tuple[str, ...]:
    last = history[-1]
    since = _time(last.updated)
    told = [f"revision {last.revision}: {last.status} since {_words(since)}"]
    if last.description:
        told[0] += f" ({last.description.splitlines()[0][:120]})"
    good = _last_good(history)
    if good:
        told.append(
            f"last good revision: {good.revision} ({good.chart}), of {_words(good.updated)}"
        )
    else:
        told.append("there is no revision that was ever deployed")
    return (*told, *_hooks(systems, since), _live(systems))


def _hooks(systems: Systems, since: datetime) -> Iterator[str]:
    """The chart's hook Jobs, a line each: what became of them in this operation."""
    try:
        wanted = objects_of(systems.hooks, ("Job",), systems.release)
        namespace = systems.installation.namespace
        live = {str(job["metadata"]["name"]): job for job in systems.cluster.list(JOBS, namespace)}
    except Problem as problem:
        yield f"hook Jobs: not looked at ({problem.what})"
        return
    for job in wanted:
        name = str(job["metadata"]["name"])
        if (job["metadata"].get("annotations") or {}).get("helm.sh/hook", "").startswith("test"):
            continue
        yield f"hook Job {name}: {_fate(live.get(name), since)}"


def _fate(job: Mapping[str, Any] | None, since: datetime) -> str:
    if job is None:
        return "not there: it did not run, or ended so long ago that it was removed"
    status = job.get("status") or {}
    ended = {str(each.get("type")) for each in status.get("conditions") or []
             if each.get("status") == "True"}  # fmt: skip
    state = (
        "succeeded" if "Complete" in ended
        else "failed" if "Failed" in ended
        else "running now: helm may still be at work"
    )  # fmt: skip
    begun = _time(str(job["metadata"].get("creationTimestamp") or ""))
    if begun >= since.replace(microsecond=0):
        return state
    return f"did not run this time (the last one {state}, {_words(begun)})"


def _live(systems: Systems) -> str:
    try:
        lacking = systems.lacking_live
    except Problem as problem:
        return f"the live backend cannot be read: {problem.what}"
    if not lacking:
        return "the live backend has both variables nevertheless"
    return f"the live backend lacks {' and '.join(lacking)}" if len(lacking) < len(WANTED) else (
        "the live backend has neither variable"
    )  # fmt: skip


def _ways_out(systems: Systems, history: Sequence[Revision]) -> str:
    release, good = systems.release, _last_good(history)
    on = f"{release.name} {{}}-n {release.namespace}"
    back = f"helm rollback {on.format(f'{good.revision} ')} --wait" if good else ""
    if good and _made_from_here(systems, good.revision):
        back = f"langsmith-audit undo, which runs {back}"
    keeps = "hook Jobs and migrations that ran do not come back"
    if release.status == FAILED:
        again = "make the upgrade again: langsmith-audit run -f FILE --accept-failed"
        return f"{again}; or put the last good revision back: {back} ({keeps})" if good else again
    if release.status == "uninstalling":
        return f"helm uninstall {on.format('')} ends it; then install LangSmith again"
    over = "wait if a helm is at work; if none is any more"
    if good:
        return f"{over}: {back} ({keeps}), then langsmith-audit run again"
    away = f"helm uninstall {on.format('')}"
    return f"{over}: {away} and install again, since there is no revision to go back to"


def _made_from_here(systems: Systems, before: int) -> bool:
    """Whether an upgrade that a run from here began on this revision is the newest one."""
    run = last_not_undone(systems.place, known_runs())
    ours = [it for it in made(run) if it.step == "helm_upgrade"] if run else []
    begun_on = ours[-1].register.get("revision") if ours else None
    return begun_on == before == systems.release.revision - 1


def _last_good(history: Sequence[Revision]) -> Revision | None:
    """The revision that a rollback would put back."""
    good = [it for it in history[:-1] if it.status in ("deployed", "superseded")]
    return good[-1] if good else None


def _time(text: str) -> datetime:
    """A time as helm and Kubernetes write it; the epoch when it cannot be read."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _words(at: datetime | str) -> str:
    """A time in UTC, and how long ago that is by this machine's clock."""
    when = _time(at) if isinstance(at, str) else at
    if not when.timestamp():
        return "an unknown time"
    seconds = max(0, int((datetime.now(UTC) - when).total_seconds()))
    ago = f"{seconds} s" if seconds < 120 else f"{seconds // 60} minutes"
    ago = ago if seconds < 7200 else f"{seconds // 3600} hours"
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({ago} ago)"


def raises(systems: Systems) -> bool:
    """Whether the upgrade takes a chart that is new enough, whatever is deployed."""
    target = systems.target
    upgrades = bool(target.values) and not target.gitops and "helm_upgrade" not in target.skip
    return upgrades and new_enough(target.chart_version or "")
