"""What there is to do, from one look: how many steps, how many rollouts, how long it takes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from wizard.console.stages import Stage, Stand, in_words
from wizard.problems import Problem
from wizard.records.changes import Observation
from wizard.records.findings import Finding, State
from wizard.records.plan import Duration
from wizard.records.runs import expected_seconds
from wizard.steps.procedure import NUMBERS, STEPS, the_step
from wizard.steps.step import Step
from wizard.systems.access import Systems

_WORST = (State.FAIL, State.UNKNOWN, State.WARN, State.NOT_RUN, State.PASS, State.INFO, State.SKIP)


def to_do(seen: Mapping[str, Observation], *, one_rollout: bool) -> tuple[str, ...]:
    """The steps that this run will change something in, as far as a look tells."""
    wrong = {name for name, it in seen.items() if not (it.right or it.blocked or it.underway)}
    found = [step.name for step in STEPS if step.name in wrong and not step.proof]
    if not (one_rollout and any(the_step(name).rolls for name in found)):
        found += [it.name for it in STEPS if set(it.follows) & set(found) and it.name not in found]
    return tuple(sorted(found, key=NUMBERS.__getitem__))


def goes_on(seen: Mapping[str, Observation]) -> bool:
    """Whether something becomes right by itself, so that there is to wait for it."""
    return any(it.underway for it in seen.values())


def stages(seen: Mapping[str, Observation], todo: Collection[str]) -> list[Stage]:
    """Each step as a line of the overview."""
    comes = bool(todo) or goes_on(seen)
    return [_stage(step, seen[step.name], todo, comes=comes) for step in STEPS]


def _stage(step: Step, seen: Observation, todo: Collection[str], *, comes: bool) -> Stage:
    main, *others = sorted(seen.findings, key=lambda it: _WORST.index(it.state))
    number, alike = NUMBERS[step.name], [it for it in others if it.id == main.id]
    message = main.message + (f" (and {len(alike)} more like it)" if alike else "")
    stand = _stand(step, seen, todo, comes=comes)
    if stand is Stand.TODO and seen.right:
        names = [f"step {NUMBERS[name]}" for name in step.follows if name in todo]
        message = f"to be done after {' and '.join(names)}"
    if stand is Stand.LATER:
        message = f"{'waited for' if seen.underway else 'asked again'} at the end; now: {message}"
    news = (State.WARN, State.INFO, State.UNKNOWN, State.FAIL)
    more = [it for it in others if it not in alike and it.state in news]
    subject = main.subject if stand is Stand.OPEN and not alike else ""
    return Stage(number, step.title, stand, message, subject, main.state, more)


def _stand(step: Step, seen: Observation, todo: Collection[str], *, comes: bool) -> Stand:
    if seen.left_out:
        return Stand.LEFT_OUT
    if step.name in todo:
        return Stand.TODO
    if seen.right:
        return Stand.RIGHT
    later = comes and (step.proof or seen.underway) and not seen.blocked
    return Stand.LATER if later else Stand.OPEN


def outlook(systems: Systems, todo: Sequence[str]) -> str:
    """All of it in a sentence: `4 of 7 steps to do: 2 rollouts of the backend, about 3 minutes.`"""
    text = f"{len(todo)} of {len(STEPS)} steps to do"
    rollouts = sum(the_step(name).rolls for name in todo)
    if rollouts:
        text += f": {rollouts} rollout{'s' if rollouts > 1 else ''} of the backend"
        text += " (1 with --one-rollout)" if rollouts > 1 else ""
    durations = [duration_of(systems, name) for name in todo if the_step(name).rolls]
    known = [it for it in durations if it]
    if known:
        seconds = sum(it.seconds for it in known)
        lacking = len(known) < rollouts
        how = "at least" if lacking else "about"
        text += f", {how} {in_words(seconds)} ({known[0].source})"
    return text + "."


def duration_of(systems: Systems, step: str) -> Duration | None:
    """How long a step's change takes, where earlier runs or the release's own record tell."""
    found = expected_seconds(systems.place, step)
    if found:
        seconds, runs = found
        of = f"{runs} earlier run{'s' if runs != 1 else ''}"
        return Duration(seconds, f"the median of {of} from here")
    if not the_step(step).by_helm:
        return None
    try:
        took = systems.took
    except Problem:
        return None
    source = f"revision {systems.release.revision} took as long, to the end of its hook Jobs"
    return Duration(math.ceil(took), source) if took else None


def in_the_way(seen: Mapping[str, Observation]) -> tuple[list[Finding], str]:
    """What stands in the way, and which steps wait for it, in words."""
    blocked = [NUMBERS[name] for name, it in seen.items() if it.blocked]
    findings = [
        finding
        for it in seen.values()
        if it.blocked
        for finding in it.findings
        if finding.state in (State.FAIL, State.UNKNOWN)
    ]
    after = range(min(blocked) + 1, len(STEPS) + 1)
    if not after:
        return findings, ""
    waits = f"Step {after[0]} waits" if len(after) == 1 else f"Steps {after[0]} to {after[-1]} wait"
    return findings, f"{waits} for this."
