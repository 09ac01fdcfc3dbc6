"""`langsmith-audit plan`: the dry run. It shows every change exactly, and makes none."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wizard.console.plan_faces import FACES, FORMATS
from wizard.console.safe import safe_json
from wizard.console.screen import talk
from wizard.console.signals import StopSwitch
from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.plan_file import Plan, as_text
from wizard.systems.access import Systems
from wizard.walks.answers import Answers, Declined
from wizard.walks.lasting import LASTING, lasting
from wizard.walks.plan_document import Header, plan_document
from wizard.walks.planning import propose_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan's format and file, and what its header says."""
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the plan as JSON to FILE")
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="exit 6 when changes are pending"
    )
    parser.add_argument(
        "--expires",
        type=lasting,
        default=lasting(LASTING),
        metavar="TIME",
        help=f"how long it may be applied: 90m, 12h, 7d (default: {LASTING})",
    )
    parser.add_argument("--ticket", default="", metavar="TEXT", help="the change ticket")
    parser.add_argument(
        "--needs-approval", action="store_true", help="apply only with --approve and the plan's id"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why the change is made")


def main(args: argparse.Namespace) -> Exit:
    """Make the plan and show it."""
    header = Header(args.expires, args.ticket, args.reason, args.needs_approval)
    answers = Answers(args.settings)
    try:
        with StopSwitch().installed(), Systems(answers.locate()) as systems:
            plan = make_plan(systems, answers, header)
    except Declined:
        talk().print("You left; a plan changes nothing.", style="yellow")
        return Exit.DECLINED
    document = plan.document()
    if args.output:
        _write(Path(args.output), safe_json(as_text(document)))
    FACES[args.format](plan, document, ())
    sys.stdout.flush()
    if args.output:
        talk().print(f"The plan is in {args.output}.", markup=False)
    if plan.changes and args.detailed_exitcode and plan.exit_code == Exit.OK:
        return Exit.PENDING
    return Exit(plan.exit_code)


def make_plan(systems: Systems, answers: Answers, header: Header) -> Plan:
    """Look at everything, and make the plan.

    Raises:
        Problem: an answer is missing, or the target cannot be read.
    """
    proposal = propose_all(systems, answers)
    return plan_document(systems, answers.settings, proposal, header)


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
