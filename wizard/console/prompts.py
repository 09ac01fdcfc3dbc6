"""The questions, asked in a terminal. Each has a flag and a variable, so none is ever needed.

The prompt libraries are imported when the first question is asked. Where the terminal can only show
lines (TERM=dumb), questions are asked and answered in lines, without them.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wizard.console.entries import PAGE, Choices, Entry, Find, Legend, Listed, Paged, rows
from wizard.console.interrupts import Back, Interrupted, asking, wait_for_hangup
from wizard.options import BY_NAME

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from questionary import Question


STYLE = [
    ("qmark", "fg:ansicyan bold"),
    ("question", "bold"),
    ("answer", "fg:ansicyan"),
    ("pointer", "fg:ansicyan bold"),
    ("highlighted", "bold"),
    ("selected", "fg:ansigreen"),
    ("disabled", "fg:ansibrightblack"),
    ("instruction", "fg:ansibrightblack"),
    ("heading", "fg:ansibrightblack underline"),
    ("typed", "bold"),
    ("note", "fg:ansiyellow"),
    ("bottom-toolbar", "noreverse"),
    ("validation-toolbar", "fg:ansiyellow bg:default"),
]


def possible() -> bool:
    """Whether there is a terminal to ask in; a stream that was closed is none."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


class Aside(NamedTuple):
    """What a question offers besides its answer: `?` tells `about`, and `back` the one before."""

    about: str = ""
    back: bool = False


HELP = "?"
VALUES = "values.yaml"
NO_ASIDE = Aside()


def ask_text(name: str, default: str = "", aside: Aside = NO_ASIDE) -> str:
    """A line of text for the option of this name.

    Raises:
        Back: the question before is wanted; so do all that have an aside.
    """
    return _ask_line(BY_NAME[name].ask, default, aside)


def ask_path(name: str, aside: Aside = NO_ASIDE) -> str:
    """The path of a file that is there, for the option of this name, with completion."""
    question, default = BY_NAME[name].ask, VALUES if Path(VALUES).is_file() else ""
    if _plain_needed():
        return _expanded(_plain_line(question, default, aside))
    from questionary import path

    def asked() -> str:
        return str(_ask(path(question, default=default, validate=_there, **_look()), aside))

    return _expanded(_told(asked, aside))


def ask_secret(name: str, aside: Aside = NO_ASIDE) -> str:
    """A secret for the option of this name; what is typed is not shown."""
    question = BY_NAME[name].ask
    if _plain_needed():
        return _told(lambda: getpass.getpass(f"? {question} ", stream=sys.stderr).strip(), aside)
    from questionary import password

    return _told(lambda: str(_ask(password(question, **_look()), aside)), aside).strip()


def ask_choice(
    name: str, entries: Sequence[Entry], default: str = "", aside: Aside = NO_ASIDE
) -> str:
    """One of several for the option of this name."""
    question = BY_NAME[name].ask
    return _pick(question, entries, Legend(), aside, several=False, at=default)[0]


def ask_yes(question: str, aside: Aside = NO_ASIDE, more: Callable[[], None] | None = None) -> bool:
    """Yes or no, no unless yes is typed; what was typed before it was asked does not count.

    `more` shows the whole of what was cut above.
    """
    _forget_typed()
    keys = {HELP: "?", **({"b": "b"} if aside.back else {}), **({"v": "v"} if more else {})}
    hint = "/".join(("y", "N", *keys))
    while True:
        if _plain_needed():
            said = _plain_line(f"{question} ({hint})").lower()
        else:
            from questionary import confirm

            shown = {"instruction": f"({hint}) ", **_look()}
            asked = confirm(question, default=False, auto_enter=False, **shown)
            said = str(_ask(asked, aside, tuple(keys)))
        if said == HELP:
            _explain(aside)
        elif said == "v" and more:
            more()
        elif said == "b" and aside.back:
            raise Back
        else:
            return said in ("True", "y", "yes")


