"""Runs the upgrade: helm, what is seen meanwhile, and the rest of the rollout afterwards."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.changes import Change, Done
from wizard.steps.live_drift import EDITS, NONE
from wizard.steps.ownership import owner
from wizard.steps.rolling import status_lines
from wizard.steps.upgrade_view import UpgradeView
from wizard.variables import WANTED

if TYPE_CHECKING:
    from wizard.steps.base import Watch
    from wizard.systems.access import Systems
    from wizard.systems.helm import Upgrade


def upgrade(systems: Systems, change: Change, watch: Watch) -> Done:
    """Run helm, end it kindly where there is no hope, and wait until every pod is new.

    helm's own `--wait` ends before that (some old pods may be left), and is not always taken.

    Raises:
        Problem: helm failed or was ended early, the rollout does not come to its end, or somebody
            took the variables back.
    """
    way: Upgrade = change.payload
    _wait_for_others(systems, watch)
    target = systems.target
    with closing(UpgradeView(systems, watch, rolls=_rolls(systems, change))) as view:
        try:
            result = systems.helm.upgrade(way, tick=view.tick)
        except Problem as problem:
            raise _told(systems, problem, change, view) from None
        systems.workload.wait(
            limit=target.rollout_limit,
            patience=target.patience,
            tick=view.rolling,
            before=view.before,
        )
    _make_sure_it_stayed(systems)
    return Done(
        f"Revision {change.register['revision']} → {result.revision} of release {way.release}",
        (f"chart {way.version}, helm took {result.seconds:.0f} s",),
        {**change.register, "revision_after": result.revision},
    )


def _rolls(systems: Systems, change: Change) -> bool:
    """Whether the upgrade may give the backend another template than its newest pods have."""
    backend = systems.installation.backend
    changed = {(it.kind, it.name) for it in change.rendered}
    edited = change.preconditions.get(EDITS, NONE) != NONE
    return edited or bool(systems.lacking_live) or (backend.kind, backend.name) in changed


def _make_sure_it_stayed(systems: Systems) -> None:
    """An owner that nothing betrayed before may have taken the variables back meanwhile.

    Raises:
        Problem: a variable that helm has set is not live any more.
    """
    live = systems.workload.live_env()
    if all(live.get(name) == "true" for name in WANTED):
        return
    systems.forget()  # what was read of the release is older than the upgrade
    gone = [name for name in systems.lacking_live if name not in systems.lacking]
    if not gone:
        return
    found = owner(systems)
    who = found.words if found else "Somebody"
    raise Problem(
        "LSA441",
        f"{who} took back what helm had set: {' and '.join(gone)} is not live any more",
        on=systems.workload.on,
        next_step="find out who writes it (kubectl get --show-managed-fields -o yaml, the audit "
        "log of the API server), change it at its source, and go on: langsmith-audit run --gitops",
        exit=Exit.FAILED,
        detail=found.marks if found else (),
    )


def _wait_for_others(systems: Systems, watch: Watch) -> None:
    """A rollout that somebody else began is waited for: two at once tell nobody's pods apart."""
    limit = systems.target.rollout_limit
    what = f"a rollout that was under way before is waited for (limit {limit:.0f} s)"
    status = systems.workload.afresh().status()
    if not status.done and not status.stuck:  # one that is stuck may be what this upgrade mends
        systems.workload.wait(
            limit=limit,
            patience=systems.target.patience,
            tick=lambda status, seconds: watch.waiting(what, seconds, status_lines(status)),
        )


def _told(systems: Systems, problem: Problem, change: Change, view: UpgradeView) -> Problem:
    way: Upgrade = change.payload
    if view.hopeless:
        return Problem(
            "LSA440",
            f"The upgrade was ended early, since there was no hope: {view.hopeless}",
            on=problem.on,
            next_step="mend the cause, then langsmith-audit run --accept-failed; or put the last "
            "good revision back: langsmith-audit undo",
            exit=Exit.FAILED,
            detail=(*(f"helm: {problem.what}",), *problem.detail),
        )
    if _is_pending(systems):
        before = change.register["revision"]
        return Problem(
            "LSA443",
            "helm ended in the middle of the upgrade and left the release pending: "
            "helm refuses every further upgrade",
            on=problem.on,
            next_step=f"put revision {before} back: langsmith-audit undo, which runs "
            f"{change.undo}; then langsmith-audit run again",
            exit=Exit.FAILED,
            detail=(f"helm: {problem.what}", *problem.detail),
        )
    if problem.id == "LSA127":
        problem.what += f" within {way.timeout} seconds (--upgrade-limit)"
    return problem


def _is_pending(systems: Systems) -> bool:
    """Whether helm has left the release so that nothing but a rollback helps."""
    systems.forget()
    try:
        return systems.release.status.startswith("pending-")
    except Problem:
        return False
