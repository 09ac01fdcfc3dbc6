"""What an upgrade would change in the rendered objects, without any secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class DiffState(StrEnum):
    """What becomes of an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    NOISE = "noise"


@dataclass(frozen=True)
class ObjectDiff:
    """One object that the chart renders otherwise than it is deployed.

    Attributes:
        state: `noise` where all of the difference is another one at every rendering (a fresh
            certificate, a random name).
        lines: a changed place each, `+`, `-` or `~` first; values that may be secret are left out.
        hook: it is a hook of the release.
        ours: the difference is the two variables and nothing else.
    """

    kind: str
    namespace: str
    name: str
    state: DiffState
    lines: tuple[str, ...] = ()
    hook: bool = False
    ours: bool = False

    @property
    def title(self) -> str:
        """The object and what becomes of it, in a line."""
        hook = "hook " if self.hook else ""
        what = f"{hook}{self.kind} {self.name}"
        if self.state is DiffState.NOISE:
            return f"{what}: differs at every rendering (noise)"
        return f"{what}: {self.state.value}{', only the two variables' if self.ours else ''}"


def beyond(differences: Iterable[ObjectDiff]) -> tuple[ObjectDiff, ...]:
    """The differences that are neither the two variables nor noise."""
    return tuple(it for it in differences if not it.ours and it.state is not DiffState.NOISE)
