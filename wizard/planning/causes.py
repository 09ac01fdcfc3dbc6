"""Why a plan is refused, as a person says it: what was done, not each of its consequences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wizard.planning.differences import NOT_MADE, Difference
from wizard.record import replace
from wizard.records.changes import FactKind
from wizard.records.plan import Plan

MOST = 4
"""Causes that the first line names."""
WIDEST, BEFORE = 300, 30
"""Characters of a cell; a file or a command that is longer is compared elsewhere."""
_ROW = re.compile(r"(?P<name>.+) \((?P<id>[0-9a-f-]{36})\): ")


def names_of(plan: Plan) -> Mapping[str, str]:
    """The names of the plan's organizations by their ids."""
    lines = (line for _, change in plan.planned for line in change.details)
    return {found["id"]: found["name"] for line in lines if (found := _ROW.match(line))}


def told(plan: Plan, differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences for a table: names beside ids, a line each, none endless."""
    names, found = names_of(plan), []
    for it in differences:
        name = names.get(it.what.removeprefix("row "))
        what = f"{it.what} ({name})" if name else it.what
        planned, now = _cells(it.planned, it.now)
        found.append(replace(it, what=what, planned=planned, now=now))
    return tuple(found)


def cause(plan: Plan, differences: Sequence[Difference]) -> str:
    """The causes in a line; how many things moved where none is known."""
    found = list(dict.fromkeys(_causes(names_of(plan), differences)))
    count = f"{len(differences)} thing{'s are' if len(differences) != 1 else ' is'} not as planned"
    if not found:
        return count
    more = len(found) - MOST
    shown = found[:MOST] + ([f"and {more} more"] if more > 0 else [])
    return f"{count}: {' · '.join(shown)}"


def _causes(names: Mapping[str, str], differences: Iterable[Difference]) -> Iterator[str]:
    for it in differences:
        if it.kind == FactKind.FILE and it.who.startswith("written "):
            name = Path(it.what.removeprefix("content of ")).name
            yield f"{name} edited {it.who.removeprefix('written ')}"
        elif it.kind == FactKind.SCALE:
            yield f"replicas {it.planned} → {it.now}" + (f" by {it.who}" if it.who else "")
        elif it.kind == FactKind.RELEASE and it.who:
            yield it.who
        elif it.kind == FactKind.ROW:
            id = it.what.removeprefix("row ")
            gone = it.now.startswith("not among")
            yield f"{names.get(id, id)} {'needs no change now' if gone else 'was changed'}"
        elif it.now == NOT_MADE:
            yield f"{it.what} has nothing left to do"


def _cells(planned: str, now: str) -> tuple[str, str]:
    """Both on one line; where one is too long, from a little before they differ."""
    lines = [" ".join(text.replace("\\n", " ").split()) for text in (planned, now)]
    if max(map(len, lines)) > WIDEST:
        alike = next((at for at, (a, b) in enumerate(zip(*lines, strict=False)) if a != b), 0)
        start = alike - BEFORE
        lines = ["…" + line[start:] if start > 0 else line for line in lines]
    one, other = (line if len(line) <= WIDEST else line[: WIDEST - 1] + "…" for line in lines)
    return one, other
