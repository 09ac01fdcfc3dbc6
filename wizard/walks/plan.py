"""`langsmith-audit plan`: the dry run. It shows every change exactly, and makes none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from wizard.console import report
from wizard.console.safe import safe_json
from wizard.console.screen import talk
from wizard.console.signals import StopSwitch
from wizard.exits import Exit
from wizard.problems import Problem
from wizard.procedure import STEPS, TITLES
from wizard.records.changes import Change, Observation
from wizard.records.plan_file import Plan
from wizard.systems.access import Systems
from wizard.walks.answers import Answers, Declined
from wizard.walks.look import Look
from wizard.walks.where import where


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan's format and file."""
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the plan as JSON to FILE")
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="exit 6 when changes are pending"
    )


def main(args: argparse.Namespace) -> Exit:
    """Make the plan and show it."""
    answers = Answers(args.settings)
    try:
        with StopSwitch().installed(), Systems(answers.locate()) as systems:
            plan = make_plan(systems, answers)
    except Declined:
        talk().print("You left; a plan changes nothing.", style="yellow")
        return Exit.DECLINED
    if args.output:
        _write(Path(args.output), safe_json(plan.as_json()))
    if args.format == "json":
        sys.stdout.write(safe_json(plan.as_json()))
    else:
        report.plan_text(plan, TITLES)
    if args.output:
        talk().print(f"The plan is in {args.output}.", markup=False)
    if plan.changes and args.detailed_exitcode and plan.exit == Exit.OK:
        return Exit.PENDING
    return plan.exit


def make_plan(systems: Systems, answers: Answers) -> Plan:
    """Observe every step and collect the changes, each seen as if those before it were made.

    Raises:
        Problem: an answer is missing, or the target cannot be read.
    """
    ask_for_missing(systems, answers, leave_out=("audit_api",))
    looking = Look(systems)
    seen: dict[str, Observation] = {}
    changes: list[Change] = []
    for step in STEPS:
        seen[step.name] = looking.at(step)
        if step.name in systems.target.skip or stops(seen):
            continue
        change = step.propose(systems, tuple(changes))
        if change:
            changes.append(change)
    return Plan(where(systems), seen, tuple(changes), _exit(seen, changes))


def foresee(systems: Systems) -> tuple[Change, ...]:
    """Propose every change before the first one is made.

    Raises:
        Problem: a later step refuses its change or lacks something; nothing was changed yet.
    """
    changes: list[Change] = []
    for step in STEPS:
        if step.name not in systems.target.skip:
            step.require(systems)
            change = step.propose(systems, tuple(changes))
            changes += [change] if change else []
    return tuple(changes)


def ask_for_missing(systems: Systems, answers: Answers, *, leave_out: tuple[str, ...] = ()) -> None:
    """Ask for, or report, everything that the steps still need answered."""
    names: list[str] = []
    for step in STEPS:
        if step.name in systems.target.skip or step.name in leave_out:
            continue
        try:
            names += step.missing(systems)
        except Problem:  # the look that follows reports it at its own step
            continue
    answers.complete(names, systems)


def stops(seen: Mapping[str, Observation]) -> bool:
    """Whether a step up to here can neither be right nor be made right."""
    changing = (it for name, it in seen.items() if name not in ("audit_table", "audit_api"))
    return any(observation.blocked for observation in changing)


def _exit(seen: Mapping[str, Observation], changes: Sequence[Change]) -> Exit:
    from wizard.walks.look import verdict

    if stops(seen):
        return verdict([f for it in seen.values() if it.blocked for f in it.findings])
    lacking = [consent.refusal for change in changes for consent in change.consents]
    return lacking[0].exit if lacking else Exit.OK


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Problem(
            "LSA904",
            f"The plan cannot be written: {error.strerror}",
            on=f"file {path}",
            next_step="name another file: -o FILE",
            exit=Exit.USAGE,
        ) from None
