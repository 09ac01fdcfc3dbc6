"""The health checks of several installations side by side: one table, each its own exit code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from wizard import __version__
from wizard.console.paper import MARKS
from wizard.console.screen import result
from wizard.formats import blocks
from wizard.formats.check import closing
from wizard.problems import Exit
from wizard.records.findings import State
from wizard.records.report import ORDER, SCHEMA, Area, Report, worst
from wizard.safe import safe


def several_page(
    reports: Sequence[Report], began: datetime, took: float, view: blocks.View
) -> blocks.Page:
    """The page of all of them; the worst decides. `took` is in seconds."""
    exit = worst(it.exit for it in reports)
    well = sum(it.exit == Exit.OK for it in reports)
    not_well = [it.name for it in reports if it.exit != Exit.OK]
    named = f": {', '.join(not_well)}" if not_well else ""
    verdict = f"{well} of {len(reports)} installations are well, in {took:.1f} s"
    document = {
        "schema_version": SCHEMA,
        "tool": {"name": "langsmith-audit", "version": __version__},
        "checked_at": began.isoformat(timespec="seconds"),
        "duration_s": round(took, 3),
        "exit_code": int(exit),
        "installations": [it.as_json() for it in reports],
    }
    return blocks.Page(
        f"Health check of {len(reports)} installations",
        "",
        f"{verdict}. Not well{named}. Exit code {exit:d}." if not_well else f"{verdict}.",
        "good" if exit == Exit.OK else "bad",
        document,
        [(it.name, closing(it)) for it in reports],
        [_section(number, it, view) for number, it in enumerate(reports, 1)],
        several=tuple(reports),
        view=view,
    )


def _section(number: int, report: Report, view: blocks.View) -> blocks.Section:
    shown = [it for it in report.counted if it.state in view.states]
    shown.sort(key=lambda it: ORDER.index(it.state))
    tone = "right" if report.exit == Exit.OK else "open"
    return blocks.Section(report.name, (), number, report.verdict, tone, shown)


def draw(page: blocks.Page) -> None:
    """Print the table, then what is not well, the verdict last."""
    out = result()
    areas = list(dict.fromkeys(area.name for it in page.several for area in it.areas))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("installation", overflow="fold")
    for name in (*areas, "exit", "took"):
        table.add_column(name, justify="center" if name in areas else "right")
    for report in page.several:
        found = {area.name: area for area in report.areas}
        cells = [_cell(found.get(name)) for name in areas]
        style = "green" if report.exit == Exit.OK else "red"
        took = f"{report.duration_s:.1f} s"
        table.add_row(safe(report.name), *cells, Text(f"{report.exit:d}", style=style), took)
    out.print(table)
    out.print()
    for report in page.several:
        if report.exit != Exit.OK and page.view.areas:
            out.print(Text.assemble((safe(report.name), "bold"), f": {safe(closing(report))}"))
    out.print()
    style = "bold green" if page.tone == "good" else "bold red"
    out.print(Text(safe(page.verdict), style=style), soft_wrap=False)


def _cell(area: Area | None) -> Text:
    """The worst of an area; what was left out counts where that is all of it."""
    states = {it.state for it in area.findings if it.suppressed is None} if area else set()
    worst = min(states - {State.SKIP}, key=ORDER.index, default=State.SKIP)
    mark, style, _ = MARKS[worst]
    return Text(mark, style=style)
