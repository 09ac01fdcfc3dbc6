"""What is no longer as a plan says, step by step, and who changed it.

Who: as far as the cluster, helm's history, the journal or the file tell.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path

from wizard.engine.look import Look
from wizard.engine.rights import ROLE, lacking
from wizard.planning.make import also_now, chart_digest, parts_of, planned_parts, rests_on
from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.records.changes import Change, DiffState, Exact, FactKind, ObjectDiff, Part, content_of
from wizard.records.journal import known_runs
from wizard.records.plan import Keyed, Plan, PlannedChange, PlannedStep, Precondition, short
from wizard.records.runs import NOTHING_LEFT, Left
from wizard.safe import cut
from wizard.steps.preconditions import of_workload
from wizard.steps.procedure import ordered, the_step
from wizard.steps.step import Step
from wizard.steps.upgrade.server_check import REFUSED
from wizard.systems.access import Systems
from wizard.systems.kubernetes.rbac import Right, roles_text
from wizard.systems.release.rendering import ORDER

OTHER_PART = "another part of its config was changed"
NOT_MADE = "nothing to do"
NOT_SET = "not set"
LONGEST = 160
REACHING = ("--kubeconfig", "--kube-context")
"""How this machine reaches the cluster; which cluster it is, is told by its identity."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as planned; `who` is empty where nothing tells.

    A `right` is one that whoever applies the plan lacks, whoever made it; `kind` is that of the
    precondition, where it is about one. With `unread` it is not known whether anything moved.
    """

    what: str
    planned: str
    now: str
    who: str = ""
    right: Right | None = None
    kind: str = ""
    unread: bool = False


def all_differences(
    systems: Systems, plan: Plan, left: Left = NOTHING_LEFT
) -> tuple[Difference, ...]:
    """Everything that is not as planned, before the first change is made.

    A step that can no longer be looked at or proposed is a difference too. What an apply that was
    `left` has done already must still be so.
    """
    found = _deployed_chart(systems, plan)
    earlier: list[Change] = []
    failed: set[str] = set()
    made: set[str] = set()
    looking = Look(systems)
    by_name = {planned.name: planned for planned in plan.steps}
    for step in ordered(one_rollout=systems.target.one_rollout):
        planned = by_name[step.name]
        if step.name in systems.target.skip:
            continue
        seen = looking.at(step)
        was_wrong = {finding.id for finding in planned.findings}
        if seen.blocked and planned.change is None:
            new = [it for it in seen.findings if it.id not in was_wrong]
            found += [Difference(step.title, "not in the way", it.message) for it in new]
        try:
            change = step.propose(systems, tuple(earlier))
        except Problem as problem:
            found += [_refused(step, planned.change, problem), *_workload(systems, plan, planned)]
            failed.add(step.name)
            continue
        if step.name in left.done or (step.name in left.begun and not change):
            found += _taken_back(planned, change)
            made.add(step.name)
            continue
        if seen.blocked and planned.change and not change:
            found += [
                Difference(it.subject, "; ".join(planned.change.items), f"{it.message} ({it.id})")
                for it in seen.findings
                if it.id not in was_wrong
            ]
            continue
        earlier += [change] if change else []
        before = earlier[: -1 if change else None]
        found += _of_step(systems, plan, planned, change, before, failed, made)
        found += _refused_now(systems, planned, change) if change and planned.change else ()
    if not failed:
        found += rights_now(systems, earlier)
    return tuple(dict.fromkeys(found))  # two steps may rest on the same thing


def _deployed_chart(systems: Systems, plan: Plan) -> list[Difference]:
    """The chart comes first: with another one a step may not be proposed at all."""
    try:
        chart = systems.release.chart
    except Problem:
        return []
    was = plan.target.chart
    found = Difference("deployed chart", was, chart, kind=FactKind.RELEASE)
    return [found] if was and was != chart else []


def differences_now(
    systems: Systems, plan: Plan, step: Step, change: Change | None, made: Sequence[str]
) -> tuple[Difference, ...]:
    """What is not as planned right before one step; `made` are the steps that were done."""
    planned = next(it for it in plan.steps if it.name == step.name)
    if planned.change and not planned.change.exact:
        return ()  # others make it, in their own time
    if planned.change is None or change is None:
        return tuple(_of_step(systems, plan, planned, change, ()))
    now = {it.name: it for it in _rests_on(systems, plan, change, ())}
    keyed = Keyed(plan.fingerprint_key)
    return (
        *(
            each
            for it in planned.change.preconditions
            if it.value and (not it.after or it.after in made)
            if not _scaled_by_others(it, now.get(it.name))
            if it.name not in now or now[it.name].value != it.value
            for each in _differences(it.name, it, now.get(it.name), planned.change, change, keyed)
        ),
        *_exactly(planned.change, change),
        *rights_now(systems, (change,)),
    )


def _workload(systems: Systems, plan: Plan, planned: PlannedStep) -> Iterator[Difference]:
    """What moved of the workload, where the step itself can no longer be proposed."""
    if planned.change is None:
        return
    try:
        basis = of_workload(systems)
    except Problem:
        return
    change = Change(
        step=planned.name,
        items=(),
        exact=(),
        preconditions=basis.preconditions,
        effect="",
        reversible=planned.change.reversible,
        because="",
        undo="",
        besides=basis.besides,
    )
    now = {it.name: it for it in _rests_on(systems, plan, change, ())}
    for one in planned.change.preconditions:
        other = now.get(one.name)
        if other and not one.after and one.value != other.value:
            keyed = Keyed(plan.fingerprint_key)
            yield from _differences(one.name, one, other, planned.change, change, keyed)


def _of_step(
    systems: Systems,
    plan: Plan,
    planned: PlannedStep,
    change: Change | None,
    earlier: Sequence[Change],
    failed: Set[str] = frozenset(),
    made: Set[str] = frozenset(),
) -> Iterator[Difference]:
    """What is not as planned in one step; what comes after a failed one cannot be compared."""
    if planned.change is None:
        if change:
            yield Difference(f"step {planned.number}", NOT_MADE, "; ".join(change.items))
        return
    if change is None:
        yield Difference(f"step {planned.number}", "; ".join(planned.change.items), NOT_MADE)
        return
    keyed = Keyed(plan.fingerprint_key)
    was = {it.name: it for it in planned.change.preconditions}
    now = {it.name: it for it in _rests_on(systems, plan, change, earlier)}
    for name in dict.fromkeys((*was, *now)):
        one, other = was.get(name), now.get(name)
        if _scaled_by_others(one, other) or (one and one.after in failed):
            continue
        if one and other and one.after != other.after and parts_of(change, name):
            continue  # the step before it rests on the same, and moves it or not
        if not _same(one, other, made):
            yield from _differences(name, one, other, planned.change, change, keyed)
    yield from _exactly(planned.change, change)
    for consent in change.consents:
        if consent.option not in {it.option for it in planned.change.consents}:
            yield Difference(consent.refusal.on, "not in the way", consent.refusal.what)


def _same(was: Precondition | None, now: Precondition | None, made: Set[str]) -> bool:
    """Whether it is as planned; what one of the `made` steps moved is what it became."""
    if was is None or now is None:
        return was is now
    if was.after in made:
        return not was.value or was.value == now.value
    return (was.value, was.after) == (now.value, now.after)


def _scaled_by_others(was: Precondition | None, now: Precondition | None) -> bool:
    """Whether how many pods there are was or is somebody else's to say."""
    return _kind(was, now) == FactKind.SCALE and (was is None or now is None)


