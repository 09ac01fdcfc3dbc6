"""`langsmith-audit events`: the audit log, into a terminal, a file, a SIEM. It reads only."""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from wizard.arguments import DEFAULT_LIMIT
from wizard.console.output import folded
from wizard.console.waiting import Waiting
from wizard.events.patience import Patience
from wizard.events.range import Range, duration, range_of, told
from wizard.events.source import FULL_PAGE, FromApi, Source
from wizard.events.wanted import LIMITS, Wanted, doubt, refuse_unknown, workspace_id
from wizard.problems import Exit, Problem
from wizard.safe import safe

if TYPE_CHECKING:
    from wizard.events.table import FromTable
    from wizard.events.windows import Window, Windows
    from wizard.formats.events import Writer
    from wizard.records.event import Event
    from wizard.systems.access import Systems
    from wizard.systems.langsmith.api import LangSmithApi

PATIENCE, MORE_PATIENCE = 10.0, 300.0
"""Seconds that is asked again in vain: for one page, and for all of a range."""
SETTLED = timedelta(minutes=2)
"""What is younger may be in one of the API and the table, and not yet read from the other."""


def main(args: argparse.Namespace) -> Exit:
    """Write the events; what there is to say of them goes to standard error.

    Raises:
        Problem: what is asked for cannot be, or the log cannot be read.
    """
    wanted = _wanted(args)
    lag = duration("--lag", args.lag)
    _refuse_together(args)
    for note in wanted.range.notes:
        say(note)
    if args.ocsf == "strict":
        from wizard.formats.events.strict import ADDED

        say(ADDED)
    if args.source == "both":
        return _both(args, wanted)
    if args.source == "database":
        return _from_table(wanted, lag, args)
    with _api(args) as way:
        try:
            return _from_api(way, wanted, lag, args)
        except Problem as problem:
            raise way.told(problem) from None


def _backwards(args: argparse.Namespace) -> bool:
    """Whether the newest come first: as a person reads, and not where it goes on."""
    return bool(args.format == "table" and not args.follow and not args.state)


