"""How the neighbours look, so that the new lines look the same."""

from __future__ import annotations

import json
from collections import Counter

from wizard.systems.values_yaml.outline import Node, Outline
from wizard.systems.values_yaml.reading import Reading
from wizard.systems.values_yaml.shapes import Looks

_WIDEST = 8


def looks(reading: Reading, neighbour: Node | None, at: int) -> Looks:
    """The looks of new content.

    Args:
        reading: the file.
        neighbour: the mapping or the list that the content goes into.
        at: the character index where it goes in; its line tells the line break.
    """
    style = reading.outline
    step = _most(style, "steps", 1)
    offset = _most(style, "offsets", 0)
    gap = _most(style, "gaps", 2)
    item = _last_entry(neighbour)
    quote = _key_quote(item or neighbour)
    near = item if item is not None and item.flow else neighbour
    flow = near is not None and near.flow
    compact = near is not None and near.flow and _compact_colon(reading.text, near)
    return Looks(
        step=step or 2,
        offset=offset if offset is not None else step or 2,
        gap=gap or 2,
        key_quote=quote,
        name_quote=_name_quote(item) if item else quote if flow else "",
        value_first=bool(item and [key.value for key, _ in item.pairs] == ["value", "name"]),
        newline=newline(reading.text, at),
        colon=":" if compact else ": ",
        comma="," if near and flow and _tight(reading.text, near, compact=compact) else ", ",
    )


def newline(text: str, at: int) -> str:
    """The line break of the line before `at`; else the first one after it; else LF."""
    end = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at))
    if end < 0:
        following = [it for it in (text.find("\n", at), text.find("\r", at)) if it >= 0]
        if not following:
            return "\n"
        end = min(following)
        if text[end] == "\r" and text[end + 1 : end + 2] == "\n":
            end += 1
    if text[end] == "\n" and end and text[end - 1] == "\r":
        return "\r\n"
    return text[end]


def is_json(reading: Reading) -> bool:
    """Whether the whole file is JSON."""
    root = reading.root
    if root is None or not root.flow or reading.outline.explicit:
        return False
    try:
        json.loads(reading.text)
    except (ValueError, RecursionError):
        return False
    return True


def _most(outline: Outline, what: str, least: int) -> int | None:
    for style in (outline.near, outline.style):
        counts: Counter[int] = getattr(style, what)
        for columns, _ in counts.most_common():
            if least <= columns <= _WIDEST:
                return columns
    return None


def _last_entry(neighbour: Node | None) -> Node | None:
    if neighbour is None or neighbour.kind != "sequence":
        return None
    for item in reversed(neighbour.items):
        if item.kind == "mapping" and item.last_key is not None:
            return item
    return None


def _key_quote(mapping: Node | None) -> str:
    key = mapping.last_key if mapping is not None else None
    return key.style if key is not None and key.style in ("'", '"') else ""


def _name_quote(item: Node) -> str:
    for key, value in item.pairs:
        if key.value == "name" and value.style in ("'", '"'):
            return value.style
    return ""


def _compact_colon(text: str, mapping: Node) -> bool:
    key = mapping.last_key
    if key is None or not key.style:
        return False
    return text[key.end : key.end + 1] == ":" and not text[key.end + 1 : key.end + 2].isspace()


def _tight(text: str, collection: Node, *, compact: bool) -> bool:
    if collection.count > 1:
        return text[collection.last_start - 1] == ","
    return compact
