"""What was seen right after a change failed, before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """What a failure looked like; no secret in it.

    Attributes:
        summary: what a person must see at once, a line each.
        sections: everything that was read, by title; a run's folder keeps it.
    """

    summary: tuple[str, ...]
    sections: Mapping[str, str]

    @property
    def text(self) -> str:
        """The whole of it, as the file in the run's folder has it."""
        return "\n".join(
            f"== {title} ==\n{text.rstrip()}\n" for title, text in self.sections.items()
        )
