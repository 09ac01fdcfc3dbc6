"""`langsmith-audit events`: the audit log, into a terminal, a file, a SIEM. It reads only."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wizard.events.patience import Patience
from wizard.events.range import range_of
from wizard.events.source import FULL_PAGE, FromApi
from wizard.events.wanted import LIMITS, STATUSES, Wanted, refuse_unknown, workspace_id
from wizard.events.windows import AT_A_TIME, Windows
from wizard.formats.events import FORMATS, Writer, writer
from wizard.problems import Exit, Problem
from wizard.records.event import Event, event_of
from wizard.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from wizard.systems.langsmith.api import LangSmithApi

DEFAULT_LIMIT = 10
PATIENCE, MORE_PATIENCE = 10.0, 300.0
"""Seconds that is asked again in vain: for one page, and for all of a range."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which events, how many, and in which format."""
    which = parser.add_argument_group(
        "which events", "A time is RFC 3339 (2026-11-02T08:00:00Z; without a zone UTC), or a "
        "duration before now (90m, 1h30m, 7d, 2w). Both ends are in the range.",
    )  # fmt: skip
    which.add_argument("--since", "--start", default="24h", metavar="TIME", help="(default: 24h)")
    which.add_argument("--until", "--end", metavar="TIME", help="(default: now)")
    which.add_argument("--workspace", metavar="ID", help="of one workspace")
    which.add_argument(
        "--operation", action="append", default=[], metavar="NAME",
        help="such as create_api_key; repeat it for several",
    )  # fmt: skip
    which.add_argument("--actor", default="", metavar="ID", help="of a user, or by a key")
    which.add_argument("--resource", default="", metavar="ID", help="about a resource")
    which.add_argument("--status", default="", choices=STATUSES, help="how it ended")
    how = parser.add_argument_group("how many, and how")
    many = how.add_mutually_exclusive_group()
    many.add_argument(
        "--limit", type=int, metavar="N",
        help=f"so many of the range, 1 to 100 (default: {DEFAULT_LIMIT})",
    )  # fmt: skip
    many.add_argument("--all", dest="every", action="store_true", help="all of the range")
    how.add_argument(
        "--at-a-time", type=int, choices=range(1, 17), default=AT_A_TIME, metavar="N",
        help=f"windows of a day that are read side by side (default: {AT_A_TIME})",
    )  # fmt: skip
    how.add_argument("-o", "--format", choices=FORMATS, default="table")


def main(args: argparse.Namespace) -> Exit:
    """Write the events; what there is to say of them goes to standard error.

    Raises:
        Problem: what is asked for cannot be, or the log cannot be read.
    """
    wanted = _wanted(args)
    for note in wanted.range.notes:
        say(note)
    about = {"start": wanted.range.start.isoformat(), "end": wanted.range.end.isoformat()}
    out = writer(args.format, lambda event: event.text, about)
    with reading(args) as (api, told):
        if wanted.operations:
            refuse_unknown(wanted.operations, api.operations())
        try:
            if args.every:
                _every(api, wanted, args, out)
            else:
                _some(api, wanted, args, out)
        except Problem as problem:
            raise told(problem) from None
    return Exit.OK


def _wanted(args: argparse.Namespace) -> Wanted:
    if args.limit is not None and args.limit not in LIMITS:
        raise Problem(
            "LSA830",
            f"{args.limit} events are not 1 to 100",
            on="option --limit",
            next_step="give a number from 1 to 100, or --all for every event of the range",
            exit=Exit.USAGE,
        )
    return Wanted(
        range_of(args.since, args.until, datetime.now(UTC)),
        tuple(dict.fromkeys(args.operation)),
        workspace_id(args.workspace) if args.workspace else None,
        args.actor,
        args.resource,
        args.status,
    )


@contextlib.contextmanager
def reading(
    args: argparse.Namespace,
) -> Iterator[tuple[LangSmithApi, Callable[[Problem], Problem]]]:
    """The API for reading the log, and how its refusals are told.

    With an address and a key that were told, neither a cluster nor helm is looked at.
    """
    from wizard.settings import target_from
    from wizard.systems.langsmith.asking import Asking, agreed

    settings = args.settings
    target = target_from(settings)
    if target.url and not target.endpoint and target.api_key and not settings.get("api_key_file"):
        with contextlib.ExitStack() as stack:
            asking = Asking(target, stack)
            url = agreed(target, None) or ""
            yield asking.log(url), lambda problem: asking.refusal(url, problem)
        return
    from wizard.engine.answers import Answers
    from wizard.systems.access import Systems

    answers = Answers(settings)
    told = answers.target()
    located = told if told.url and not told.endpoint else answers.locate()
    with Systems(located) as systems:
        if not systems.target.api_key:
            answers.complete(("api_key",), systems)
        yield systems.log, systems.refusal


def _some(api: LangSmithApi, wanted: Wanted, args: argparse.Namespace, out: Writer) -> None:
    """So many events, as the server gives them first, in the order of the format."""
    limit = args.limit or DEFAULT_LIMIT
    source = FromApi(api, wanted, Patience(PATIENCE, say))
    found: dict[str, Event] = {}
    more = False
    for page in source.pages(wanted.range, FULL_PAGE if wanted.sifts else limit):
        passed = [event_of(data) for data in page.items if wanted.takes(data)]
        found |= {event.uid: event for event in passed}
        more = len(found) > limit or page.more
        if len(found) >= limit:
            break
    out.begin()
    out.write(sorted(list(found.values())[:limit], reverse=args.format == "table"))
    out.end()
    sys.stdout.flush()
    say(f"{_counted(min(len(found), limit))}, {wanted.range.words}" + _more(more, limit))


def _every(api: LangSmithApi, wanted: Wanted, args: argparse.Namespace, out: Writer) -> None:
    patience = Patience(MORE_PATIENCE, say)
    windows = Windows(
        FromApi(api, wanted, patience),
        wanted,
        at_a_time=args.at_a_time,
        backwards=args.format == "table",
    )
    count = 0
    try:
        for window in windows:
            if not count:
                out.begin()
            count += len(window.events)
            events = window.events if args.format != "table" else reversed(window.events)
            out.write(events)
            sys.stdout.flush()
    finally:
        patience.stop.set()
    out.end()
    say(f"{_counted(count)}{_again(windows.repeated)}, {wanted.range.words}")


def _counted(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _again(repeated: int) -> str:
    return f", {repeated:,} duplicate{'' if repeated == 1 else 's'} left out" if repeated else ""


def _more(more: bool, limit: int) -> str:  # noqa: FBT001 - a fact
    if not more:
        return ""
    return f"; the first {limit} that LangSmith gave, there may be more: --all reads every one"


def say(text: str) -> None:
    """A line on standard error, which the events are not on."""
    sys.stderr.write(safe(text) + "\n")
    sys.stderr.flush()
