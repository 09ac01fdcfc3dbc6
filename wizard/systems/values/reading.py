"""A values file that has been read: its text, its outline, and what its aliases stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wizard.systems.values.model import BY_HAND, Refusal
from wizard.systems.values.outline import Node, Outline, build, subtrees
from wizard.systems.values.parser import (
    MAX_DEPTH,
    TooDeep,
    Unreadable,
    conflict_middle,
    conflicted,
    readable,
    template_line,
)

_ALIAS_ROUNDS = 20
_PASSES = 50
MERGE = "<<"


class Reading:
    """The text and the outline of one values file; refuses what cannot be read as one."""

    def __init__(self, data: bytes) -> None:
        self.mark, self.text = readable(data)
        self.outline: Outline = self._outline()
        self._targets: dict[int, Node] = {}
        self._passes = 0
        if self.outline.template is not None:
            raise _template(self.outline.template)

    @property
    def root(self) -> Node | None:
        """The top-level node."""
        return self.outline.root

    def shared(self, node: Node) -> bool:
        """Whether an alias elsewhere stands for this node."""
        return node.first_event in self.outline.shared

    def resolved(self, node: Node) -> Node:
        """The node itself, or what it stands for when it is an alias."""
        rounds = 0
        while node.kind == "alias" and node.target is not None:
            rounds += 1
            if rounds > _ALIAS_ROUNDS:
                raise _too_entangled(node)
            self.fetch([node])
            node = self._targets[node.target]
        return node

    def fetch(self, nodes: Sequence[Node]) -> None:
        """Read what these aliases stand for, all in one pass."""
        named = {node.target for node in nodes if node.target is not None}
        wanted = {target for target in named if target not in self._targets}
        if not wanted:
            return
        self._passes += 1
        if self._passes > _PASSES:
            raise _too_entangled(nodes[0])
        self._targets.update(subtrees(self.text, frozenset(wanted)))

    def merged(self, mapping: Node) -> list[Node]:
        """The mappings that come into this one through `<<`, nearest first, also indirectly."""
        found: list[Node] = []
        seen: set[int] = set()
        level = _merge_values(mapping)
        for _ in range(_ALIAS_ROUNDS):
            if not level:
                return found
            self.fetch(level)
            unique = {it.first_event: it for it in map(self.resolved, level)}
            nodes = [node for number, node in unique.items() if number not in seen]
            seen.update(unique)
            found += [node for node in nodes if node.kind == "mapping"]
            level = [it for node in nodes for it in _further(node)]
        raise _too_entangled(mapping)

    def prefetch(self, items: Sequence[Node]) -> None:
        """Read all that these entries of a list and their values stand for, a level a pass."""
        for _ in range(_ALIAS_ROUNDS):
            waiting = [it for item in items for it in (item, *_aliases(item))]
            waiting = [it for it in waiting if it.target is not None]
            self.fetch([it for it in waiting if it.target not in self._targets])
            found = [self._targets[it.target] for it in waiting if it.target is not None]
            items = list({it.first_event: it for it in found}.values())
            if not items:
                return

    def _outline(self) -> Outline:
        try:
            return build(self.text)
        except Unreadable as problem:
            raise self._invalid(problem) from problem

    def _invalid(self, problem: Unreadable) -> Refusal:
        if isinstance(problem, TooDeep):
            return invalid(problem)
        middle = conflict_middle(self.text)
        if middle is not None:
            return conflicted(middle)
        action = template_line(self.text)
        if action is not None:
            return _template(action)
        return invalid(problem)


def invalid(problem: Unreadable) -> Refusal:
    """The refusal of a file that is not valid YAML, or that nests too deeply."""
    if isinstance(problem, TooDeep):
        return Refusal(
            "LSA336",
            f"The file nests deeper than {MAX_DEPTH} levels, and such files are not read",
            "check that it is the right file",
            at=problem.at,
        )
    words = re.sub(r"\s+", " ", problem.words)[:200]
    return Refusal(
        "LSA312",
        f"The file is not valid YAML: {words}",
        "mend the file; helm cannot read it either",
        at=problem.at,
    )


def not_1_2(problem: Unreadable) -> Refusal:
    """The refusal of a file that YAML 1.1 allows and YAML 1.2 does not."""
    refusal = invalid(problem)
    refusal.what = refusal.what.replace("valid YAML:", "valid YAML 1.2, so no edit is proven:")
    refusal.next_step = f"mend the line, or {BY_HAND}"
    return refusal


def _merge_values(mapping: Node) -> list[Node]:
    values = [value for key, value in mapping.pairs if key.value == MERGE and key.plain]
    return [it for value in values for it in (value.items if value.kind == "sequence" else [value])]


def _aliases(mapping: Node) -> list[Node]:
    return [it for _, value in mapping.pairs for it in (value, *value.items)]


def _further(node: Node) -> list[Node]:
    return list(node.items) if node.kind == "sequence" else _merge_values(node)


def _template(at: int) -> Refusal:
    return Refusal(
        "LSA324",
        "The file is a template: it has a {{ }} or {% %} action outside of a string",
        "make the edit in the template by hand, or run this on the rendered file",
        at=at,
    )


def _too_entangled(node: Node) -> Refusal:
    return Refusal(
        "LSA317",
        "Aliases stand for aliases here so often that the path cannot be followed",
        "write the mapping out in full",
        at=node.start,
    )
