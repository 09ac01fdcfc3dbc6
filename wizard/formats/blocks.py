"""A report as a page of blocks. What is reported makes the page once; each format draws it.

A format for people draws the blocks; one for machines takes `document`, or the findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from wizard.problems import Exit
from wizard.record import dataclass
from wizard.records.activity import Activity
from wizard.records.changes import Exact
from wizard.records.findings import Finding, State
from wizard.records.history import Seen
from wizard.records.report import Report, worst

Rows: TypeAlias = Sequence[tuple[str, str]]
"""Names and their values."""


class Heading(NamedTuple):
    """The heading of what follows in a section."""

    text: str


class Items(NamedTuple):
    """The single changes of a step, and what is in them."""

    lines: Sequence[str]
    details: Sequence[str]


class Points(NamedTuple):
    """A list."""

    lines: Sequence[str]


class Code(NamedTuple):
    """A command, statement, diff or file, to be copied as it is."""

    exact: Exact


class Facts(NamedTuple):
    """Names and values."""

    rows: Rows


class Basis(NamedTuple):
    """What a change rests on, as it was seen: it may be thousands of rows."""

    rows: Rows


class Note(NamedTuple):
    """Something that is not to be missed."""

    finding: Finding


TOLD = frozenset({State.FAIL, State.UNKNOWN, State.WARN, State.NOT_RUN})
"""What is told one by one where nobody says otherwise: all that is not well."""


class Bars(NamedTuple):
    """Names and how many, each with a bar."""

    rows: Sequence[tuple[str, int]]


Block: TypeAlias = Heading | Items | Points | Code | Facts | Basis | Bars | Note


class View(NamedTuple):
    """How much of a health check a person wants to see.

    Attributes:
        states: the findings that are told one by one, by their states.
        areas: whether there is a line an area.
        changed: whether only what has changed since the check before is told.
    """

    states: frozenset[State] = TOLD
    areas: bool = True
    changed: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page: what was seen, and what follows from it.

    Attributes:
        number: its place in the documented procedure; 0 outside of it.
        state: where it stands in a few words, with `tone`: `changes`, `right` or `open`.
        next_steps: whether the findings say what to do; a change does it itself.
    """

    title: str
    blocks: Sequence[Block] = ()
    number: int = 0
    state: str = ""
    tone: str = ""
    findings: Sequence[Finding] = ()
    next_steps: bool = True


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title, id: what it is (`Change plan`), and which.
        verdict: all of it in one line, with `tone`: `good`, `bad`, or `changes`.
        document: all of it as the JSON data that a machine reads.
        notes: what a reader has to know first.
        about: what the report itself is; `target` what it is of, `sources` what it was made from.
        ends: what follows the sections.
        report: of a health check all that was found, for formats of that alone; `several` of
            several installations; view: how much of it a person wants to see; day: the events of
            a day, checks: those before it, both for pictures.
    """

    title: str
    id: str
    verdict: str
    tone: str
    document: Mapping[str, Any]
    target: Rows
    sections: Sequence[Section]
    about: Rows = ()
    notes: Sequence[str] = ()
    ends: Sequence[Section] = ()
    sources: Rows = ()
    report: Report | None = None
    several: Sequence[Report] = ()
    view: View = View()
    day: Activity | None = None
    checks: Sequence[Seen] = ()

    @property
    def reports(self) -> Sequence[Report]:
        """Of a health check one an installation."""
        return self.several or ((self.report,) if self.report else ())

    @property
    def exit(self) -> Exit:
        """The exit code of a health check: the worst of its installations."""
        return worst(it.exit for it in self.reports)

    @property
    def made_from(self) -> tuple[Section, ...]:
        """The sources as a part of the page; none where there are none."""
        found = Section("What it was made from", (Facts(self.sources),))
        return (found,) if self.sources else ()


LISTED = 20
"""More organizations than this are counted on a page for people."""


def first(lines: Iterable[str], limit: int) -> list[str]:
    """The lines, or the first of them and how many there are more."""
    found = list(lines)
    more = len(found) - limit
    return found if more <= 0 else [*found[:limit], f"and {more} more, which the JSON has"]


def told(finding: Finding) -> Iterator[str]:
    """What a finding rests on, since when it is so, and why it does not count."""
    yield from finding.evidence
    if finding.since and finding.state in (State.FAIL, State.UNKNOWN, State.WARN):
        yield f"so since {datetime.fromisoformat(finding.since):%Y-%m-%d %H:%M:%S} UTC"
    if finding.suppressed:
        until = f", until {finding.suppressed.until}" if finding.suppressed.until else ""
        yield f"suppressed{until}: {finding.suppressed.reason}"
