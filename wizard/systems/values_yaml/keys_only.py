"""A diff of a values file without the values of others: they are secrets, or may be."""

from __future__ import annotations

import re

from wizard.systems.redact import MASK, redact

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
        return _VALUE.sub(_masked, line)
    return line[0] + _context(line[1:])


def _masked(found: re.Match[str]) -> str:
    return found[0] if _TOLD.fullmatch(found[2].strip()) else found[1] + MASK


def _context(text: str) -> str:
    if _BARE.fullmatch(text) or text.lstrip().startswith("#") or _NAME.match(text):
        return text
    entry = _ENTRY.fullmatch(text)
    if entry is None:
        return text[: len(text) - len(text.lstrip())] + MASK
    kept = _TOLD.fullmatch(entry[3].strip())
    return text if kept else entry[1] + entry[2] + MASK
