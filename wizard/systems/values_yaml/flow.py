"""Where new entries go in flow style: `[a, b]`, `{a: b}`, JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from wizard.systems.values_yaml.block import line_start
from wizard.systems.values_yaml.guards import BREAK
from wizard.systems.values_yaml.outline import Node
from wizard.systems.values_yaml.shapes import Content, Looks, Pretty

_GAP = re.compile("[ \t]+|\r\n|[\n\r\x85\u2028\u2029]|#[^\n\r\x85\u2028\u2029]*|,")


class Splice(NamedTuple):
    """Replace the characters from `start` to `stop` by `text`."""

    start: int
    stop: int
    text: str


@dataclass(frozen=True)
class _Gap:
    """What is between the last entry and the closing bracket."""

    start: int
    comma: int | None
    place: int
    broken: bool
    comment: bool


def append(text: str, node: Node, content: Content, looks: Looks, *, json: bool) -> list[Splice]:
    """The splices that add entries to a flow collection that has some."""
    gap = _gap(text, node)
    own_line = _indent_before(text, node.last_start)
    opened = BREAK.search(text, node.open_end, node.first_start) is not None
    spread = own_line is not None and (gap.broken or opened)
    pretty = _pretty(text, node, own_line or "", looks, json=json) if spread else None
    parts = (
        [content.flow_pair(looks, pretty)] if content.keys else content.flow_items(looks, pretty)
    )
    if not spread or own_line is None:
        return [_same_line(gap, looks.comma.join(parts), looks)]
    return _next_lines(gap, parts, looks.newline + own_line)


def _same_line(gap: _Gap, body: str, looks: Looks) -> Splice:
    if gap.comma is None:
        return Splice(gap.start, gap.start, looks.comma + body)
    space = looks.comma[1:]
    return Splice(gap.comma + 1, gap.comma + 1, f"{space}{body},")


def _next_lines(gap: _Gap, parts: list[str], lead: str) -> list[Splice]:
    body = lead + ("," + lead).join(parts)
    if gap.comma is not None:
        place = max(gap.place, gap.comma + 1)
        return [Splice(place, place, body + ",")]
    if not gap.comment:
        return [Splice(gap.start, gap.start, "," + body)]
    return [Splice(gap.start, gap.start, ","), Splice(gap.place, gap.place, body)]


def _gap(text: str, node: Node) -> _Gap:
    tail = node.inner
    assert tail is not None  # noqa: S101 - a closed collection with entries has one
    start = tail.end
    while tail.start == tail.end and text[start - 1].isspace():
        start -= 1
    close, comma, broken, comment, place = node.end - 1, None, False, False, start
    at = start
    while at < close:
        found = _GAP.match(text, at)
        if not found:
            break
        piece = found.group()
        if piece == ",":
            comma = at
            place = max(place, found.end())
        elif piece.startswith("#"):
            comment, place = True, found.end()
        elif BREAK.fullmatch(piece):
            broken = True
        at = found.end()
    return _Gap(start, comma, place, broken, comment)


def _indent_before(text: str, at: int) -> str | None:
    """The indentation of the line when the character at `at` is the first on it."""
    before = text[line_start(text, at) : at]
    return before if not before.strip(" \t") else None


def _pretty(text: str, node: Node, own: str, looks: Looks, *, json: bool) -> Pretty | None:
    spreads = BREAK.search(text, node.last_start, node.inner.end if node.inner else node.end)
    return Pretty(own, _unit(text, node, own), looks.newline) if json or spreads else None


def _unit(text: str, node: Node, own: str) -> str:
    above = leading(text, node.open_end - 1)
    if own.startswith(above) and len(own) > len(above):
        return own[len(above) :]
    return "  "


def leading(text: str, at: int) -> str:
    """The indentation of the line of the character at `at`."""
    start = line_start(text, at)
    found = re.compile(r"[ \t]*").match(text, start)
    return found.group() if found else ""


def filled(text: str, parent: Node | None, at: int, content: Content, looks: Looks) -> str:
    """The flow text for an empty value at `at`, over several lines where the parent is."""
    if parent is None or not parent.flow:
        return content.flow(looks)
    own = _indent_before(text, parent.last_start)
    if own is None or not looks.key_quote:
        return content.flow(looks)
    return content.flow(looks, Pretty(leading(text, at), _unit(text, parent, own), looks.newline))
