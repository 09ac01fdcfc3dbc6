"""A plan as one HTML file: no script, nothing from elsewhere; for a phone, a screen and paper.

Foreign text in it is escaped, and its control characters are shown.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from string import Template

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
from wizard.records.plan import Lacking, Plan, PlannedChange, PlannedStep
from wizard.resources import template

SHOWN = 200
"""More preconditions than this are counted, so that the page opens on a phone."""
_DIFF = {"+": "added", "-": "removed", "@": "place"}


def plan_html(plan: Plan, id: str, notes: Sequence[str]) -> str:
    """The page; `notes` come first."""
    tone = "bad" if plan.exit_code else "none" if plan.no_changes else "changes"
    return Template(template("report/plan.html")).substitute(
        title=words(f"Change plan {id[:12]}"),
        style=template("report/report.css"),
        id=words(id[:12]),
        notes="".join(element("p", words(note), "note") for note in notes),
        tone=tone,
        verdict=words(verdict(plan)),
        header=facts(header_rows(plan, id)),
        overview=_overview(plan),
        steps="\n".join(_step(plan, step) for step in plan.steps),
        after=_after(plan),
        target=facts(target_rows(plan)),
        inputs=facts(input_rows(plan)),
    )


def _overview(plan: Plan) -> str:
    rows = "".join(
        element(
            "li",
            f'<a href="#step-{step.number}">{element("b", str(step.number))}'
            f"{element('span', words(step.title))}"
            f"{element('i', words(state_of(step)), _tone(step))}</a>",
        )
        for step in plan.steps
    )
    return element("ol", rows, "overview")


def _tone(step: PlannedStep) -> str:
    if step.change:
        return "changes"
    return "right" if step.right else "open"


def _step(plan: Plan, step: PlannedStep) -> str:
    head = (
        f"<h2>{element('b', str(step.number))} {words(step.title)} "
        f"{element('i', words(state_of(step)), _tone(step))}</h2>"
    )
    told = (_finding(it, next_step=not step.change) for it in step.findings)
    findings = element("ul", "".join(told), "findings")
    change = _change(plan, step.change) if step.change else ""
    return f'<section id="step-{step.number}">{head}{findings}{change}</section>'


def _finding(finding: Finding, *, next_step: bool) -> str:
    mark = element("span", MARKS[finding.state], "mark")
    head = (
        f"{mark}{element('span', words(finding.subject) + ':', 'subject')} "
        f"{words(finding.message)} {element('code', words(finding.id))}"
    )
    lines = listed(finding.evidence, "evidence")
    told = finding.next_step if next_step else ""
    step = element("p", "→ " + words(told), "next") if told else ""
    return element("li", head + lines + step, finding.state.value)


def _change(plan: Plan, change: PlannedChange) -> str:
    rests = list(precondition_rows(plan, change))
    more = len(rests) - SHOWN
    parts = [
        element("h3", "This will be done"),
        listed(change.items, "items"),
        listed(first(change.details, SHOWN), "details"),
        *map(_exact, (*change.exact, *rendered_diff(change.rendered))),
        *map(_lacking, change.consents),
        facts(change_rows(plan, change)),
        element("h3", "It rests on"),
        facts(rests[:SHOWN], "facts small"),
        element("p", f"and {more} more, which the JSON has", "small") if more > 0 else "",
    ]
    return element("div", "".join(parts), "change")


def _exact(exact: Exact) -> str:
    lines = words(exact.text, lines=True).rstrip("\n").split("\n")
    if exact.kind == "diff":
        lines = [element("span", line or " ", _diff_kind(line)) for line in lines]
    lines += [
        element("span", f"parameter: {words(it)}", "place") for it in first(exact.parameters, SHOWN)
    ]
    # A scrolling box must be reachable by keyboard.
    return (
        f'<pre class="{words(exact.kind)}" tabindex="0"><code>' + "\n".join(lines) + "</code></pre>"
    )


def _diff_kind(line: str) -> str:
    return "place" if line.startswith(("--- ", "+++ ")) else _DIFF.get(line[:1], "same")


def _lacking(consent: Lacking) -> str:
    head = f"Needs a yes of its own: {words(consent.what)} {element('code', words(consent.id))}"
    return element("div", head + listed(consent.detail), "note")


def _after(plan: Plan) -> str:
    if not plan.planned:
        return ""
    mark = [f"apply also writes: {plan.mark}"] if plan.mark else []
    parts = [
        element("h2", "What will be checked afterwards"),
        listed([*plan.checks, *mark]),
        element("h2", "What cannot be known beforehand"),
        listed(plan.cannot_be_known),
    ]
    if rights_lines(plan):
        parts += [element("h2", "Rights in the cluster"), listed(rights_lines(plan))]
        parts += [_exact(Exact("yaml", plan.rights.role))] if plan.rights.role else []
    return element("section", "".join(parts))


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


def facts(rows: Iterable[tuple[str, str]], kind: str = "facts") -> str:
    """Names and values; nothing where there are none."""
    inner = "".join(
        f"<div>{element('dt', words(name))}{element('dd', words(value))}</div>"
        for name, value in rows
    )
    return element("dl", inner, kind) if inner else ""
