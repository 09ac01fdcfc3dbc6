"""The health check as a page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wizard.formats import blocks
from wizard.problems import Exit
from wizard.records.report import Report

if TYPE_CHECKING:
    from wizard.records.changes import Change


def where_rows(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The target's facts as rows."""
    return [(name.replace("_", " "), value) for name, value in facts.items()]


def check_page(report: Report) -> blocks.Page:
    """The health check; a format for machines takes the report itself, or its document."""
    told = ", ".join(f"{n} {state}" for state, n in report.counts.items() if n)
    left = [f"Not looked at: {', '.join(report.left_out)}"] if report.left_out else []
    besides = "".join(f" {one}." for one in (*report.remarks, *left))
    return blocks.Page(
        "Health check",
        "",
        f"{report.verdict.capitalize()}: {told}.{besides} Exit code {int(report.exit)}.",
        "good" if report.exit == Exit.OK else "bad",
        report.as_json(),
        where_rows(report.target),
        [
            blocks.Section(area.title, number=at, findings=area.findings)
            for at, area in enumerate(report.areas, 1)
        ],
        report=report,
    )


def hand_over(change: Change) -> None:
    """What somebody else is to run, alone on standard output, ready to be pasted."""
    for exact in change.exact:
        sys.stdout.write(exact.text)
    sys.stdout.flush()
