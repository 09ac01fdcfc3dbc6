"""The release: `helm rollback` to the revision before the run, or an upgrade with its values.

The rollout under way is told in lines for the watch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.aim import aimed
from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact, FactKind, Reversible, facts
from wizard.records.findings import Finding
from wizard.records.journal import runs
from wizard.records.runs import Made, Outcome, the_run
from wizard.records.runs import made as made_by
from wizard.steps.step import Watch, await_rollout, before_all, cannot, not_ours, nothing
from wizard.steps.upgrade.drift import fingerprint_of_values
from wizard.steps.upgrade.run_helm import UNDER_WAY, at_work
from wizard.systems.calls import poll
from wizard.systems.helm.client import typed
from wizard.systems.helm.records import Rollback, Upgrade
from wizard.systems.values.files import read_values
from wizard.systems.values.reading import effective_values
from wizard.systems.workload.status import status_lines

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Release, Rollback, Upgrade


STEP = "helm_upgrade"
PENDING = "pending-"


def way_back(systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:
    """The release as it was, where its newest revision is the one that the run made.

    A helm that is still at work is waited for, up to `--upgrade-limit` from its start.
    """
    release = _settled(systems, made[-1], watch)
    subject = release.on
    moves = (
        (it.register["revision"], it.undo.get("revision_after", it.register["revision"] + 1))
        for it in reversed(made)
    )
    wanted = before_all(moves, release.revision)
    if wanted is None and _is_as_before(systems, made, release):
        why = f"revision {release.revision} has the chart and the values from before the run"
        return nothing(subject, why)
    if wanted is None or not _made_by_us(systems, made, release, wanted):
        return not_ours(
            subject,
            f"somebody has changed it since: revision {release.revision} is none of this run's",
            next_step=f"helm history {release.name} -n {release.namespace}",
        )
    if wanted == release.revision:
        return nothing(subject, f"revision {wanted} from before the run is {release.status}")
    there = [each.revision for each in systems.revisions() or systems.history]
    if wanted in there:
        return _rollback(systems, made, release, wanted)
    return _upgrade_back(systems, made, release, wanted)


def undo(systems: Systems, change: Change, watch: Watch) -> Done:
    """Run helm, and wait for the backend where helm itself does not."""
    way: Rollback | Upgrade = change.payload
    limit = systems.target.upgrade_limit
    helm, tick = systems.helm, helm_ticker(systems, watch, f"helm is at work (limit {limit:.0f} s)")
    if isinstance(way, Rollback):
        result = helm.roll_back(way, tick=tick)
    else:
        result = helm.upgrade(way, tick=tick)
    if not way.wait:
        systems.forget()
        await_rollout(systems, watch)
    before = change.register["revision"]
    return Done(
        f"Revision {before} → {result.revision} of release {way.release}, as before the run",
        (f"helm took {result.seconds:.0f} s",),
        {**change.register, "revision_after": result.revision},
    )


def _is_as_before(systems: Systems, made: Sequence[Made], release: Release) -> bool:
    """Whether an undo that was left, or somebody by hand, has put the release back already."""
    first = made[0].register
    same = (release.status, release.chart_version) == ("deployed", first.get("chart_version"))
    told = first.get("values_before")
    return same and bool(told) and told == fingerprint_of_values(systems.deployed_values)


def _made_by_us(systems: Systems, made: Sequence[Made], release: Release, wanted: int) -> bool:
    """Whether a revision whose end the journal does not tell has the values that were sent."""
    last = made[-1]
    if wanted == release.revision or last.outcome is Outcome.DONE or "values" not in last.register:
        return True
    return bool(last.register["values"] == fingerprint_of_values(systems.deployed_values))


def _settled(systems: Systems, last: Made, watch: Watch) -> Release:
    """The release, once no helm is at work on it, or none can be any more."""
    for waited in poll(systems.target.upgrade_limit):
        release = systems.release
        left = systems.target.upgrade_limit - _age(release.updated)
        if not release.status.startswith(PENDING) or left <= 0:
            break
        if release.status == UNDER_WAY and at_work(last.folder) is False:
            break
        what = f"{release.on} is {release.status}; helm has {left:.0f} s more to end"
        watch.waiting(what, waited)
        systems.forget()
    return release


def _age(updated: str) -> float:
    """Seconds since helm's own time of a revision; 0 when it cannot be read."""
    match = re.match(r"([\d-]{10})[ T]([\d:]{8})(?:\.\d+)? ?([+-]\d\d:?\d\d|Z)", updated)
    try:
        at = datetime.fromisoformat("{}T{}{}".format(*match.groups())) if match else None
    except ValueError:
        at = None
    if at is None:
        return 0.0
    return (datetime.now(UTC) - at).total_seconds()


