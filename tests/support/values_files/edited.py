"""The files that are edited or left alone, with what becomes of them: `edited.txt`, read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Edited(NamedTuple):
    """One case: the file before and after, and what the edit says of itself."""

    outcome: str
    line: int | None
    lines_added: int
    tokens_replaced: int
    before: str
    after: str


def _text(part: str) -> str:
    return part.removesuffix("\n%% no newline\n") if part.endswith("%% no newline\n") else part


def _read() -> dict[str, Edited]:
    whole = (Path(__file__).parent / "edited.txt").read_text(encoding="utf-8")
    cases = {}
    for case in whole.removeprefix("=== ").split("\n=== "):
        head, _, body = case.partition("\n")
        name, outcome, line, added, tokens = head.split(" | ")
        body += "" if case is whole else "\n" if not whole.endswith(case) else ""
        before, arrow, after = ("\n" + body).partition("\n-->\n")
        before = _text(before.removeprefix("\n") + ("\n" if arrow and before else ""))
        after = _text(after) if arrow else before
        place = None if line == "-" else int(line)
        cases[name] = Edited(outcome, place, int(added), int(tokens), before, after)
    return cases


EDITED = _read()
