"""Kubernetes events as they are shown, without repetition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from wizard.problems import Problem
from wizard.record import dataclass, replace
from wizard.systems.kubernetes.cluster import EVENTS, Cluster
from wizard.systems.redact import redact

Json = Mapping[str, Any]

NODE_COMES = frozenset({"TriggeredScaleUp", "Nominated"})
"""The reasons with which an autoscaler tells a pod that it brings a node for it.

Sources: cluster-autoscaler, FAQ ("What events are emitted by CA?"), and Karpenter (`Nominated`).
"""


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


def node_comes(read: Callable[[], Iterable[Event]]) -> bool:
    """Whether an autoscaler has said so to one of the pods that the events are about.

    Events that cannot be read do not say that none comes.
    """
    try:
        return any(event.reason in NODE_COMES for event in read())
    except Problem:
        return True


def events_about(cluster: Cluster, namespace: str, names: Collection[str]) -> tuple[Event, ...]:
    """The events of objects of these names that are there, the oldest first.

    Raises:
        Problem: events cannot be listed.
    """
    found = cluster.list(EVENTS, namespace)
    return gathered(((each, times(each)) for each in found), names)


def gathered(found: Iterable[tuple[Json, int]], names: Collection[str]) -> tuple[Event, ...]:
    """API objects, each with how often it counts, as events about these names, the oldest first."""
    told: dict[tuple[str, str, str], Event] = {}
    for each, count in found:
        if (each.get("involvedObject") or {}).get("name") not in names:
            continue
        event = _read(each, count)
        key = (event.about, event.reason, event.message)
        known = told.get(key)
        if known is not None:
            last = max(known, event, key=lambda it: it.at)
            event = replace(last, count=known.count + event.count)
        told[key] = event
    return tuple(sorted(told.values(), key=lambda event: event.at))


def times(event: Json) -> int:
    """How often the event has happened."""
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or 1)


def _read(event: Json, count: int) -> Event:
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
