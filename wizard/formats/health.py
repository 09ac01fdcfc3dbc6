"""The health check in a terminal: what is not well first, then a line an area, the verdict last."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from wizard.console.paper import MARKS, Block, Group, Hanging, Paper, Text
from wizard.formats import blocks
from wizard.formats.check import TOLD
from wizard.records.findings import Finding, State
from wizard.records.history import changed
from wizard.records.report import ORDER, Area, Report
from wizard.safe import safe

STYLES = {"good": "bold green", "bad": "bold red"}


def draw(page: blocks.Page) -> None:
    """Print the report; what is told one by one and whether there are areas is the view's to say.

    Raises:
        ValueError: the page is of no health check.
    """
    if page.report is None:
        raise ValueError(page.title)
    out, report = Paper(sys.stdout), page.report
    told = changed(report) if page.view.changed else report
    whole = State.PASS in page.view.states and not page.view.changed
    if not whole:
        for finding in _worst_first(told, page.view.states):
            out.print(_finding(finding))
    if page.view.areas:
        facts = report.target
        known = [facts.get(it, "") for it in ("context", "api_server", "namespace", "release")]
        known += [f"revision {facts['revision']}" if "revision" in facts else ""]
        known += [facts.get("chart", ""), facts.get("found", "")]
        out.print(Hanging(Text(), Text(safe(" · ".join(filter(None, known))), "dim"), indent=2))
        for area in report.areas:
            out.print(_area(area))
            if whole:
                for finding in area.findings:
                    out.print(_finding(finding))
        out.print()
    out.print(Text(page.verdict, style=STYLES.get(page.tone, "bold")), fold=True)


def _worst_first(report: Report, states: Iterable[State]) -> Iterator[Finding]:
    """What is to be told, what was not run gathered by its reason."""
    shown = [it for it in report.counted if it.state in states]
    for state in ORDER:
        if state is not State.NOT_RUN:
            yield from (it for it in shown if it.state is state)
            continue
        reasons = Counter(it.message for it in shown if it.state is state)
        for why, number in reasons.items():
            several = f"{number} check{'s' if number != 1 else ''}"
            yield Finding("LSA908", state, several, why)


def _area(area: Area) -> Block:
    counted = [it for it in area.findings if it.suppressed is None]
    numbers = Counter(it.state for it in counted)
    judged = [it for it in numbers if it not in (State.INFO, State.SKIP)]
    state = min(judged or numbers, key=ORDER.index, default=State.SKIP)
    mark, style, _ = MARKS[state]
    told = ", ".join(f"{numbers[it]} {word}" for it, word in TOLD.items() if numbers[it])
    hidden = len(area.findings) - len(counted)
    told += f"{', ' if told else ''}{hidden} suppressed" if hidden else ""
    line = Text.assemble(area.title.ljust(24), (told, "dim" if state is State.PASS else style))
    return Hanging(Text(mark, f"bold {style}"), line, indent=4)


def _finding(finding: Finding) -> Block:
    """The message, then on what and why, then what to do; an empty line behind it."""
    mark, style, _ = MARKS[finding.state]
    head = Text.assemble((safe(finding.message), "bold"), (f"  {finding.id}", "dim"))
    lines: list[Block] = [Hanging(Text(mark, f"bold {style}"), head)]
    quiet = [finding.subject, *blocks.told(finding)]
    lines += [Hanging(Text(), Text(safe(line), "dim")) for line in quiet]
    if finding.next_step:
        lines.append(Hanging(Text(), Text("→ " + safe(finding.next_step), "cyan"), ids=True))
    return Group(*lines, Text())
