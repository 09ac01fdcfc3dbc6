"""Giving events once and going on where it ended: with a state, and following what comes.

Each round reads from the checkpoint on to now. The checkpoint never comes nearer to now than the
settle time, so that what is recorded late is found in a later round; what was given already is left
out by its id.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from wizard.events.range import Range, told
from wizard.events.windows import Window, Windows
from wizard.records.checkpoint import Checkpoint
from wizard.records.event import Event, at

LOOK = 0.2
POLL = 10.0
"""The longest pause between two rounds, in seconds."""
OWN = "get_audit_logs"
"""The operation that reading the log is recorded as, from chart 0.15 on: no sign of life."""


class Stop(Exception):
    """A stop was asked for, and what was given is noted."""


class Going:
    """Gives each event once, notes it, and tells how it stands.

    Attributes:
        given: how many events were given, `again` how many came a second time.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        lag: timedelta,
        write: Callable[[Event], None],
        flush: Callable[[], None],
        asked: Callable[[], bool],
        beat: Callable[[str], None],
        every: float = math.inf,
    ) -> None:
        """`beat` is told how it stands every so many seconds, whatever is waited for."""
        self.checkpoint = checkpoint
        self.given, self.again = 0, 0
        self.newest: datetime | None = None
        self._lag = lag
        self._write = write
        self._flush = flush
        self._asked = asked
        self._beat, self._every = beat, every
        self._beaten = time.monotonic()

    def over(self, windows: Windows, now: datetime) -> None:
        """Give the windows' events, and save the checkpoint after each one's last.

        Raises:
            Stop: it was asked for; the event under way is written, and noted.
            Problem: a window cannot be read; those before it are given and noted.
        """
        for window in windows:
            self._give(window)
            settled = min(window.range.end, now - self._lag)
            self.checkpoint.reached(max(window.range.start, settled))
            self._save()
        self.again += windows.repeated

    @property
    def words(self) -> str:
        """How it stands, for a line."""
        through = self.checkpoint.through
        parts = [f"{self.given:,} event{'' if self.given == 1 else 's'}"]
        parts += [f"{self.again:,} left out that were given before"] if self.again else []
        parts += [f"newest {told(self.newest)}"] if self.newest else []
        return ", ".join([*parts, *([f"through {told(through)}"] if through else [])])

    def look(self) -> None:
        """A safe point.

        Raises:
            Stop: it was asked for.
        """
        if self._asked():
            raise Stop
        if time.monotonic() - self._beaten >= self._every:
            self._beaten = time.monotonic()
            self._beat(self.words)

    def _give(self, window: Window) -> None:
        for event in window.events:
            if self._asked():
                self.checkpoint.reached(window.range.start)
                self._save()
                raise Stop
            if not self.checkpoint.gave(event.uid, event.moment):
                self.again += 1
                continue
            self._write(event)
            self.given += 1
            self._notice(event)

    def _notice(self, event: Event) -> None:
        if self.newest is None or event.moment > self.newest:
            if OWN in event.text and at(event.data, "api", "operation") == OWN:
                return
            self.newest = event.moment

    def _save(self) -> None:
        """What was given is out before it is noted: a kill between the two gives it again."""
        self._flush()
        self.checkpoint.save()


def follow(
    going: Going,
    windows: Callable[[Range], Windows],
    start: datetime,
    poll: float,
) -> None:
    """Round after round, with a pause of `poll` seconds between them. It ends by `Stop` alone.

    Raises:
        Stop: it was asked for.
        Problem: what does not pass.
    """
    while True:
        now = datetime.now(UTC)
        begin = going.checkpoint.through or start
        going.over(windows(Range(begin, max(now, begin))), now)
        until = time.monotonic() + poll
        while (left := until - time.monotonic()) > 0:
            going.look()
            time.sleep(min(left, LOOK))
