"""A health check as annotations of a GitHub Actions step: the verdict, then the worst findings.

Ten annotations a kind and step are shown there. Source: GitHub's "Workflow commands".
"""

from __future__ import annotations

from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.problems import Exit
from wizard.records.findings import State
from wizard.records.report import ORDER
from wizard.safe import safe

SHOWN = 9
KINDS = {State.FAIL: "error", State.UNKNOWN: "error", State.WARN: "warning"}


def draw(page: blocks.Page) -> None:
    """Write it to standard output."""
    for_programs().write(rendered(page))


def rendered(page: blocks.Page) -> str:
    """A line each; foreign text is in none of them a command."""
    kind = "notice" if page.exit == Exit.OK else "warning" if page.exit == Exit.WARNED else "error"
    lines = [_command(kind, page.title, page.verdict)]
    found = [(each, it) for each in page.reports for it in each.counted if it.state in KINDS]
    found.sort(key=lambda pair: ORDER.index(pair[1].state))
    several = len(page.reports) > 1
    for report, it in found[:SHOWN]:
        where = f"{report.name}, " if several else ""
        text = f"{where}{it.subject}: {it.message}"
        told = "\n".join([text, *([f"next: {it.next_step}"] if it.next_step else [])])
        lines.append(_command(KINDS[it.state], it.id, told))
    return "".join(f"{line}\n" for line in lines)


def _command(kind: str, title: str, text: str) -> str:
    title = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={title}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return safe(text, lines=True).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
