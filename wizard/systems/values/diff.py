"""The unified diff of an edit, without the values of others: they are secrets, or may be."""

from __future__ import annotations

import re

from wizard.systems.redact import MASK, redact

CONTEXT = 3
"""Lines of context around a change, as `git diff` has them."""

_HUNK = re.compile(r"@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@\n")
_NO_NEWLINE = "\n\\ No newline at end of file\n"


def unified_diff(before: bytes, after: bytes, name: str) -> str:
    """The unified diff from `before` to `after`; empty when they are equal.

    Only what is between the first and the last changed line is compared line by line, so that a
    file of two million bytes takes no longer than a short one. Bytes that are not UTF-8 are shown
    as escapes.
    """
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    head = _alike(old, new)
    foot = min(_alike(old[::-1], new[::-1]), min(len(old), len(new)) - head)
    top, tail = max(0, head - CONTEXT), max(0, foot - CONTEXT)
    import difflib

    part = difflib.unified_diff(
        [_shown(line) for line in old[top : len(old) - tail]],
        [_shown(line) for line in new[top : len(new) - tail]],
        f"a/{name.lstrip('/')}",
        f"b/{name.lstrip('/')}",
        n=CONTEXT,
    )
    return "".join(_shifted(line, top) for line in part)


def _lines(data: bytes) -> list[bytes]:
    """The lines as git has them: only LF ends one."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def _alike(old: list[bytes], new: list[bytes]) -> int:
    for number, (one, other) in enumerate(zip(old, new, strict=False)):
        if one != other:
            return number
    return min(len(old), len(new))


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace")
    return text if text.endswith("\n") else text + _NO_NEWLINE


def _shifted(line: str, top: int) -> str:
    hunk = _HUNK.fullmatch(line)
    if not hunk:
        return line
    old, old_count, new, new_count = hunk.groups()
    return f"@@ -{int(old) + top}{old_count} +{int(new) + top}{new_count} @@\n"


_ENTRY = re.compile(r"(\s*(?:- +)*[\w.\"'/-]+:)([ \t]+)(\S.*)")
_BARE = re.compile(r"\s*(?:- +)*(?:[\w.\"'/-]+:)?\s*")
_TOLD = re.compile(r"[\"']?(?:true|false|null)[\"']?|\[\]|\{\}|[|>][-+\d]*", re.IGNORECASE)
_VALUE = re.compile(r"(\bvalue:[ \t]*)(\"[^\"]*\"|'[^']*'|[^\s,}\]][^,}\]]*)")
_NAME = re.compile(r"\s*(?:- +)*name:")


def keys_only(diff: str) -> str:
    """The unified diff with every value masked but switches, and the names of variables.

    Lines that are written or removed are those of our own entries; where the edit had to rewrite
    a neighbour on the same line, its value is masked too.
    """
    lines = diff.split("\n")
    return redact("\n".join(_line(line) for line in lines))


def _line(line: str) -> str:
    if line.startswith(("---", "+++", "@@", "\\")) or not line:
        return line
    if line[0] in "+-":
        return _VALUE.sub(
            lambda it: it[0] if _TOLD.fullmatch(it[2].strip()) else it[1] + MASK, line
        )
    return line[0] + _context(line[1:])


def _context(text: str) -> str:
    if _BARE.fullmatch(text) or text.lstrip().startswith("#") or _NAME.match(text):
        return text
    entry = _ENTRY.fullmatch(text)
    if entry is None:
        return text[: len(text) - len(text.lstrip())] + MASK
    kept = _TOLD.fullmatch(entry[3].strip())
    return text if kept else entry[1] + entry[2] + MASK
