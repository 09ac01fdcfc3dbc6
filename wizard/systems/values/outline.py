"""The outline of a document: the nodes on and beside the path, and what shows its style.

It is built in one pass over the events of the YAML 1.1 parser. Of all other nodes nothing is kept,
so a file of two million bytes needs little memory however dense it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wizard.systems.values.model import WANTED, Refusal
from wizard.systems.values.parser import MAX_FLOW_WORK, helm_events

KEPT = frozenset(
    {"backend", "deployment", "extraEnv", "commonEnv", "name", "value", "valueFrom", "<<"}
    | {"sops", "mac", "lastmodified", "version"}
    | {"apiVersion", "kind", "metadata", "spec", "values", "valuesContent", "valuesObject"}
    | {"source", "sources", "helm", "template", "data", "stringData"}
    | {entry.name for entry in WANTED}
)
"""Keys whose values are looked into."""


_SAME_KEYS_KEPT = 3


class Tail:
    """The last token of a node: where it starts and ends, and its scalar style."""

    __slots__ = ("end", "start", "style")

    def __init__(self, start: int, end: int, style: str) -> None:
        self.start = start
        self.end = end
        self.style = style


class Node:
    """A node of the outline. Positions are character indexes, events are counted from 0.

    `pairs` and `items` hold the kept children only; `count`, `first_start`, `last_start` and
    `last_key` tell of all of them. `open_end` is where the content begins: behind a bracket, at
    the first key of a block mapping. `tail` is the last token of the node, `inner` the last one
    before a closing bracket, `odd` the first item of a sequence that is neither mapping nor alias.
    """

    __slots__ = (
        "anchor",
        "closed",
        "column",
        "count",
        "end",
        "first_event",
        "first_start",
        "flow",
        "inner",
        "items",
        "kind",
        "last_event",
        "last_key",
        "last_start",
        "odd",
        "open_end",
        "pairs",
        "plain",
        "start",
        "style",
        "tag",
        "tail",
        "target",
        "value",
    )

    def __init__(self, kind: str, event: Any, number: int) -> None:
        self.kind = kind
        self.first_event = self.last_event = number
        self.start: int = event.start_mark.index
        self.open_end: int = event.end_mark.index
        self.end: int = event.end_mark.index
        self.column: int = -1 if event.anchor or event.tag else event.start_mark.column
        self.anchor: str | None = event.anchor
        self.tag: str | None = getattr(event, "tag", None)
        self.value: str = getattr(event, "value", "")
        self.style: str = getattr(event, "style", None) or ""
        self.plain = kind == "scalar" and bool(event.implicit[0])
        self.flow = bool(getattr(event, "flow_style", False))
        self.pairs: Sequence[tuple[Node, Node]] = ()
        self.items: Sequence[Node] = ()
        self.count = 0
        self.first_start = self.last_start = -1
        self.last_key: Node | None = None
        self.target: int | None = None
        self.closed = False
        self.inner: Tail | None = None
        self.odd: Node | None = None
        self.tail = Tail(self.start, self.end, self.style)

    def keep_pair(self, key: Node, value: Node) -> bool:
        """Keep a pair; of one key three are enough to tell that it is there more than once."""
        if sum(known.value == key.value for known, _ in self.pairs) >= _SAME_KEYS_KEPT:
            return False
        self.pairs = [*self.pairs, (key, value)]
        return True

    def keep_item(self, item: Node) -> None:
        """Keep an item, and forget the one before it when it has nothing that is looked for."""
        items = self.items if isinstance(self.items, list) else []
        if items and items[-1].kind == "mapping" and not items[-1].pairs:
            items.pop()
        items.append(item)
        self.items = items

    def drop_last_item(self) -> None:
        """Forget the last item."""
        if isinstance(self.items, list):
            self.items.pop()

    @property
    def empty(self) -> bool:
        """Whether it is a scalar that is not written at all."""
        return self.kind == "scalar" and self.plain and not self.value

    @property
    def null(self) -> bool:
        """Whether helm reads it as null."""
        return (
            self.kind == "scalar"
            and self.plain
            and self.tag is None
            and self.value in ("", "~", "null", "Null", "NULL")
        )


@dataclass
class Style:
    """How often each way to indent block collections was seen, in columns."""

    steps: Counter[int] = field(default_factory=Counter)
    offsets: Counter[int] = field(default_factory=Counter)
    gaps: Counter[int] = field(default_factory=Counter)


@dataclass
class Outline:
    """What one pass over a document found.

    Attributes:
        root: the top-level node; None when there is no document.
        start: where content may begin: behind the document start marker.
        stop: where content ends: at the document end marker or the end of the text.
        explicit: whether there is a document start marker.
        shared: the numbers of the events whose anchors have aliases.
        style, near: the style of the whole file, and that below `backend` alone.
        root_keys: where the first top-level keys start.
        template: where a structural `{{` stands.
    """

    root: Node | None = None
    start: int = 0
    stop: int = 0
    explicit: bool = False
    shared: set[int] = field(default_factory=set)
    style: Style = field(default_factory=Style)
    near: Style = field(default_factory=Style)
    root_keys: list[int] = field(default_factory=list)
    template: int | None = None


class Frame:
    """A collection that is open while the events pass."""

    __slots__ = (
        "aliases",
        "column",
        "first_event",
        "flow",
        "key",
        "mapping",
        "node",
        "position",
        "start",
    )

    def __init__(self, node: Node | None, event: Any, number: int, *, mapping: bool) -> None:
        self.node = node
        self.mapping = mapping
        self.flow = bool(event.flow_style)
        self.column: int = -1 if event.anchor or event.tag else event.start_mark.column
        self.start: int = event.start_mark.index
        self.first_event = number
        self.position = 0
        self.key: Node | None = None
        self.aliases: dict[int, int] = {}


_ROOT_KEYS_NOTED = 200
_ALIASES_KEPT = 2
_LONGEST_TAG = 10_000


def build(text: str) -> Outline:
    """The outline of a document.

    Raises:
        Unreadable: not YAML, or too deep.
        Refusal: several documents, a recursive structure, or an alias of nothing.
    """
    return _Builder(text).run()


def subtrees(text: str, numbers: frozenset[int]) -> dict[int, Node]:
    """The nodes that the events `numbers` begin, kept as `build` keeps them."""
    builder = _Builder(text, only=numbers)
    builder.run()
    return builder.found


class _Builder:
    def __init__(self, text: str, *, only: frozenset[int] = frozenset()) -> None:
        self.text = text
        self.only = only
        self.found: dict[int, Node] = {}
        self.outline = Outline(stop=len(text))
        self.frames: list[Frame] = []
        self.tail = Tail(0, 0, "")
        self.latest: dict[str, int] = {}
        self.open: set[int] = set()
        self.names: dict[int, str] = {}
        self.documents = 0
        self.flow_depth = 0
        self.work = 0
        self.backend_depth: int | None = None

    def run(self) -> Outline:
        handlers = {
            "ScalarEvent": self._scalar,
            "AliasEvent": self._alias,
            "MappingStartEvent": self._start_mapping,
            "SequenceStartEvent": self._start_sequence,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "DocumentStartEvent": self._start_document,
            "DocumentEndEvent": self._end_document,
        }
        for number, event in enumerate(helm_events(self.text)):
            handler = handlers.get(type(event).__name__)
            if handler:
                handler(event, number)
        return self.outline

    def _start_document(self, event: Any, _number: int) -> None:
        self.documents += 1
        if self.documents > 1:
            raise Refusal(
                "LSA313",
                "There is more than one YAML document in the file; helm reads only the first",
                "split the file at its --- lines, then run this on the one with the values",
                at=event.start_mark.index,
            )
        if event.explicit:
            self.outline.explicit = True
            self.outline.start = event.end_mark.index

    def _end_document(self, event: Any, _number: int) -> None:
        if event.explicit:
            self.outline.stop = event.start_mark.index

    def _scalar(self, event: Any, number: int) -> None:
        node = self._child("scalar", event, number)
        if event.anchor is not None:
            self._anchor(event, number)
            if event.value in KEPT:
                self.names[number] = event.value
        self.tail = Tail(event.start_mark.index, event.end_mark.index, event.style or "")
        if node:
            node.tail = self.tail

    def _alias(self, event: Any, number: int) -> None:
        target = self.latest.get(event.anchor)
        if target is None:
            raise Refusal(
                "LSA312",
                f"The file is not valid YAML: the alias *{event.anchor} has no anchor before it",
                "mend the file; helm cannot read it either",
                at=event.start_mark.index,
            )
        if target in self.open:
            raise Refusal(
                "LSA326",
                f"The alias *{event.anchor} stands inside of what it stands for",
                "take the recursion out; helm cannot read the file either",
                at=event.start_mark.index,
            )
        node = self._child("alias", event, number)
        self.outline.shared.add(target)
        self.tail = Tail(event.start_mark.index, event.end_mark.index, "")
        if node:
            node.target = target
            self._drop_repeated(target)
            node.value = self.names.get(target, "")
            node.tail = self.tail

    def _drop_repeated(self, target: int) -> None:
        """Of a list's aliases of one node two are kept: enough to tell that it is there twice."""
        parent = self.frames[-1].node if self.frames else None
        if parent is None or parent.kind != "sequence":
            return
        seen = self.frames[-1].aliases
        seen[target] = seen.get(target, 0) + 1
        if seen[target] > _ALIASES_KEPT:
            parent.drop_last_item()

    def _start_mapping(self, event: Any, number: int) -> None:
        self._note_template(event)
        self._start(event, number, "mapping")

    def _start_sequence(self, event: Any, number: int) -> None:
        self._start(event, number, "sequence")

    def _start(self, event: Any, number: int, kind: str) -> None:
        node = self._child(kind, event, number)
        if event.anchor is not None:
            self._anchor(event, number)
            self.open.add(number)
        if event.flow_style:
            self.flow_depth += 1
        if node and self.backend_depth is None and self._is_backend():
            self.backend_depth = len(self.frames)
        if self.frames and not event.flow_style and not (event.anchor or event.tag):
            self._note_style(kind, event.start_mark.column)
        self.frames.append(Frame(node, event, number, mapping=kind == "mapping"))

    def _end(self, event: Any, number: int) -> None:
        frame = self.frames.pop()
        if frame.node:
            frame.node.inner = self.tail
        if frame.flow:
            self.flow_depth -= 1
            self.tail = Tail(frame.start, event.end_mark.index, "")
        self.open.discard(frame.first_event)
        if self.backend_depth == len(self.frames):
            self.backend_depth = None
        node = frame.node
        if node:
            node.closed = True
            node.last_event = number
            node.end = self.tail.end
            node.tail = self.tail

    def _anchor(self, event: Any, number: int) -> None:
        self.latest[event.anchor] = number

    def _child(self, kind: str, event: Any, number: int) -> Node | None:
        self.work += self.flow_depth
        if self.work > MAX_FLOW_WORK:
            raise _too_slow("nests so much in brackets", event)
        tag = getattr(event, "tag", None)
        if tag is not None and len(tag) > _LONGEST_TAG:
            raise _too_slow("has a tag so long", event)
        if number in self.only:
            self.found[number] = self._kept(kind, event, number) or Node(kind, event, number)
            return self.found[number]
        return self._kept(kind, event, number)

    def _kept(self, kind: str, event: Any, number: int) -> Node | None:
        if not self.frames:
            self.outline.root = Node(kind, event, number)
            return self.outline.root
        frame = self.frames[-1]
        frame.position += 1
        if frame.node is None:
            return None
        if frame.mapping:
            return self._in_mapping(frame, frame.node, Node(kind, event, number))
        return self._in_sequence(frame.node, Node(kind, event, number))

    def _in_mapping(self, frame: Frame, parent: Node, child: Node) -> Node | None:
        if frame.position % 2:
            frame.key = child
            parent.last_key = child
            self._note_place(parent, child)
            if len(self.frames) == 1 and len(self.outline.root_keys) < _ROOT_KEYS_NOTED:
                self.outline.root_keys.append(child.start)
            return child
        key = frame.key
        if key is None or key.value not in KEPT:
            return None
        return child if parent.keep_pair(key, child) else None

    def _in_sequence(self, parent: Node, child: Node) -> Node | None:
        self._note_place(parent, child)
        if child.kind in ("mapping", "alias"):
            parent.keep_item(child)
            return child
        parent.odd = parent.odd or child
        return None

    @staticmethod
    def _note_place(parent: Node, child: Node) -> None:
        parent.count += 1
        if parent.first_start < 0:
            parent.first_start = child.start
        parent.last_start = child.start

    def _is_backend(self) -> bool:
        key = self.frames[-1].key if self.frames else None
        return key is not None and key.value == "backend" and self.frames[-1].position % 2 == 0

    def _note_style(self, kind: str, column: int) -> None:
        frame = self.frames[-1]
        if frame.flow or frame.column < 0:
            return
        step = column - frame.column
        for style in (self.outline.style, self.outline.near):
            if style is self.outline.near and self.backend_depth is None:
                continue
            if not frame.mapping:
                style.gaps[step] += 1
            elif kind == "mapping":
                style.steps[step] += 1
            else:
                style.offsets[step] += 1

    def _note_template(self, event: Any) -> None:
        """A mapping that is the first key of a mapping, written `{{`, is a template action."""
        if not (event.flow_style and self.frames) or self.outline.template is not None:
            return
        frame = self.frames[-1]
        start = event.start_mark.index
        if frame.mapping and frame.flow and frame.position == 0 and frame.start == start - 1:
            self.outline.template = frame.start


def _too_slow(what: str, event: Any) -> Refusal:
    return Refusal(
        "LSA330",
        f"The file {what} that an edit could not be proven in time",
        "check that it is the right file",
        at=event.start_mark.index,
    )
