"""A plan as Markdown (CommonMark with GitHub's tables), to be pasted into a ticket."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from wizard.console.safe import safe
from wizard.formats.plan import (
    MARKS,
    change_rows,
    first,
    header_rows,
    input_rows,
    precondition_rows,
    rights_lines,
    state_of,
    target_rows,
    verdict,
)
from wizard.records.changes import Exact, rendered_diff
from wizard.records.findings import Finding
from wizard.records.plan import Plan, PlannedChange, PlannedStep

SHOWN = 50
"""More preconditions than this are counted: a ticket has a limit of its own."""
_SPECIAL = re.compile(
    r"[\\`*\[\]|~$]"  # code, emphasis, links, cells, formulas
    r"|(?<!\w)_|_(?!\w)"  # emphasis; not within a word
    r"|:(?=//)|(?<=\bwww)\."  # addresses that would become links
    r"|^[#>+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]"  # what begins a block
)
_LANGUAGES = {"argv": "sh", "sql": "sql", "diff": "diff", "yaml": "yaml"}


def plan_markdown(plan: Plan, id: str, notes: Sequence[str]) -> str:
    """The plan as a Markdown text; `notes` come first."""
    lines = [f"# Change plan {text(id[:12])}", ""]
    for note in notes:
        lines += [f"> **Note:** {text(note)}", ""]
    lines += [f"**{text(verdict(plan))}**", ""]
    lines += [*_table(header_rows(plan, id)), ""]
    lines += ["## Target", "", *_table(target_rows(plan)), ""]
    for step in plan.steps:
        lines += [*_step(plan, step), ""]
    if plan.planned:
        mark = [f"apply also writes: {plan.mark}"] if plan.mark else []
        lines += ["## What will be checked afterwards", "", *_list([*plan.checks, *mark]), ""]
        lines += ["## What cannot be known beforehand", "", *_list(plan.cannot_be_known), ""]
    if rights_lines(plan):
        lines += ["## Rights in the cluster", "", *_list(rights_lines(plan)), ""]
        lines += [*_exact(Exact("yaml", plan.rights.role)), ""] if plan.rights.role else []
    lines += ["## What it was made from", "", *_table(input_rows(plan)), ""]
    return "\n".join(lines)


def text(raw: str) -> str:
    """Foreign text that Markdown, HTML in it and mentions make nothing of."""
    shown = html.escape(safe(raw), quote=False)
    return _SPECIAL.sub(lambda found: "\\" + found[0], shown.strip()).replace("@", "&#64;")


def _step(plan: Plan, step: PlannedStep) -> Iterator[str]:
    yield f"## {step.number}\\. {text(step.title)}: {text(state_of(step))}"
    yield ""
    for finding in step.findings:
        yield from _finding(finding, next_step=not step.change)
    if step.change:
        yield ""
        yield from _change(plan, step.change)


def _finding(finding: Finding, *, next_step: bool) -> Iterator[str]:
    told = f"{text(finding.subject)}: {text(finding.message)}"
    yield f"- {MARKS[finding.state]} {told} ({finding.id})"
    yield from (f"  - {text(line)}" for line in finding.evidence)
    if finding.next_step and next_step:
        yield f"  - next: {text(finding.next_step)}"


def _change(plan: Plan, change: PlannedChange) -> Iterator[str]:
    yield "**This will be done:**"
    yield ""
    yield from _list(change.items)
    yield from (f"  - {text(line)}" for line in first(change.details, SHOWN))
    for exact in (*change.exact, *rendered_diff(change.rendered)):
        yield ""
        yield from _exact(exact)
    for consent in change.consents:
        yield ""
        yield f"> **Needs a yes of its own:** {text(consent.what)} ({consent.id})"
        yield from (f"> - {text(line)}" for line in consent.detail)
    yield ""
    yield from _table(change_rows(plan, change))
    yield ""
    rests = list(precondition_rows(plan, change))
    yield from _table(rests[:SHOWN], ("rests on", "as it was seen"))
    if len(rests) > SHOWN:
        yield ""
        yield f"and {len(rests) - SHOWN} more, which the JSON has"


def _exact(exact: Exact) -> Iterator[str]:
    """In a fence that is longer than any within."""
    lines = safe(exact.text, lines=True).rstrip("\n").split("\n")
    longest = max((len(it) for line in lines for it in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence + _LANGUAGES.get(exact.kind, "")
    yield from lines
    yield from (f"parameter: {safe(it)}" for it in first(exact.parameters, SHOWN))
    yield fence


def _list(lines: Iterable[str]) -> list[str]:
    return [f"- {text(line)}" for line in lines]


def _table(rows: Iterable[tuple[str, str]], head: tuple[str, str] = ("", "")) -> list[str]:
    return [
        f"| {head[0]} | {head[1]} |",
        "|---|---|",
        *(f"| {text(name)} | {text(value)} |" for name, value in rows),
    ]
