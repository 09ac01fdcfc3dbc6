"""The changes that an edit is made of: as splices of the text, and what they mean as data.

New lines have their place in block style, new entries in flow style: `[a, b]`, `{a: b}`, JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.record import dataclass, replace
from wizard.systems.values.document import BREAK, Node, Part
from wizard.systems.values.looks import Content, Looks, Pretty, is_json, looks
from wizard.systems.values.path import Place
from wizard.systems.values.proof import Meant, Splice


@dataclass(frozen=True)
class Change:
    """One way to make a part of the edit.

    Attributes:
        splices: what is done to the text.
        meant: what that does to the data.
        tokens: how many tokens it replaces.
    """

    splices: tuple[Splice, ...]
    meant: Meant
    tokens: int = 0


@dataclass
class Growth:
    """The ways to add content at a place, the best one first."""

    text: str
    part: Part
    place: Place
    content: Content

    def ways(self) -> Iterator[Change]:
        """The changes to try, one after another."""
        node = self.place.node
        if node is None:
            return self._into_nothing()
        if node.kind == "scalar" and node.empty:
            return self._below_empty(node)
        if node.kind == "scalar" or (node.flow and not node.children):
            return self._instead(node)
        if node.flow:
            return self._into_flow(node)
        return self._into_block(node)

    def _into_nothing(self) -> Iterator[Change]:
        """A file without a document: only comments and blank lines, or nothing."""
        found = self._looks(None, len(self.text))
        for at in landings(self.text, 0, len(self.text), column=0):
            yield self._lines(at, self.content.block(found, 0), found, self._instead_of(None))

    def _below_empty(self, node: Node) -> Iterator[Change]:
        """A key without a value, or a document without content."""
        place, parent = self.place, self.place.parent
        found = self._looks(parent, node.end)
        meant = self._instead_of(node)
        if parent is not None and parent.flow:
            at = len(self.text[: node.end].rstrip())
            lead = " " if self.text[at - 1] == ":" else ": "
            body = filled_flow(self.text, parent, at, self.content, found)
            yield Change((Splice(at, at, lead + body),), meant)
            return
        key = key_column(self.text, parent) if parent else 0
        column = key + self._below(found) if parent else 0
        lines = self.content.block(found, column)
        tail = node.tail if parent or node.anchor else self.part.start
        flush = place.reached and parent is not None
        threshold = key if flush or parent is None else key + 1
        for at in landings(self.text, tail, self.part.stop, column=threshold, flush=flush):
            yield self._lines(at, lines, found, meant)

    def _instead(self, node: Node) -> Iterator[Change]:
        """An empty value that is written: `[]`, `{}`, `~`, `null`."""
        parent = self.place.parent
        start = node.open_end - 1 if node.kind != "scalar" else node.end - len(node.value)
        found = self._looks(parent, node.end)
        if "#" in self.text[start : node.end]:
            yield self._inside(node, found)
            return
        json = is_json(self.text, self.part) if parent is None or parent.flow else False
        in_flow = (parent is not None and parent.flow) or json
        behind = _line_from(self.text, node.end)[0].strip(" \t")
        if not in_flow and not behind:
            yield self._block_instead(node, start, found)
        found = replace(found, key_quote='"', name_quote='"') if json else found
        body = filled_flow(self.text, parent, start, self.content, found)
        if json and parent is None:
            pretty = Pretty("", "  ", found.newline)
            body = self.content.flow(found, pretty)
        yield Change((Splice(start, node.end, body),), self._instead_of(node), 1)

    def _block_instead(self, node: Node, start: int, found: Looks) -> Change:
        parent = self.place.parent
        line = line_start(self.text, start)
        before = self.text[line:start]
        if before.strip(" "):
            key = key_column(self.text, parent) if parent else -1
            column = key + self._below(found) if parent else 0
            start = line + len(before.rstrip(" \t"))
            body = found.newline + found.newline.join(self.content.block(found, column))
        else:
            body = found.newline.join(self.content.block(found, len(before))).lstrip(" ")
        return Change((Splice(start, node.end, body),), self._instead_of(node), 1)

    def _inside(self, node: Node, found: Looks) -> Change:
        """Between brackets that hold nothing but a comment."""
        close = node.end - 1
        indent = leading(self.text, close)
        below = self.content
        parts = [below.flow_pair(found)] if below.keys else below.flow_items(found)
        body = "  " + (f",{found.newline}{indent}  ").join(parts) + found.newline + indent
        return Change((Splice(close, close, body),), self._instead_of(node))

    def _into_flow(self, node: Node) -> Iterator[Change]:
        found = self._looks(node, node.end)
        json = found.key_quote == '"'
        splices = append_flow(self.text, node, self.content, found, json=json)
        yield Change(tuple(splices), self._grown(node, len(node.children)))

    def _into_block(self, node: Node) -> Iterator[Change]:
        found = self._looks(node, node.tail.end)
        stop, flush = self.part.stop, False
        if node.kind == "sequence":
            column = dash_column(self.text, node)
            gap = entry_gap(self.text, node)
            found = replace(found, gap=gap or found.gap)
            parent = self.place.parent
            flush = bool(parent and not parent.flow and column == key_column(self.text, parent))
            lines = self._entries(node, found, column)
        else:
            column = key_column(self.text, node)
            lines = self.content.block(found, column)
        meant = self._grown(node, len(node.children))
        for at in landings(self.text, node.tail, stop, column=column, flush=flush):
            yield self._lines(at, lines, found, meant)
        first = line_start(self.text, node.open_end)
        if not self.text[first : first + column].strip(" "):
            yield self._lines(first, lines, found, self._grown(node, 0))

    def _entries(self, node: Node, found: Looks, column: int) -> list[str]:
        last = node.children[-1] if node.children else None
        if last is None or last.kind != "mapping" or not last.flow:
            return self.content.block(found, column)
        dash = " " * column + "-" + " " * (found.gap - 1)
        return [dash + item for item in self.content.flow_items(found)]

    def _below(self, found: Looks) -> int:
        return found.offset if self.place.reached else found.step

    def _looks(self, neighbour: Node | None, at: int) -> Looks:
        return looks(self.text, self.part, neighbour, at)

    def _lines(self, at: int, lines: list[str], found: Looks, meant: Meant) -> Change:
        body = placed_lines(self.text, at, lines, found.newline)
        return Change((Splice(at, at, body),), meant)

    def _instead_of(self, node: Node | None) -> Meant:
        return Meant(node, self.content.data())

    def _grown(self, node: Node, at: int) -> Meant:
        return Meant(node, self.content.parts(), at)


def corrected(text: str, value: Node, right: str) -> Change:
    """The change of one wrong value of a variable; the token is the scalar alone."""
    stop = value.end
    if value.style in ("|", ">"):
        stop = value.start + len(text[value.start : value.end].rstrip())
    start = _scalar_start(text, value)
    return Change((Splice(start, stop, f'"{right}"'),), Meant(value, right), 1)


def _scalar_start(text: str, value: Node) -> int:
    """Where the scalar begins, behind its anchor and its tag."""
    at = value.start
    while text[at] in "&!" or text[at].isspace():
        at += 1
        if not text[at - 1].isspace():
            while not text[at].isspace():
                at += 1
    return at


_GAP = re.compile("[ \t]+|\r\n|[\n\r\x85\u2028\u2029]|#[^\n\r\x85\u2028\u2029]*|,")


@dataclass(frozen=True)
class _Gap:
    """What is between the last entry and the closing bracket."""

    start: int
    comma: int | None
    place: int
    broken: bool
    comment: bool


def append_flow(
    text: str, node: Node, content: Content, looks: Looks, *, json: bool
) -> list[Splice]:
    """The splices that add entries to a flow collection that has some."""
    gap = _gap(text, node)
    own_line = _indent_before(text, node.keys[-1].start)
    if not gap.broken and not BREAK.search(text, node.open_end, node.children[0].start):
        own_line = None
    last_spreads = BREAK.search(text, node.keys[-1].start, node.children[-1].tail.end)
    pretty = None
    if own_line is not None and (json or last_spreads):
        pretty = Pretty(own_line, _unit(text, node, own_line), looks.newline)
    parts = (
        [content.flow_pair(looks, pretty)] if content.keys else content.flow_items(looks, pretty)
    )
    if own_line is not None:
        return _next_lines(gap, parts, looks.newline + own_line)
    body = looks.comma.join(parts)
    if gap.comma is None:
        return [Splice(gap.start, gap.start, looks.comma + body)]
    space = looks.comma[1:]
    return [Splice(gap.comma + 1, gap.comma + 1, f"{space}{body},")]


def _next_lines(gap: _Gap, parts: list[str], lead: str) -> list[Splice]:
    body = lead + ("," + lead).join(parts)
    if gap.comma is not None:
        place = max(gap.place, gap.comma + 1)
        return [Splice(place, place, body + ",")]
    if not gap.comment:
        return [Splice(gap.start, gap.start, "," + body)]
    return [Splice(gap.start, gap.start, ","), Splice(gap.place, gap.place, body)]


def _gap(text: str, node: Node) -> _Gap:
    tail = node.children[-1].tail
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


def filled_flow(text: str, parent: Node | None, at: int, content: Content, looks: Looks) -> str:
    """The flow text for an empty value at `at`, over several lines where the parent is."""
    if parent is None or not parent.flow:
        return content.flow(looks)
    own = _indent_before(text, parent.keys[-1].start)
    if own is None or not looks.key_quote:
        return content.flow(looks)
    return content.flow(looks, Pretty(leading(text, at), _unit(text, parent, own), looks.newline))


_LISTED = re.compile(r"#+[ \t]*-[ \t]")
_CONTINUED = re.compile(r"#+[ \t]{2,}")


def line_start(text: str, at: int) -> int:
    """The index where the line of the character at `at` begins."""
    return max(text.rfind(mark, 0, at) for mark in "\n\r\x85\u2028\u2029") + 1


def key_column(text: str, mapping: Node) -> int:
    """The column of the keys of a block mapping."""
    at = mapping.open_end
    return at - line_start(text, at)


def dash_column(text: str, sequence: Node) -> int:
    """The column of the dashes of a block sequence."""
    at = sequence.open_end
    if text[at : at + 1] != "-" and text[at - 1 : at] == "-":
        at -= 1
    return at - line_start(text, at)


def entry_gap(text: str, sequence: Node) -> int | None:
    """The columns from the last dash to what follows; None when it is on another line."""
    last = sequence.keys[-1].start
    before = text[line_start(text, last) : last]
    gap = len(before) - before.rfind("-")
    return gap if before.strip(" ") == "-" else None


def landings(
    text: str, tail: Node | int, stop: int, *, column: int, flush: bool = False
) -> list[int]:
    """Where new lines may be put behind a token (or a place): the indexes to try, the best first.

    A comment that follows stays with what it follows when it is indented to `column` at least, so
    the place is behind it. In a list that is flush with its key (`flush`), a comment at `column`
    itself stays only when it looks like an entry that was commented out.
    """
    found = []
    for end in _ends(text, tail):
        place = _behind_comments(text, end, stop, column=column, flush=flush)
        if place is not None and place not in found:
            found.append(place)
    return found


def _ends(text: str, tail: Node | int) -> list[int]:
    if isinstance(tail, int):
        return [len(text[:tail].rstrip())]
    if not tail.style or tail.style not in "|>":
        end = tail.end
        if tail.start == tail.end and text[end - 1 : end].isspace():
            end = len(text[:end].rstrip())
        return [end]
    raw = text[tail.start : tail.end]
    header = BREAK.split(raw, maxsplit=1)[0].partition("#")[0]
    inside = tail.start + len(raw.rstrip())
    return [tail.end] if "+" in header else [inside, tail.end]


def _behind_comments(text: str, end: int, stop: int, *, column: int, flush: bool) -> int | None:
    place = cursor = _next_line(text, end)
    if cursor is None:
        return None
    listed = False
    while cursor < stop:
        line, cursor = _line_from(text, cursor)
        body = line.lstrip(" \t")
        if not body:
            continue
        if not body.startswith("#"):
            break
        indent = len(line) - len(body)
        listed = bool(_LISTED.match(body) or (listed and _CONTINUED.match(body)))
        if indent < column or (flush and indent == column and not listed):
            break
        place = cursor
    return place


def _next_line(text: str, end: int) -> int | None:
    """The start of the next line; None when more than a comment follows on this one."""
    if end and BREAK.fullmatch(text[end - 1]):
        return end
    line, following = _line_from(text, end)
    rest = line.strip(" \t")
    return None if rest and not rest.startswith("#") else following


def _line_from(text: str, at: int) -> tuple[str, int]:
    """The rest of the line, and the start of the next."""
    found = BREAK.search(text, at)
    return (text[at : found.start()], found.end()) if found else (text[at:], len(text))


def placed_lines(text: str, at: int, lines: list[str], newline: str) -> str:
    """The text to insert at `at`, which is the start of a line or the end of the last one."""
    body = newline.join(lines)
    if at == 0 or BREAK.fullmatch(text[at - 1]):
        return body + newline
    return newline + body
