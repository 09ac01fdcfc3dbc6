"""The health check as a page."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wizard import __version__
from wizard.formats import blocks
from wizard.problems import Exit
from wizard.records.changes import Observation
from wizard.records.findings import State

if TYPE_CHECKING:
    from wizard.records.changes import Change

MEANING = {
    Exit.OK: "fine",
    Exit.FAILED: "a check failed",
    Exit.WARNED: "warnings",
    Exit.UNKNOWN: "not everything could be checked",
}


def where_rows(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The target's facts as rows."""
    return [(name.replace("_", " "), value) for name, value in facts.items()]


def check_page(
    facts: Mapping[str, str], titles: Mapping[str, str], seen: Mapping[str, Observation], exit: Exit
) -> blocks.Page:
    """The health check of the target that the facts tell; titles are the steps' by their names."""
    counts = _counts(seen)
    told = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    verdict = MEANING[exit]
    if exit == Exit.OK and counts[State.WARN]:
        verdict = "fine, but for warnings"
    steps = list(enumerate(titles.items(), 1))
    document = {
        "schema_version": "1.0",
        "tool": {"name": "langsmith-audit", "version": __version__},
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": dict(facts),
        "exit_code": int(exit),
        "verdict": verdict,
        "summary": counts,
        "steps": [
            {
                "number": number,
                "name": name,
                "title": title,
                "findings": [finding.as_json() for finding in seen[name].findings],
            }
            for number, (name, title) in steps
        ],
    }
    return blocks.Page(
        "Health check",
        "",
        f"{verdict.capitalize()}: {told}.{_besides(seen)} Exit code {int(exit)}.",
        "good" if exit == Exit.OK else "bad",
        document,
        where_rows(facts),
        [
            blocks.Section(title, number=at, findings=seen[name].findings)
            for at, (name, title) in steps
        ],
    )


def _besides(seen: Mapping[str, Observation]) -> str:
    """What the counts do not say: what was not looked at, and what a step wants to be known."""
    left = ", ".join(name for name, it in seen.items() if it.left_out)
    told = [it.remark for it in seen.values() if it.remark]
    return "".join(f" {one}." for one in (*told, *([f"Not looked at: {left}"] if left else [])))


def hand_over(change: Change) -> None:
    """What somebody else is to run, alone on standard output, ready to be pasted."""
    for exact in change.exact:
        sys.stdout.write(exact.text)
    sys.stdout.flush()


def _counts(seen: Mapping[str, Observation]) -> dict[str, int]:
    counted = Counter(finding.state for it in seen.values() for finding in it.findings)
    return {state.value: counted[state] for state in State}
