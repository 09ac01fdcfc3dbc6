"""A plan in twenty lines for whoever approves it; the rest is in `--details` and the file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence

from rich.text import Text

from wizard.console.screen import finding_lines, note, result
from wizard.console.stages import Stage, Stand, in_words, overview
from wizard.formats import blocks, show
from wizard.formats.plan import moment, state_of
from wizard.records.changes import Reversible
from wizard.records.findings import Finding, State
from wizard.records.plan import Plan, PlannedChange, PlannedStep

_WAY_BACK = {
    Reversible.YES: "can be undone",
    Reversible.PARTLY: "can be undone in part",
    Reversible.NO: "cannot be undone, and nothing is lost",
}
_STYLES = {"good": "bold green", "bad": "bold red"}


def show_plan(plan: Plan, page: blocks.Page, format: str, *, details: bool, file: str = "") -> None:
    """Show it: as text in a terminal in twenty lines, unless `details` are wanted; else whole.

    `file` is where the plan was written.
    """
    if format != "text" or details or not sys.stdout.isatty():
        show(page, format)
        return
    out = result()
    for each in page.notes:
        out.print(note(each))
    for text in _where(plan, page.id):
        out.print(text, soft_wrap=False)
    style = _STYLES.get(page.tone, "bold")
    out.print(Text(f"\n{page.verdict}", style=style), soft_wrap=False)
    out.print(overview([_stage(plan, step) for step in plan.steps]))
    for consent in plan.consents:
        subject = "needs a yes of its own"
        out.print(finding_lines(Finding(consent.id, State.FAIL, subject, consent.what,
                                        consent.detail, consent.next_step)))  # fmt: skip
    out.print()
    for line in _ends(plan, page.id, file):
        out.print(line, markup=False)


def _where(plan: Plan, id: str) -> Iterator[Text]:
    target = plan.target
    head = f"release {target.release} in namespace {target.namespace}, context {target.context}"
    yield Text.assemble(("Change plan ", "bold"), (id, "bold cyan"), f" for {head}")
    facts = [target.chart, f"revision {target.revision}" if target.revision else ""]
    facts += [f"made {moment(plan.created.at)} by {plan.created.by}"]
    facts += [f"expires {moment(plan.expires_at)}"]
    facts += [f"ticket {plan.ticket}" if plan.ticket else "", plan.reason]
    yield Text(" · ".join(it for it in facts if it), style="dim")


def _stage(plan: Plan, step: PlannedStep) -> Stage:
    if step.change:
        told = _together(step.change.items[:3])
        more = len(step.change.items) - 3
        told += f"; and {more} more" if more > 0 else ""
        lines = [_meaning(step.change)]
        return Stage(step.number, step.title, Stand.TODO, told, under=lines)
    wrong = [it for it in step.findings if it.state in (State.FAIL, State.UNKNOWN)]
    if wrong and not step.right:
        later = bool(plan.planned) and plan.exit_code == 0
        first = wrong[0].message
        message = f"asked again at the end; now: {first}" if later else first
        stand = Stand.LATER if later else Stand.OPEN
        return Stage(step.number, step.title, stand, message, mark=wrong[0].state)
    skipped = {it.state for it in step.findings} == {State.SKIP}
    return Stage(
        step.number, step.title, Stand.LEFT_OUT if skipped else Stand.RIGHT, state_of(step)
    )


def _together(items: Sequence[str]) -> str:
    """The items in a line; what they begin with alike (a file) is told once."""
    head, colon, _ = items[0].partition(": ")
    alike = bool(colon) and all(it.startswith(head + colon) for it in items)
    rest = (it.removeprefix(head + colon) if alike else it for it in items[1:])
    return "; ".join((items[0], *rest))


def _meaning(change: PlannedChange) -> str:
    """Effect, risk, undo and time in a line."""
    parts = [change.effect.partition(";")[0], _WAY_BACK[change.reversible]]
    risk = change.risk.partition(";")[0]
    if risk and not risk.startswith("none"):
        parts.insert(1, f"risk: {risk}")
    if change.duration and change.duration.seconds > 1:
        parts.append(f"about {in_words(change.duration.seconds)}")
    return " · ".join(parts)


def _ends(plan: Plan, id: str, file: str) -> Iterator[str]:
    if not file:
        yield "All of it: --details. A file to approve and apply: -o plan.json."
        return
    yield f"All of it: langsmith-audit show {shlex.quote(file)} --details"
    if plan.planned and not plan.exit_code:
        yield f"langsmith-audit apply {shlex.quote(file)} --approve {id}"
