"""The conversation with a person, on standard error; results go to standard output elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segments
from rich.text import Text

from wizard.aim import aimed
from wizard.console.output import Talk
from wizard.console.paper import MARKS, Paper, brief
from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact, rendered_diff
from wizard.records.findings import Finding
from wizard.safe import safe

ADVICE = "cyan"
"""What to do next, however bad what was found is."""


def talk() -> Console:
    """The console for talk, on standard error."""
    return Paper(Talk(sys.stderr) if sys.stderr else None).rich


def result() -> Console:
    """The console for results, on standard output."""
    return Paper(sys.stdout).rich


def nowhere() -> Console:
    """A console that shows nothing."""
    return Paper(None).rich


class Hanging:
    """A text behind a first word; wrapped lines hang below the text, without trailing blanks.

    With `ids` those in it stay as they are: they are to be typed.
    """

    def __init__(self, first: Text, text: Text, *, indent: int, ids: bool = False) -> None:
        self._first = first
        self._text = text
        self._indent = indent
        self._ids = ids

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self._text if self._ids or not console.is_terminal else brief(self._text)
        for number, line in enumerate(
            text.wrap(console, max(options.max_width - self._indent, 20))
        ):
            line.rstrip()
            before = Text(" " * self._indent)
            if number == 0:
                before = Text(" " * (self._indent - self._first.cell_len - 1)) + self._first + " "
            yield before + line


def hanging(text: Text, first: Text | str = "", *, indent: int = 6, ids: bool = False) -> Hanging:
    """One line of a block, indented under its heading."""
    head = Text(first) if isinstance(first, str) else first
    return Hanging(head, text, indent=indent, ids=ids)


def finding_lines(finding: Finding, *, next_step: bool = True) -> RenderableType:
    """One finding: mark, subject, message and id, then its evidence and the next step."""
    mark, style, _ = MARKS[finding.state]
    quiet = f"  {safe(finding.subject)}  {finding.id}"
    head = Text.assemble(safe(finding.message), (quiet, "dim"))
    lines: list[RenderableType] = [hanging(head, Text(mark, style=f"bold {style}"))]
    lines += [hanging(Text(safe(line), style="dim")) for line in finding.evidence]
    advice = safe(finding.next_step) if next_step else ""
    if is_command(advice):
        lines.append(Command(advice, 8, Text("      → ", style=ADVICE), style=ADVICE))
    elif advice:
        lines.append(hanging(Text("→ " + advice, style=ADVICE), ids=True))
    return Group(*lines)


def findings_block(findings: Iterable[Finding], *, next_steps: bool = True) -> RenderableType:
    """Several findings, one under the other; without next steps where the run takes them itself.

    What several have to be told is told after the last of them.
    """
    found = list(findings)
    last = {finding.next_step: at for at, finding in enumerate(found)}
    return Group(*(
        finding_lines(it, next_step=next_steps and last[it.next_step] == at)
        for at, it in enumerate(found)
    ))  # fmt: skip


def note(text: str) -> RenderableType:
    """Something that a person should know before going on."""
    return Group(Text(), hanging(Text(safe(text), style="yellow"), Text("!", style="bold yellow")))


def info(text: str, id: str) -> RenderableType:
    """Something that is worth knowing and stops nothing."""
    line = Text.assemble(safe(text), (f"  {id}", "dim"))
    return Group(Text(), hanging(line, Text("i", style="bold cyan")))


def refusal_block(problem: Problem) -> RenderableType:
    """What is at stake, before it is asked whether to do it nevertheless."""
    details = (hanging(Text(safe(line), style="dim"), indent=8) for line in problem.detail)
    return Group(note(f"{problem.what}:" if problem.detail else problem.what), *details)


_WORD = r"(?:'[^']*'|\\.|[^\s'\\])+"
_WORDS = re.compile(rf"--?[a-zA-Z][\w-]*(?: (?!-){_WORD})?(?=\s|$)|{_WORD}")


_PROSE = frozenset(
    {"and", "or", "to", "it", "its", "what", "again", "then", "is", "with"}
    | {"shows", "tells", "lists", "looks", "goes"}
)
"""Words of a sentence that a command stands in."""


def is_command(text: str) -> bool:
    """Whether it is a command and nothing else: no sentence that has one in it."""
    words = text.split()
    ours = words[:1] in (["helm"], ["kubectl"], ["langsmith-audit"]) and "\n" not in text
    return ours and not any(it in _PROSE or it[-1] in ",;:." for it in words[1:])


class Command:
    """A command, broken where the terminal is too narrow: as a shell takes it, and never in a word
    or between an option and its value. What stands `before` it is as wide as the indent.
    """

    def __init__(
        self, text: str, indent: int, before: Text | None = None, *, style: str = ""
    ) -> None:
        self._words, self._indent = _WORDS.findall(text), indent
        self._before, self._style = before or Text(" " * indent), style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        before, line = self._before, self._words[0]
        width = options.max_width - self._indent - 2
        for word in self._words[1:]:
            if cell_len(line) + 1 + cell_len(word) > width:
                yield Text.assemble(before, (line + " \\", self._style))
                before, line = Text(" " * self._indent), f"  {word}"
            else:
                line += f" {word}"
        yield Text.assemble(before, (line, self._style))


def end_block(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """What follows the last words of a run: names and values; a command on lines of its own."""
    parts: list[RenderableType] = []
    for name, value in rows:
        if value.startswith("langsmith-audit "):
            parts += [Text(f"  {name}:", style="dim"), Command(value, 4)]
        else:
            parts.append(hanging(Text(safe(value)), Text(f"{name}:", style="dim"), indent=12))
    return Group(*parts)


class PartHead:
    """The heading of a part of the run, with a line that ends where the terminal does."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head = f"── {self._title} "
        yield Text("\n" + head.ljust(min(options.max_width, 64), "─"), style="cyan")


