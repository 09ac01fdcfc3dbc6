"""Results on standard output: the health check, as text or JSON."""

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
from wizard.console.screen import facts_table, findings_block, result, step_head
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


def hand_over(change: Change) -> None:
    """What somebody else is to run, alone on standard output, ready to be pasted."""
    for exact in change.exact:
        sys.stdout.write(exact.text)
    sys.stdout.flush()


def _counts(seen: Mapping[str, Observation]) -> dict[str, int]:
    counted = Counter(finding.state for it in seen.values() for finding in it.findings)
    return {state.value: counted[state] for state in State}
