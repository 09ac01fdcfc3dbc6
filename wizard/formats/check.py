"""The health check as a page."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.formats import blocks
from wizard.problems import Exit
from wizard.records.findings import State
from wizard.records.history import Seen, changed
from wizard.records.report import Report
from wizard.safe import safe

if TYPE_CHECKING:
    from wizard.records.activity import Activity
    from wizard.records.changes import Change


def where_rows(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The target's facts as rows."""
    return [(name.replace("_", " "), value) for name, value in facts.items()]


WHOLE = blocks.View()


def check_page(
    report: Report,
    view: blocks.View = WHOLE,
    day: Activity | None = None,
    checks: Sequence[Seen] = (),
) -> blocks.Page:
    """The health check; a format for machines takes the report itself, or its document.

    What is drawn where there are pictures: the events of a `day`, and the earlier `checks`.
    """
    return blocks.Page(
        "Health check",
        "",
        closing(report),
        "good" if report.exit == Exit.OK else "bad",
        report.as_json(),
        where_rows(report.target),
        [
            blocks.Section(area.title, number=at, findings=area.findings)
            for at, area in enumerate((changed(report) if view.changed else report).areas, 1)
        ],
        report=report,
        view=view,
        day=day,
        checks=checks,
    )


NAMED = 6
"""More ids than this are counted in the last line."""


def closing(report: Report) -> str:
    """The last line: the verdict, by how many checks, and the ids of what is not well."""
    states = Counter(report.checks.values())
    number, took = len(report.checks), f"in {report.duration_s:.1f} s"
    left = [f"Not looked at: {', '.join(report.left_out)}"] if report.left_out else []
    suppressed = sum(it.suppressed is not None for it in report.findings)
    hidden = [f"{suppressed} suppressed"] if suppressed else []
    besides = "".join(f" {one}." for one in (*report.remarks, *left, *hidden))
    if report.exit == Exit.OK and states[State.PASS] == number:
        all_of_them = f"All {number} checks" if number > 1 else "The one check"
        return f"{all_of_them} passed {took}.{besides}"
    worst = [it for it in report.counted if it.state in WORDS]
    told = [f"{states[state]} {word}" for state, word in TOLD.items() if states[state]]
    ids = list(dict.fromkeys(it.id for state in WORDS for it in worst if it.state is state))
    named = f": {', '.join(ids[:NAMED])}" + (" …" if len(ids) > NAMED else "") if ids else ""
    verdict = report.ended or report.verdict
    counts = f"{', '.join(told)} of {number} checks {took}"
    verdict = verdict[:1].upper() + verdict[1:]
    return f"{verdict}{named}. {counts.capitalize()}.{besides} Exit code {report.exit:d}."


WORDS = (State.FAIL, State.UNKNOWN, State.WARN)
"""What the last line names."""
TOLD = {
    State.FAIL: "failed",
    State.UNKNOWN: "unknown",
    State.WARN: "warned",
    State.NOT_RUN: "not run",
    State.INFO: "to know",
    State.SKIP: "left out",
    State.PASS: "passed",
}


LONGEST = 2_000
"""Characters of a verdict; a pod's termination message has 4,096 bytes at most."""


def tell_verdict(verdict: str, file: Path) -> None:
    """Write the last line to a file, too; where that cannot be, it is said and goes without."""
    from wizard.console import screen
    from wizard.files import replace_file

    try:
        replace_file(file, f"{safe(verdict)[:LONGEST]}\n".encode())
    except OSError as error:
        why = f"The verdict was not written to {file}: {error.strerror or error}"
        screen.talk().print(screen.info(why, "LSA904"))


def hand_over(change: Change) -> None:
    """What somebody else is to run, alone on standard output, ready to be pasted."""
    for exact in change.exact:
        sys.stdout.write(exact.text)
    sys.stdout.flush()