def _kind(was: Precondition | None, now: Precondition | None) -> str:
    one = now or was
    return one.kind if one else ""


def _taken_back(planned: PlannedStep, change: Change | None) -> Iterator[Difference]:
    """What the run that was left had made, and has to be made again."""
    if change:
        title = f"step {planned.number}"
        yield Difference(title, "made by the run that was left", "; ".join(change.items))


def _rests_on(
    systems: Systems, plan: Plan, change: Change, earlier: Sequence[Change]
) -> tuple[Precondition, ...]:
    digest = ""
    if the_step(change.step).by_helm and plan.inputs.chart_digest:
        digest = chart_digest(systems, plan.inputs.chart_version)[0] or "cannot be had"
    keyed = Keyed(plan.fingerprint_key)
    found = rests_on(systems, change, earlier, digest, keyed)
    return (*found, *also_now(change, earlier, keyed))


def _refused_now(systems: Systems, planned: PlannedStep, change: Change) -> Iterator[Difference]:
    """Writes that the API server would refuse by now; those of a plan it did not."""
    for check in the_step(change.step).tried(systems, change):
        if check.outcome == REFUSED:
            what = f"server check of step {planned.number}"
            yield Difference(what, "not refused", f"refused: {check.because}")


def rights_now(systems: Systems, changes: Sequence[Change]) -> Iterator[Difference]:
    """What the changes need of the cluster, and whoever applies the plan lacks."""
    for it in lacking(systems, changes):
        yield Difference(f"right to {it.verb} {it.what}", "granted", "not granted", right=it)