def ask_several(
    name: str, find: Find, legend: Callable[[], Legend], aside: Aside = NO_ASIDE
) -> tuple[str, ...]:
    """Several of many: a page of them is there at once, more come as one scrolls or searches.

    `legend` is asked after the first page.
    """
    question = BY_NAME[name].ask
    first = find("", None)
    if len(first) <= PAGE:
        return _pick(question, first, legend(), aside, several=True)
    if _plain_needed():
        return _searched(question, find, legend(), aside)
    told = legend()
    choices = Paged(find, first, told.columns, told.total)
    return _picked(question, choices, told, aside, several=True)


def _searched(question: str, find: Find, legend: Legend, aside: Aside) -> tuple[str, ...]:
    """Where only lines can be shown: what is looked for comes first."""
    picked: dict[str, None] = {}
    hint = f"There are more than {PAGE}. Part of the name to look for:"
    while part := _ask_line(hint, "", aside):
        entries = find(part, None)
        if len(entries) > PAGE:
            hint = f"More than {PAGE} have {part!r} in their names. A longer part:"
        elif all(entry.disabled for entry in entries):
            hint = f"None that can be picked has {part!r} in its name. Another part:"
        else:
            picked |= dict.fromkeys(_pick(question, entries, legend, aside, several=True))
            hint = f"{len(picked)} picked. Another part to look for, or enter to go on:"
    return tuple(picked)


def _pick(
    question: str,
    entries: Sequence[Entry],
    legend: Legend,
    aside: Aside,
    *,
    several: bool,
    at: str = "",
) -> tuple[str, ...]:
    if _plain_needed():
        return _plain_numbers(question, entries, legend, aside, several=several)
    choices = Listed(entries, legend.columns)
    return _picked(question, choices, legend, aside, several=several, at=at)


def _picked(
    question: str, choices: Choices, legend: Legend, aside: Aside, *, several: bool, at: str = ""
) -> tuple[str, ...]:
    from wizard.console.picker import Picker

    picker = Picker(question, choices, legend, several=several, at=at, back=aside.back)
    while True:
        application = picker.application(leave=_leaving(), **_look())
        picked: tuple[str, ...] = _run(application)
        if picked:
            return picked
        _explain(aside)


def _ask_line(question: str, default: str, aside: Aside) -> str:
    if _plain_needed():
        return _plain_line(question, default, aside)
    from questionary import text

    def asked() -> str:
        return str(_ask(text(question, default=default, **_look()), aside))

    return _told(asked, aside).strip()


def _told(ask: Callable[[], str], aside: Aside) -> str:
    """The answer; `?` alone is none, and explains."""
    while _asks(said := ask()) and aside.about:
        _explain(aside)
    return said


def _asks(typed: str) -> bool:
    """Whether it is `?`, alone or after the default that stood there."""
    return typed.strip() in (HELP, f"{VALUES}{HELP}")


def _explain(aside: Aside) -> None:
    width = min(shutil.get_terminal_size().columns, 90) - 4
    for line in textwrap.wrap(aside.about, max(width, 20)):
        sys.stderr.write(f"    {line}\n")


def _there(typed: str) -> bool | str:
    there = _asks(typed) or Path(_expanded(typed)).is_file()
    return there or "There is no such file"


def _expanded(typed: str) -> str:
    """As a shell would read it: `~` is the home folder."""
    return str(Path(typed.strip()).expanduser()) if typed.strip() else ""


def _look() -> dict[str, Any]:
    from prompt_toolkit.output import create_output
    from questionary import Style

    return {"style": Style(STYLE), "output": create_output(stdout=sys.stderr)}


def _ask(question: Question, aside: Aside, keys: Sequence[str] = ()) -> Any:
    """The answer of a prompt, or the one of `keys` that was typed."""
    from prompt_toolkit.key_binding import merge_key_bindings

    from wizard.console.picker import ESCAPE

    application = question.application
    application.timeoutlen = application.ttimeoutlen = ESCAPE
    bindings = [application.key_bindings] if application.key_bindings else []
    ours = [_leaving(), _besides(keys, back=aside.back)]
    application.key_bindings = merge_key_bindings([*bindings, *ours])
    return _run(application)


