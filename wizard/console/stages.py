"""Where a walk is: what was seen, a line a step, and what is done, comes now and is to come."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from wizard.console.paper import MARKS
from wizard.console.screen import Hanging, finding_lines, hanging
from wizard.record import replace
from wizard.records.findings import Finding, State
from wizard.safe import safe


class Stand(StrEnum):
    """How a step stands: right, to be done by this run, asked again at its end, open, left out."""

    RIGHT = "right"
    TODO = "to do"
    LATER = "later"
    OPEN = "open"
    LEFT_OUT = "left out"


class Stage(NamedTuple):
    """A step, as a line of an overview tells it.

    Attributes:
        message: what was seen, or what will be done.
        subject: what it was seen on; quiet, and empty where the title tells.
        mark: the state of what was seen.
        more: what else is to be known of it.
        under: further quiet lines below the message.
    """

    number: int
    title: str
    stand: Stand
    message: str
    subject: str = ""
    mark: State = State.PASS
    more: Sequence[Finding] = ()
    under: Sequence[str] = ()


_MARKS = {Stand.TODO: ("○", "bold cyan"), Stand.LATER: ("·", "dim"), Stand.LEFT_OUT: ("-", "dim")}
_TITLES = 25
"""Cells that mark, number and title take."""


def overview(stages: Sequence[Stage]) -> RenderableType:
    """Every step, a line each; under it what else is to be known."""
    return Group(Text(), *map(_line, stages))


def _line(stage: Stage) -> RenderableType:
    shown = MARKS[stage.mark]
    mark, style = _MARKS.get(stage.stand, (shown.shown, f"bold {shown.style}"))
    quiet = "dim" if stage.stand in (Stand.LATER, Stand.LEFT_OUT) else ""
    first = Text.assemble((mark, style), f" {stage.number} ", (stage.title, quiet or "bold"))
    first.pad_right(max(_TITLES - first.cell_len, 0))
    told = Text(safe(stage.message), style=quiet)
    if stage.subject:
        told.append(f"  {safe(stage.subject)}", style="dim")
    more = [it if it.state is not State.INFO else replace(it, evidence=(), next_step="")
            for it in stage.more]  # fmt: skip
    under = (hanging(Text(safe(it), "dim"), indent=_TITLES + 3) for it in stage.under)
    return Group(Hanging(first, told, indent=_TITLES + 3), *under, *map(finding_lines, more))


class Trail:
    """The steps of a run in their order: done, now, to come; numbers alone where it is narrow."""

    def __init__(self, steps: Sequence[tuple[int, str]], done: Collection[int], now: int) -> None:
        self._steps, self._done, self._now = steps, done, now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = self._text(names=True)
        yield whole if cell_len(whole.plain) < options.max_width else self._text(names=False)

    def _text(self, *, names: bool) -> Text:
        text = Text("  ")
        for number, title in self._steps:
            done, now = number in self._done, number == self._now
            mark, style = ("✓", "green") if done else ("»", "bold cyan") if now else ("·", "dim")
            name = f" {title.removeprefix('The ')}" if names else ""
            text.append(f" {mark} {number}{name} ", style=style)
        return text


def in_words(seconds: float) -> str:
    """A time as a person says it: `40 s`, `1 min 12 s`, `3 minutes`."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 180 else f"{round(whole / 60)} minutes"
