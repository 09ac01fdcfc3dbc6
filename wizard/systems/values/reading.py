"""Reading a values file, once: bytes become a text, a text becomes nodes, nodes have their data.

libyaml parses it, the parser that helm's own was ported from. What helm cannot read is refused,
whatever a parser says; so is what is beyond a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from wizard.resources import yaml_loader
from wizard.systems.redact import secret_literals
from wizard.systems.values.as_helm import (
    Unresolved,
    json_data,
    merge_values,
    scalar_data,
    without_nulls,
)
from wizard.systems.values.document import (
    BREAK,
    Document,
    Node,
    Part,
    mapping_data,
    unreadable_by_helm,
)
from wizard.systems.values.model import Refusal

LIMIT = 1024 * 1024
"""The largest values file that is read, in bytes (1 MB)."""

MOST_NODES = 120_000
"""Keys and values that a file may have, its aliases written out: about 150 MB, and 5 s."""

MAX_DEPTH = 400
"""Levels that a file may nest, its aliases written out: fewer than any version of libyaml allows,
and than Python's recursion allows those who compare the values."""

_LONGEST_TAG = 1_000


def effective_values(layers: Sequence[bytes]) -> dict[str, Any]:
    """The values of several files as the chart gets them: merged, and what is null deleted.

    Raises:
        Refusal: a file that cannot be read as values.
    """
    return without_nulls(given_values(layers))


def given_values(layers: Sequence[bytes]) -> dict[str, Any]:
    """The values of several files as helm records them: maps deep, lists replaced, nulls kept.

    Raises:
        Refusal: a file that cannot be read as values; its `layer` says which.
    """
    merged: dict[str, Any] = {}
    for layer, data in enumerate(layers):
        try:
            merged = merge_values(merged, read(data).values())
        except Refusal as refusal:
            refusal.layer = layer
            raise
    return merged


_WORD = re.compile(rb"[^\s:,{}\[\]\"']{4,}")


def secrets_of(data: bytes) -> frozenset[str]:
    """The secrets of a values file; of one that cannot be read, every word."""
    try:
        return frozenset(secret_literals(read(data).values()))
    except Refusal:
        return frozenset(word.decode(errors="replace") for word in _WORD.findall(data))


@lru_cache(maxsize=8)
def read(data: bytes) -> Document:
    """The document that these bytes are; the same bytes are read once.

    Raises:
        Refusal: it is no text, or helm cannot read it, or it is beyond a limit.
    """
    mark, text = _text(data)
    document = Document(mark, text)
    builder = _Builder(document)
    try:
        for event in _events(text):
            builder.take(event)
    except _Unreadable as problem:
        raise _invalid(text, problem) from problem
    if not document.parts:
        document.parts.append(Part(stop=len(text)))
    _refuse_beside_marker(document)
    return document


def _refuse_beside_marker(document: Document) -> None:
    part = document.parts[0]
    if not (part.explicit and part.root is not None and part.root.children):
        return
    if not BREAK.search(document.text, part.start, part.root.start):
        what = "values on the line of its --- marker, which helm 4 does not take"
        raise unreadable_by_helm(what, part.root.start)


class _Unreadable(Exception):
    def __init__(self, words: str, at: int | None) -> None:
        super().__init__(words)
        self.words = words
        self.at = at


def _events(text: str) -> Iterator[Any]:
    import yaml

    try:
        yield from yaml.parse(text, Loader=yaml_loader())
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = mark.index if mark is not None else getattr(error, "position", None)
        words = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        context = getattr(error, "context", None)
        raise _Unreadable(f"{context}: {words}" if context else str(words), at) from error


class _Anchored(NamedTuple):
    """What an alias of a node brings: the node, how many nodes it has, how deep it is."""

    node: Node
    size: int
    height: int


