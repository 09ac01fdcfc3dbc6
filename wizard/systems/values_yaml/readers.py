"""The two readers: one for YAML 1.1, as helm reads, and ruamel.yaml for 1.2.

Both give parser events. Events carry the text of every scalar, whether it is quoted, its tag and
its anchor, so equal events are equal data under any schema (`yes`, `0o7`, `1_000`, timestamps), and
neither deep nesting nor alias bombs cost anything, because nothing is built from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 400
"""Levels that a file may nest: fewer than any version of the readers allows (libyaml: 1,000, or any
number), and than Python's recursion allows those who compare the values."""

MAX_FLOW_WORK = 120_000_000
"""The sum, over all nodes, of the flow collections around each: scanners slow down with it."""


_LETTERS = ("y", "Y", "n", "N")
"""YAML 1.1 has these as booleans, and helm follows it; PyYAML does not."""


class Unreadable(Exception):
    """A parser's refusal: its own words, and the character index if it told one."""

    def __init__(self, words: str, at: int | None) -> None:
        super().__init__(words)
        self.words = words
        self.at = at


class TooDeep(Unreadable):
    """More than `MAX_DEPTH` levels."""


Signature = tuple[str, str | None, str | None, Any, str | None]
"""What an event says about the data: its kind, anchor, tag, whether the tag is implicit (for a
scalar: when plain, when quoted), and its text; not its place or its looks."""


def scalar(
    text: str, *, plain: bool, anchor: str | None = None, tag: str | None = None
) -> Signature:
    """The signature of a scalar."""
    implicit = (plain, not plain) if tag is None else (False, False)
    return ("ScalarEvent", anchor, tag, implicit, text)


def start(kind: str, *, anchor: str | None = None, tag: str | None = None) -> Signature:
    """The signature of the start of a `Mapping` or a `Sequence`."""
    return (f"{kind}StartEvent", anchor, tag, tag is None, None)


def bare(kind: str) -> Signature:
    """The signature of an event without content: an end, or the start of a document."""
    return (kind, None, None, None, None)


def helm_events(text: str) -> Iterator[Any]:
    """The events of a YAML 1.1 parser; its marks are character indexes.

    libyaml is the parser that helm's own was ported from.

    Raises:
        TooDeep: it nests too deeply, whether the parser minds or not.
        Unreadable: not YAML 1.1.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    start: Any = yaml.CollectionStartEvent
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, start):
                depth += 1
                if depth > MAX_DEPTH:
                    raise TooDeep("exceeded our nesting depth", event.start_mark.index)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            yield event
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise _unreadable(error) from error


def spec_events(text: str) -> Iterator[Any]:
    """The events of ruamel.yaml, in pure Python, for YAML 1.2.

    Raises:
        Unreadable: not YAML 1.2.
    """
    from ruamel.yaml.error import YAMLError

    from wizard.systems.values_yaml.quick import events

    try:
        yield from events(text)
    except YAMLError as error:
        raise _unreadable(error) from error
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        # ruamel.yaml meets some malformed escapes and directives unprepared
        raise Unreadable(f"{type(error).__name__}: {error}", None) from error


def signature(event: Any) -> Signature:
    """What an event of either reader says about the data."""
    kind = type(event).__name__
    if kind == "ScalarEvent":
        return (kind, event.anchor, event.tag, event.implicit, event.value)
    if kind == "MappingStartEvent" or kind == "SequenceStartEvent":
        return (kind, event.anchor, event.tag, bool(event.implicit), None)
    if kind == "AliasEvent":
        return (kind, event.anchor, None, None, None)
    return (kind, None, None, None, None)


def implicit_tag(plain: str) -> str:
    """The tag that a plain scalar has under YAML 1.1, as helm's reader has it."""
    import yaml

    if plain in _LETTERS:
        return "tag:yaml.org,2002:bool"

    resolver: Any = yaml.resolver.Resolver()
    return str(resolver.resolve(yaml.ScalarNode, plain, (True, False)))


def _unreadable(error: Exception) -> Unreadable:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    at = mark.index if mark is not None else getattr(error, "position", None)
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if "nesting depth" in str(words):
        return TooDeep(str(words), at)
    context = getattr(error, "context", None)
    return Unreadable(f"{context}: {words}" if context else str(words), at)
