"""The one exception for everything that a user, a cluster, a database or a network can cause.

With it the exit codes, the same in every command and output format, and the catalogue of findings,
read from templates/findings/*.toml.

2 is for an invocation that must be mended, 3 for what was measured and is wrong, 5 for what could
not be measured.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache, partial
from typing import Any, Final, NamedTuple

from wizard.aim import aimed
from wizard.safe import tame


class Exit(IntEnum):
    """What the process says to its caller when it ends."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    FAILED = 3
    WARNED = 4
    UNKNOWN = 5
    PENDING = 6
    REFUSED = 7
    DECLINED = 8
    STOPPED = 9
    UNDONE = 10
    INTERRUPTED = 130
    UNREAD = 141
    TERMINATED = 143


class Problem(Exception):
    """A condition that a person must hear about, told so that they can act on it.

    Attributes:
        id: the catalogue entry (`LSA203`); `langsmith-audit explain ID` tells more.
        what: what happened, one sentence, no secret in it.
        on: the object it happened on (`release langsmith in namespace langsmith`).
        next_step: the next command to type or thing to do; the catalogue's where the place that
            raises it has nothing of its own to say (no object, no command with its arguments).
        exit: the exit code when nothing was changed before it.
        detail: further lines (a tool's own words), already redacted.
        paste: a text to be pasted somewhere, which is shown without anything before its lines.

    None of them changes once it is made; `but` tells the same problem otherwise.
    """

    def __init__(
        self,
        id: str,
        what: str,
        *,
        on: str,
        next_step: str = "",
        exit: Exit = Exit.UNKNOWN,
        detail: tuple[str, ...] = (),
        paste: str = "",
    ) -> None:
        super().__init__(what)
        self.id: Final = id
        self.what: Final = tame(what)
        self.on: Final = on
        self._next_step: Final = next_step
        self.exit: Final = exit
        self.detail: Final = tuple(map(tame, detail))
        self.paste: Final = paste

    def __reduce__(self) -> tuple[Any, ...]:
        """How it goes from one process of ours to another."""
        again = partial(
            type(self), self.id, self.what, on=self.on, next_step=self._next_step, exit=self.exit,
            detail=self.detail, paste=self.paste,
        )  # fmt: skip
        return again, ()

    @property
    def next_step(self) -> str:
        """See above; the catalogue is read only when somebody wants to know."""
        return aimed(self._next_step or next_step_of(self.id))

    def but(
        self,
        *,
        what: str = "",
        next_step: str = "",
        exit: Exit | None = None,
        detail: tuple[str, ...] | None = None,
        paste: str = "",
    ) -> Problem:
        """The same problem with what is given in the place of its own."""
        return Problem(
            self.id,
            what or self.what,
            on=self.on,
            next_step=next_step or self._next_step,
            exit=self.exit if exit is None else exit,
            detail=self.detail if detail is None else detail,
            paste=paste or self.paste,
        )


class Entry(NamedTuple):
    """One catalogue entry: what a finding means, what to do next, and its source."""

    id: str
    title: str
    meaning: str
    next_step: str
    source: str


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by id, in the order of their ids."""
    import tomllib

    from wizard.resources import templates

    entries = {}
    for path in sorted((templates() / "findings").glob("*.toml")):
        for id, facts in tomllib.loads(path.read_text(encoding="utf-8")).items():
            entries[id] = Entry(
                id, facts["title"], facts["meaning"], facts["next"], facts["source"]
            )
    return dict(sorted(entries.items()))


def next_step_of(id: str) -> str:
    """What the catalogue says to do next, as a message says it: a command at its end is bare."""
    text = catalogue()[id].next_step.removesuffix(".")
    return text[:1].lower() + text[1:] if text.partition(" ")[0].istitle() else text


def unusable(variable: str, wanted: str, to: str) -> Problem:
    """The Problem of a variable that cannot be read; `to` is what it may be set to."""
    return Problem(
        "LSA901",
        f"{variable} is not {wanted}",
        on=f"environment variable {variable}",
        next_step=f"unset {variable}, or set it to {to}",
        exit=Exit.USAGE,
    )