def _refuse_together(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        Problem: LSA830.
    """
    goes_on, bare = args.follow or args.state, args.format in ("table", "csv")
    summed, both = args.summary, args.source == "both"
    for one, other, together in (
        ("--follow", "--until", args.follow and args.until),
        ("--follow", "--format json", args.follow and args.format == "json"),
        ("--follow or --state", "--limit", goes_on and args.limit),
        (f"--format {args.format}", "--ocsf strict", bare and args.ocsf == "strict"),
        (f"--format {args.format}", "--envelope", bare and args.envelope != "none"),
        ("--summary", f"--format {args.format}", summed and args.format in ("csv", "ndjson")),
        ("--format html", "a list (it is for --summary)", args.format == "html" and not summed),
        ("--summary", "--follow, --state or --limit", summed and (goes_on or args.limit)),
        ("--follow or --state", "--source both", goes_on and both),
        (f"--format {args.format}", "--source both", both and args.format in ("csv", "ndjson")),
        ("--summary", "--source both", both and summed),
    ):
        if together:
            raise Problem(
                "LSA830",
                f"{one} and {other} do not go together",
                on="this invocation",
                next_step=f"leave out one of {one} and {other}",
                exit=Exit.USAGE,
            )


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


def _place(systems: Systems) -> str:
    place = systems.place
    return f"release {place.release} in namespace {place.namespace} of {place.server}"


class Way(NamedTuple):
    """The API for reading the log, which one it is, how its refusals are told, and whose chart."""

    api: LangSmithApi
    where: str
    told: Callable[[Problem], Problem]
    chart: Callable[[], str]


@contextlib.contextmanager
def _api(args: argparse.Namespace) -> Iterator[Way]:
    """With an address and a key that were told, neither a cluster nor helm is looked at."""
    from wizard.settings import target_from
    from wizard.systems.langsmith.asking import Asking, agreed

    target = target_from(args.settings)
    url = target.url if not target.endpoint else None
    if url and target.api_key and not args.settings.get("api_key_file"):
        with contextlib.ExitStack() as stack:
            asking = Asking(target, stack)
            api = asking.log(agreed(target, None) or url)
            yield Way(api, api.base_url, lambda it: asking.refusal(url, it), lambda: "")
        return
    with _located(args, cluster=not url) as systems:
        where = systems.log.base_url if url else _place(systems)
        chart = (lambda: "") if url else lambda: systems.release.chart_version
        yield Way(systems.log, where, systems.refusal, chart)


@contextlib.contextmanager
def _located(args: argparse.Namespace, *, cluster: bool = True) -> Iterator[Systems]:
    """The systems of the release, with a key where the API is read."""
    from wizard.engine.answers import Answers
    from wizard.systems.access import Systems

    answers = Answers(args.settings)
    with Systems(answers.locate() if cluster else answers.target()) as systems:
        if args.source != "database" and not systems.target.api_key:
            answers.complete(("api_key",), systems)
        yield systems


def _writer(args: argparse.Namespace, range: Range) -> Writer:
    import json  # noqa: F401 - the answer is read with it, and this is done while it is waited for

    from wizard.formats.events import writer
    from wizard.formats.events.strict import shape

    about = {"start": range.start.isoformat(), "end": range.end.isoformat()}
    shaped = shape(strictly=args.ocsf == "strict", hec=args.envelope == "hec")
    return writer(args.format, shaped, about)


def _from_api(way: Way, wanted: Wanted, lag: timedelta, args: argparse.Namespace) -> Exit:
    api = way.api
    if wanted.operations:
        known = api.operations()
        refuse_unknown(wanted.operations, known)
        if not known and (doubted := doubt(wanted.operations)):
            say(doubted)
    if args.follow or args.state:
        patience = Patience(math.inf if args.follow else MORE_PATIENCE, say)
        return _go_on(args, wanted, lag, FromApi(api, wanted, patience), way.where)
    if not args.every and not args.summary:
        made = cache(partial(_writer, args, wanted.range))
        api.meanwhile(made)
        _some(FromApi(api, wanted, Patience(PATIENCE, say)), wanted, args, made)
        return Exit.OK
    with _windows(api, wanted, args, backwards=_backwards(args)) as windows:
        if args.summary:
            return _summary(windows, windows, wanted, _chart(args) or way.chart(), args.format)
        _every(windows, windows, wanted, args)
    return Exit.OK


def _from_table(wanted: Wanted, lag: timedelta, args: argparse.Namespace) -> Exit:
    with _located(args) as systems:
        table = _table(systems, wanted)
        if args.follow or args.state:
            return _go_on(args, wanted, lag, table, _place(systems))
        batches = table.batches(wanted.range, backwards=_backwards(args))
        if args.summary:
            chart = _chart(args) or systems.release.chart_version
            return _summary(batches, table, wanted, chart, args.format)
        if args.every:
            _every(batches, table, wanted, args)
        else:
            _some(table, wanted, args, partial(_writer, args, wanted.range))
        say(f"from {systems.database.login.subject}: {systems.database.login.evidence}")
    return Exit.OK


def _chart(args: argparse.Namespace) -> str:
    return str(args.settings.get("chart_version") or "")


def _go_on(
    args: argparse.Namespace, wanted: Wanted, lag: timedelta, source: Source, where: str
) -> Exit:
    """Give what was not given yet, and follow where that is wanted; the state is kept."""
    from pathlib import Path

    from wizard.console.interrupts import StopSwitch
    from wizard.console.output import appends, on_disk
    from wizard.events.follow import POLL, Going, Stop, follow
    from wizard.events.windows import Windows
    from wizard.records.checkpoint import Checkpoint

    out = _writer(args, wanted.range)
    every = duration("--heartbeat", args.heartbeat).total_seconds()
    query = {"source": args.source, "of": where, **wanted.filters}
    query |= {"organization": " ".join(args.settings.get("org") or ())}
    at_a_time = args.at_a_time if args.source == "api" else 1
    switch = StopSwitch()
    path = Path(args.state).expanduser() if args.state else None
    with Checkpoint(path, query) as kept, switch.installed(), switch.guarded():
        going = Going(kept, lag, lambda it: out.write((it,)), on_disk, lambda: switch.asked,
                      say, every if args.follow else math.inf)  # fmt: skip
        if kept.through:
            say(f"going on from {told(kept.through)}")
        if not (appends() and args.format == "csv"):
            out.begin()

        def windows(range: Range) -> Windows:
            return Windows(source, range, at_a_time=at_a_time, look=going.look)

        try:
            if args.follow:
                poll = min(POLL, max(lag.total_seconds() / 4, 0.2))
                follow(going, windows, wanted.range.start, poll)
            begin = min(kept.through or wanted.range.start, wanted.range.end)
            going.over(windows(Range(begin, wanted.range.end)), datetime.now(UTC))
        except Stop:
            say(f"stopped: {going.words}")
            return Exit.TERMINATED if switch.signum != signal.SIGINT else Exit.INTERRUPTED
    out.end()
    say(going.words + ("; the same command goes on from there" if path else ""))
    return Exit.OK


@contextlib.contextmanager
def _windows(
    api: LangSmithApi, wanted: Wanted, args: argparse.Namespace, *, backwards: bool = False
) -> Iterator[Windows]:
    from wizard.events.windows import Windows

    patience = Patience(MORE_PATIENCE, say)
    source = FromApi(api, wanted, patience)
    try:
        yield Windows(source, wanted.range, at_a_time=args.at_a_time, backwards=backwards)
    finally:
        patience.stop.set()


def _table(systems: Systems, wanted: Wanted) -> FromTable:
    from wizard.events.table import FromTable
    from wizard.settings import organization_id

    ids = [organization_id(text) for text in systems.target.selection.ids]
    return FromTable(systems.database, wanted, ids)


def _some(
    source: Source, wanted: Wanted, args: argparse.Namespace, made: Callable[[], Writer]
) -> None:
    """So many events, as the source gives them first, in the order of the format."""
    limit = args.limit or DEFAULT_LIMIT
    found: dict[str, Event] = {}
    more = False
    with Waiting("reading the audit log"):
        for page in source.pages(wanted.range, FULL_PAGE if wanted.sifts else limit):
            found |= {event.uid: event for event in page.events}
            more = len(found) > limit or page.more
            if len(found) >= limit:
                break
    events = list(found.values())[:limit]
    out = made()
    out.begin()
    out.write(sorted(events, reverse=args.format == "table"))
    out.end()
    sys.stdout.flush()
    which = "that LangSmith gave" if args.source == "api" else "of the table, newest first"
    told = f"; the first {limit} {which}, there may be more: --all reads every one" if more else ""
    say(f"{_counted(len(events))}, {wanted.range.words}{told}")


def _every(
    windows: Iterable[Window], read: Windows | FromTable, wanted: Wanted, args: argparse.Namespace
) -> None:
    out = _writer(args, wanted.range)
    count = 0
    reading = iter(windows)
    with Waiting("reading the audit log"):
        window = next(reading, None)  # what stands in the way is told before anything is written
    out.begin()
    while window:
        count += len(window.events)
        out.write(window.events)
        sys.stdout.flush()
        _show(f"{_counted(count)}, {told(window.range.end)} …")
        window = next(reading, None)
    _show("")
    out.end()
    sys.stdout.flush()
    say(f"{_counted(count)}{_again(read.repeated)}, {wanted.range.words}")


def _summary(
    windows: Iterable[Window], read: Windows | FromTable, wanted: Wanted, chart: str, format: str
) -> Exit:
    """All of the range, counted."""
    from wizard.events.summary import Summary, never_recorded
    from wizard.formats import show
    from wizard.formats.events.summary import FORMATS, summary_page

    summary = Summary(wanted.range)
    for window in windows:
        for event in window.events:
            summary.add(event)
        _show(f"{_counted(summary.events)}, {told(window.range.end)} …")
    _show("")
    try:
        recorded, never = never_recorded(chart)
        words = f"By the documentation chart {chart} records {recorded} operations; these never:"
        words = words if never else words.replace("; these never:", ", all that it names")
    except ValueError:
        never = []
        words = "That depends on the chart's version, which --chart-version VERSION tells"
    target = [("range", wanted.range.words), *wanted.filters.items()]
    counted = f"{_counted(summary.events)}{_again(read.repeated)}, {wanted.range.words}"
    show(summary_page(counted, target, summary.groups, words, never), FORMATS[format])
    return Exit.OK


def _both(args: argparse.Namespace, wanted: Wanted) -> Exit:
    """Compare the API with the table."""
    from wizard.events.compare import compare
    from wizard.formats.events.compared import draw
    from wizard.record import replace

    if wanted.range.open:
        end = max(wanted.range.start, wanted.range.end - SETTLED)
        wanted = replace(wanted, range=Range(wanted.range.start, end))
    with _located(args) as systems, _windows(systems.log, wanted, args) as windows:
        from wizard.events.table import FromTable

        organization = systems.log.organization()
        try:
            found = compare(windows, FromTable(systems.database, wanted, [organization.id]))
        except Problem as problem:
            raise systems.refusal(problem) from None
    alone = {"only_api": found.only_api, "only_table": found.only_table}
    draw(args.format, found.both, alone, found.alone, found.fields)
    say(f"organization {organization.display_name} ({organization.id}), {wanted.range.words}")
    return Exit.OK if found.same else Exit.FAILED


def _counted(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _again(repeated: int) -> str:
    return f", {repeated:,} duplicate{'' if repeated == 1 else 's'} left out" if repeated else ""


def _show(text: str) -> None:
    """Progress in a terminal that the events do not go to."""
    if sys.stderr.isatty() and not sys.stdout.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def say(text: str) -> None:
    """A line on standard error, which the events are not on."""
    sys.stderr.write(folded(safe(text), sys.stderr, "") + "\n")
    sys.stderr.flush()
