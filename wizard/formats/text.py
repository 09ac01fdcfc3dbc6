"""A plan for a person in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from wizard.console.safe import safe
from wizard.console.screen import (
    PartHead,
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
from wizard.formats.plan import (
    change_rows,
    first,
    header_rows,
    input_rows,
    precondition_rows,
    rights_lines,
    target_rows,
    verdict,
)
from wizard.records.changes import Exact, rendered_diff
from wizard.records.findings import Finding, State
from wizard.records.plan import Lacking, Plan, PlannedChange, PlannedStep

SHOWN = 30
"""More preconditions than this are counted: each row of the database is one."""


def plan_text(plan: Plan, id: str, notes: Sequence[str]) -> None:
    """Print the plan on standard output; `notes` come first."""
    out = result()
    for line in notes:
        out.print(note(line))
    out.print(facts_table([*header_rows(plan, id), *target_rows(plan)]))
    for step in plan.steps:
        out.print(_step(plan, step))
    for title, block in _ends(plan):
        out.print(PartHead(title))
        out.print(block)
    out.print(Text("\n" + verdict(plan), style="bold"), soft_wrap=False)


def _ends(plan: Plan) -> list[tuple[str, RenderableType]]:
    """What follows the steps, with headings."""
    parts: list[tuple[str, RenderableType]] = [
        ("What it was made from", facts_table(input_rows(plan)))
    ]
    if plan.planned:
        mark = (f"apply also writes: {plan.mark}",) if plan.mark else ()
        parts.append(("What will be checked afterwards", _lines([*plan.checks, *mark])))
        parts.append(("What cannot be known beforehand", _lines(plan.cannot_be_known)))
    if rights_lines(plan):
        role = [exact_block(Exact("yaml", plan.rights.role))] if plan.rights.role else []
        parts.append(("Rights in the cluster", Group(_lines(rights_lines(plan)), *role)))
    return parts


def _step(plan: Plan, step: PlannedStep) -> RenderableType:
    parts: list[RenderableType] = [
        step_head(step.number, safe(step.title)),
        findings_block(step.findings, next_steps=not step.change),
    ]
    if step.change:
        parts.append(_change(plan, step.change))
        parts += [_lacking(consent) for consent in step.change.consents]
    return Group(*parts)


def _change(plan: Plan, change: PlannedChange) -> RenderableType:
    parts: list[RenderableType] = [Text("    This will be done:", style="bold")]
    parts.append(items_block(change.items))
    parts += [
        hanging(Text(safe(line), style="dim"), indent=8) for line in first(change.details, SHOWN)
    ]
    parts += [exact_block(it) for it in (*change.exact, *rendered_diff(change.rendered))]
    parts.append(facts_table(change_rows(plan, change)))
    rests = list(precondition_rows(plan, change))
    shown = [f"{name}: {value}" for name, value in rests[:SHOWN]]
    if len(rests) > SHOWN:
        shown.append(f"and {len(rests) - SHOWN} more; --format json has them all")
    parts.append(facts_table([("rests on" if not at else "", it) for at, it in enumerate(shown)]))
    return Group(*parts)


def _lacking(it: Lacking) -> RenderableType:
    return finding_lines(
        Finding(it.id, State.FAIL, "needs a yes of its own", it.what, it.detail, it.next_step)
    )


def _lines(lines: Sequence[str]) -> RenderableType:
    return Group(*(hanging(Text(safe(line)), Text("·", style="dim")) for line in lines))