class _Builder:
    """Makes the nodes of the events."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.text
        self.open: list[Node] = []
        self.began: list[int] = []
        self.heights: list[int] = []
        self.anchors: dict[str, _Anchored | Node] = {}
        self.total = 0
        self.slashes = "\\/" in self.text

    def take(self, event: Any) -> None:
        """The next event."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._scalar(event)
        elif kind == "MappingStartEvent":
            self._start("mapping", event)
        elif kind == "SequenceStartEvent":
            self._start("sequence", event)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._end(event)
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentStartEvent":
            self._start_document(event)
        elif kind == "DocumentEndEvent" and event.explicit:
            self.document.parts[-1].stop = event.start_mark.index

    def _start_document(self, event: Any) -> None:
        if event.version or event.tags:
            raise unreadable_by_helm("a directive (%), which helm 4 does not know", 0)
        parts = self.document.parts
        if parts:
            parts[-1].stop = min(parts[-1].stop, event.start_mark.index)
        at = event.start_mark.index if parts else 0
        start = event.end_mark.index if event.explicit else at
        parts.append(Part(at, start, len(self.text), bool(event.explicit)))
        self.anchors = {}

    def _scalar(self, event: Any) -> None:
        node = Node("scalar", event)
        if node.tag is None and _BARE_TAG.match(self.text, node.start):
            node.tag = "!"
        if self.slashes and node.style == '"':
            found = _SLASH.match(self.text, node.start, node.end)
            if found:
                what = 'the escape "\\/", which helm does not know'
                raise unreadable_by_helm(what, found.end() - 2)
        node.data = self._data(node, node)
        self._add(node, size=1, height=0)
        if node.anchor is not None:
            self.anchors[node.anchor] = _Anchored(node, 1, 0)

    def _alias(self, event: Any) -> None:
        at = event.start_mark.index
        if event.anchor not in self.anchors:
            raise _Unreadable(f"the alias *{event.anchor} has no anchor before it", at)
        target = self.anchors[event.anchor]
        if isinstance(target, Node):
            raise Refusal(
                "LSA326",
                f"The alias *{event.anchor} stands inside of what it stands for",
                "take the recursion out; helm cannot read the file either",
                at=at,
            )
        node = Node("alias", event)
        node.target = target.node
        scalar = target.node.kind == "scalar"
        node.data = self._data(target.node, node) if scalar else target.node.data
        target.node.shared = True
        self._add(node, size=target.size, height=target.height)

    def _data(self, scalar: Node, written: Node) -> Any:
        """What helm reads of a scalar; a number that is a key is not yet JSON's."""
        parent = self.open[-1] if self.open else None
        is_key = parent and parent.kind == "mapping" and len(parent.children) % 2 == 0
        try:
            data = scalar_data(scalar.value, scalar.tag, plain=scalar.plain)
            return data if is_key else json_data(data)
        except Unresolved as unresolved:
            raise unreadable_by_helm(unresolved.what, written.start) from unresolved

    def _start(self, kind: str, event: Any) -> None:
        node = Node(kind, event)
        self._refuse_template(node)
        self._add(node, size=1, height=1)
        if node.anchor is not None:
            self.anchors[node.anchor] = node
        node.children = []
        self.open.append(node)
        self.began.append(self.total - 1)
        self.heights.append(1)

    def _end(self, event: Any) -> None:
        node, size = self.open.pop(), self.total - self.began.pop()
        height = self.heights.pop()
        if self.heights:
            self.heights[-1] = max(self.heights[-1], height + 1)
        node.end = event.end_mark.index if node.flow else node.children[-1].end
        if node.kind == "mapping":
            node.data = mapping_data(node)
        else:
            node.data = [item.data for item in node.children]
        if node.anchor is not None and self.anchors[node.anchor] is node:
            self.anchors[node.anchor] = _Anchored(node, size, height)

    def _add(self, node: Node, *, size: int, height: int) -> None:
        self.total += size
        if self.total > MOST_NODES:
            raise Refusal(
                "LSA302",
                f"The file has more than {MOST_NODES:,} keys and values, its aliases written out",
                "check that it is the right file",
                at=node.start,
            )
        if len(self.open) + height > MAX_DEPTH:
            raise _too_deep(node.start)
        if node.tag is not None and len(node.tag) > _LONGEST_TAG:
            raise unreadable_by_helm("a tag of more than 1,000 characters", node.start)
        if self.open:
            self.heights[-1] = max(self.heights[-1], height + 1)
            self.open[-1].children.append(node)
        else:
            self.document.parts[-1].root = node

    def _refuse_template(self, node: Node) -> None:
        """A mapping that is the first key of a mapping, written `{{`, is a template action."""
        parent = self.open[-1] if self.open else None
        if parent is None or parent.kind != "mapping" or len(parent.children) % 2:
            return
        if not parent.children and parent.flow and node.flow and parent.open_end == node.start:
            raise _template(parent.start)