def step_head(number: int, title: str, note: str = "") -> Text:
    """The heading of a step; without its number that of any other part."""
    head = Text(f"\n{number}. {title}" if number else f"\n{title}", style="bold")
    if note:
        head.append(f"  {note}", style="dim")
    return head


def change_block(change: Change, numbers: Mapping[str, int]) -> RenderableType:
    """A proposed change: what, exactly how, its effect, and the way back."""
    return Group(_what(change), _meaning(change, numbers))


def _what(change: Change) -> RenderableType:
    parts: list[RenderableType] = [items_block(change.items)]
    parts += [hanging(Text(safe(line), style="dim"), indent=8) for line in change.details]
    parts += [exact_block(it) for it in (*change.exact, *rendered_diff(change.rendered))]
    return Group(*parts, Text())


def _meaning(change: Change, numbers: Mapping[str, int]) -> RenderableType:
    parts: list[RenderableType] = [_fact("effect", change.effect)]
    parts.append(_fact("reversible", f"{change.reversible.value}: {change.because}"))
    parts.append(_fact("undo", change.undo))
    if change.after:
        step = f"step {numbers[change.after]}, which has not happened yet"
        parts.append(_fact("depends on", step))
    return Group(*parts)


AROUND = 7
"""Lines of a screen that a question and a heading take."""


def fitted(
    console: Console, change: Change, numbers: Mapping[str, int]
) -> tuple[RenderableType, bool]:
    """The change so that the question under it fits the screen too, and whether it was cut."""
    what, meaning = _what(change), _meaning(change, numbers)
    room = max(console.height - AROUND - len(console.render_lines(meaning)), 6)
    lines = console.render_lines(what, pad=False, new_lines=True)
    if len(lines) <= room:
        return Group(what, meaning), False
    kept = Segments(segment for line in lines[: room - 1] for segment in line)
    more = Text(f"      … {len(lines) - room + 1} more lines, which v shows\n", style=ADVICE)
    return Group(kept, more, meaning), True


def items_block(items: Iterable[str]) -> RenderableType:
    """The single changes of a step, a line each."""
    return Group(*(hanging(Text(safe(item)), Text("+", style="bold cyan")) for item in items))


_PARTS = re.compile(r"(?:'[^']*'|[^\s'])+\s*|'\s*|\s+")
_SHORTER = re.compile(r"[^./,\[]*[./,\[]|[^./,\[]+")
_DIFF = {"+": "green", "-": "red", "@": "cyan"}


