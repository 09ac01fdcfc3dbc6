"""Progress of what takes long: a live view in a terminal, heartbeat lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from wizard.console.interrupts import StopSwitch, no_echo
from wizard.problems import Problem
from wizard.records.journal import Journal
from wizard.safe import safe

HEARTBEAT = 15.0
"""Seconds between two lines without a terminal, however much changes meanwhile."""
TROUBLE = "stuck: "
"""How a line begins that tells what keeps a rollout: the first one is shown at once."""


class Progress:
    """The watch that steps report to (`wizard.steps.step.Watch`)."""

    def __init__(self, console: Console, switch: StopSwitch, journal: Journal | None) -> None:
        self._console = console
        self._switch = switch
        self._journal = journal
        self._spinner = Spinner("dots")
        self.trail: RenderableType | None = None
        """Where the run is, shown under what is under way."""
        self._begin()

    @contextmanager
    def running(self) -> Iterator[None]:
        """The time of one step's work."""
        self._begin()
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        # Not within it: what is written there to show the cursor again would be a line of its own.
        with (
            no_echo(),
            Live(
                console=self._console,
                refresh_per_second=8,
                transient=True,
                get_renderable=self._view,
            ),
        ):
            self._live = True
            try:
                yield
            finally:
                self._live = False

    def waiting(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress at a point where stopping is safe."""
        self._show(what, seconds, lines)
        self._switch.check()

    def finishing(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress of what must come to its end."""
        self._show(what, seconds, lines)

    def note(self, **facts: str | int) -> None:
        """Facts of what is under way, in the journal; while only looking there is none."""
        if self._journal:
            with contextlib.suppress(Problem):  # it is a help for later, no record of a change
                self._journal.note(**facts)

    def backup(self, name: str) -> Path:
        """A path beside the journal."""
        return self._kept.backup_path(name)

    def beside(self, name: str) -> Path:
        """The path of a registered file beside the journal."""
        return self._kept.folder / name

    @property
    def _kept(self) -> Journal:
        if self._journal is None:
            raise ValueError("nothing is kept while only looking")
        return self._journal

    def _begin(self) -> None:
        self._live = False
        self._what = ""
        self._lines: tuple[str, ...] = ()
        self._began = time.monotonic()
        self._beat = -HEARTBEAT
        self._noticed = False
        self._trouble = False

    def _show(self, what: str, seconds: float, lines: Sequence[str]) -> None:
        self._what, self._lines = safe(what), tuple(safe(line) for line in lines)
        self._began = time.monotonic() - seconds
        if self._live:
            return
        if self._switch.asked and not self._noticed:
            self._noticed = True
            self._console.print(f"    {StopSwitch.NOTICE}.", markup=False)
        trouble = next((line for line in self._lines if line.startswith(TROUBLE)), "")
        at_once = bool(trouble) and not self._trouble
        if at_once or seconds - self._beat >= HEARTBEAT:
            self._beat, self._trouble = seconds, self._trouble or at_once
            first = f": {self._lines[0]}" if self._lines else ""
            if trouble.removeprefix(TROUBLE) not in first:
                first += f"; {trouble}"
            self._console.print(f"    … {self._what}, {seconds:.0f} s{first}", markup=False)

    def _view(self) -> RenderableType:
        """Drawn anew several times a second, so that it also shows a stop that was asked for."""
        parts: list[RenderableType] = []
        if self._what:
            seconds = time.monotonic() - self._began
            self._spinner.update(text=Text(f" {self._what}, {seconds:.0f} s"))
            parts = [self._spinner, *(Text("      " + line, style="dim") for line in self._lines)]
        parts += [self.trail] if self.trail and parts else []
        if self._switch.asked:
            parts.append(Text(f"    {StopSwitch.NOTICE}.", style="yellow"))
        return Group(*parts)