_BARE_TAG = re.compile(r"(?:&\S+\s+(?:#[^\n]*\s+)*)?!")
"""A lone `!`, which makes a text of a scalar; libyaml does not tell of it."""

_SLASH = re.compile(r"(?:[^\\]|\\[^/])*\\/")


def _too_deep(at: int | None) -> Refusal:
    return Refusal(
        "LSA336",
        f"The file nests deeper than {MAX_DEPTH} levels, and such files are not read",
        "check that it is the right file",
        at=at,
    )


def _invalid(text: str, problem: _Unreadable) -> Refusal:
    if "nesting depth" in problem.words and not text.lstrip().startswith("{{"):
        return _too_deep(problem.at)
    middle = _CONFLICT_MIDDLE.search(text)
    if middle is not None:
        return _conflicted(middle.start())
    action = _TEMPLATE_LINE.search(text)
    if action is not None:
        return _template(action.end() - 2)
    words = re.sub(r"\s+", " ", problem.words)[:200]
    return Refusal(
        "LSA312",
        f"The file is not valid YAML: {words}",
        "mend the line, then run this again",
        at=problem.at,
    )


def _template(at: int) -> Refusal:
    return Refusal(
        "LSA324",
        "The file is a template: it has a {{ }} or {% %} action outside of a string",
        "make the edit in the template by hand, or run this on the rendered file",
        at=at,
    )


BOM = "\ufeff"
_CONFLICT = re.compile(r"(?:^|(?<=[\n\r]))(?:<{7}|>{7}|\|{7})(?=[ \r\n]|$)")
_CONFLICT_MIDDLE = re.compile(r"(?:^|(?<=[\n\r]))={7}(?=[\r\n]|$)")
_TEMPLATE_LINE = re.compile(r"(?:^|(?<=[\n\r]))[^#\n\r]*(?:\{\{|\{%)")


def _text(data: bytes) -> tuple[str, str]:
    """The byte order mark (or nothing) and the text."""
    if len(data) > LIMIT:
        raise Refusal(
            "LSA302",
            f"The file has {len(data):,} bytes; values files of at most {LIMIT:,} bytes are read",
            "check that it is the right file; if it is, put the two variables into a small "
            "values file of their own and name it last",
        )
    text = _decoded(data)
    nul = text.find("\0")
    if nul >= 0:
        raise Refusal(
            "LSA311",
            "There is a NUL byte in the file, so it is not a text that helm can read",
            "check that it is the right file and that it is saved as UTF-8",
            at=nul,
        )
    mark = BOM if text.startswith(BOM) else ""
    text = text[len(mark) :]
    conflict = _CONFLICT.search(text)
    if conflict:
        raise _conflicted(conflict.start())
    if text.startswith("%") and text.count("\n%") > _MOST_DIRECTIVES:
        raise unreadable_by_helm("a directive (%), which helm 4 does not know", 0)
    return mark, text


_MOST_DIRECTIVES = 100


def _conflicted(at: int) -> Refusal:
    return Refusal(
        "LSA325",
        "There is a merge-conflict marker in the file",
        "resolve the conflict first, then run this again",
        at=at,
    )


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = ""
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            kind = "; it looks like UTF-16"
        elif data.startswith(b"\0GITCRYPT"):
            kind = "; it is encrypted with git-crypt"
        raise Refusal(
            "LSA310",
            f"The file is not UTF-8{kind}",
            "save it as UTF-8, then run this again",
            line=1 + data.count(b"\n", 0, error.start),
        ) from error
