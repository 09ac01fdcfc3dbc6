"""What a result or a conversation is written on: blocks of styled lines, and the stream for them.

In a terminal rich folds and colours them. Elsewhere every line is written as it is, without rich,
whose import would take longer than all that is said.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TextIO, cast

from wizard.records.findings import State
from wizard.safe import ID, brief_id

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text as RichText

    from wizard.console.output import Talk

UNFOLDED = 10_000
"""The width of what is no terminal: nothing is folded there, so that it can be searched."""


class Mark(NamedTuple):
    """The mark of a finding's state; in print, where no cell may become two, another one."""

    shown: str
    style: str
    printed: str


MARKS = {
    State.PASS: Mark("✓", "green", "✓"),
    State.INFO: Mark("i", "cyan", "ℹ"),
    State.WARN: Mark("!", "yellow", "⚠"),
    State.FAIL: Mark("✗", "red", "✗"),
    State.UNKNOWN: Mark("?", "magenta", "?"),
    State.SKIP: Mark("-", "dim", "–"),
    State.NOT_RUN: Mark("·", "dim", "·"),
}


class Block(Protocol):
    """Something to be written."""

    def plain(self) -> Iterator[str]:
        """Its lines without style, none of them folded."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own way to draw it."""


class Text:
    """Words with their styles, as rich names these."""

    def __init__(self, text: str = "", style: str = "") -> None:
        self._parts = [(text, style)]

    @classmethod
    def assemble(cls, *parts: str | tuple[str, str] | Text) -> Self:
        """Several parts on one line."""
        whole = cls()
        for part in parts:
            if isinstance(part, Text):
                whole._parts += part._parts
            else:
                whole.append(*([part] if isinstance(part, str) else part))
        return whole

    def append(self, text: str, style: str = "") -> None:
        """Add words at the end."""
        self._parts.append((text, style))

    def __str__(self) -> str:
        return "".join(text for text, _ in self._parts)

    def plain(self) -> Iterator[str]:
        """See `Block`."""
        yield from str(self).split("\n")

    @property
    def rich(self) -> RichText:
        """The same for rich."""
        from rich.text import Text as RichText

        return RichText.assemble(*self._parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.rich


class Group:
    """Blocks, one below the other."""

    def __init__(self, *blocks: Block) -> None:
        self._blocks = blocks

    def plain(self) -> Iterator[str]:
        """See `Block`."""
        for block in self._blocks:
            yield from block.plain()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._blocks


def brief(text: RichText) -> RichText:
    """The text with its ids quiet, and short where nobody asked for them."""
    if not re.search(ID, text.plain):
        return text
    from rich.text import Text as RichText

    whole, at = RichText(), 0
    for found in re.finditer(ID, text.plain):
        whole.append_text(text[at : found.start()]).append(brief_id(found[0]), "dim")
        at = found.end()
    return whole.append_text(text[at:])


class Hanging:
    """A text behind a first word; folded lines hang below the text, without trailing blanks.

    With `ids` those in it stay as they are: they are to be typed.
    """

    def __init__(self, first: Text, text: Text, *, indent: int = 6, ids: bool = False) -> None:
        self._first = first
        self._text = text
        self._indent = indent
        self._ids = ids

    def plain(self) -> Iterator[str]:
        """See `Block`."""
        before = str(self._first).rjust(self._indent - 1) + " "
        for line in self._text.plain():
            yield (before + line).rstrip()
            before = " " * self._indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text as RichText

        first = self._first.rich
        before = RichText(" " * (self._indent - first.cell_len - 1)) + first + " "
        text = self._text.rich if self._ids or not console.is_terminal else brief(self._text.rich)
        for line in text.wrap(console, max(options.max_width - self._indent, 20)):
            line.rstrip()
            yield before + line
            before = RichText(" " * self._indent)


class Paper:
    """A stream to write blocks on; a stream that was closed (None) takes nothing."""

    def __init__(self, stream: TextIO | Talk | None) -> None:
        self._stream = stream

    @cached_property
    def styled(self) -> bool:
        """Whether somebody sees styles: a terminal does, and what rich is told to take for one."""
        told = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"
        return self._stream is not None and (self._stream.isatty() or bool(told))

    @cached_property
    def rich(self) -> Console:
        """Rich's console on this stream: as wide as its terminal."""
        from rich.console import Console

        if self._stream is None:
            return Console(file=io.StringIO(), highlight=False)
        stream = cast("TextIO", self._stream)
        # Lines are folded here, at words; what must be copied whole is left to the terminal.
        width = None if stream.isatty() else UNFOLDED
        console = Console(file=stream, highlight=False, width=width, soft_wrap=True)
        console.on_broken_pipe = _unread  # type: ignore[method-assign]  # rich would leave with 1
        return console

    def print(self, block: Block | str = "", style: str = "", *, fold: bool = False) -> None:
        """Write a block, or words in a style; with `fold` the words are folded at the width."""
        told = Text(block, style) if isinstance(block, str) else block
        if self._stream is None:
            return
        if self.styled:
            self.rich.print(told, soft_wrap=not fold)
            return
        self._stream.write("".join(f"{line}\n" for line in told.plain()))
        self._stream.flush()


def _unread() -> None:
    raise BrokenPipeError
