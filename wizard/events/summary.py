"""The log counted: by operation, category of the article, actor, workspace, status and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from wizard.events.range import Range
from wizard.events.wanted import CATEGORIES, category_of, documented
from wizard.records.event import Event, record_of

HOURS, DAYS = timedelta(hours=48), timedelta(days=62)
"""Up to the first a summary has an hour a row, up to the second a day, above it a month."""
GROUPS = ("operation", "category", "actor", "workspace", "status", "time")


class Summary:
    """Counts of a range."""

    def __init__(self, range: Range) -> None:
        self.events = 0
        self._range = range
        self._span = range.end - range.start
        self._groups: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}

    def add(self, event: Event) -> None:
        """Count one."""
        self.events += 1
        told = record_of(event)
        key = f"key {told['credential']}" if told["credential"] else ""
        self._groups["operation"][told["operation"] or "–"] += 1
        self._groups["category"][CATEGORIES[category_of(told["operation"])]] += 1
        self._groups["actor"][told["actor"] or key or "–"] += 1
        self._groups["workspace"][told["workspace"] or "–"] += 1
        self._groups["status"][told["status"] or "–"] += 1
        self._groups["time"][self._slot(event.moment)] += 1

    @property
    def groups(self) -> dict[str, list[tuple[str, int]]]:
        """The counts of each group, most first; categories and times in their own order."""
        found = {name: counts.most_common() for name, counts in self._groups.items()}
        by_category = self._groups["category"]
        found["category"] = [(it, by_category[it]) for it in CATEGORIES.values()]
        found["time"] = [(it, self._groups["time"][it]) for it in dict.fromkeys(self._slots())]
        return found

    def _slots(self) -> Iterator[str]:
        step = timedelta(hours=1) if self._span <= HOURS else timedelta(days=1)
        moment = self._range.start
        while moment < self._range.end:
            yield self._slot(moment)
            moment += step
        yield self._slot(self._range.end)

    def _slot(self, moment: datetime) -> str:
        if self._span <= HOURS:
            return f"{moment:%Y-%m-%d %H:00Z}"
        return f"{moment:%Y-%m-%d}" if self._span <= DAYS else f"{moment:%Y-%m}"


def never_recorded(chart_version: str) -> tuple[int, list[tuple[str, str]]]:
    """How many documented operations a chart records, and what it never does, by category.

    An unreadable version raises ValueError.
    """
    from semver import Version

    here = Version.parse(chart_version.removeprefix("v"))
    recorded, later = 0, dict[str, list[str]]()
    for version, category in documented().values():
        if Version.parse(version) <= here:
            recorded += 1
        else:
            later.setdefault(category, []).append(version)
    rows = [
        (CATEGORIES[it], f"{len(later[it])} operations, the first with chart {later[it][0]}")
        for it in CATEGORIES
        if it in later
    ]
    return recorded, rows
