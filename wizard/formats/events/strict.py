"""An event as OCSF 1.7.0 itself wants it: LangSmith's own events are close to it, and not valid.

What is added and what is dropped: `metadata.version` is required and not sent; `time` is in
milliseconds; null is no value, and an object without one is none. What LangSmith itself has kept
(`unmapped`) stays as it is. Source: https://schema.ocsf.io/1.7.0/classes/api_activity
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.records.event import EPOCH, SECONDS_BELOW, Event, received
from wizard.safe import safe_json

if TYPE_CHECKING:
    from wizard.formats.events.machine import Shape

VERSION = "1.7.0"
UNKNOWN = {"actor": {"user": {"name": "unknown"}}, "src_endpoint": {"name": "unknown"}}
"""What OCSF requires, where an event names nobody and no place."""
ADDED = (
    f"--ocsf strict: metadata.version {VERSION} added, time in milliseconds, null and empty "
    "objects left out; an event without an actor or a source has an unknown one"
)


def shape(*, strictly: bool, hec: bool) -> Shape:
    """What is written of an event: as it was received, or strict; bare, or in HEC's envelope."""
    if not strictly and not hec:
        return received
    import json

    def written(event: Event) -> str:
        data = strict(event) if strictly else event.data
        made = envelope(event, data) if hec else data
        return safe_json(json.dumps(made, ensure_ascii=False, separators=(",", ":")))

    return written


def strict(event: Event) -> dict[str, Any]:
    """The event as valid OCSF 1.7.0."""
    data = event.data
    made = {name: it if name == "unmapped" else _bare(it) for name, it in data.items()}
    made = {name: value for name, value in made.items() if value not in (None, {})}
    time = data.get("time")
    if isinstance(time, int) and time < SECONDS_BELOW:
        exact = (event.moment - EPOCH).total_seconds()
        made["time"] = round(exact * 1000) if int(exact) == time else time * 1000
    made["metadata"] = {"version": VERSION, **made.get("metadata", {})}
    return {**UNKNOWN, **made}


def envelope(event: Event, data: Mapping[str, Any]) -> dict[str, Any]:
    """The event for Splunk's HTTP Event Collector, whose own time is in seconds."""
    seconds = round((event.moment - EPOCH).total_seconds(), 3)
    return {"time": seconds, "source": "langsmith", "sourcetype": "langsmith:audit", "event": data}


def _bare(value: Any) -> Any:
    """A value without nulls and empty objects in it."""
    if isinstance(value, dict):
        kept = {name: _bare(it) for name, it in value.items()}
        return {name: it for name, it in kept.items() if it not in (None, {})}
    return [_bare(it) for it in value if it is not None] if isinstance(value, list) else value
