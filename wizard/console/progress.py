"""Progress of what takes long: a live view in a terminal, heartbeat lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from wizard.console.safe import safe
from wizard.console.signals import StopSwitch
from wizard.records.journal import Journal

HEARTBEAT = 10.0
"""Seconds between two lines without a terminal, when nothing else changes."""


class Progress:
    """The watch that steps report to (`wizard.steps.base.Watch`)."""

    def __init__(self, console: Console, switch: StopSwitch, journal: Journal) -> None:
        self._console = console
        self._switch = switch
        self._journal = journal
        self._live: Live | None = None
        self._last = ("", -HEARTBEAT)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The time of one step's work."""
        self._last = ("", -HEARTBEAT)
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def waiting(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress at a point where stopping is safe."""
        self._show(what, seconds, lines)
        self._switch.check()

    def finishing(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress of what must come to its end."""
        if self._switch.asked:
            what += " (stopping after this)"
        self._show(what, seconds, lines)

    def backup(self, name: str) -> Path:
        """A path beside the journal."""
        return self._journal.backup_path(name)

    def _show(self, what: str, seconds: float, lines: Sequence[str]) -> None:
        head = f"{safe(what)}, {seconds:.0f} s"
        if self._live is not None:
            below = [Text("      " + safe(line), style="dim") for line in lines]
            self._live.update(Group(Spinner("dots", text=Text(" " + head)), *below))
            return
        shown, at = self._last
        state = "\n".join(lines)
        if state != shown or seconds - at >= HEARTBEAT:
            self._last = (state, seconds)
            tail = f": {'; '.join(safe(line) for line in lines)}" if lines else ""
            self._console.print(f"    … {head}{tail}", markup=False)
