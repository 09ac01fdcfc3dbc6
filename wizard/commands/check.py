"""`langsmith-audit check`: the health check. It reads only."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from wizard.checks.areas import AREAS
from wizard.checks.check import Area, Besides, Export
from wizard.console.waiting import Waiting
from wizard.engine.answers import Answers
from wizard.engine.checking import DAY, Checked, Terms, Wish, checked
from wizard.engine.look import tell_unread_history
from wizard.formats import show
from wizard.formats.blocks import TOLD, View
from wizard.formats.check import check_page, tell_verdict
from wizard.options import OPTIONS, Kind
from wizard.problems import Exit, Problem
from wizard.record import replace
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
    besides = Besides(
        Export(args.events_state, args.events_within) if args.events_state else None,
        args.with_helm,
    )
    areas = _asked_for(areas, besides, args.only or [])
    path = Path(args.suppressions) if args.suppressions else None
    terms = Terms(
        areas,
        not args.only,
        args.time_limit or (NAGIOS_LIMIT if nagios else DAY),
        nagios or args.fail_on == "warn",
        suppressions(path, args.skip_finding),
        _wish(args) if args.prove else None,
        pictures=args.format == "html",
        besides=besides,
    )
    if args.targets or len(args.contexts) > 1:
        return _several(args, terms)
    for context in args.contexts:
        args.settings.put("context", context, "flag --context")
    answers = Answers(args.settings, may_ask=False)
    with Waiting() as waiting:
        done = _well(lambda: checked(answers.locate, terms, waiting.on), args.wait, waiting)
    report, past = _remembered(done.report, whole=not args.only)
    if args.since_last and not past.last:
        from wizard.console import screen

        screen.talk().print(screen.note("No earlier check of this target is known here"))
    page = check_page(report, _view(args), done.day, past.checks)
    if args.verdict_file:
        tell_verdict(page.verdict, args.verdict_file)
    if done.problem and args.format == "text":
        raise done.problem
    tell_unread_history()
    show(page, args.format, args.output)
    if done.problem and not nagios:
        raise done.problem
    return done.report.exit


def _several(args: argparse.Namespace, terms: Terms) -> Exit:
    """Check several installations, and tell them side by side."""
    from wizard.engine.several import Checks, of_contexts, read_targets
    from wizard.formats.several import several_page

    if args.targets and args.contexts:
        raise not_understood("--targets", "the file says the contexts; leave --context out")
    if args.events_state:
        raise not_understood("--events-state", "an export is one installation's: check it alone")
    if args.at_once < 1:
        raise not_understood("--at-once", "at least 1")
    installations = read_targets(args.targets) if args.targets else of_contexts(args.contexts)
    if args.settings.told("api_key") or args.settings.told("api_key_file"):
        from wizard.console import screen

        text = "The API key is handed on to none of several; each names its own in --targets"

        screen.talk().print(screen.note(text))
    began, clock = datetime.now(UTC), time.monotonic()
    rounds = -(-len(installations) // args.at_once)
    common = [*_said_again(args), "--time-limit", f"{terms.limit / rounds:g}"]
    with Waiting() as waiting:
        reports = Checks(common, args.at_once).of(installations, waiting.on)
    page = several_page(reports, began, time.monotonic() - clock, _view(args))
    if args.verdict_file:
        tell_verdict(page.verdict, args.verdict_file)
    show(page, args.format, args.output)
    return page.exit


SWITCHES = ("with_helm",)
AGAIN = ("only", "suppressions", "skip_finding", "workspace")
"""Our own options that each of several checks is given as they were typed."""


def _said_again(args: argparse.Namespace) -> Iterator[str]:
    """What was typed that holds for each of several; no key is among it."""
    for option in OPTIONS:
        origin = args.settings.origins.get(option.name, "")
        if not origin.startswith("flag") or option.name == "api_key_file":
            continue
        value = args.settings.get(option.name)
        for text in value if isinstance(value, list) else [value]:
            yield option.flags[-1]
            if option.kind is not Kind.SWITCH:
                yield str(text)
    yield from ("--" + it.replace("_", "-") for it in SWITCHES if getattr(args, it))
    for name in AGAIN:
        value = getattr(args, name) or []
        for text in value if isinstance(value, list) else [value]:
            yield from ("--" + name.replace("_", "-"), str(text))
    if args.fail_on == "warn" or args.format == "nagios":
        yield from ("--fail-on", "warn")
    if args.wait:
        yield from ("--wait", f"{args.wait:.0f}s")
    if args.prove:
        yield from ("--prove", "--prove-within", f"{args.prove_within:g}")


def _chosen(only: Sequence[str]) -> tuple[Area, ...]:
    """The areas with those of their checks that are named; all where none is."""
    known = {name for area in AREAS for name in (area.name, *(it.id for it in area.checks))}
    for name in only:
        if name not in known:
            from wizard.usage import perhaps

            raise Problem(
                "LSA901",
                f"--only {name}: there is no such area or check",
                on="option --only",
                next_step=f"{perhaps(name, known)}langsmith-audit check --list tells them",
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


def _asked_for(areas: Iterable[Area], besides: Besides, only: Sequence[str]) -> tuple[Area, ...]:
    """Without the checks that have to be asked for, and were not."""
    return tuple(
        replace(area, checks=tuple(
            it for it in area.checks
            if not it.besides or getattr(besides, it.besides) or it.id in only
        ))
        for area in areas
    )  # fmt: skip


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
        from wizard.console import screen

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
