"""The changes that an edit is made of: as splices of the text and as swaps of the events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wizard.systems.values_yaml import block, flow
from wizard.systems.values_yaml.flow import Splice
from wizard.systems.values_yaml.guards import BREAK
from wizard.systems.values_yaml.looks import is_json, looks
from wizard.systems.values_yaml.outline import Node, Tail
from wizard.systems.values_yaml.path import Place
from wizard.systems.values_yaml.proof import Swap
from wizard.systems.values_yaml.readers import bare, scalar
from wizard.systems.values_yaml.reading import Reading
from wizard.systems.values_yaml.shapes import Content, Looks, Pretty


@dataclass(frozen=True)
class Change:
    """One way to make a part of the edit.

    Attributes:
        splices: what is done to the text.
        swaps: what that does to the events.
        tokens: how many tokens it replaces.
    """

    splices: tuple[Splice, ...]
    swaps: tuple[Swap, ...]
    tokens: int = 0


@dataclass
class Growth:
    """The ways to add content at a place, the best one first."""

    reading: Reading
    place: Place
    content: Content
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.reading.text

    def ways(self) -> Iterator[Change]:
        """The changes to try, one after another."""
        node = self.place.node
        if node is None:
            return self._into_nothing()
        if node.kind == "scalar" and node.empty:
            return self._below_empty(node)
        if node.kind == "scalar" or (node.flow and node.count == 0):
            return self._instead(node)
        if node.flow:
            return self._into_flow(node)
        return self._into_block(node)

    def _into_nothing(self) -> Iterator[Change]:
        """A file without a document: only comments and blank lines, or nothing."""
        found = looks(self.reading, None, len(self.text))
        tail = Tail(0, 0, "")
        events = (
            bare("DocumentStartEvent"),
            *self.content.events(found),
            bare("DocumentEndEvent"),
        )
        for at in block.landings(self.text, tail, len(self.text), column=0):
            yield self._lines(at, self.content.block(found, 0), found, Swap(1, 1, events))

    def _below_empty(self, node: Node) -> Iterator[Change]:
        """A key without a value, or a document without content."""
        place, parent = self.place, self.place.parent
        found = looks(self.reading, parent, node.end)
        swap = self._swap(node, found)
        if parent is not None and parent.flow:
            at = len(self.text[: node.end].rstrip())
            lead = " " if self.text[at - 1] == ":" else ": "
            body = flow.filled(self.text, parent, at, self.content, found)
            yield Change((Splice(at, at, lead + body),), (swap,))
            return
        key = block.key_column(self.text, parent) if parent else 0
        column = key + self._below(found) if parent else 0
        lines = self.content.block(found, column)
        start = self.reading.outline.start
        tail = node.tail if parent or node.anchor else Tail(start, start, "")
        flush = place.reached and parent is not None
        threshold = key if flush or parent is None else key + 1
        stop = self.reading.outline.stop
        for at in block.landings(self.text, tail, stop, column=threshold, flush=flush):
            yield self._lines(at, lines, found, swap)

    def _instead(self, node: Node) -> Iterator[Change]:
        """An empty value that is written: `[]`, `{}`, `~`, `null`."""
        parent = self.place.parent
        start = node.open_end - 1 if node.kind != "scalar" else node.end - len(node.value)
        found = looks(self.reading, parent if parent else None, node.end)
        if "#" in self.text[start : node.end]:
            yield self._inside(node, found)
            return
        json = is_json(self.reading) if parent is None or parent.flow else False
        in_flow = (parent is not None and parent.flow) or json
        if not in_flow and self._ends_line(node.end):
            yield self._block_instead(node, start, found)
        found = replace(found, key_quote='"', name_quote='"') if json else found
        body = flow.filled(self.text, parent, start, self.content, found)
        if json and parent is None:
            pretty = Pretty("", "  ", found.newline)
            body = self.content.flow(found, pretty)
        yield Change((Splice(start, node.end, body),), (self._swap(node, found),), 1)

    def _block_instead(self, node: Node, start: int, found: Looks) -> Change:
        parent = self.place.parent
        line = block.line_start(self.text, start)
        before = self.text[line:start]
        if before.strip(" "):
            key = block.key_column(self.text, parent) if parent else -1
            column = key + self._below(found) if parent else 0
            start = line + len(before.rstrip(" \t"))
            body = found.newline + found.newline.join(self.content.block(found, column))
        else:
            body = found.newline.join(self.content.block(found, len(before))).lstrip(" ")
        return Change((Splice(start, node.end, body),), (self._swap(node, found),), 1)

    def _inside(self, node: Node, found: Looks) -> Change:
        """Between brackets that hold nothing but a comment."""
        close = node.end - 1
        indent = flow.leading(self.text, close)
        below = self.content
        parts = [below.flow_pair(found)] if below.keys else below.flow_items(found)
        body = "  " + (f",{found.newline}{indent}  ").join(parts) + found.newline + indent
        return Change((Splice(close, close, body),), (self._swap(node, found),))

    def _into_flow(self, node: Node) -> Iterator[Change]:
        found = looks(self.reading, node, node.end)
        json = found.key_quote == '"'
        splices = flow.append(self.text, node, self.content, found, json=json)
        yield Change(tuple(splices), (self._grown(found, node.last_event),))

    def _into_block(self, node: Node) -> Iterator[Change]:
        found = looks(self.reading, node, node.tail.end)
        stop, flush = self.reading.outline.stop, False
        if node.kind == "sequence":
            column = block.dash_column(self.text, node)
            gap = block.entry_gap(self.text, node)
            found = replace(found, gap=gap or found.gap)
            parent = self.place.parent
            flush = bool(parent and not parent.flow) and column == self._parent_column()
            lines = self._entries(node, found, column)
        else:
            column = block.key_column(self.text, node)
            lines = self.content.block(found, column)
        swap = self._grown(found, node.last_event)
        for at in block.landings(self.text, node.tail, stop, column=column, flush=flush):
            yield self._lines(at, lines, found, swap)
        first = block.line_start(self.text, node.open_end)
        if not self.text[first : first + column].strip(" "):
            swap = self._grown(found, node.first_event + 1)
            yield self._lines(first, lines, found, swap)

    def _entries(self, node: Node, found: Looks, column: int) -> list[str]:
        last = node.items[-1] if node.items else None
        if last is None or last.kind != "mapping" or not last.flow:
            return self.content.block(found, column)
        dash = " " * column + "-" + " " * (found.gap - 1)
        return [dash + item for item in self.content.flow_items(found)]

    def _parent_column(self) -> int:
        parent = self.place.parent
        return block.key_column(self.text, parent) if parent else 0

    def _below(self, found: Looks) -> int:
        return found.offset if self.place.reached else found.step

    def _ends_line(self, at: int) -> bool:
        end = BREAK.search(self.text, at)
        return not self.text[at : end.start() if end else len(self.text)].strip(" \t")

    def _lines(self, at: int, lines: list[str], found: Looks, swap: Swap) -> Change:
        body = block.placed(self.text, at, lines, found.newline)
        return Change((Splice(at, at, body),), (swap,))

    def _swap(self, node: Node, found: Looks) -> Swap:
        events = self.content.events(found, anchor=node.anchor, tag=node.tag)
        return Swap(node.first_event, node.last_event + 1, tuple(events))

    def _grown(self, found: Looks, number: int) -> Swap:
        of = self.content
        events = of.pair_events(found) if of.keys else of.item_events(found)
        return Swap(number, number, tuple(events))


def corrected(reading: Reading, value: Node, right: str) -> Change:
    """The change of one wrong value of a variable; the token is the scalar alone."""
    text = reading.text
    stop = value.end
    if value.style in ("|", ">"):
        stop = value.start + len(text[value.start : value.end].rstrip())
    start = _scalar_start(text, value)
    event = scalar(right, plain=False, anchor=value.anchor, tag=value.tag)
    swap = Swap(value.first_event, value.first_event + 1, (event,))
    return Change((Splice(start, stop, f'"{right}"'),), (swap,), 1)


def _scalar_start(text: str, value: Node) -> int:
    """Where the scalar begins, behind its anchor and its tag."""
    at = value.start
    while text[at] in "&!" or text[at].isspace():
        at += 1
        if not text[at - 1].isspace():
            while not text[at].isspace():
                at += 1
    return at
