"""What an edit of a values file is asked for, and what it answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from wizard import article
from wizard.problems import Exit, Problem
from wizard.record import dataclass


@dataclass(frozen=True)
class EnvEntry:
    """One environment variable as an env list of the chart holds it; the value is a string."""

    name: str
    value: str


WANTED: tuple[EnvEntry, ...] = tuple(EnvEntry(name, "true") for name in article.WANTED)


class Outcome(StrEnum):
    """What an edit did."""

    INSERT = "insert"
    UPDATE = "update"
    NOOP = "noop"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Edit:
    """The edited bytes and what was done.

    Attributes:
        outcome: insert (bytes were only added), update (a token was replaced), noop or refuse.
        data: the new bytes; the old ones when nothing was done.
        finding: the catalogue entry (`LSA3xx`).
        line: where it was done or why not, from 1; None when no line is to be named.
        message: one sentence for a person.
        next_step: what to do by hand; empty when nothing is to be done.
        lines_added: by how many lines the file grew.
        tokens_replaced: how many tokens were replaced.
        names: the variables that this edit adds or corrects.
    """

    outcome: Outcome
    data: bytes
    finding: str
    line: int | None
    message: str
    next_step: str
    lines_added: int
    tokens_replaced: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class LayeredEdit:
    """The edit of one of several values files that helm layers.

    Attributes:
        path: the file that the edit is for.
        edit: its edit, or the refusal.
        why: one sentence on why it is this file.
    """

    path: Path
    edit: Edit
    why: str


class Refusal(Problem):
    """A file that is not edited, or cannot be read as values.

    Attributes:
        at: the character index in its text, when there is one.
        line: the line, when it is known.
        layer: of several files, which one it is.
    """

    def __init__(
        self,
        id: str,
        message: str,
        next_step: str,
        *,
        at: int | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(id, message, on="values file", next_step=next_step, exit=Exit.FAILED)
        self.at = at
        self.line = line
        self.layer = 0


BY_HAND = (
    f"add {' and '.join(article.WANTED)}, each with the value "
    f'"true" in quotes, to {article.PLACE} by hand'
)
"""The next step where the file can stay as it is and a person makes the edit."""