def rendered_otherwise(
    was: Sequence[ObjectDiff], now: Sequence[ObjectDiff]
) -> Iterator[Difference]:
    """What the chart would change in the objects, when that is something else; noise is none."""
    old, new = (
        {it.title: it for it in objects if it.state is not DiffState.NOISE}
        for objects in (was, now)
    )
    for title in dict.fromkeys((*old, *new)):
        if old.get(title) != new.get(title):
            told = [
                ", ".join(it.lines) if it else "none" for it in (old.get(title), new.get(title))
            ]
            yield Difference(f"rendered difference of {title}", told[0], told[1])


def _exactly(planned: PlannedChange, change: Change) -> Iterator[Difference]:
    """What would be run or written, when that is something else."""
    yield from rendered_otherwise(planned.rendered, change.rendered)
    was, now = [essence(it) for it in planned.exact], [essence(it) for it in change.exact]
    if was != now:
        kinds = " and ".join(dict.fromkeys(it.kind for it in planned.exact)) or "command"
        names = {"argv": "command line", "sql": "SQL", "diff": "edit"}
        yield Difference(
            f"the exact {names.get(kinds, kinds)} of {change.step}",
            _told(planned.exact),
            _told(change.exact),
        )


def essence(exact: Exact) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What is run or written, however this machine finds helm and reaches the cluster."""
    if exact.kind != "argv":
        return exact.kind, (exact.text,), exact.parameters
    words = shlex.split(exact.text)
    kept = [words[0].replace("\\", "/").rsplit("/", 1)[-1]]
    rest = iter(words[1:])
    for word in rest:
        if word in REACHING:
            next(rest, None)
        else:
            kept.append(word)
    return exact.kind, tuple(kept), exact.parameters


def _told(exact: Sequence[Exact]) -> str:
    return " | ".join(" ".join((it.text.strip(), *it.parameters)) for it in exact) or "none"


def _differences(
    name: str,
    was: Precondition | None,
    now: Precondition | None,
    planned: PlannedChange,
    change: Change,
    keyed: Keyed,
) -> Iterator[Difference]:
    """A precondition that moved: part by part where the plan knows the parts, with who did it."""
    parts = parts_of(change, name)
    found = tuple(_of_parts(name, was, parts, keyed)) if was and was.parts and parts else ()
    yield from found
    if not found:
        by = parts[""].by if "" in parts else ""
        yield replace(_difference(name, was, now, planned, change), who=by)


def _of_parts(
    name: str, was: Precondition, parts: Mapping[str, Part], keyed: Keyed
) -> Iterator[Difference]:
    before = {it.name: it.value for it in was.parts}
    after = {it.name: it.value for it in planned_parts(parts, keyed)}
    moved = [at for at in dict.fromkeys((*before, *after)) if before.get(at) != after.get(at)]
    for at in moved:
        within = at.removesuffix(ORDER)
        if within != at and any(it.startswith(f"{within[:-1]}[") for it in moved):
            continue  # an entry that came or went is told itself
        old, new = (cut(short(side.get(at, NOT_SET)), LONGEST) for side in (before, after))
        yield Difference(f"{name}: {at}", old, new, parts[at].by if at in parts else "")


def _difference(
    name: str,
    was: Precondition | None,
    now: Precondition | None,
    planned: PlannedChange,
    change: Change,
) -> Difference:
    """A precondition that moved; of a row the words that a person was shown."""
    kind = _kind(was, now)
    if kind != FactKind.ROW or not was or not now:
        return Difference(name, _value(was), _value(now), kind=kind)
    id = name.rpartition(" ")[2]
    before, after = (
        next((line for line in details if id in line), "")
        for details in (planned.details, change.details)
    )
    return Difference(name, before, after if after != before else OTHER_PART, kind=kind)


def _value(one: Precondition | None) -> str:
    if one is None:
        return "not among what would be changed"
    return short(one.value) if one.value else "known after an earlier step"


def _refused(step: Step, planned: PlannedChange | None, problem: Problem) -> Difference:
    what = "; ".join(planned.items) if planned else NOT_MADE
    told = "; ".join((f"{problem.what} ({problem.id})", *problem.detail))
    return Difference(step.title, what, told, unread=problem.exit == Exit.UNKNOWN)


def attributed(
    systems: Systems, plan: Plan, differences: Iterable[Difference]
) -> tuple[Difference, ...]:
    """The differences, each with who changed it where something tells."""
    return tuple(replace(it, who=it.who or _who(systems, plan, it)) for it in differences)


def _who(systems: Systems, plan: Plan, it: Difference) -> str:
    if it.kind == FactKind.RELEASE:
        try:
            history = systems.history
        except Problem:
            return ""
        if not history:
            return ""
        last = history[-1]
        return f"helm revision {last.revision} at {last.updated}: {last.description}"
    if it.kind == FactKind.FILE:
        files = (path for path in systems.target.values if content_of(path) == it.what)
        return next(map(_written, files), "")
    if it.kind == FactKind.ROW:
        of_rows = (
            step.name
            for step, change in plan.planned
            if any(it.kind == FactKind.ROW for it in change.preconditions)
        )
        return next((_last_run(systems, plan, name) for name in of_rows), "")
    return ""


def _last_run(systems: Systems, plan: Plan, step: str) -> str:
    """A run from this machine that changed it since the plan was made."""
    for run in reversed(known_runs()):
        if run.place == systems.place.as_json() and step in run.changed:
            at = str(run.entries[-1]["at"])
            if datetime.fromisoformat(at) > datetime.fromisoformat(plan.created.at):
                return f"run {run.id} of langsmith-audit"
    return ""


def _written(path: Path) -> str:
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return ""
    return f"written at {written:%Y-%m-%d %H:%M:%S} UTC"


UNREAD = "What the plan rests on cannot be read, so nobody knows whether it is as planned"
WIDEST = (90, 60, 60)
"""Characters that the columns of the table of what moved are aligned to."""


def moved(differences: Sequence[Difference], id: str, title: str, subject: str) -> Problem:
    """The refusal that shows what is not as planned, as a table."""
    rows = [("what", "approved", "now", "changed by")]
    rows += [(it.what, it.planned, it.now, it.who or "(not told)") for it in differences]
    widths = [min(max(len(row[at]) for row in rows), most) for at, most in enumerate(WIDEST)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row[:3], widths, strict=True)), row[3]])
        for row in rows
    ]
    rights = [it.right for it in differences if it.right]
    step = "langsmith-audit plan makes a new plan; plan --compare shows what differs"
    if len(rights) == len(differences):
        step = "apply the same plan again, once you have the Role above (kubectl apply -f -)"
    unread = all(it.unread for it in differences)
    if unread:
        step = "see to what does not answer, then apply the same plan again"
    return Problem(
        id,
        UNREAD if unread else title,
        on=subject,
        next_step=step,
        exit=Exit.UNKNOWN if unread else Exit.REFUSED,
        detail=tuple(lines),
        paste=roles_text(rights, ROLE) if rights else "",
    )
