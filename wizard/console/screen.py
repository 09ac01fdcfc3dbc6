"""The conversation with a person, on standard error; results go to standard output elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wizard.console.safe import safe
from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact
from wizard.records.findings import Finding, State

MARKS = {
    State.PASS: ("✓", "green"),
    State.INFO: ("i", "cyan"),
    State.WARN: ("!", "yellow"),
    State.FAIL: ("✗", "red"),
    State.UNKNOWN: ("?", "magenta"),
    State.SKIP: ("-", "dim"),
    State.NOT_RUN: ("·", "dim"),
}


def talk() -> Console:
    """The console for talk: standard error, as wide as the terminal, plain when it is none."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def finding_lines(finding: Finding) -> RenderableType:
    """One finding: mark, message and id, then its evidence and the next step."""
    mark, style = MARKS[finding.state]
    grid = Table.grid(padding=(0, 1), expand=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    head = Text(safe(finding.message))
    head.append(f"  {finding.id}", style="dim")
    grid.add_row(Text(mark, style=f"bold {style}"), head)
    for line in finding.evidence:
        grid.add_row("", Text(safe(line), style="dim"))
    if finding.next_step:
        grid.add_row("", Text("→ " + safe(finding.next_step), style=style))
    return Padding(grid, (0, 0, 0, 4))


def findings_block(findings: Iterable[Finding]) -> RenderableType:
    """Several findings, one under the other."""
    return Group(*(finding_lines(finding) for finding in findings))


def step_head(number: int, title: str, note: str = "") -> Text:
    """The heading of a step."""
    head = Text(f"\n{number}. {title}", style="bold")
    if note:
        head.append(f"  {note}", style="dim")
    return head


def change_block(change: Change, numbers: Mapping[str, int]) -> RenderableType:
    """A proposed change: what, exactly how, its effect, and the way back."""
    parts: list[RenderableType] = [Text("This will be done:", style="bold")]
    parts += [Text("  + " + safe(item)) for item in change.items]
    for exact in change.exact:
        parts.append(exact_block(exact))
    parts.append(_fact("effect", change.effect))
    back = f"{change.reversible.value}, {change.because}"
    parts.append(_fact("reversible", back))
    parts.append(_fact("undo", change.undo))
    if change.after:
        step = f"step {numbers[change.after]}, which has not happened yet"
        parts.append(_fact("depends on", step))
    return Padding(Group(*parts), (0, 0, 0, 4))


def exact_block(exact: Exact) -> RenderableType:
    """The exact command, statement or diff."""
    lines = [_diff_line(line) if exact.kind == "diff" else Text(line) for line in
             safe(exact.text, lines=True).rstrip("\n").split("\n")]  # fmt: skip
    lines += [Text(f"parameter: {safe(parameter)}", style="dim") for parameter in exact.parameters]
    return Padding(Group(*lines), (1, 0, 1, 4))


def _diff_line(line: str) -> Text:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    return Text(line, style=styles.get(line[:1], "dim"))


def _fact(name: str, value: str) -> Text:
    text = Text(f"{name}: ", style="dim")
    text.append(safe(value))
    return text


def done_block(done: Done) -> RenderableType:
    """What was done, with its evidence."""
    parts = [Text("✓ ", style="bold green").append(safe(done.summary), style="default not bold")]
    parts += [Text("  " + safe(line), style="dim") for line in done.evidence]
    return Padding(Group(*parts), (0, 0, 0, 4))


def problem_block(problem: Problem, changed: str) -> RenderableType:
    """A problem: what happened, on what, what was and was not changed, and what to type next."""
    parts: list[Text] = [Text(f"\n✗ {safe(problem.what)}  ", style="bold red")]
    parts[0].append(problem.id, style="dim")
    parts.append(_fact("  on", problem.on))
    parts += [Text("  | " + safe(line), style="dim") for line in problem.detail]
    parts.append(_fact("  changed", changed))
    parts.append(_fact("  next", problem.next_step))
    parts.append(_fact("  more", f"langsmith-audit explain {problem.id}"))
    return Group(*parts)


def facts_table(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and values, aligned."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, Text(safe(value)))
    return Padding(grid, (0, 0, 0, 4))
