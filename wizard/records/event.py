"""An event of the audit log as it is kept: its line, its moment and its id, and the plain record.

The line is the event as it came (compact JSON), so that thousands of them are small in memory.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from wizard.safe import safe_json

SECONDS_BELOW = 10**11
"""A `time` below this is in seconds, as the article's sample is; OCSF has milliseconds."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = (
    "time", "uid", "operation", "activity", "status", "http_status", "actor", "credential",
    "client", "resources", "workspace", "organization", "method", "path",
)  # fmt: skip
"""The plain record's names, in the order of a table's columns: it only ever grows at its end."""


class Event(NamedTuple):
    """One event; several are sorted by moment and id."""

    moment: datetime
    uid: str
    text: str

    @property
    def data(self) -> dict[str, Any]:
        """The event as it came."""
        import json

        found: dict[str, Any] = json.loads(self.text)
        return found


def received(event: Event) -> str:
    """The event as it came: the shape that nothing is changed for."""
    return event.text


class Bundle(Collection[Event]):
    """Many events whose texts can be had without them."""

    @abstractmethod
    def texts(self) -> Iterator[str]:
        """The texts, a few at a time, each ended by a line feed."""


def event_of(data: Mapping[str, Any]) -> Event:
    """The event of what the API gave; one without `metadata.uid` has a hash of its own as id."""
    import json

    text = safe_json(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    uid = at(data, "metadata", "uid")
    known = uid if isinstance(uid, str) and uid else _hash(text)
    return Event(moment_of(data), known, text)


def _hash(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()


def moment_of(data: Mapping[str, Any]) -> datetime:
    """When it was: by LangSmith's own record to the microsecond, else by `time`."""
    told = at(data, "unmapped", "original_audit_log", "request_time")
    if isinstance(told, str):
        try:
            moment = datetime.fromisoformat(told)
        except ValueError:
            pass
        else:
            return moment if moment.tzinfo is UTC else _in_utc(moment)
    time = data.get("time")
    if not isinstance(time, int | float) or isinstance(time, bool):
        return EPOCH
    try:
        return EPOCH + timedelta(milliseconds=time * 1000 if time < SECONDS_BELOW else time)
    except OverflowError:
        return EPOCH


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def at(data: Any, *keys: str) -> Any:
    """The value at a path of keys; None where it leads nowhere."""
    for key in keys:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def resources_of(data: Mapping[str, Any]) -> list[str]:
    """The ids of what the operation was about."""
    found = data.get("resources")
    uids = (at(it, "uid") for it in found) if isinstance(found, list) else ()
    return [str(uid) for uid in uids if uid]


def record_of(event: Event) -> dict[str, str]:
    """The plain record by NAMES, each a text; what the event does not say is empty."""
    data = event.data
    original = at(data, "unmapped", "original_audit_log")
    told = {
        "time": event.moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "uid": event.uid,
        "operation": at(data, "api", "operation"),
        "activity": data.get("activity_name"),
        "status": data.get("status"),
        "http_status": at(data, "http_response", "code"),
        "actor": at(data, "actor", "user", "uid"),
        "credential": at(data, "actor", "user", "credential_uid"),
        "client": at(data, "src_endpoint", "ip"),
        "resources": " ".join(resources_of(data)),
        "workspace": at(original, "workspace_id") or at(original, "tenant_id"),
        "organization": at(original, "organization_id"),
        "method": at(data, "http_request", "http_method"),
        "path": at(data, "http_request", "url", "path"),
    }
    return {name: "" if told[name] is None else str(told[name]) for name in NAMES}


@cache
def verb_of(operation: str) -> str:
    """The first word of an operation's name, which says what is done."""
    return operation.partition("_")[0]
