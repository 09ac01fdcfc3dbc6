"""The outline of a document: the nodes on and beside the path, and what shows its style.

One pass over the events of the YAML 1.1 parser. Of all other nodes nothing is kept, so a file of
two million bytes needs little memory however dense it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wizard.systems.values_yaml.model import WANTED

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
