"""How the neighbours look, so that the new lines look the same, and the new content itself.

It is made once: as data for the proof, and as block or flow text for the file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from wizard.record import dataclass
from wizard.systems.values.document import Node, Part
from wizard.systems.values.model import EnvEntry

_WIDEST = 8


def looks(text: str, part: Part, neighbour: Node | None, at: int) -> Looks:
    """The looks of new content.

    Args:
        text: the file.
        part: the document that it goes into.
        neighbour: the mapping or the list that the content goes into.
        at: the character index where it goes in; its line tells the line break.
    """
    style = indents(part.root)
    step = _most(style, "step", 1)
    offset = _most(style, "offset", 0)
    gap = _most(style, "gap", 2)
    item = _last_entry(neighbour)
    quote = _key_quote(item or neighbour)
    near = item if item is not None and item.flow else neighbour
    flow = near is not None and near.flow
    compact = near is not None and near.flow and _compact_colon(text, near)
    return Looks(
        step=step or 2,
        offset=offset if offset is not None else step or 2,
        gap=gap or 2,
        key_quote=quote,
        name_quote=_name_quote(item) if item else quote if flow else "",
        value_first=bool(item and [key.value for key in item.keys] == ["value", "name"]),
        newline=newline(text, at),
        colon=":" if compact else ": ",
        comma="," if near and flow and _tight(text, near, compact=compact) else ", ",
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


def is_json(text: str, part: Part) -> bool:
    """Whether the whole file is JSON."""
    if part.root is None or not part.root.flow or part.explicit:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


Indents = Counter[tuple[bool, str, int]]
"""How often each way to indent was seen: near (below `backend`) or not, what, how many columns."""


def indents(root: Node | None) -> Indents:
    """What block collections below the root are indented by.

    That is a `step` from a key to the keys below it, an `offset` from a key to the dashes below it,
    a `gap` from a dash to what follows.
    """
    seen: Indents = Counter()
    open_ = [(root, False)] if root is not None else []
    while open_:
        node, near = open_.pop()
        parents: list[Node | None] = [None, *node.children]
        for before, child in zip(parents, node.children, strict=False):
            if child.kind not in ("mapping", "sequence") or child.flow:
                continue
            is_near = near or (before is not None and before.value == "backend")
            open_.append((child, is_near))
            if min(node.column, child.column) >= 0:
                below = "step" if child.kind == "mapping" else "offset"
                what = below if node.kind == "mapping" else "gap"
                seen[is_near, what, child.column - node.column] += 1
    return seen


def _most(seen: Indents, what: str, least: int) -> int | None:
    for near in (True, False):
        counts: Counter[int] = Counter()
        for (is_near, kind, columns), number in seen.items():
            if kind == what and is_near >= near and least <= columns <= _WIDEST:
                counts[columns] += number
        if counts:
            return counts.most_common(1)[0][0]
    return None


def _last_entry(neighbour: Node | None) -> Node | None:
    if neighbour is None or neighbour.kind != "sequence":
        return None
    for item in reversed(neighbour.children):
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
    if len(collection.keys) > 1:
        return text[collection.keys[-1].start - 1] == ","
    return compact


_SAFE_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_STRINGS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclass(frozen=True)
class Looks:
    """How the new lines look.

    Attributes:
        step: columns from a key to the keys below it.
        offset: columns from a key to the dashes below it.
        gap: columns from a dash to what follows.
        key_quote: the quotes of keys; empty for none.
        name_quote: the quotes of variable names.
        value_first: whether `value` comes before `name`.
        newline: the line break.
        colon: what follows a key in flow style, `:` or `: `.
        comma: what parts entries in flow style, `,` or `, `.
    """

    step: int = 2
    offset: int = 2
    gap: int = 2
    key_quote: str = ""
    name_quote: str = ""
    value_first: bool = False
    newline: str = "\n"
    colon: str = ": "
    comma: str = ", "

    def key(self, name: str) -> str:
        """A key with its quotes."""
        return _quoted(name, self.key_quote)

    def fields(self, entry: EnvEntry) -> list[tuple[str, str]]:
        """An entry's keys and values as they are written, in their order."""
        pair = [
            (self.key("name"), _quoted(entry.name, self.name_quote)),
            (self.key("value"), f'"{entry.value}"'),
        ]
        return pair[::-1] if self.value_first else pair


@dataclass(frozen=True)
class Content:
    """New content: entries, below keys that are new too."""

    keys: tuple[str, ...]
    entries: tuple[EnvEntry, ...]

    def data(self) -> Any:
        """What helm has to read: a mapping below the new keys, or a list of the entries."""
        whole: Any = [{"name": entry.name, "value": entry.value} for entry in self.entries]
        for key in reversed(self.keys):
            whole = {key: whole}
        return whole

    def parts(self) -> list[Any]:
        """The same as what a collection gets more: a key and its value, or the entries."""
        whole = self.data()
        return [self.keys[0], whole[self.keys[0]]] if self.keys else list(whole)

    def block(self, looks: Looks, column: int) -> list[str]:
        """The lines in block style; `column` is that of the first key or dash."""
        lines = []
        for number, key in enumerate(self.keys):
            lines.append(" " * column + looks.key(key) + ":")
            column += looks.offset if number == len(self.keys) - 1 else looks.step
        for entry in self.entries:
            first, second = looks.fields(entry)
            dash = " " * column + "-" + " " * (looks.gap - 1)
            lines.append(f"{dash}{first[0]}: {first[1]}")
            lines.append(" " * (column + looks.gap) + f"{second[0]}: {second[1]}")
        return lines

    def flow(self, looks: Looks, pretty: Pretty | None = None) -> str:
        """The value in flow style: a mapping below the new keys, or a list of the entries."""
        if self.keys:
            return _wrap("{}", [self.flow_pair(looks, pretty.deeper() if pretty else None)], pretty)
        items = self.flow_items(looks, pretty.deeper() if pretty else None)
        return _wrap("[]", items, pretty, looks.comma)

    def flow_pair(self, looks: Looks, pretty: Pretty | None = None) -> str:
        """The first new key and what is below it, in flow style."""
        below = Content(self.keys[1:], self.entries).flow(looks, pretty)
        return looks.key(self.keys[0]) + looks.colon + below

    def flow_items(self, looks: Looks, pretty: Pretty | None = None) -> list[str]:
        """The entries in flow style."""
        return [
            _wrap(
                "{}",
                [key + looks.colon + value for key, value in looks.fields(entry)],
                pretty,
                looks.comma,
            )
            for entry in self.entries
        ]


@dataclass(frozen=True)
class Pretty:
    """Flow style over several lines: the indentation of the line, one step of it, the break."""

    indent: str
    unit: str
    newline: str

    def deeper(self) -> Pretty:
        """One step further in."""
        return Pretty(self.indent + self.unit, self.unit, self.newline)


def _wrap(brackets: str, parts: Sequence[str], pretty: Pretty | None, comma: str = ", ") -> str:
    if pretty is None:
        return brackets[0] + comma.join(parts) + brackets[1]
    inner = pretty.newline + pretty.indent + pretty.unit
    body = ("," + inner).join(parts)
    return brackets[0] + inner + body + pretty.newline + pretty.indent + brackets[1]


def _quoted(text: str, quote: str) -> str:
    return f"{quote or _needed(text)}{text}{quote or _needed(text)}"


def _needed(text: str) -> str:
    plain = _SAFE_PLAIN.fullmatch(text) and text.lower() not in _NOT_STRINGS
    return "" if plain else '"'
