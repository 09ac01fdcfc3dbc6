"""A report as Markdown (CommonMark with GitHub's tables), to be pasted into a ticket."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from wizard.console.paper import MARKS
from wizard.formats import blocks
from wizard.records.changes import Exact
from wizard.safe import safe

SHOWN = 50
"""More than this of what a change rests on is counted: a ticket has a limit of its own."""
_SPECIAL = re.compile(
    r"[\\`*\[\]|~$]"  # code, emphasis, links, cells, formulas
    r"|(?<!\w)_|_(?!\w)"  # emphasis; not within a word
    r"|:(?=//)|(?<=\bwww)\."  # addresses that would become links
    r"|^[#>+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]"  # what begins a block
)
_LANGUAGES = {"argv": "sh", "sql": "sql", "diff": "diff", "yaml": "yaml"}


def draw(page: blocks.Page) -> None:
    """Write the page to standard output, as UTF-8 whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(rendered(page).encode("utf-8", "replace"))


def rendered(page: blocks.Page) -> str:
    """The page, its last line empty."""
    lines = [f"# {text(f'{page.title} {page.id}')}", ""]
    for note in page.notes:
        lines += [f"> **Note:** {text(note)}", ""]
    lines += [f"**{text(page.verdict)}**", "", *_table([*page.about, *page.target]), ""]
    for section in page.sections:
        lines += _section(section)
    for end in (*page.ends, *page.made_from):
        lines += [f"## {end.title}", "", *_blocks(end.blocks)]
    return "\n".join(lines)


def text(raw: str) -> str:
    """Foreign text that Markdown, HTML in it and mentions make nothing of."""
    shown = html.escape(safe(raw), quote=False)
    return _SPECIAL.sub(lambda found: "\\" + found[0], shown.strip()).replace("@", "&#64;")


def _section(section: blocks.Section) -> Iterator[str]:
    number = f"{section.number}\\. " if section.number else ""
    state = f": {text(section.state)}" if section.state else ""
    yield f"## {number}{text(section.title)}{state}"
    yield ""
    for finding in section.findings:
        told = f"{text(finding.subject)}: {text(finding.message)}"
        yield f"- {MARKS[finding.state].printed} {told} ({finding.id})"
        yield from (f"  - {text(line)}" for line in blocks.told(finding))
        if finding.next_step and section.next_steps:
            yield f"  - next: {text(finding.next_step)}"
    yield from ("",) if section.findings else ()
    yield from _blocks(section.blocks)


def _blocks(several: Sequence[blocks.Block]) -> Iterator[str]:
    """Each with an empty line behind it."""
    for block in several:
        yield from _block(block)
        yield ""


def _block(block: blocks.Block) -> Iterable[str]:
    match block:
        case blocks.Heading(head):
            return (f"**{head}:**",)
        case blocks.Items(lines, details):
            shown = _list(blocks.first(details, blocks.LISTED))
            return (*_list(lines), *("  " + line for line in shown))
        case blocks.Points(lines):
            return _list(lines)
        case blocks.Code(exact):
            return _code(exact)
        case blocks.Bars(rows):
            counted = [(name, f"{count:,}") for name, count in rows]
            return _block(blocks.Facts(counted))
        case blocks.Facts(rows):
            return _table(rows)
        case blocks.Basis(rows):
            more = len(rows) - SHOWN
            told = ("", f"and {more} more, which the JSON has") if more > 0 else ()
            head = f"<details><summary>It rests on {len(rows)} things as they were seen</summary>"
            table = _table(rows[:SHOWN], ("rests on", "as it was seen"))
            return (head, "", *table, *told, "", "</details>")
        case blocks.Note(it):
            head = f"> **{it.subject.capitalize()}:** {text(it.message)} ({it.id})"
            return (head, *(f"> - {text(line)}" for line in it.evidence))


def _code(exact: Exact) -> Iterator[str]:
    """In a fence that is longer than any within."""
    lines = safe(exact.text, lines=True).rstrip("\n").split("\n")
    longest = max((len(it) for line in lines for it in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence + _LANGUAGES.get(exact.kind, "")
    yield from lines
    yield fence
    if exact.parameters:
        yield from ("", "Parameters:", "")
        yield from _list(blocks.first(exact.parameters, blocks.LISTED))


def _list(lines: Iterable[str]) -> list[str]:
    return [f"- {text(line)}" for line in lines]


def _table(rows: blocks.Rows, head: tuple[str, str] = ("", "")) -> list[str]:
    return [
        f"| {head[0]} | {head[1]} |",
        "|---|---|",
        *(f"| {text(name)} | {text(value)} |" for name, value in rows),
    ]
