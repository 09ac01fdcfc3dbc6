"""Where new lines go in block style."""

from __future__ import annotations

import re

from wizard.systems.values_yaml.guards import BREAK
from wizard.systems.values_yaml.outline import Node, Tail

_LISTED = re.compile(r"#+[ \t]*-[ \t]")
_CONTINUED = re.compile(r"#+[ \t]{2,}")


def line_start(text: str, at: int) -> int:
    """The index where the line of the character at `at` begins."""
    return max(text.rfind(mark, 0, at) for mark in "\n\r\x85\u2028\u2029") + 1


def key_column(text: str, mapping: Node) -> int:
    """The column of the keys of a block mapping."""
    at = mapping.open_end
    return at - line_start(text, at)


def dash_column(text: str, sequence: Node) -> int:
    """The column of the dashes of a block sequence."""
    at = sequence.open_end
    if text[at : at + 1] != "-" and text[at - 1 : at] == "-":
        at -= 1
    return at - line_start(text, at)


def entry_gap(text: str, sequence: Node) -> int | None:
    """The columns from the last dash to what follows; None when it is on another line."""
    start = line_start(text, sequence.last_start)
    before = text[start : sequence.last_start]
    gap = len(before) - before.rfind("-")
    return gap if before.strip(" ") == "-" else None


def landings(text: str, tail: Tail, stop: int, *, column: int, flush: bool = False) -> list[int]:
    """Where new lines may be put behind a token: the indexes to try, the best one first.

    A comment that follows stays with what it follows when it is indented to `column` at least, so
    the place is behind it. In a list that is flush with its key (`flush`), a comment at `column`
    itself stays only when it looks like an entry that was commented out.
    """
    found = []
    for end in _ends(text, tail):
        place = _behind_comments(text, end, stop, column=column, flush=flush)
        if place is not None and place not in found:
            found.append(place)
    return found


def _ends(text: str, tail: Tail) -> list[int]:
    if not tail.style or tail.style not in "|>":
        end = tail.end
        if tail.start == tail.end and text[end - 1 : end].isspace():
            end = len(text[:end].rstrip())
        return [end]
    raw = text[tail.start : tail.end]
    header = BREAK.split(raw, maxsplit=1)[0].partition("#")[0]
    inside = tail.start + len(raw.rstrip())
    return [tail.end] if "+" in header else [inside, tail.end]


def _behind_comments(text: str, end: int, stop: int, *, column: int, flush: bool) -> int | None:
    place = cursor = _next_line(text, end)
    if cursor is None:
        return None
    listed = False
    while cursor < stop:
        found = BREAK.search(text, cursor)
        line = text[cursor : found.start() if found else len(text)]
        body = line.lstrip(" \t")
        cursor = found.end() if found else len(text)
        if not body:
            continue
        if not body.startswith("#"):
            break
        indent = len(line) - len(body)
        listed = bool(_LISTED.match(body) or (listed and _CONTINUED.match(body)))
        if indent < column or (flush and indent == column and not listed):
            break
        place = cursor
    return place


def _next_line(text: str, end: int) -> int | None:
    """The start of the next line; None when more than a comment follows on this one."""
    if end and BREAK.fullmatch(text[end - 1]):
        return end
    found = BREAK.search(text, end)
    rest = text[end : found.start() if found else len(text)].strip(" \t")
    if rest and not rest.startswith("#"):
        return None
    return found.end() if found else len(text)


def placed(text: str, at: int, lines: list[str], newline: str) -> str:
    """The text to insert at `at`, which is the start of a line or the end of the last one."""
    body = newline.join(lines)
    if at == 0 or BREAK.fullmatch(text[at - 1]):
        return body + newline
    return newline + body
