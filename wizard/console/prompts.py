"""The questions, asked in a terminal. Each has a flag and a variable, so none is ever needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prompt_toolkit.output import create_output
from questionary import Choice, Question, Style, checkbox, confirm, password, path, select, text

from wizard.console.safe import safe
from wizard.options import BY_NAME

PAGE = 200
"""More entries than this are narrowed by a search before they are listed."""

STYLE = Style(
    [
        ("qmark", "fg:ansicyan bold"),
        ("question", "bold"),
        ("answer", "fg:ansicyan"),
        ("pointer", "fg:ansicyan bold"),
        ("highlighted", "bold"),
        ("selected", "fg:ansigreen"),
        ("instruction", "fg:ansibrightblack"),
    ]
)


def possible() -> bool:
    """Whether there is a terminal to ask in."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@dataclass(frozen=True)
class Entry:
    """One thing that can be picked: its value, how it is shown, and why it cannot be picked."""

    value: str
    shown: str
    disabled: str = ""


def ask_text(name: str, default: str = "") -> str:
    """A line of text for the option of this name."""
    return str(_ask(text(BY_NAME[name].ask, default=default, **_look()))).strip()


def ask_path(name: str, default: str = "") -> str:
    """A path for the option of this name, with completion."""
    return str(_ask(path(BY_NAME[name].ask, default=default, **_look()))).strip()


def ask_secret(name: str) -> str:
    """A secret for the option of this name; what is typed is not shown."""
    return str(_ask(password(BY_NAME[name].ask, **_look()))).strip()


def ask_choice(name: str, entries: Sequence[Entry], default: str | None = None) -> str:
    """One of several for the option of this name."""
    return str(_ask(select(BY_NAME[name].ask, _choices(entries), default=default, **_look())))


def ask_yes(question: str, *, default: bool = False) -> bool:
    """Yes or no."""
    return bool(_ask(confirm(question, default=default, **_look())))


def ask_several(
    name: str, find: Callable[[str], Sequence[Entry]], *, hint: str = ""
) -> tuple[str, ...]:
    """Several of many: a search first when there are more than fit on a page.

    `find` takes a part of the name (empty: all) and gives at most PAGE + 1 entries.
    """
    entries = find("")
    while len(entries) > PAGE:
        part = _ask(text(f"More than {PAGE}. Part of the name to look for:", **_look()))
        entries = find(str(part).strip())
    picked = checkbox(
        BY_NAME[name].ask,
        _choices(entries),
        use_search_filter=True,
        use_jk_keys=False,
        instruction=hint or "(space picks, typing searches, enter goes on)",
        validate=lambda chosen: True if chosen else "Pick at least one, or Ctrl-C to leave",
        **_look(),
    )
    return tuple(_ask(picked))


def _choices(entries: Sequence[Entry]) -> list[Choice]:
    return [
        Choice(safe(entry.shown), value=entry.value, disabled=entry.disabled or None)
        for entry in entries
    ]


def _look() -> dict[str, Any]:
    return {"style": STYLE, "output": create_output(stdout=sys.stderr)}


def _ask(question: Question) -> Any:
    return question.unsafe_ask()
