"""The API's events beside the table's: what is only in one of them, and which fields differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from wizard.events.table import FromTable
from wizard.events.windows import Windows
from wizard.record import dataclass, field
from wizard.records.event import Event

KEPT = 1_000
"""Ids of each kind that are named; more are counted."""


@dataclass
class Compared:
    """What was found.

    Attributes:
        both: how many are in both.
        only_api, only_table: ids that are in one alone, the first KEPT of them.
        fields: by the path of a field, in how many events it differs.
    """

    both: int = 0
    only_api: list[str] = field(default_factory=list)
    only_table: list[str] = field(default_factory=list)
    alone: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)

    @property
    def same(self) -> bool:
        """Whether every event is in both, and the same."""
        return not self.alone and not self.fields


def compare(windows: Windows, table: FromTable) -> Compared:
    """Read both, window by window.

    Raises:
        Problem: one of them cannot be read.
    """
    found = Compared()
    before = frozenset[str]()
    for window in windows:
        theirs = {event.uid: event for event in window.events}
        batches = table.batches(window.range)
        ours = {event.uid: event for batch in batches for event in batch.events}
        shared = theirs.keys() & ours.keys()
        found.both += len(shared)
        for uid in shared:
            found.fields.update(_differing(theirs[uid], ours[uid]))
        _alone(found, "only_api", theirs.keys() - shared)
        _alone(found, "only_table", ours.keys() - shared - before)  # the moment that two share
        before = frozenset(ours)
    return found


def _alone(found: Compared, where: str, uids: set[str]) -> None:
    if uids:
        found.alone[where] += len(uids)
        kept: list[str] = getattr(found, where)
        kept += sorted(uids)[: max(0, KEPT - len(kept))]


def _differing(one: Event, other: Event) -> set[str]:
    if one.text == other.text:
        return set()
    return set(_paths(one.data, other.data, ""))


def _paths(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in {*one, *other}:
            below = f"{path}.{name}" if path else name
            yield from _paths(one.get(name), other.get(name), below)
    elif one != other:
        yield path
