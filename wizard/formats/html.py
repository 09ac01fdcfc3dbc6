"""A report as one HTML file: no script, nothing from elsewhere; for a phone, a screen and paper.

Foreign text in it is escaped, and its control characters are shown.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable, Sequence
from string import Template

from wizard.console.paper import MARKS
from wizard.formats import blocks, pictures
from wizard.records.changes import Exact
from wizard.records.findings import Finding
from wizard.resources import template
from wizard.safe import safe

SHOWN = 200
"""More than this of what a change rests on is counted, so that the page opens on a phone."""
_DIFF = {"--- ": "place", "+++ ": "place", "@": "place", "+": "added", "-": "removed"}
"""What a line of a diff is, by its beginning."""


def draw(page: blocks.Page) -> None:
    """Write the file to standard output, as UTF-8 whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(rendered(page).encode("utf-8", "replace"))


def rendered(page: blocks.Page) -> str:
    """The file."""
    drawn = pictures.by_hour(page.day) if page.day else ""
    drawn += pictures.over_time(page.checks) if len(page.checks) > 1 else ""
    ends = "".join(element("h2", it.title) + _blocks(it.blocks) for it in page.ends)
    sources = f"\n{element('h2', 'What it was made from')}\n{facts(page.sources)}\n"
    return Template(template("report/page.html")).substitute(
        title=words(f"{page.title} {page.id}".strip()),
        heading=words(page.title) + (f" {element('code', words(page.id))}" if page.id else ""),
        style=template("report/report.css"),
        notes="".join(element("p", words(note), "note") for note in page.notes),
        tone=page.tone,
        verdict=words(page.verdict),
        about=facts([*page.about, *page.target]) + drawn,
        overview=element("ol", "".join(map(_line, page.sections)), "overview"),
        sections="\n".join(map(_section, page.sections)),
        ends=element("section", ends) if ends else "",
        sources=element("section", sources) if page.sources else "",
    )


def words(raw: str, *, lines: bool = False) -> str:
    """Text for between tags or in an attribute; with `lines`, line feeds stay."""
    return html.escape(safe(raw, lines=lines))


def element(tag: str, inner: str, kind: str = "") -> str:
    """An element around HTML; `kind` is its class, one of ours."""
    return f'<{tag} class="{kind}">{inner}</{tag}>' if kind else f"<{tag}>{inner}</{tag}>"


def listed(lines: Iterable[str], kind: str = "") -> str:
    """A list of texts; nothing where there are none."""
    items = "".join(element("li", words(line)) for line in lines)
    return element("ul", items, kind) if items else ""


def facts(rows: blocks.Rows, kind: str = "facts") -> str:
    """Names and values; nothing where there are none."""
    inner = "".join(
        f"<div>{element('dt', words(name))}{element('dd', words(value))}</div>"
        for name, value in rows
    )
    return element("dl", inner, kind) if inner else ""


def _state(section: blocks.Section) -> str:
    return element("i", words(section.state), section.tone) if section.state else ""


def _line(section: blocks.Section) -> str:
    """The section's line in the overview, which leads to it."""
    name = f"{element('b', str(section.number))}{element('span', words(section.title))}"
    return element("li", f'<a href="#step-{section.number}">{name}{_state(section)}</a>')


def _section(section: blocks.Section) -> str:
    head = f"{element('b', str(section.number))} {words(section.title)} {_state(section)}"
    told = (_finding(it, next_step=section.next_steps) for it in section.findings)
    inner = element("h2", head) + element("ul", "".join(told), "findings")
    inner += element("div", _blocks(section.blocks), "change") if section.blocks else ""
    return f'<section id="step-{section.number}">{inner}</section>'


def _finding(finding: Finding, *, next_step: bool) -> str:
    mark = element("span", MARKS[finding.state].printed, "mark")
    head = (
        f"{mark}{element('span', words(finding.subject) + ':', 'subject')} "
        f"{words(finding.message)} {element('code', words(finding.id))}"
    )
    lines = listed(blocks.told(finding), "evidence")
    told = finding.next_step if next_step else ""
    step = element("p", "→ " + words(told), "next") if told else ""
    return element("li", head + lines + step, finding.state.value)


def _blocks(several: Sequence[blocks.Block]) -> str:
    return "".join(map(_block, several))


def _block(block: blocks.Block) -> str:
    match block:
        case blocks.Heading(text):
            return element("h3", text)
        case blocks.Items(lines, details):
            return listed(lines, "items") + listed(blocks.first(details, blocks.LISTED), "details")
        case blocks.Points(lines):
            return listed(lines)
        case blocks.Code(exact):
            return _code(exact)
        case blocks.Facts(rows):
            return facts(rows)
        case blocks.Basis(rows):
            more = len(rows) - SHOWN
            told = element("p", f"and {more} more, which the JSON has", "small")
            head = element("summary", f"It rests on {len(rows)} things as they were seen")
            shown = facts(rows[:SHOWN], "facts small") + (told if more > 0 else "")
            return element("details", head + shown)
        case blocks.Bars(rows):
            return _bars(rows)
        case blocks.Note(it):
            head = f"{it.subject.capitalize()}: {words(it.message)} {element('code', words(it.id))}"
            return element("div", head + listed(it.evidence), "note")


def _bars(rows: Sequence[tuple[str, int]]) -> str:
    """A list of meters: their length is told to who does not see it, too."""
    most = max((count for _, count in rows), default=0) or 1
    inner = "".join(
        f"<div>{element('dt', words(name))}"
        f'<dd><meter min="0" max="{most}" value="{count}"></meter> {count:,}</dd></div>'
        for name, count in rows
    )
    return element("dl", inner, "bars")


def _code(exact: Exact) -> str:
    lines = words(exact.text, lines=True).rstrip("\n").split("\n")
    if exact.kind == "diff":
        kinds = [_DIFF.get(it[:4]) or _DIFF.get(it[:1], "same") for it in lines]
        lines = [element("span", it or " ", kind) for it, kind in zip(lines, kinds, strict=True)]
    # A scrolling box must be reachable by keyboard.
    return (
        f'<pre class="{words(exact.kind)}" tabindex="0"><code>'
        + "\n".join(lines)
        + "</code></pre>"
        + (element("p", "Parameters:", "small") if exact.parameters else "")
        + listed(blocks.first(exact.parameters, blocks.LISTED), "details")
    )
