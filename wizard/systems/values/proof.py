"""The proof: the result is read again, and helm reads what was meant and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from wizard.systems.values.document import Document, Node


class Splice(NamedTuple):
    """Replace the characters from `start` to `stop` by `text`."""

    start: int
    stop: int
    text: str


class Meant(NamedTuple):
    """What becomes of a node (None: of a file without a document).

    `data` is what helm has to read in its place. With `at`, the node only grows: `data` are its new
    children, and `at` is the number of the first of them.
    """

    node: Node | None
    data: Any
    at: int | None = None


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """The text with the splices applied; every other character is kept, in its order."""
    parts, at = [], 0
    for splice in sorted(splices):
        if splice.start < at:
            raise ValueError("splices that lie over one another")
        parts += [text[at : splice.start], splice.text]
        at = splice.stop
    return "".join([*parts, text[at:]])


def proven(before: Document, after: Document, meant: Sequence[Meant]) -> bool:
    """Whether `after` is `before` with just what was meant.

    Nodes are the same when their kind, anchor, tag and text are, and whether they are quoted: then
    they are the same data for every reader.
    """
    pending = {id(it.node): it for it in meant}
    if len(before.parts) != len(after.parts):
        return False
    waiting = [(old.root, new.root) for old, new in zip(before.parts, after.parts, strict=True)]
    while waiting:
        old, new = waiting.pop()
        change = pending.pop(id(old), None)
        if old is None or new is None:
            if (new.data if new else None) != (change.data if change else None):
                return False
            continue
        children = new.children
        if change is not None and change.at is None:
            if (old.anchor, old.tag, change.data) != (new.anchor, new.tag, new.data):
                return False
            continue
        if change is not None and change.at is not None:
            end = change.at + len(change.data)
            if [it.data for it in children[change.at : end]] != change.data:
                return False
            children = children[: change.at] + children[end:]
        if _told(old) != _told(new) or len(old.children) != len(children):
            return False
        waiting += zip(old.children, children, strict=True)
    return not pending


def _told(node: Node) -> tuple[Any, ...]:
    return node.kind, node.anchor, node.tag, node.plain, node.flow, node.value
