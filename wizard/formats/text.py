"""A report for a person in a terminal. The verdict comes last: there the eye is."""

from __future__ import annotations

from collections.abc import Sequence

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
    for text in page.notes:
        out.print(note(text))
    if page.about or page.target:
        out.print(facts_table([*page.about, *page.target]))
    for it in page.sections:
        findings = findings_block(it.findings, next_steps=it.next_steps)
        out.print(Group(step_head(it.number, safe(it.title)), findings, _blocks(it.blocks)))
    for end in (*page.made_from, *page.ends):
        out.print(PartHead(end.title))
        out.print(_blocks(end.blocks))
    lead = "\n" if page.target or page.sections else ""
    out.print(Text(lead + page.verdict, style=_STYLES.get(page.tone, "bold")), soft_wrap=False)


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
            more = len(rows) - SHOWN
            shown = [f"{name}: {value}" for name, value in rows[:SHOWN]]
            shown += [f"and {more} more; --format json has them all"] if more > 0 else []
            return facts_table([("" if at else "rests on", it) for at, it in enumerate(shown)])
        case blocks.Bars(rows):
            return bars(rows)
        case blocks.Note(finding):
            return finding_lines(finding)
