"""The lines of a journal: entries as `Journal` writes them, torn ones, and those that are neither.

A line is torn where its process was killed or the power failed while it was written: what it tells
of had not begun, or is in doubt. A line that is whole and no entry was changed since; what the run
did cannot be known from such a journal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Entry = Mapping[str, Any]


def entries_of(data: bytes) -> tuple[tuple[Entry, ...], int]:
    """The entries, and how many lines are neither whole nor torn."""
    entries: list[Entry] = []
    odd = 0
    *lines, last = data.split(b"\n")
    for line in (*lines, last):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if found is not None and _whole(found):
            entries.append(found)
        elif line is not last and (found is not None or not _torn(line)):
            odd += 1
    return tuple(entries), odd


def _torn(line: bytes) -> bool:
    """Whether it is the beginning of an entry, or what a disk leaves that lost its power."""
    if not line.strip(b"\0 \r"):
        return True
    try:
        json.loads(line.decode())
    except UnicodeDecodeError as error:
        return error.start >= len(line) - 3
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated") or error.pos >= len(error.doc) - 6
    except RecursionError:
        return False
    return False


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(it, str) for it in value)


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _rows(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _text(value.get("file"))
    return isinstance(value, list) and all(isinstance(it, Mapping) for it in value)


_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "event": _text,
    "step": _text,
    "undoes": _text,
    "plan": _text,
    "id": _text,
    "what": _text,
    "summary": lambda value: _text(value) or _texts(value),
    "host": _text,
    "helm": _number,
    "exit": _number,
    "journal": _number,
    "items": _texts,
    "evidence": _texts,
    "detail": _texts,
    "skipped": _texts,
    "exact": lambda value: isinstance(value, list),
    "target": lambda value: isinstance(value, Mapping) and all(map(_text, value.values())),
    "context": _text,
    "database": _text,
}
"""What the members of an entry are, where they are there."""

_FACTS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("path", "before", "after", "backup", "sql", "reverses", "chart"), _text),
    **dict.fromkeys(("chart_version", "values", "values_before", "committed_at", "gitops"), _text),
    **dict.fromkeys(("files", "pods", "by_hand", "moved"), _texts),
    **dict.fromkeys(("revision", "revision_after"), _number),
    "rows": _rows,
    "changes": _rows,
    "wait": lambda value: isinstance(value, bool),
}
"""What the facts are that undo needs, in `register` and `undo`, where they are there."""


def _whole(entry: Any) -> bool:
    if not isinstance(entry, Mapping) or "event" not in entry or not _is_time(entry.get("at")):
        return False
    if entry["event"] in ("intent", "done", "failed") and "step" not in entry:
        return False
    return _fit(entry, _MEMBERS) and all(
        isinstance(facts, Mapping) and _fit(facts, _FACTS)
        for facts in (entry.get(name, {}) for name in ("register", "undo"))
    )


def _fit(found: Mapping[str, Any], kinds: Mapping[str, Callable[[Any], bool]]) -> bool:
    return all(fits(found[name]) for name, fits in kinds.items() if name in found)


def _is_time(text: Any) -> bool:
    try:
        return datetime.fromisoformat(str(text)).tzinfo is not None
    except ValueError:
        return False
