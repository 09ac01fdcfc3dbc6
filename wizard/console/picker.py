"""A list to pick from: typing narrows it, and what cannot be picked says why.

questionary's own list lets entries that are switched off be picked once it is searched, and can
hang there (2.1), so this one stands on prompt_toolkit alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.filters import Condition, is_done
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import Output
from prompt_toolkit.styles import BaseStyle

from wizard.console.entries import Choices, Entry, Legend
from wizard.console.interrupts import Back
from wizard.console.output import encodable
from wizard.problems import Problem
from wizard.safe import safe

TALLEST = 15
"""Lines of the list that are shown at once."""

NAMED = 3
"""More picked entries than this are counted, not named."""


class Picker:
    """What is shown, where the pointer is, and what is picked."""

    def __init__(
        self,
        question: str,
        choices: Choices,
        legend: Legend,
        *,
        several: bool,
        at: str = "",
        back: bool = False,
    ) -> None:
        self._question = question
        self._legend = legend
        self._choices = choices
        self._several = several
        self._back = back
        self._search = ""
        self._note = ""
        self._picked: dict[str, Entry] = {}
        self._done = False
        self._marks = encodable("●○»")
        self._at = self._first(at)
        self._top = 0

    def application(
        self, *, style: BaseStyle, output: Output, leave: KeyBindings
    ) -> Application[tuple[str, ...]]:
        """What is run to get the picked values, in the list's order; none: `?` was typed.

        `leave` has the way out. It can be run again, from where it was left.
        """
        parts: list[Window | ConditionalContainer] = [
            Window(FormattedTextControl(self._head), wrap_lines=True, dont_extend_height=True)
        ]
        for control, height in (
            (self._heading, lambda: 1 if self._choices.heading else 0),
            (self._list, lambda: min(TALLEST, max(len(self._entries), 1))),
            (self._foot, lambda: 1),
        ):
            window = Window(
                FormattedTextControl(control, focusable=True, show_cursor=False),
                dont_extend_height=True,
                height=height,
            )
            parts.append(ConditionalContainer(window, filter=~is_done))
        asked: Application[tuple[str, ...]] = Application(
            layout=Layout(HSplit(parts)),
            key_bindings=merge_key_bindings([self._keys(), leave]),
            style=style,
            output=output,
        )
        asked.timeoutlen = asked.ttimeoutlen = ESCAPE
        return asked

    @property
    def _entries(self) -> Sequence[Entry]:
        return self._choices.entries

    def _first(self, value: str) -> int:
        able = [at for at, entry in enumerate(self._entries) if not entry.disabled]
        named = [at for at in able if self._entries[at].value == value]
        return next(iter(named or able), 0)

    def _head(self) -> StyleAndTextTuples:
        head: StyleAndTextTuples = [("class:qmark", "?"), ("class:question", f" {self._question} ")]
        if self._done:
            names = [safe(entry.name) for entry in self._choices.ordered(self._picked)]
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            return [*head, ("class:answer", ", ".join(names[:NAMED]) + more)]
        hint = "space picks, enter goes on, ? explains" if self._several else "enter picks"
        head.append(("class:instruction", f"({hint})"))
        return [*head, *(("class:instruction", f"\n  {line}") for line in self._legend.lines)]

    def _heading(self) -> StyleAndTextTuples:
        marks = "  " if self._several else ""
        return [("class:heading", f"   {marks}{self._choices.heading}")]

    def _list(self) -> StyleAndTextTuples:
        """The lines around the pointer: however many are loaded, no more are drawn."""
        self._top = max(self._at - TALLEST + 1, min(self._top, self._at), 0)
        tokens: StyleAndTextTuples = []
        for at in range(self._top, min(self._top + TALLEST, len(self._entries))):
            if tokens:
                tokens.append(("", "\n"))
            tokens += self._line(at)
        return tokens or [("class:disabled", "   nothing here has this in it")]

    def _line(self, at: int) -> StyleAndTextTuples:
        entry, pointed = self._entries[at], at == self._at
        picked = entry.value in self._picked
        on, off, here = ("●", "○", "»") if self._marks else ("*", "o", ">")
        mark = "- " if entry.disabled else "" if not self._several else f"{on if picked else off} "
        style = "class:disabled" if entry.disabled else "class:selected" if picked else ""
        bold = " class:highlighted" if pointed else ""
        pointer: StyleAndTextTuples = [("class:pointer", f" {here} " if pointed else "   ")]
        if pointed:
            pointer.append(("[SetCursorPosition]", ""))
        name, gap, last = self._choices.rows[at].rpartition("  ")  # ids and addresses are quiet
        quiet = "" if entry.disabled else " class:instruction"
        return [*pointer, (style + bold, mark + name + gap), (style + quiet + bold, last)]

    def _foot(self) -> StyleAndTextTuples:
        if self._note:
            return [("class:note", f"   {self._note}")]
        search: StyleAndTextTuples = []
        if self._search:
            search = [("class:pointer", " / "), ("class:typed", self._search), ("", " ")]
        said = [f"{len(self._picked)} picked"] if self._several else []
        said.append(self._choices.counted(self._at))
        said += ["^A all", "Tab pick"] if self._several else []
        said += ["Esc clear" if self._search else "type to search"]
        said += ["Esc back"] if self._back and not self._search else []
        said += [self._legend.order] if self._legend.order else []
        return [*search, ("class:instruction", "  " + " · ".join(said))]

    def _move(self, by: int) -> None:
        if self._at + by >= len(self._entries) - 1:
            self._choices.more()
        self._at = max(0, min(len(self._entries) - 1, self._at + by))

    def _narrow(self, search: str) -> None:
        before = self._entries[self._at].value if self._entries else ""
        self._search = search
        self._choices.narrow(search)
        self._at = self._first(before)

    def _toggle(self) -> None:
        if not self._entries:
            return
        entry = self._entries[self._at]
        if entry.disabled:
            self._note = f"{safe(entry.name)} cannot be picked: {entry.disabled}"
        elif entry.value in self._picked:
            del self._picked[entry.value]
        else:
            self._picked[entry.value] = entry

    def _toggle_all(self) -> None:
        able = {entry.value: entry for entry in self._entries if not entry.disabled}
        if able.keys() <= self._picked.keys():
            self._picked = {name: it for name, it in self._picked.items() if name not in able}
            return
        self._picked |= able
        if not self._choices.complete:
            self._note = f"Only the {len(able)} that are loaded; --all means every one"

    def _typed(self, text: str) -> None:
        """A blank picks, as long as it cannot be of a name that is searched."""
        if text == " " and self._several and not self._search:
            self._toggle()
        elif text == "?" and not self._search:
            get_app().exit(result=())
        elif text := "".join(c for c in text if c.isprintable()):
            self._narrow(self._search + text)

    def _enter(self, event: KeyPressEvent) -> None:
        if not self._several:
            self._picked.clear()
            self._toggle()
        if not self._picked:
            self._note = self._note or "Pick at least one, or leave with Ctrl-C"
            return
        self._done = True
        picked = self._choices.ordered(self._picked)
        event.app.exit(result=tuple(entry.value for entry in picked))

    def _escape(self, event: KeyPressEvent) -> None:
        if self._search:
            self._narrow("")
        elif self._back:
            event.app.exit(exception=Back())

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        def bind(act: Callable[[KeyPressEvent], None], *names: str) -> None:
            def handle(event: KeyPressEvent) -> None:
                self._note = ""
                try:
                    act(event)
                except Problem as problem:  # what keeps further entries from being looked up
                    event.app.exit(exception=problem)

            for name in names:
                keys.add(name, eager=name not in (Keys.Any, Keys.Escape))(handle)

        bind(lambda _: self._move(-1), Keys.Up, Keys.ControlP, Keys.BackTab)
        bind(lambda _: self._move(1), Keys.Down, Keys.ControlN)
        bind(lambda _: self._move(-TALLEST), Keys.PageUp)
        bind(lambda _: self._move(TALLEST), Keys.PageDown)
        bind(lambda _: self._move(-len(self._entries)), Keys.Home)
        bind(lambda _: self._move(len(self._entries)), Keys.End)
        bind(lambda _: self._narrow(self._search[:-1]), Keys.Backspace)
        bind(lambda _: self._narrow(""), Keys.ControlU)
        if self._several:
            bind(lambda _: self._toggle(), Keys.Tab)
            bind(lambda _: self._toggle_all(), Keys.ControlA)
        bind(self._enter, Keys.Enter)
        bind(self._escape, Keys.Escape)
        bind(lambda it: self._typed(it.data), Keys.BracketedPaste)
        bind(lambda it: None if isinstance(it.key_sequence[-1].key, Keys) else self._typed(it.data),
             Keys.Any)  # fmt: skip
        return _with_sequences(keys)


ESCAPE = 0.1
"""Seconds after which an escape character was the key, and no beginning of another key's."""


def _with_sequences(keys: KeyBindings) -> KeyBindings:
    """Take the keys that prompt_toolkit does not know (ESC, then characters) for one key each."""
    inside = [False]

    @keys.add(Keys.Escape, Keys.Any)
    def _(event: KeyPressEvent) -> None:
        inside[0] = event.data in ("[", "O")

    @keys.add(Keys.Any, filter=Condition(lambda: inside[0]), eager=True)
    def _(event: KeyPressEvent) -> None:
        inside[0] = not ("@" <= event.data[:1] <= "~")

    return keys
