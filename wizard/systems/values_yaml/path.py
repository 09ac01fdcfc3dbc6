"""The walk down the path: what is there, what is missing, and what forbids a change."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.systems.values_yaml.model import BY_HAND, Refusal
from wizard.systems.values_yaml.outline import Node
from wizard.systems.values_yaml.reading import Reading

PATH = ("backend", "deployment", "extraEnv")
"""The chart's key for further environment variables of the backend."""

_CORE = "tag:yaml.org,2002:"


@dataclass
class Place:
    """How far the path goes.

    Attributes:
        node: the deepest node on the path that exists; None in an empty document.
        parent: the mapping that holds it; None at the top.
        key: its key node in the parent.
        missing: the keys below `node` that do not exist; empty when it is the list itself.
        obstacle: why it must not be changed, though it can be read.
    """

    node: Node | None
    parent: Node | None = None
    key: Node | None = None
    missing: tuple[str, ...] = ()
    obstacle: Refusal | None = None

    @property
    def reached(self) -> bool:
        """Whether the last key of the path is there."""
        return not self.missing and self.node is not None

    @property
    def cut(self) -> bool:
        """Whether the path ends in a null, which deletes what other layers have there."""
        return self.node is not None and self.parent is not None and self.node.null


class Walk:
    """Follows keys from the top of a document."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.place = Place(reading.root)

    def follow(self, keys: tuple[str, ...], *, to_list: bool) -> Place:
        """The place that `keys` lead to; its last node is a list (`to_list`) or a mapping.

        Raises:
            Refusal: a wrong shape or a duplicate key on the way.
        """
        place = self.place
        for number, key in enumerate(keys):
            place.missing = keys[number:]
            if not self._enter("mapping", keys[:number]) or not self._step(key):
                return place
        place.missing = ()
        self._enter("sequence" if to_list else "mapping", keys)
        return place

    def _enter(self, kind: str, keys: tuple[str, ...]) -> bool:
        """Whether the node is of this kind and has something in it."""
        place, node = self.place, self.place.node
        if node is None:
            return False
        if node.kind == "alias":
            self._obstruct(_alias(node, keys))
            node = place.node = self.reading.resolved(node)
        elif self.reading.shared(node):
            self._obstruct(_shared(node, keys))
        right = _CORE + ("map" if kind == "mapping" else "seq")
        foreign = node.tag is not None and node.tag.startswith(_CORE) and node.tag != right
        if is_empty(node) and node.tag in (None, right):
            if not keys and node.kind == "sequence":
                raise _shape(node, kind, keys)
            return False
        if node.kind != kind or foreign:
            raise _shape(node, kind, keys)
        return True

    def _step(self, key: str) -> bool:
        place, node = self.place, self.place.node
        assert node is not None  # noqa: S101 - for the type checker; `_enter` saw to it
        found = [pair for pair in node.pairs if pair[0].value == key]
        if len(found) > 1:
            raise duplicate(found[1][0], key)
        if not found:
            found = self._merged(node, key)
        if not found:
            return False
        if found[0][0].kind == "alias":
            self._obstruct(_alias(found[0][0], (key,)))
        place.parent, (place.key, place.node) = node, found[0]
        return True

    def _merged(self, node: Node, key: str) -> list[tuple[Node, Node]]:
        for mapping in self.reading.merged(node):
            for pair in mapping.pairs:
                if pair[0].value == key:
                    at = next(k.start for k, _ in node.pairs if k.value == "<<")
                    self._obstruct(_through_merge(at, key))
                    return [pair]
        return []

    def _obstruct(self, refusal: Refusal) -> None:
        self.place.obstacle = self.place.obstacle or refusal


def is_empty(node: Node) -> bool:
    """Whether it is null, `{}` or `[]`."""
    return node.null or (node.flow and node.count == 0)


def duplicate(key: Node, name: str) -> Refusal:
    """The refusal of a key that is there twice."""
    return Refusal(
        "LSA316",
        f"The key {name} is there twice; the later one hides the earlier",
        "make one of the two, then run this again",
        at=key.start,
    )


def _shape(node: Node, kind: str, keys: tuple[str, ...]) -> Refusal:
    is_now = {"scalar": "a single value", "mapping": "a mapping", "sequence": "a list"}[node.kind]
    if node.tag is not None:
        is_now += f" with the tag {node.tag.replace(_CORE, '!!')}"
    wanted = {"mapping": "a mapping", "sequence": "a list"}[kind]
    if not keys:
        return Refusal(
            "LSA314",
            f"The top level of the file is {is_now}, not a mapping",
            "check that it is the right file",
            at=node.start,
        )
    where = ".".join(keys)
    return Refusal(
        "LSA315",
        f"{where} is {is_now}, where the chart wants {wanted}",
        f"make {where} {wanted}, then run this again",
        at=node.start,
    )


def _alias(node: Node, keys: tuple[str, ...]) -> Refusal:
    return Refusal(
        "LSA317",
        f"{'.'.join(keys)} is an alias (*{node.anchor}); a change would be made where it points to",
        "write it out in full here, then run this again",
        at=node.start,
    )


def _shared(node: Node, keys: tuple[str, ...]) -> Refusal:
    where = ".".join(keys) or "The top level"
    return Refusal(
        "LSA318",
        f"{where} has an anchor (&{node.anchor}) that is used elsewhere; a change goes there too",
        f"write one of the two out in full, then run this again; or {BY_HAND}",
        at=node.start,
    )


def _through_merge(at: int, key: str) -> Refusal:
    return Refusal(
        "LSA319",
        f"{key} comes in through a merge (<<), so it cannot be changed here alone",
        "write it out in full here, then run this again",
        at=at,
    )
