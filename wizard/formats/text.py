"""A report for a person in a terminal. The verdict comes last: there the eye is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from wizard.console.screen import (
    PartHead,
    bars,
    exact_block,
    facts_table,
    finding_lines,
    findings_block,
    hanging,
    items_block,
    note,
    result,
    step_head,
)
from wizard.formats import blocks
from wizard.safe import safe

SHOWN = 30
"""More than this of what a change rests on is counted: each row of the database is one."""
_STYLES = {"good": "bold green", "bad": "bold red"}


def draw(page: blocks.Page) -> None:
    """Print the page on standard output."""
    out = result()
    for block in _page(page):
        out.print(block)
    lead = "\n" if page.target or page.sections else ""
    out.print(Text(lead + page.verdict, style=_STYLES.get(page.tone, "bold")), soft_wrap=False)


def _page(page: blocks.Page) -> Iterator[RenderableType]:
    yield from map(note, page.notes)
    if page.about or page.target:
        yield facts_table([*page.about, *page.target])
    yield from map(_section, page.sections)
    for end in (*page.made_from, *page.ends):
        yield PartHead(end.title)
        yield _blocks(end.blocks)


def _section(section: blocks.Section) -> RenderableType:
    return Group(
        step_head(section.number, safe(section.title)),
        findings_block(section.findings, next_steps=section.next_steps),
        _blocks(section.blocks),
    )


def _blocks(several: Sequence[blocks.Block]) -> RenderableType:
    """One below the other; the notes last, where the eye is."""
    return Group(*map(_block, sorted(several, key=lambda it: isinstance(it, blocks.Note))))


def _block(block: blocks.Block) -> RenderableType:
    match block:
        case blocks.Heading(text):
            return Text(f"    {text}:", style="bold")
        case blocks.Items(lines, details):
            told = (
                hanging(Text(safe(it), style="dim"), indent=8)
                for it in blocks.first(details, SHOWN)
            )
            return Group(items_block(lines), *told)
        case blocks.Points(lines):
            return Group(*(hanging(Text(safe(it)), Text("·", style="dim")) for it in lines))
        case blocks.Code(exact):
            return exact_block(exact)
        case blocks.Facts(rows):
            return facts_table(rows)
        case blocks.Basis(rows):
            return _basis(rows)
        case blocks.Bars(rows):
            return bars(rows)
        case blocks.Note(finding):
            return finding_lines(finding)


def _basis(rows: blocks.Rows) -> RenderableType:
    shown = [f"{name}: {value}" for name, value in rows[:SHOWN]]
    if len(rows) > SHOWN:
        shown.append(f"and {len(rows) - SHOWN} more; --format json has them all")
    return facts_table([("" if at else "rests on", it) for at, it in enumerate(shown)])