def _rollback(systems: Systems, made: Sequence[Made], release: Release, wanted: int) -> Change:
    way = Rollback(
        release.name,
        release.namespace,
        wanted,
        timeout=int(systems.target.upgrade_limit),
        wait=bool(made[-1].register.get("wait", True)),
    )
    return _change(systems, release, wanted, systems.helm.rollback_argv(way), way)


def _upgrade_back(
    systems: Systems, made: Sequence[Made], release: Release, wanted: int
) -> Change | Finding:
    """The revision is no longer kept, so its values are taken from the files.

    Of one that the same run has edited, that is the copy.
    """
    first = made[0].register
    edits = [it.undo for it in made_by(the_run(made[0].folder.name, runs()))
             if it.step == "values_file"]  # fmt: skip
    copies = {it.get("path"): it.get("backup") for it in reversed(edits)}
    files = [Path(copies.get(name) or name) for name in first.get("files", ())]
    values = effective_values([read_values(path) for path in files if path.is_file()])
    if not files or fingerprint_of_values(values) != first.get("values_before"):
        return cannot(
            release.on,
            f"revision {wanted} is no longer kept, and the values files are not those from "
            "before the run",
            next_step="upgrade by hand with the chart and the values from before the run",
        )
    way = Upgrade(
        release.name,
        release.namespace,
        first["chart"],
        first["chart_version"],
        tuple(files),
        timeout=int(systems.target.upgrade_limit),
        wait=bool(first.get("wait", True)),
    )
    return _change(systems, release, wanted, systems.helm.upgrade_argv(way), way)


def _change(
    systems: Systems, release: Release, wanted: int, argv: Sequence[str], way: Rollback | Upgrade
) -> Change:
    return Change(
        step=STEP,
        items=(f"the release as in revision {wanted}, from revision {release.revision}",),
        exact=(Exact("argv", typed(argv)),),
        preconditions=facts(
            FactKind.RELEASE,
            {"release revision": str(release.revision), "release status": release.status},
        ),
        effect="rolls the backend's pods, and runs the chart's rollback hooks where it has some",
        reversible=Reversible.PARTLY,
        because="hook Jobs that ran do not come back",
        undo=aimed(f"helm rollback {release.name} {release.revision} -n {release.namespace}"),
        register={
            "revision": release.revision,
            "chart_version": release.chart_version,
            "values_before": fingerprint_of_values(systems.deployed_values),
            "wait": way.wait,
        },
        payload=way,
    )


def rollout_lines(systems: Systems) -> tuple[str, ...]:
    """The backend's pods now, a line each; a cluster that does not answer is one line."""
    try:
        return status_lines(systems.workload.afresh().status())
    except Problem as problem:
        return (f"the pods cannot be read now: {problem.what}",)


def helm_ticker(systems: Systems, watch: Watch, what: str) -> Callable[[float], None]:
    """A tick for helm that reads the pods every other second, and never fails for it."""
    last = -2.0
    lines: tuple[str, ...] = ()

    def tick(seconds: float) -> None:
        nonlocal last, lines
        if seconds - last >= 2.0:
            last, lines = seconds, rollout_lines(systems)
        watch.finishing(what, seconds, lines)

    return tick
