"""A summary of the log as a page: bars in the terminal, one HTML file, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wizard.formats import blocks

FORMATS = {"table": "text", "json": "json", "html": "html"}
"""The page's format by what `events --format` calls it."""
TITLES = {
    "operation": "By operation",
    "category": "By category of the article",
    "actor": "By actor",
    "workspace": "By workspace",
    "status": "By status",
    "time": "By time",
}
SHOWN = 15
"""More than this of a group is counted in one row; categories and times are all shown."""


def summary_page(
    counted: str,
    target: blocks.Rows,
    groups: Mapping[str, Sequence[tuple[str, int]]],
    recorded: str,
    never: blocks.Rows,
) -> blocks.Page:
    """The page; `recorded` and `never` say what the chart records, and what it never does."""
    document = {
        "schema_version": "1.0",
        "target": dict(target),
        "events": sum(count for _, count in groups["status"]),
        "groups": [
            {"group": name, "counts": [{"name": it, "events": count} for it, count in rows]}
            for name, rows in groups.items()
        ],
        "recorded": recorded,
        "never_recorded": [{"category": name, "told": told} for name, told in never],
    }
    ends = [
        blocks.Section(TITLES[name], (blocks.Bars(_first(name, rows)),))
        for name, rows in groups.items()
    ]
    lines = [recorded, *(f"{name}: {told}" for name, told in never)]
    ends.append(blocks.Section("What is recorded, and what never is", (blocks.Points(lines),)))
    return blocks.Page("Audit log", "", counted, "changes", document, target, (), ends=ends)


def _first(name: str, rows: Sequence[tuple[str, int]]) -> Sequence[tuple[str, int]]:
    if name in ("category", "time") or len(rows) <= SHOWN + 1:
        return rows
    rest = rows[SHOWN:]
    return [*rows[:SHOWN], (f"{len(rest):,} others", sum(count for _, count in rest))]
