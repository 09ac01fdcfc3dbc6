"""`langsmith-audit plan`: the dry run. It shows every change exactly, and makes none.

How long a plan lasts is typed as `90m`, `12h`, `7d`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wizard.console.interrupts import StopSwitch
from wizard.console.screen import talk
from wizard.console.waiting import Waiting
from wizard.engine.answers import Answers, Declined
from wizard.engine.consents import with_chart
from wizard.engine.look import tell_unread_history
from wizard.engine.propose import propose_all
from wizard.files import replace_file
from wizard.formats import show
from wizard.formats.brief import show_plan
from wizard.formats.plan import plan_page
from wizard.planning.approval import settings_of
from wizard.planning.compare import compare, comparison
from wizard.planning.differences import attributed
from wizard.planning.make import Header, plan_document
from wizard.problems import Exit, Problem
from wizard.records.plan import Keyed, Plan, as_text
from wizard.records.plan_json import ID
from wizard.records.plan_reading import Reading, read_plan
from wizard.safe import safe_json
from wizard.systems.access import Systems, not_understood


def main(args: argparse.Namespace) -> Exit:
    """Make the plan and show it, or what it would do differently from another one."""
    header = Header(args.expires, args.ticket, args.reason, args.needs_approval)
    if args.compare and args.format not in ("text", "json"):
        raise not_understood("--format", "a comparison is text or json")
    old = read_plan(Path(args.compare)) if args.compare else None
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
    tell_unread_history()
    document = plan.document()
    if args.output:
        _write(Path(args.output), safe_json(as_text(document)))
        talk().print(f"The plan is in {args.output}.", markup=False)
    if old:
        show(comparison(old.id, document[ID], found), args.format)
    else:
        page = plan_page(plan, document)
        show_plan(plan, page, args.format, details=args.details, file=args.output or "")
    sys.stdout.flush()
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
    with Waiting("trying every change on the API server, making none"):
        return plan_document(systems, answers.settings, proposal, header, keyed)


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise Problem(
            "LSA904",
            f"The plan cannot be written: {error.strerror}",
            on=f"file {path}",
            next_step="name another file: -o FILE",
            exit=Exit.USAGE,
        ) from None
