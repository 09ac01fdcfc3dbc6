"""`langsmith-audit check`: the health check. It reads only."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from wizard.checks.areas import AREAS
from wizard.checks.check import Area
from wizard.console import screen
from wizard.console.waiting import Waiting
from wizard.engine.answers import Answers
from wizard.engine.checking import DAY, Checked, Terms, checked
from wizard.engine.look import tell_unread_history
from wizard.engine.prove import Wish
from wizard.formats import OF_CHECKS, show
from wizard.formats.blocks import TOLD, View
from wizard.formats.check import check_page, tell_verdict
from wizard.options import PREFIX, positive_seconds
from wizard.problems import Exit, Problem
from wizard.records.findings import State
from wizard.records.history import Past, remembered
from wizard.records.report import Report
from wizard.records.suppressions import suppressions
from wizard.systems.access import not_understood

NAGIOS_LIMIT = 30.0
"""Seconds within which a plugin answers where nobody says otherwise."""
PAUSE = 5.0
"""Seconds between two checks while it is waited."""
PASSING = frozenset(
    {
        *("LSA114", "LSA115", "LSA150", "LSA152", "LSA153", "LSA204", "LSA208", "LSA216"),
        *("LSA522", "LSA523", "LSA527", "LSA528", "LSA542", "LSA543", "LSA553", "LSA601"),
        *("LSA606", "LSA694", "LSA805", "LSA806", "LSA807", "LSA810", "LSA816", "LSA819"),
        *("LSA908", "LSA960"),
    }
)
"""Findings that may be over by themselves."""
UNDER_WAY = frozenset({"LSA150", "LSA152", "LSA153", "LSA606", "LSA694"})
"""What moves, and may mend any other finding when it is done."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is looked at, how it is judged, and how it is told."""
    parser.add_argument("--format", choices=OF_CHECKS, default="text")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the result there, whole or not at all"
    )
    parser.add_argument(
        "--verdict-file",
        type=Path,
        metavar="FILE",
        help="write the last line there, too (a pod's /dev/termination-log)",
    )
    group = parser.add_argument_group("the check")
    group.add_argument(
        "--only", action="append", metavar="AREA|ID", help="look at this alone; repeat it"
    )
    group.add_argument("--list", action="store_true", help="the areas and checks, offline")
    group.add_argument(
        "--fail-on", choices=("fail", "warn"), default="fail", help="warn: exit 4 on warnings only"
    )
    group.add_argument(
        "--skip-finding",
        action="append",
        default=[],
        metavar="ID[:SUBJECT]=REASON[@UNTIL]",
        help="what does not count, SUBJECT with * and ?, UNTIL its last day (2026-12-31)",
    )
    group.add_argument(
        "--suppressions",
        metavar="FILE",
        default=os.environ.get(f"{PREFIX}SUPPRESSIONS"),
        help=f"file with [[suppress]] tables: id, reason, subject, until [{PREFIX}SUPPRESSIONS]",
    )
    group.add_argument(
        "--wait",
        type=_duration,
        default=0.0,
        metavar="DURATION",
        help="check again until all is well, as long as that may be (90s, 5m, 1h30m)",
    )
    group.add_argument(
        "-t",
        "--time-limit",
        type=positive_seconds,
        metavar="SECONDS",
        help="end a check after this, and tell what was not run (for nagios: 30)",
    )
    group.add_argument(
        "--prove",
        action="store_true",
        help="also make and delete one tag key, and find both events: this writes",
    )
    group.add_argument(
        "--workspace",
        default=os.environ.get("LANGSMITH_WORKSPACE_ID") or None,
        metavar="ID",
        help="where --prove makes it (default: the first one) [LANGSMITH_WORKSPACE_ID]",
    )
    group.add_argument(
        "--prove-within",
        type=positive_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long each event may take to appear (default: 60)",
    )
    told = parser.add_argument_group("how much is told as text")
    told.add_argument(
        "--show",
        action="append",
        choices=[*State, "all"],
        metavar="STATE",
        help="tell findings of this state one by one too; repeat it: " + ", ".join(State),
    )
    told.add_argument("-v", "--verbose", action="store_true", help="every finding, with evidence")
    told.add_argument(
        "--since-last", action="store_true", help="only what has changed since the check before"
    )
    told.add_argument("-q", "--quiet", action="store_true", help="only what is not well")


