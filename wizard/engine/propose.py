"""Proposes every change, each seen as if those before it were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from wizard.console.waiting import Waiting
from wizard.engine.answers import Answers
from wizard.engine.look import Look, read_ahead
from wizard.engine.rights import make_sure
from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.records.changes import Change, Observation
from wizard.records.plan import ServerCheck
from wizard.records.report import verdict
from wizard.steps.procedure import STEPS, ordered, the_step
from wizard.steps.upgrade.server_check import refuse_any
from wizard.systems.access import Systems


@dataclass(frozen=True)
class Proposal:
    """What was seen, and what would be done.

    Attributes:
        seen: each step's observation.
        changes: in the order in which they would be made.
        exit: 0, or why they cannot be made as they are.
    """

    seen: Mapping[str, Observation]
    changes: tuple[Change, ...]
    exit: Exit


def propose_all(systems: Systems, answers: Answers) -> Proposal:
    """Observe every step and collect the changes.

    Raises:
        Problem: an answer is missing, or the target cannot be read.
    """
    ask_for_missing(systems, answers, proofs=False)
    looking = Look(systems)
    seen: dict[str, Observation] = {}
    changes: list[Change] = []
    with Waiting() as waiting:
        for step in ordered(one_rollout=systems.target.one_rollout):
            waiting.on(f"{step.title}: looking, and making out the change")
            seen[step.name] = looking.at(step)
            if step.name in systems.target.skip or stops(seen):
                continue
            change = step.propose(systems, tuple(changes))
            if change:
                changes.append(change)
    lacking = [consent.refusal for change in changes for consent in change.consents]
    exit = lacking[0].exit if lacking else Exit.OK
    if stops(seen):
        exit = verdict([f for it in seen.values() if it.blocked for f in it.findings])
    return Proposal(seen, tuple(changes), exit)


def foresee(systems: Systems) -> tuple[Change, ...]:
    """Propose every change before the first one is made.

    Raises:
        Problem: a later step refuses its change or lacks something, or the API server refuses a
            write that is tried (`dryRun=All`); nothing was changed yet.
    """
    changes: list[Change] = []
    for step in ordered(one_rollout=systems.target.one_rollout):
        if step.name not in systems.target.skip:
            step.require(systems)
            change = step.propose(systems, tuple(changes))
            changes += [change] if change else []
    make_sure(systems, changes)
    checks: list[ServerCheck] = []
    for change in changes:
        step = the_step(change.step)
        checks += (*step.tried(systems, change), *step.tried_at_once(systems, change))
    refuse_any(systems, checks)
    return tuple(changes)


def ask_for_missing(
    systems: Systems, answers: Answers, *, proofs: bool = True, later: Sequence[str] = ()
) -> tuple[str, ...]:
    """Ask for, or report, everything that the steps still need answered, with the `proofs`.

    What is `later` is not asked for now. Gives the names of what was asked for.
    """
    names: list[str] = []
    with Waiting("reading the release, the pods and the database"):
        read_ahead(systems, STEPS)
        for step in STEPS:
            if step.name not in systems.target.skip and (proofs or not step.proof):
                with suppress(Problem):  # the look that follows reports it at its own step
                    names += step.missing(systems)
    wanted = tuple(name for name in names if name not in later)
    answers.complete(wanted, systems)
    return wanted


def stops(seen: Mapping[str, Observation]) -> bool:
    """Whether a step up to here can neither be right nor be made right."""
    return any(it.blocked for name, it in seen.items() if not the_step(name).proof)
