"""A health check as a Nagios or Icinga plugin: a line, perfdata, a line for each that is not well.

Source: Monitoring Plugins Development Guidelines. `check` then ends with 0, 1, 2 or 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.problems import Exit
from wizard.records.findings import Finding, State
from wizard.records.report import ORDER, Report
from wizard.safe import safe

LARGEST = 4_000
"""Bytes; most servers keep 4,096 of what a plugin says."""
CODES = {Exit.OK: 0, Exit.WARNED: 1, Exit.FAILED: 2}
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
TOLD = (State.FAIL, State.UNKNOWN, State.WARN)
NAMED = 5


def code_of(exit: int) -> int:
    """What Nagios is told for an exit code: 3 (unknown) for whatever it does not know."""
    return CODES.get(Exit(exit), 3) if exit in set(Exit) else 3


def draw(page: blocks.Page) -> None:
    """Write it to standard output."""
    for_programs().write(rendered(page))


def rendered(page: blocks.Page) -> str:
    """The first line with the perfdata, then what is not well, as far as there is room."""
    found = [it for each in page.reports for it in _not_well(each)]
    lines = [f"{_first(page, found)} | {' '.join(_perfdata(page.reports))}"]
    room = LARGEST - len(lines[0].encode())
    several = len(page.reports) > 1
    told = [line for each in page.reports for line in _lines(each, several=several)]
    for number, line in enumerate(told):
        room -= len(line.encode()) + 1
        if room < 40:
            lines.append(f"and {len(told) - number} more")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _not_well(report: Report) -> list[Finding]:
    worst = [it for it in report.counted if it.state in TOLD]
    return sorted(worst, key=lambda it: ORDER.index(it.state))


def _first(page: blocks.Page, found: Sequence[Finding]) -> str:
    states = Counter(state for each in page.reports for state in each.checks.values())
    number = sum(states.values())
    head = f"LANGSMITH AUDIT {WORDS[code_of(page.exit)]} - "
    ended = next((each.ended for each in page.reports if each.ended), "")
    if not found:
        told = f"{ended}; " if ended else ""
        return f"{head}{_plain(told)}{states[State.PASS]} of {number} checks passed"
    words = {State.FAIL: "failed", State.UNKNOWN: "unknown", State.WARN: "warned"}
    counts = ", ".join(f"{states[it]} {word}" for it, word in words.items() if states[it])
    ids = list(dict.fromkeys(it.id for it in found))
    more = " …" if len(ids) > NAMED else ""
    told = f"{_plain(ended)[:300]}; " if ended else ""
    return f"{head}{told}{counts} of {number}: {', '.join(ids[:NAMED])}{more}"


def _lines(report: Report, *, several: bool) -> Iterator[str]:
    for it in _not_well(report):
        where = f"{report.name}: " if several else ""
        line = f"{where}{it.state.value} {it.id} {it.subject}: {it.message}"
        yield _plain(line)[:400]
        if it.next_step:
            yield _plain(f"  next: {it.next_step}")[:400]


def _plain(text: str) -> str:
    """One line without what begins perfdata."""
    return safe(text).replace("|", "/")


def _perfdata(reports: Sequence[Report]) -> Iterator[str]:
    """`'label'=value[UOM];[warn];[crit];[min]`; what was not measured is left out."""
    alone = len(reports) == 1
    for number, report in enumerate(reports, 1):
        yield f"'{'' if alone else f'{number}_'}time'={report.duration_s:.3f}s;;;0"
    for state in State:
        yield f"'{state.value}'={sum(each.counts[state] for each in reports)};;;0"
    if not alone:
        return
    measures, now = reports[0].measures, reports[0].checked_at.timestamp()
    newest = measures.get("newest_event_timestamp_seconds")
    ends = measures.get("certificate_expiry_timestamp_seconds")
    if newest is not None:
        yield f"'newest_event_age'={max(0.0, now - newest):.0f}s;;;0"
    if ends is not None:
        yield f"'certificate_left'={ends - now:.0f}s"
    if "table_rows" in measures:
        yield f"'table_rows'={measures['table_rows']:.0f};;;0"
