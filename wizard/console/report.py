"""Results on standard output: the health check and the plan, as text or JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from wizard import __version__
from wizard.console.safe import safe_json
from wizard.console.screen import (
    change_block,
    facts_table,
    findings_block,
    result,
    step_head,
)
from wizard.exits import Exit
from wizard.options import BY_NAME
from wizard.records.changes import Observation
from wizard.records.findings import State, from_problem

if TYPE_CHECKING:
    from wizard.records.changes import Change
    from wizard.records.plan_file import Plan

MEANING = {
    Exit.OK: "fine",
    Exit.FAILED: "a check failed",
    Exit.WARNED: "warnings",
    Exit.UNKNOWN: "not everything could be checked",
}


def where_rows(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The target's facts as rows."""
    return [(name.replace("_", " "), value) for name, value in facts.items()]


def check_json(
    facts: Mapping[str, str], titles: Mapping[str, str], seen: Mapping[str, Observation], exit: Exit
) -> str:
    """The health check as one JSON document."""
    document = {
        "schema_version": "1.0",
        "tool": {"name": "langsmith-audit", "version": __version__},
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": dict(facts),
        "exit_code": int(exit),
        "verdict": MEANING[exit],
        "summary": _counts(seen),
        "steps": [
            {
                "number": number,
                "name": name,
                "title": title,
                "findings": [finding.as_json() for finding in seen[name].findings],
            }
            for number, (name, title) in enumerate(titles.items(), 1)
        ],
    }
    return safe_json(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def check_text(
    facts: Mapping[str, str], titles: Mapping[str, str], seen: Mapping[str, Observation], exit: Exit
) -> None:
    """The health check for a person."""
    out = result()
    out.print(facts_table(where_rows(facts)))
    for number, (name, title) in enumerate(titles.items(), 1):
        out.print(step_head(number, title))
        out.print(findings_block(seen[name].findings))
    counts = ", ".join(f"{n} {state}" for state, n in _counts(seen).items() if n)
    style = "bold green" if exit == Exit.OK else "bold red"
    out.print(
        Text(f"\n{MEANING[exit].capitalize()}: {counts}. Exit code {int(exit)}.", style=style),
        soft_wrap=False,
    )


def plan_text(plan: Plan, titles: Mapping[str, str]) -> None:
    """The plan for a person."""
    out = result()
    by_step = {change.step: change for change in plan.changes}
    out.print(facts_table(where_rows(plan.where)))
    numbers = {name: number for number, name in enumerate(titles, 1)}
    for name, title in titles.items():
        out.print(step_head(numbers[name], title))
        out.print(findings_block(plan.seen[name].findings))
        if name in by_step:
            out.print(change_block(by_step[name], numbers))
            refusals = (consent.refusal for consent in by_step[name].consents)
            lacking = (from_problem(refusal, State.FAIL) for refusal in refusals)
            out.print(findings_block(lacking), end="")
    out.print(Text("\n" + _plan_line(plan), style="bold"), soft_wrap=False)


def hand_over(change: Change) -> None:
    """What somebody else is to run, alone on standard output, ready to be pasted."""
    for exact in change.exact:
        sys.stdout.write(exact.text)
    sys.stdout.flush()


def _plan_line(plan: Plan) -> str:
    if plan.consents:
        flags = ", ".join(BY_NAME[consent.option].flags[-1] for consent in plan.consents)
        return f"Not to be carried out without {flags}. Exit code {int(plan.exit)}."
    if plan.exit != Exit.OK:
        return f"No complete plan: {MEANING[plan.exit]}. Exit code {int(plan.exit)}."
    if not plan.changes:
        return "Nothing to do."
    count = f"{_several(plan.items, 'change')} in {_several(len(plan.changes), 'step')}"
    rollouts = _several(plan.rollouts, "rollout")
    return f"{count}, {rollouts} of the backend. Nothing was changed."


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _counts(seen: Mapping[str, Observation]) -> dict[str, int]:
    counted = Counter(finding.state for it in seen.values() for finding in it.findings)
    return {state.value: counted[state] for state in State}