def _besides(keys: Sequence[str], *, back: bool) -> KeyBindings:
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    found = KeyBindings()
    for key in keys:

        @found.add(key, eager=True)
        def _(event: KeyPressEvent, key: str = key) -> None:
            event.app.exit(result=key, style="class:aborting")

    @found.add("escape", filter=Condition(lambda: back))
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=Back(), style="class:aborting")

    return found


def _run(application: Application[Any]) -> Any:
    """The prompt's answer; a signal ends the prompt from within, which restores the terminal."""
    came: list[Interrupted] = []

    def end(interrupted: Interrupted) -> None:
        if application.future is None and application.loop:
            application.loop.call_soon(end, interrupted)
        elif application.future and not application.future.done():
            application.exit(exception=interrupted)

    def leave(interrupted: Interrupted) -> bool:
        if not application.is_running or application.loop is None:
            return False
        came.append(interrupted)
        application.loop.call_soon_threadsafe(end, interrupted)
        return True

    answer = None
    try:
        with asking(leave):
            answer = application.run()
    except EOFError:
        if not came:
            wait_for_hangup()
            raise
    if came:
        raise came[0]
    return answer


def _leaving() -> KeyBindings:
    """Ctrl-C, and Ctrl-D where it has nothing to delete, leave every prompt alike."""
    from prompt_toolkit.application import get_app
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("c-c", eager=True)
    @keys.add("<sigint>", eager=True)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @keys.add("c-d", eager=True)
    def _(event: KeyPressEvent) -> None:
        buffer = get_app().current_buffer
        if buffer.document.is_cursor_at_the_end:
            event.app.exit(exception=EOFError, style="class:exiting")
        else:
            buffer.delete()

    return keys


def _forget_typed() -> None:
    """Drop what was typed ahead: a stray key must not confirm a change."""
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import clear_typeahead

    clear_typeahead(create_input())
    with contextlib.suppress(ImportError):
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _plain_needed() -> bool:
    """Whether the terminal cannot move its cursor."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def _plain_line(question: str, default: str = "", aside: Aside = NO_ASIDE) -> str:
    """A line; the default when it is empty. `?` explains, `<` goes back.

    Raises:
        EOFError: the person left.
        Back: the question before is wanted.
    """

    def asked() -> str:
        sys.stderr.write(f"? {question} " + (f"[{default}] " if default else ""))
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            wait_for_hangup()
            raise EOFError
        return line.strip() or default

    said = _told(asked, aside)
    if said == "<" and aside.back:
        raise Back
    return said


def _plain_numbers(
    question: str, entries: Sequence[Entry], legend: Legend, aside: Aside, *, several: bool
) -> tuple[str, ...]:
    """The values of the entries whose numbers were typed."""
    lines = rows(entries, legend.columns)
    sys.stderr.writelines(f"  {line}\n" for line in legend.lines)
    sys.stderr.write(f"       {lines.pop(0)}\n" if legend.columns else "")
    for number, (entry, row) in enumerate(zip(entries, lines, strict=True), 1):
        sys.stderr.write(f"  {'-' if entry.disabled else number:>3}  {row}\n")
    hint = "numbers, with blanks between them" if several else "a number"
    while True:
        typed = _plain_line(f"{question} ({hint})", "", aside).replace(",", " ").split()
        picked = [_entry(word, entries) for word in typed]
        if picked and all(picked) and (several or len(picked) == 1):
            return tuple(dict.fromkeys(entry.value for entry in picked if entry))
        sys.stderr.write("  Type the numbers of lines that have one; Ctrl-C leaves.\n")


def _entry(word: str, entries: Sequence[Entry]) -> Entry | None:
    number = int(word) if word.isdecimal() and word.isascii() and len(word) < 6 else 0
    found = entries[number - 1] if 1 <= number <= len(entries) else None
    return found if found and not found.disabled else None
