"""Kubernetes events since a moment, without repetition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.systems.cluster import EVENTS
from wizard.systems.redact import redact

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster

Seen = Mapping[str, int]
"""How often each event, by its UID, had happened."""


@dataclass(frozen=True)
class Event:
    """One event, or several that say the same.

    Attributes:
        about: the object (`Pod langsmith-backend-x`); at: of the last one, as the server wrote it.
        warning: whether its type is Warning.
    """

    about: str
    reason: str
    message: str
    at: str
    warning: bool
    count: int = 1

    @property
    def line(self) -> str:
        """The event as it is shown."""
        often = f" (×{self.count})" if self.count > 1 else ""
        return f"{self.about}: {self.reason}{often}: {self.message}"


def seen_so_far(cluster: Cluster, namespace: str) -> Seen:
    """The events that are there already.

    Raises:
        Problem: events cannot be listed.
    """
    return {_uid(each): _count(each) for each in cluster.list(EVENTS, namespace)}


def events_since(
    cluster: Cluster, namespace: str, seen: Seen, names: Collection[str]
) -> tuple[Event, ...]:
    """The events of objects of these names that are newer than `seen`, the oldest first.

    Raises:
        Problem: events cannot be listed.
    """
    found: dict[tuple[str, str, str], Event] = {}
    for each in cluster.list(EVENTS, namespace):
        new = _count(each) - seen.get(_uid(each), 0)
        about = each.get("involvedObject") or {}
        if new <= 0 or about.get("name") not in names:
            continue
        event = _read(each, new)
        key = (event.about, event.reason, event.message)
        known = found.get(key)
        found[key] = event if known is None else _both(known, event)
    return tuple(sorted(found.values(), key=lambda event: event.at))


def _read(event: Mapping[str, Any], count: int) -> Event:
    about = event.get("involvedObject") or {}
    at = event.get("lastTimestamp") or event.get("eventTime")
    return Event(
        f"{about.get('kind', '')} {about.get('name', '')}".strip(),
        str(event.get("reason") or ""),
        redact(" ".join(str(event.get("message") or "").split()))[:300],
        str(at or event["metadata"].get("creationTimestamp") or ""),
        event.get("type") == "Warning",
        count,
    )


def _both(one: Event, other: Event) -> Event:
    last = max(one, other, key=lambda event: event.at)
    count = one.count + other.count
    return Event(last.about, last.reason, last.message, last.at, last.warning, count)


def _uid(event: Mapping[str, Any]) -> str:
    return str(event["metadata"].get("uid") or event["metadata"].get("name"))


def _count(event: Mapping[str, Any]) -> int:
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or 1)
