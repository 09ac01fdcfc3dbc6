"""How many events there were, hour by hour and operation by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from wizard.record import dataclass

OWN_READS = frozenset({"get_audit_logs"})
"""What reading the log leaves in it, from 0.15 on."""


@dataclass(frozen=True)
class Activity:
    """The events of some hours.

    Attributes:
        hours: when each of them begins (UTC), the oldest first.
        counts: for each hour the number of events by operation, own reads left out.
        cut: whether some hour had more events than were counted.
    """

    hours: tuple[datetime, ...]
    counts: tuple[Mapping[str, int], ...]
    cut: bool = False

    @property
    def total(self) -> Counter[str]:
        """All of them by operation."""
        return sum((Counter(it) for it in self.counts), Counter())