class Folded:
    """A line of SQL or of a diff, folded between its words, or within a path at its joints."""

    def __init__(self, line: str, style: str, *, indent: int = 8) -> None:
        self._line, self._style, self._indent = line, style, indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self._indent - 4, 20)
        parts: list[str] = []
        for part in _PARTS.findall(self._line):
            parts += [part] if cell_len(part.rstrip()) <= width else _SHORTER.findall(part)
        line = ""
        before = " " * self._indent
        for part in parts:
            if line.strip() and cell_len((line + part).rstrip()) > width:
                yield Text(before + line.rstrip(), style=self._style)
                before, line = " " * (self._indent + 4), part
            else:
                line += part
        yield Text((before + line).rstrip(), style=self._style)


def exact_block(exact: Exact) -> RenderableType:
    """The exact command, statement or diff, ready to be copied."""
    lines = safe(exact.text, lines=True).rstrip("\n").split("\n")
    if exact.kind == "argv":
        return Group(Text(), *(Command(line, 8) for line in lines))
    diff = exact.kind == "diff"
    shown: list[RenderableType] = [
        Folded(line, _DIFF.get(line[:1], "dim") if diff else "") for line in lines
    ]
    shown += [Text(f"        parameter: {safe(it)}", style="dim") for it in exact.parameters]
    return Group(Text(), *shown)


def _fact(name: str, value: str) -> RenderableType:
    told, head = safe(value), f"{name}:" if name else ""
    if is_command(told):
        return Command(told, 16, Text(f"{head:>15} ", style="dim"))
    return hanging(Text(told), Text(head, style="dim"), indent=16, ids=True)


def _facts(name: str, values: Sequence[str]) -> list[RenderableType]:
    return [_fact("" if number else name, value) for number, value in enumerate(values)]


def left_block(why: str, changed: Sequence[str], going_on: str, next_step: str) -> RenderableType:
    """A run that was left: why, what was changed, what goes on by itself, and what to type."""
    parts: list[RenderableType] = [Text(f"\n{why}.", style="yellow")]
    parts += _facts("changed", changed)
    if going_on:
        parts.append(_fact("going on", aimed(going_on)))
    parts.append(_fact("next", aimed(next_step)))
    return Group(*parts)


def done_block(done: Done) -> RenderableType:
    """What was done, with its evidence."""
    head = hanging(Text(safe(done.summary)), Text("✓", style="bold green"))
    return Group(Text(), head, *(hanging(Text(safe(it), style="dim")) for it in done.evidence))


def problem_block(problem: Problem, changed: Sequence[str]) -> RenderableType:
    """A problem: what happened, on what, what was and was not changed, and what to type next."""
    head = Text.assemble((safe(problem.what), "bold red"), (f"  {problem.id}", "dim"))
    parts: list[RenderableType] = [Text(), hanging(head, Text("✗", style="bold red"))]
    parts += [hanging(Text("| " + safe(line), style="dim")) for line in problem.detail]
    parts += [Text(line) for line in safe(problem.paste, lines=True).splitlines()]
    parts.append(_fact("on", problem.on))
    parts += _facts("changed", changed)
    parts.append(_fact("next", problem.next_step))
    parts.append(_fact("more", f"langsmith-audit explain {problem.id}"))
    return Group(*parts)


def bars(rows: Sequence[tuple[str, int]]) -> RenderableType:
    """Names and how many, each with a bar; the longest is as wide as the terminal lets it be."""
    return _Bars(rows)


class _Bars:
    """Drawn when the width is known; a name that is too long for it is cut."""

    def __init__(self, rows: Sequence[tuple[str, int]]) -> None:
        self._rows = [(safe(name), count) for name, count in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        most = max((count for _, count in self._rows), default=0) or 1
        digits = len(f"{most:,}")
        width = options.max_width if console.is_terminal else 80
        named = min(max((len(name) for name, _ in self._rows), default=0), max(width // 2, 16))
        room = min(width - named - digits - 6, 50)
        for name, count in self._rows:
            cut = name if len(name) <= named else name[: named - 1] + "…"
            length = round(count / most * room * 8)
            bar = "█" * (length // 8) + (" ▏▎▍▌▋▊▉"[length % 8].strip() if length % 8 else "")
            bar = bar or ("▏" if count else "")
            line = Text(f"  {cut:<{named}}  ")
            yield line.append(f"{count:>{digits},}", "bold").append(f"  {bar}", "cyan")


def facts_table(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and values, aligned; a value without a name stands below the one before it."""
    return Group(*(_fact(name, value) for name, value in rows))
