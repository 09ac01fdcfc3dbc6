"""A tag key of a workspace, made and deleted: a harmless operation that the audit log records.

Source: LangSmith's API reference, "tag-keys"; both operations are recorded from 0.12.33 on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from wizard.systems.langsmith.answers import unexpected

if TYPE_CHECKING:
    from wizard.systems.langsmith.api import LangSmithApi
    from wizard.systems.langsmith.http import Reply

PATH = "/api/v1/workspaces/current/tag-keys"
WORKSPACES = "/api/v1/workspaces"


class Workspace(NamedTuple):
    """A workspace, which the API calls a tenant."""

    id: UUID
    name: str


class Made(NamedTuple):
    """A tag key that was made, and when by the server's own clock."""

    id: UUID
    at: datetime


def workspaces(api: LangSmithApi) -> list[Workspace]:
    """The workspaces that the key may see.

    Raises:
        Problem: the API does not answer as documented.
    """
    reply, rows = api.ask("GET", WORKSPACES)
    try:
        return [Workspace(UUID(row["id"]), str(row.get("display_name") or "")) for row in rows]
    except (TypeError, KeyError, ValueError, AttributeError):
        raise unexpected(reply, "the answer is no list of workspaces") from None


def make(api: LangSmithApi, workspace: UUID, key: str) -> Made:
    """Make a tag key of this name.

    Raises:
        Problem: it was not made, or the answer was lost and it may be there.
    """
    reply, body = api.ask("POST", PATH, {"key": key}, workspace=workspace)
    return Made(_id(reply, body), _date(reply))


def delete(api: LangSmithApi, workspace: UUID, id: UUID) -> datetime:
    """Delete it; gives the server's own time.

    Raises:
        Problem: it was not deleted, or the answer was lost.
    """
    return _date(api.ask("DELETE", f"{PATH}/{id}", workspace=workspace)[0])


def find(api: LangSmithApi, workspace: UUID, key: str) -> UUID | None:
    """The id of the tag key of this name; None where there is none.

    Raises:
        Problem: the API does not answer as documented.
    """
    reply, rows = api.ask("GET", PATH, workspace=workspace)
    if not isinstance(rows, list):
        raise unexpected(reply, "the answer is no list of tag keys")
    found = [row for row in rows if isinstance(row, dict) and row.get("key") == key]
    return _id(reply, found[0]) if found else None


def _id(reply: Reply, body: Any) -> UUID:
    try:
        return UUID(body["id"])
    except (TypeError, KeyError, ValueError, AttributeError):
        raise unexpected(reply, "the answer has no id of a tag key") from None


def _date(reply: Reply) -> datetime:
    """When the server answered, by its own clock; by ours where it does not say."""
    try:
        return parsedate_to_datetime(reply.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)
