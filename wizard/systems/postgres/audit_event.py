"""An entry of audit_logs as the OCSF event that the API makes of it, put together as text.

What no documentation fixes: the activity is told by the verb of the operation's name, `time` is in
seconds as in the article's sample, and the source is the first address of X-Forwarded-For, else the
client's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Entry = tuple[int, str, str]
"""Microseconds since 1970, the entry's id, and its event as JSON."""

_ACTIVITIES = {
    (1, "Create"): "create add invite clone register generate mint submit upsert populate",
    (2, "Read"): "get list read query count diff download export stream batch",
    (3, "Update"): "update set rename attach sync resolve share unshare confirm claim",
    (4, "Delete"): "delete remove revoke bulk",
}
_BY_VERB = {verb: told for told, verbs in _ACTIVITIES.items() for verb in verbs.split()}
_STATUS = {
    "t": '"status_id": 1,"status": "Success"',
    "f": '"status_id": 2,"status": "Failure"',
    "": '"status_id": 0,"status": "Unknown"',
}
_SUCCEEDED = {"t": "true", "f": "false", "": "null"}
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
"""What COPY writes with a backslash; any other character stands for itself behind one."""
FEW = 100
"""So many events are made at once."""


class _Once(dict[Any, Any]):
    """What is made of a value, made once: a log has few operations, addresses and people."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __missing__(self, value: Any) -> Any:
        if len(self) > 10_000:
            self.clear()
        made = self[value] = self._make(value)
        return made


def _kind(operation: str) -> str:
    number, name = _BY_VERB.get(operation.partition("_")[0], (99, "Other"))
    return (
        '{"class_uid": 6003,"class_name": "API Activity","category_uid": 6,'
        '"category_name": "Application Activity","severity_id": 99,'
        f'"type_uid": {600300 + number},"activity_id": {number},"activity_name": "{name}",'
    )


def _hops(forwarded: str) -> tuple[str | None, str]:
    """The first address and the others, as JSON."""
    first, *others = forwarded.replace(" ", "").split(",")
    return json.dumps(first) if first else None, json.dumps(others) if others else "null"


def _about(ids: str) -> str:
    if ids[:1] != "[" or ids == "[]":
        return "[]"
    if "," not in ids and '"' in ids:
        return f'[{{"uid": {ids[1:-1]}}}]'
    return json.dumps([{"uid": it} for it in json.loads(ids)], ensure_ascii=False)


KINDS, NAMES, HOPS = _Once(_kind), _Once(json.dumps), _Once(_hops)
IDS = _Once(lambda uid: f'"{uid}"' if uid else "null")


class Entries:
    """Some entries in their order, each a line of the columns of templates/sql/audit_log_page.sql.

    They are many, and most are only written out: their events are made a few at a time, where the
    processor still has what it just made.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        """How many."""
        return len(self.lines)

    def __iter__(self) -> Iterator[Entry]:
        """Each with its place and its event."""
        for lines, texts in self._made():
            for line, text in zip(lines, texts, strict=True):
                moment, id, _ = line.split("\t", 2)
                yield int(moment), id, text

    def texts(self) -> Iterator[list[str]]:
        """The events alone, a few at a time."""
        return (texts for _, texts in self._made())

    @property
    def last(self) -> tuple[datetime, str]:
        """The place of the last one: its moment and its id."""
        moment, id, _ = self.lines[-1].split("\t", 2)
        return EPOCH + timedelta(microseconds=int(moment)), id

    def _made(self) -> Iterator[tuple[Sequence[str], list[str]]]:
        for at in range(0, len(self.lines), FEW):
            lines = self.lines[at : at + FEW]
            yield lines, self._texts(lines)

    def _texts(self, lines: Sequence[str]) -> list[str]:
        kind, name, hops, ids = KINDS, NAMES, HOPS, IDS
        return [
            f'{kind[operation]}{_STATUS[succeeded]},"time": {int(moment) // 1_000_000},'
            f'"metadata": {{"uid": "{id}",'
            '"product": {"name": "LangSmith","vendor_name": "LangChain"}},'
            f'"api": {{"operation": {name[operation]}}},'
            f'"http_request": {{"http_method": {method or "null"},'
            f'"url": {{"path": {path or "null"}}}}},"http_response": {{"code": {code or "null"}}},'
            f'"actor": {{"user": {{"uid": {ids[ls_user or user]},"credential_uid": {ids[key]}}}}},'
            f'"src_endpoint": {{"ip": {hops[forwarded][0] or host or "null"},'
            f'"port": {port or "null"},"intermediate_ips": {hops[forwarded][1]}}},'
            f'"resources": {_about(about)},"unmapped": {{"original_audit_log": {{"id": "{id}",'
            f'"operation_name": {name[operation]},"operation_succeeded": {_SUCCEEDED[succeeded]},'
            f'"request_time": "{at.removesuffix(".000000")}Z","api_key_id": {ids[key]},'
            f'"user_id": {ids[user]},"ls_user_id": {ids[ls_user]},'
            f'"organization_id": {ids[organization]},"workspace_id": {ids[workspace]},'
            f'"enrichments": {enrichments or "null"}}}}}}}'
            for line in lines
            for (
                moment, id, operation, succeeded, at, key, user, ls_user, organization, workspace,
                method, path, code, host, port, forwarded, about, enrichments,
            ) in (_columns(line) if "\\" in line else line.split("\t"),)
        ]  # fmt: skip


def _columns(line: str) -> list[str]:
    """The columns of a line in which something is escaped."""
    return [_ESCAPED.sub(lambda it: _ESCAPES.get(it[1], it[1]), text) for text in line.split("\t")]
