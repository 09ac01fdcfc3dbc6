"""Things to pick from, and how they are lined up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from wizard.console.safe import safe

WIDEST = 36
"""Cells that a column takes at most; what is longer is cut."""


@dataclass(frozen=True)
class Entry:
    """One thing that can be picked.

    Attributes:
        value: what picking it gives.
        name: how a person knows it.
        about: further columns.
        disabled: why it cannot be picked; empty when it can.
    """

    value: str
    name: str
    about: tuple[str, ...] = ()
    disabled: str = ""


def rows(entries: Sequence[Entry]) -> list[str]:
    """The entries as aligned lines, foreign text made safe, the last column uncut."""
    table = [[safe(text) for text in (entry.name, *entry.about)] for entry in entries]
    widths = [
        min(max((cell_len(line[at]) for line in table if at < len(line)), default=0), WIDEST)
        for at in range(max(map(len, table), default=0))
    ]
    return [_row(line, widths) for line in table]


def _row(line: Sequence[str], widths: Sequence[int]) -> str:
    cut = [_fitted(text, width) for text, width in zip(line, widths, strict=False)]
    return "  ".join([*cut[:-1], line[-1]]).rstrip()


def _fitted(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1).rstrip() + "…"
