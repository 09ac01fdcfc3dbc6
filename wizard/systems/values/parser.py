"""The two readers: one for YAML 1.1, as helm reads, and ruamel.yaml for 1.2.

Both give parser events. Events carry the text of every scalar, whether it is quoted, its tag and
its anchor, so equal events are equal data under any schema (`yes`, `0o7`, `1_000`, timestamps), and
neither deep nesting nor alias bombs cost anything, because nothing is built from them.

Before a parser sees the file, its size, its encoding and merge conflicts are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from wizard.systems.values.model import Refusal

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

    from wizard.systems.values.quick import events

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


LIMIT = 2 * 1024 * 1024
"""The largest values file that is read, in bytes (2 MB)."""

_MOST_DIRECTIVES = 10_000

BOM = "\ufeff"
BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""A line break as YAML 1.1, and so helm, knows them."""

_CONFLICT = re.compile(r"(?:^|(?<=[\n\r]))(?:<{7}|>{7}|\|{7})(?=[ \r\n]|$)")
_CONFLICT_MIDDLE = re.compile(r"(?:^|(?<=[\n\r]))={7}(?=[\r\n]|$)")
_TEMPLATE_LINE = re.compile(r"(?:^|(?<=[\n\r]))[^#\n\r]*(?:\{\{|\{%)")


def readable(data: bytes) -> tuple[str, str]:
    """The byte order mark (or nothing) and the text of a values file.

    Raises:
        Refusal: larger than `LIMIT`, not UTF-8, a NUL in it, or merge-conflict markers.
    """
    if len(data) > LIMIT:
        raise too_large(len(data))
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
    if text.count("\n%") > _MOST_DIRECTIVES and text.startswith("%", len(mark)):
        raise Refusal(
            "LSA330",
            "The file has so many directives (%) that an edit could not be proven in time",
            "check that it is the right file",
            line=1,
        )
    conflict = _CONFLICT.search(text, len(mark))
    if conflict:
        raise conflicted(conflict.start())
    return mark, text[len(mark) :]


def too_large(size: int) -> Refusal:
    """The refusal of a file of `size` bytes."""
    return Refusal(
        "LSA302",
        f"The file has {size:,} bytes; values files of at most {LIMIT:,} bytes are read",
        "check that it is the right file; if it is, put the two variables into a small "
        "values file of their own and name it last",
    )


def conflicted(at: int) -> Refusal:
    """The refusal of a file with merge-conflict markers."""
    return Refusal(
        "LSA325",
        "There is a merge-conflict marker in the file",
        "resolve the conflict first, then run this again",
        at=at,
    )


def conflict_middle(text: str) -> int | None:
    """Where a lone `=======` stands, which is a leftover only in a file that cannot be parsed."""
    found = _CONFLICT_MIDDLE.search(text)
    return found.start() if found else None


def template_line(text: str) -> int | None:
    """Where the first template action outside a comment stands."""
    found = _TEMPLATE_LINE.search(text)
    return found.end() - 2 if found else None


def line_of(text: str, at: int) -> int:
    """The number, from 1, of the line that holds the character at index `at`."""
    return 1 + sum(1 for _ in re.finditer("\r\n|[\n\r]", text[:at]))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = _other_encoding(data)
        raise Refusal(
            "LSA310",
            f"The file is not UTF-8{kind}",
            "save it as UTF-8, then run this again",
            line=1 + data.count(b"\n", 0, error.start),
        ) from error


def _other_encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "; it looks like UTF-16"
    if data.startswith(b"\0GITCRYPT"):
        return "; it is encrypted with git-crypt"
    return ""
