"""A values file that has been read: its text, and the nodes with their places and their data."""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

from wizard.record import dataclass, field
from wizard.systems.values.as_helm import CORE, Unresolved, key_text
from wizard.systems.values.model import Refusal

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""A line break as YAML 1.1, and so helm, knows them."""


class Node:
    """A node; positions are character indexes.

    `children` of a mapping are its keys and values in turn. `start` is before an anchor and a tag,
    `open_end` where the content begins: behind a bracket, at the first key of a block mapping.
    `end` of a block collection is that of its last token. `column` is -1 behind an anchor or a tag.
    `target` is what an alias stands for, `shared` whether an alias stands for the node, `data` what
    helm reads.
    """

    __slots__ = (
        "anchor",
        "children",
        "column",
        "data",
        "end",
        "flow",
        "kind",
        "open_end",
        "plain",
        "shared",
        "start",
        "style",
        "tag",
        "target",
        "value",
    )

    def __init__(self, kind: str, event: Any) -> None:
        self.kind = kind
        self.start: int = event.start_mark.index
        self.open_end: int = event.end_mark.index
        self.end: int = self.open_end
        self.anchor: str | None = event.anchor
        self.tag: str | None = getattr(event, "tag", None)
        self.column: int = -1 if event.anchor or self.tag else event.start_mark.column
        self.value: str = sys.intern(getattr(event, "value", ""))
        self.style: str = getattr(event, "style", None) or ""
        self.plain = kind == "scalar" and bool(event.implicit[0])
        self.flow = bool(getattr(event, "flow_style", False))
        self.children: list[Node] = _NONE
        self.target: Node | None = None
        self.shared = False
        self.data: Any = None

    @property
    def resolved(self) -> Node:
        """The node itself, or what it stands for."""
        return self.target or self

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The keys and values of a mapping."""
        keys = self.children[::2] if self.kind == "mapping" else []
        return list(zip(keys, self.children[1::2], strict=False))

    @property
    def keys(self) -> list[Node]:
        """What begins each entry: the keys of a mapping, the items of a sequence."""
        return self.children[::2] if self.kind == "mapping" else self.children

    @property
    def last_key(self) -> Node | None:
        """The last key of a mapping."""
        return self.keys[-1] if self.kind == "mapping" and self.children else None

    @property
    def tail(self) -> Node:
        """The last token: a scalar, an alias or a flow collection."""
        node = self
        while node.children and not node.flow:
            node = node.children[-1]
        return node

    @property
    def empty(self) -> bool:
        """Whether it is a scalar that is not written at all."""
        return self.kind == "scalar" and self.plain and not self.value

    @property
    def null(self) -> bool:
        """Whether it is a null, and not one by its tag."""
        return self.kind == "scalar" and self.data is None and self.tag is None


_NONE: list[Node] = []


@dataclass
class Part:
    """One document of a file.

    Attributes:
        at: where it begins, its start marker included.
        root: the top-level node; None when there is only a comment, or nothing.
        start: where content may begin: behind the document start marker.
        stop: where content ends: at the document's end marker, or that of the text.
        explicit: whether there is a document start marker.
    """

    at: int = 0
    start: int = 0
    stop: int = 0
    explicit: bool = False
    root: Node | None = None


@dataclass
class Document:
    """A file: its byte order mark (or nothing), its text, and its documents (one, as a rule)."""

    mark: str
    text: str
    parts: list[Part] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """What helm reads; nobody changes it.

        Raises:
            Refusal: several documents, or one whose top level is not a mapping.
        """
        if len(self.parts) > 1:
            raise several(self.parts[1])
        root = self.parts[0].root
        if root is None or root.data is None:
            return {}
        if not isinstance(root.data, dict):
            raise Refusal("LSA314", "The top level of the file is not a mapping", "", line=1)
        return root.data


def line_of(text: str, at: int) -> int:
    """The number, from 1, of the line that holds the character at index `at`."""
    return 1 + sum(1 for _ in re.finditer("\r\n|[\n\r]", text[:at]))


def mapping_data(node: Node) -> dict[str, Any]:
    """What helm reads of a mapping: of two keys the later one wins, a merge among them."""
    data: dict[str, Any] = {}
    kinds: dict[str, type] = {}
    for key, value in node.pairs:
        try:
            sources = merge_sources(key, value)
            text = "" if sources is not None else key_text(key.data)
        except Unresolved as unresolved:
            raise unreadable_by_helm(unresolved.what, key.start) from unresolved
        if sources is not None:
            for source in sources:
                data.update(source.data)
            continue
        kind = type(key.data)
        if kinds.setdefault(text, kind) is not kind:
            raise Refusal(
                "LSA316",
                f"The key {text} is there as a text and as a number or a switch, which are one key "
                "for helm; which of the two it takes is chance",
                "make one of the two, then run this again",
                at=key.start,
            )
        data[text] = value.data
    return data


def merge_sources(key: Node, value: Node) -> list[Node] | None:
    """The mappings that a merge brings, the one that wins last; None when the key is no merge.

    Raises:
        Unresolved: something else than mappings is merged.
    """
    if key.value != "<<" or not (key.plain or key.tag == f"{CORE}merge"):
        return None
    listed = value.children if value.kind == "sequence" else [value]
    sources = [it.resolved for it in reversed(listed)]
    if any(it.kind != "mapping" for it in sources):
        raise Unresolved("a merge (<<) of something that is no mapping")
    return sources


class Entry(NamedTuple):
    """What helm has of one key: where it is written, and the merge key that brings it, if any."""

    key: Node
    value: Node
    through: Node | None


def entries(mapping: Node) -> dict[str, Entry]:
    """What helm has of a mapping; of two the later one, a merge counting where it stands."""
    found: dict[str, Entry] = {}
    for key, value in mapping.pairs:
        sources = merge_sources(key, value)
        if sources is None:
            found[key_text(key.data)] = Entry(key, value, None)
        for source in sources or ():
            merged = entries(source)
            found.update({name: Entry(it.key, it.value, key) for name, it in merged.items()})
    return found


def named(mapping: Node, name: str) -> list[tuple[Node, Node]]:
    """The pairs that are written in the mapping with this key."""
    return [it for it in mapping.pairs if key_text(it[0].data) == name]


def unreadable_by_helm(what: str, at: int) -> Refusal:
    """The refusal of what a parser may read, and helm does not."""
    return Refusal(
        "LSA312",
        f"helm cannot read the file: it has {what}",
        "mend the line, then run this again",
        at=at,
    )


def several(second: Part) -> Refusal:
    """The refusal of a file with several documents."""
    return Refusal(
        "LSA313",
        "There is more than one YAML document in the file; helm 3 reads the first, helm 4 all",
        "split the file at its --- lines, then run this on the one with the values",
        at=second.at,
    )
