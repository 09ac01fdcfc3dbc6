"""Effective values: what helm makes of several values files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wizard.systems.values.model import Refusal
from wizard.systems.values.parser import Unreadable, helm_events, implicit_tag, readable
from wizard.systems.values.reading import invalid


def effective_values(layers: Sequence[bytes]) -> dict[str, Any]:
    """The values of several files as the chart gets them: merged, and what is null deleted.

    Raises:
        Refusal: a file that cannot be read as values.
    """
    return _without_nulls(given_values(layers))


def given_values(layers: Sequence[bytes]) -> dict[str, Any]:
    """The values of several files as helm records them: maps deep, lists replaced, nulls kept.

    Scalars are read as YAML 1.1, except that dates and sexagesimals are text, as for helm.

    Raises:
        Refusal: a file that cannot be read as values; its `layer` says which.
    """
    merged: dict[str, Any] = {}
    for layer, data in enumerate(layers):
        try:
            merged = _merge(merged, _top(data))
        except Refusal as refusal:
            refusal.layer = layer
            raise
    return merged


def _top(data: bytes) -> dict[str, Any]:
    values = construct(readable(data)[1])
    if values is not None and not isinstance(values, dict):
        raise Refusal("LSA314", "The top level of the file is not a mapping", "", line=1)
    return values or {}


def construct(text: str) -> Any:
    """The data of one document; aliases become the same object twice, so bombs cost nothing."""
    try:
        return _Constructor().run(text)
    except Unreadable as problem:
        raise invalid(problem) from problem


class _Constructor:
    def __init__(self) -> None:
        import yaml

        self.yaml = yaml
        self.scalars = yaml.SafeLoader("")
        self.root: Any = None
        self.stack: list[tuple[Any, list[Any], str | None]] = []
        self.anchors: dict[str, Any] = {}
        self.cache: dict[tuple[str, bool], Any] = {}

    def run(self, text: str) -> Any:
        for event in helm_events(text):
            kind = type(event).__name__
            if kind == "ScalarEvent":
                self._add(self._scalar(event), event.anchor)
            elif kind == "AliasEvent":
                self._alias(event)
            elif kind in ("MappingStartEvent", "SequenceStartEvent"):
                self.stack.append((event, [], event.anchor))
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                _, parts, anchor = self.stack.pop()
                whole = _mapping(parts) if kind == "MappingEndEvent" else parts
                self._add(whole, anchor)
        return self.root

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise Unreadable(f"the alias *{event.anchor} has no anchor", event.start_mark.index)
        self._add(self.anchors[event.anchor], None)

    def _add(self, value: Any, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
        if self.stack:
            self.stack[-1][1].append(value)
        else:
            self.root = value

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            if not event.implicit[0]:
                return event.value
            tag = implicit_tag(event.value)
        name = tag.removeprefix("tag:yaml.org,2002:")
        if name == "merge":
            return _MERGE
        sexagesimal = name in ("int", "float") and ":" in event.value
        if name not in ("null", "bool", "int", "float") or sexagesimal:
            return event.value
        if name == "bool" and len(event.value) == 1:
            return event.value in "yY"
        node = self.yaml.ScalarNode(tag, event.value)
        try:
            return self.scalars.construct_object(node)
        except (self.yaml.YAMLError, ValueError, KeyError):
            return event.value


class _Merge:
    """The key `<<`."""


_MERGE = _Merge()


def _mapping(parts: list[Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    merges = [value for key, value in zip(parts[::2], parts[1::2], strict=True) if key is _MERGE]
    for merge in merges:
        for source in reversed(merge if isinstance(merge, list) else [merge]):
            if isinstance(source, dict):
                whole.update(source)
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if key is not _MERGE:
            whole[_key(key)] = value
    return whole


def _key(key: Any) -> str:
    """Helm's keys are JSON's: always strings."""
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return str(key).lower().replace("none", "null")
    return str(key) if isinstance(key, (int, float)) else repr(type(key))


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both merged, neither changed; without recursion, and aliases once."""
    whole = dict(base)
    pending = [(whole, over)]
    done: dict[tuple[int, int], dict[str, Any]] = {}
    while pending:
        target, source = pending.pop()
        for key, value in source.items():
            old = target.get(key)
            if not (isinstance(old, dict) and isinstance(value, dict)):
                target[key] = value
                continue
            both = (id(old), id(value))
            if both not in done:
                done[both] = dict(old)
                pending.append((done[both], value))
            target[key] = done[both]
    return whole


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    done: dict[int, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    pending = [(values, whole)]
    done[id(values)] = whole
    while pending:
        source, target = pending.pop()
        for key, value in source.items():
            if isinstance(value, dict):
                if id(value) not in done:
                    done[id(value)] = {}
                    pending.append((value, done[id(value)]))
                target[key] = done[id(value)]
            elif value is not None:
                target[key] = value
    return whole
