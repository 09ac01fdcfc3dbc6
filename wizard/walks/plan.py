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
from wizard.records.keyed import Keyed
from wizard.records.plan_file import Plan, as_text
from wizard.records.plan_json import ID
from wizard.records.plan_reading import Reading, read_plan
from wizard.systems.access import Systems, not_understood
from wizard.walks.answers import Answers, Declined
from wizard.walks.charting import with_chart
from wizard.walks.comparing import compare, tell_json, tell_text
from wizard.walks.lasting import LASTING, lasting
from wizard.walks.planning.document import Header, plan_document
from wizard.walks.planning.proposals import propose_all
from wizard.walks.planning.settings import settings_of
from wizard.walks.who import attributed


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
    parser.add_argument(
        "--compare",
        metavar="PLAN",
        help="show only what is different from this plan; its answers count where none is given",
    )
    parser.add_argument("--ticket", default="", metavar="TEXT", help="the change ticket")
    parser.add_argument(
        "--needs-approval", action="store_true", help="apply only with --approve and the plan's id"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why the change is made")


def main(args: argparse.Namespace) -> Exit:
    """Make the plan and show it, or what it would do differently from another one."""
    header = Header(args.expires, args.ticket, args.reason, args.needs_approval)
    old = _to_compare(args)
    settings = settings_of(old.plan, args.settings, exactly=False) if old else args.settings
    answers = Answers(settings)
    try:
        with StopSwitch().installed(), Systems(answers.locate()) as systems:
            plan = make_plan(systems, answers, header, old)
            found = (
                attributed(systems, old.plan, dict.fromkeys(compare(old.plan, plan))) if old else ()
            )
    except Declined:
        talk().print("You left; a plan changes nothing.", style="yellow")
        return Exit.DECLINED
    document = plan.document()
    if args.output:
        _write(Path(args.output), safe_json(as_text(document)))
    if old:
        tell = tell_json if args.format == "json" else tell_text
        tell(old.id, document[ID], found)
    else:
        FACES[args.format](plan, document, ())
    sys.stdout.flush()
    if args.output:
        talk().print(f"The plan is in {args.output}.", markup=False)
    if old:
        return Exit.PENDING if found else Exit.OK
    if plan.changes and args.detailed_exitcode and plan.exit_code == Exit.OK:
        return Exit.PENDING
    return Exit(plan.exit_code)


def make_plan(
    systems: Systems, answers: Answers, header: Header, old: Reading | None = None
) -> Plan:
    """Look at everything, and make the plan; one to compare with `old` has the same key.

    Raises:
        Problem: an answer is missing, or the target cannot be read.
    """
    proposal = with_chart(systems, answers, lambda: propose_all(systems, answers))
    keyed = Keyed(old.plan.fingerprint_key) if old else None
    return plan_document(systems, answers.settings, proposal, header, keyed)


def _to_compare(args: argparse.Namespace) -> Reading | None:
    """The plan that `--compare` names."""
    if not args.compare:
        return None
    if args.format not in ("text", "json"):
        raise not_understood("--format", "a comparison is text or json")
    return read_plan(Path(args.compare))


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