def main(args: argparse.Namespace) -> Exit:
    """Look at everything that is asked for, and report, whatever ends it.

    Raises:
        Problem: an option is wrong, or the target cannot be told.
    """
    nagios = args.format == "nagios"
    if args.output and args.format == "text":
        raise not_understood("--output", "text goes to standard output; name another --format")
    areas = _chosen(args.only or [])
    if args.list:
        return _listed(areas)
    path = Path(args.suppressions) if args.suppressions else None
    terms = Terms(
        areas,
        not args.only,
        args.time_limit or (NAGIOS_LIMIT if nagios else DAY),
        nagios or args.fail_on == "warn",
        suppressions(path, args.skip_finding),
        _wish(args) if args.prove else None,
    )
    answers = Answers(args.settings, may_ask=False)
    with Waiting() as waiting:
        done = _well(lambda: checked(answers.locate, terms, waiting.on), args.wait, waiting)
    report, past = _remembered(done.report, whole=not args.only)
    if args.since_last and not past.last:
        screen.talk().print(screen.note("No earlier check of this target is known here"))
    page = check_page(report, _view(args))
    if args.verdict_file:
        tell_verdict(page.verdict, args.verdict_file)
    if done.problem and args.format == "text":
        raise done.problem
    tell_unread_history()
    show(page, args.format, args.output)
    if done.problem and not nagios:
        raise done.problem
    return done.report.exit


def _chosen(only: Sequence[str]) -> tuple[Area, ...]:
    """The areas with those of their checks that are named; all where none is."""
    known = {name for area in AREAS for name in (area.name, *(it.id for it in area.checks))}
    for name in only:
        if name not in known:
            raise Problem(
                "LSA901",
                f"--only {name}: there is no such area or check",
                on="option --only",
                next_step="langsmith-audit check --list tells them",
                exit=Exit.USAGE,
            )
    if not only:
        return AREAS
    found = (
        Area(
            area.name,
            area.title,
            tuple(it for it in area.checks if {area.name, it.id} & {*only}),
            area.ahead,
        )
        for area in AREAS
    )
    return tuple(area for area in found if area.checks)


def _wish(args: argparse.Namespace) -> Wish:
    try:
        workspace = UUID(args.workspace) if args.workspace else None
    except ValueError:
        raise not_understood("--workspace", "a workspace's id is a UUID") from None
    return Wish(workspace, args.prove_within)


def _listed(areas: Sequence[Area]) -> Exit:
    for area in areas:
        sys.stdout.write(f"{area.name}: {area.title}\n")
        for check in area.checks:
            sys.stdout.write(f"  {check.id}  {check.title}\n")
    return Exit.OK


def _view(args: argparse.Namespace) -> View:
    shown = {State(it) for it in args.show or () if it != "all"}
    if args.verbose or "all" in (args.show or ()):
        shown = {*State}
    if args.since_last:
        shown = {*State} - {State.SKIP}
    return View(TOLD | shown, areas=not args.quiet, changed=args.since_last)


def _remembered(report: Report, *, whole: bool) -> tuple[Report, Past]:
    """With what earlier checks left; where that cannot be read or written, it is said."""
    try:
        return remembered(report, whole=whole)
    except Problem as problem:
        text = f"Earlier checks are not known here: {problem.what} ({problem.on})"
        screen.talk().print(screen.info(text, problem.id))
        return report, Past()


def _well(check: Callable[[], Checked], limit: float, waiting: Waiting) -> Checked:
    """The first check in which all is well, or the last one within the limit, or with hope."""
    began = time.monotonic()
    while True:
        done = check()
        rest = limit - (time.monotonic() - began)
        if done.report.exit == Exit.OK or rest <= 0 or _hopeless(done):
            return done
        waiting.on("until all is well")
        try:
            time.sleep(min(PAUSE, rest))
        except KeyboardInterrupt:
            return done


def _hopeless(done: Checked) -> bool:
    """Whether no waiting mends it: a signal, or what somebody has to do, with nothing under way."""
    bad = {it.id for it in done.report.counted if it.state in (State.FAIL, State.UNKNOWN)}
    ended = done.report.exit not in (Exit.FAILED, Exit.UNKNOWN, Exit.WARNED)
    return ended or not (bad & UNDER_WAY or bad <= PASSING)


def _duration(text: str) -> float:
    """Seconds of `90`, `90s`, `5m`, `1h30m`; anything else is a ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ValueError(text)
    hours, minutes, seconds = (int(it or 0) for it in found.groups())
    return float(hours * 3600 + minutes * 60 + seconds)
