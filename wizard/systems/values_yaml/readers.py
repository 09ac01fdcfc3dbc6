"""The two readers: one for YAML 1.1, as helm reads, and ruamel.yaml for 1.2.

Both give parser events. Events carry the text of every scalar, whether it is quoted, its tag and
its anchor, so equal events are equal data under any schema (`yes`, `0o7`, `1_000`, timestamps), and
neither deep nesting nor alias bombs cost anything, because nothing is built from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_DEPTH = 10_000
"""Helm's reader (go-yaml) refuses documents that nest deeper."""

MAX_FLOW_WORK = 120_000_000
"""The sum, over all nodes, of the flow collections around each: scanners slow down with it."""


class Unreadable(Exception):
    """A parser's refusal: its own words, and the character index if it told one."""

    def __init__(self, words: str, at: int | None) -> None:
        super().__init__(words)
        self.words = words
        self.at = at


class Signature(NamedTuple):
    """What an event says about the data: all but the place and the looks."""

    kind: str
    anchor: str | None = None
    tag: str | None = None
    implicit: Any = None
    value: str | None = None


def helm_events(text: str) -> Iterator[Any]:
    """The events of a YAML 1.1 parser; its marks are character indexes.

    libyaml is the parser that helm's own was ported from.

    Raises:
        Unreadable: not YAML 1.1.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise _unreadable(error) from error


def spec_events(text: str) -> Iterator[Any]:
    """The events of ruamel.yaml, in pure Python, for YAML 1.2.

    Raises:
        Unreadable: not YAML 1.2.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as error:
        raise _unreadable(error) from error
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        # ruamel.yaml meets some malformed escapes and directives unprepared
        raise Unreadable(f"{type(error).__name__}: {error}", None) from error


def signature(event: Any) -> Signature:
    """What an event of either reader says about the data."""
    kind = type(event).__name__
    if kind == "ScalarEvent":
        tag = event.tag
        return Signature(kind, event.anchor, tag, tuple(event.implicit), event.value)
    if kind in ("MappingStartEvent", "SequenceStartEvent"):
        return Signature(kind, event.anchor, event.tag, bool(event.implicit))
    if kind == "AliasEvent":
        return Signature(kind, event.anchor)
    return Signature(kind)


def implicit_tag(plain: str) -> str:
    """The tag that a plain scalar has under YAML 1.1."""
    import yaml

    resolver: Any = yaml.resolver.Resolver()
    return str(resolver.resolve(yaml.ScalarNode, plain, (True, False)))


def _unreadable(error: Exception) -> Unreadable:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    at = mark.index if mark is not None else getattr(error, "position", None)
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    return Unreadable(f"{context}: {words}" if context else str(words), at)
