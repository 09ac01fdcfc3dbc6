"""The catalogue of findings, read from templates/findings/*.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from wizard.resources import templates


@dataclass(frozen=True)
class Entry:
    """One catalogue entry: what a finding means, what to do next, and its source."""

    id: str
    title: str
    meaning: str
    next_step: str
    source: str


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by id, in the order of their ids."""
    entries = {}
    for path in sorted((templates() / "findings").glob("*.toml")):
        for id, facts in tomllib.loads(path.read_text(encoding="utf-8")).items():
            entries[id] = Entry(
                id, facts["title"], facts["meaning"], facts["next"], facts["source"]
            )
    return dict(sorted(entries.items()))
