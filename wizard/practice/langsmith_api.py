"""The part of LangSmith's HTTP API that matters here, answered from one backend pod's view.

What the API reference declares is kept to; where it says nothing (the answer while the feature is
off, or to who is no admin), 404 and 403 are this stand-in's own choice.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from wizard.practice.langsmith_store import OPERATIONS, Principal, Search, Store, entry, hashed
from wizard.practice.pods import PodView

PERMISSIONS = {
    "ORGANIZATION_ADMIN": (
        "organization:manage",
        "organization:read",
        "workspaces:manage",
        "workspaces:read",
    ),
    "ORGANIZATION_VIEWER": ("organization:read", "workspaces:read"),
}

TAG_KEYS = "/api/v1/workspaces/current/tag-keys"
MAX_LIMIT = 100
DEFAULT_LIMIT = 10


@dataclass(frozen=True)
class Call:
    """An HTTP request; header names are in lower case."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""

    def one(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), None)


@dataclass(frozen=True)
class Answer:
    """A JSON answer."""

    status: int
    body: Any


class _Refused(Exception):
    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(status)
        self.answer = Answer(status, {"detail": detail})


@dataclass(frozen=True)
class _Caller:
    principal: Principal
    organization_id: UUID
    permissions: tuple[str, ...]

    def must(self, permission: str) -> None:
        if permission not in self.permissions:
            raise _Refused(403, "Forbidden")


class Api:
    """Answers requests; one for all pods, since every call names the pod's view."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._routes: dict[tuple[str, str], Callable[[PodView, Call], Answer]] = {
            ("GET", "/health"): self._ok,
            ("GET", "/api/v1/ok"): self._ok,
            ("GET", "/api/v1/info"): self._info,
            ("GET", "/api/v1/orgs/current/info"): self._organization_info,
            ("GET", "/api/v1/workspaces"): self._workspaces,
            ("GET", "/api/v1/audit-logs"): self._audit_logs,
            ("POST", TAG_KEYS): self._create_tag_key,
            ("GET", TAG_KEYS): self._tag_keys,
        }

    def answer(self, view: PodView, call: Call) -> Answer:
        """The answer that the pod gives."""
        try:
            if call.method == "DELETE" and call.path.startswith(TAG_KEYS + "/"):
                return self._delete_tag_key(view, call)
            route = self._routes.get((call.method, call.path))
            if route is None:
                known = any(path == call.path for _, path in self._routes)
                return _plain(405, "Method Not Allowed") if known else _plain(404, "Not Found")
            return route(view, call)
        except _Refused as refused:
            return refused.answer
        except psycopg.Error:
            return _plain(500, "Internal Server Error")

    def _ok(self, _view: PodView, _call: Call) -> Answer:
        return Answer(200, {"ok": True})

    def _info(self, view: PodView, _call: Call) -> Answer:
        return Answer(200, {"version": view.app_version, "instance_flags": {}})

    def _organization_info(self, view: PodView, call: Call) -> Answer:
        caller = self._caller(view, call)
        found = self.store.organization(caller.organization_id)
        if found is None:
            raise _Refused(404, "Organization not found")
        stored = view.configs.get(str(found["id"]))
        config = dict(stored) if isinstance(stored, Mapping) else {}
        config["can_use_audit_logs"] = view.can_use_audit_logs(str(found["id"]))
        body = {
            "id": str(found["id"]),
            "display_name": found["display_name"],
            "is_personal": found["is_personal"],
            "permissions": list(caller.permissions),
            "config": config,
        }
        return Answer(200, body)

    def _workspaces(self, view: PodView, call: Call) -> Answer:
        caller = self._caller(view, call)
        found = self.store.workspaces(caller.organization_id)
        return Answer(200, [{name: str(value) for name, value in row.items()} for row in found])

    def _audit_logs(self, view: PodView, call: Call) -> Answer:
        if not view.serves_audit_logs:
            raise _Refused(404, "Not Found")
        caller = self._caller(view, call)
        caller.must("organization:manage")
        search = _search(call, caller.organization_id)
        if not view.can_use_audit_logs(str(caller.organization_id)):
            raise _Refused(403, "Audit logs are not enabled for this organization")
        self.store.have_activity([caller.organization_id])
        rows = self.store.audit_logs(search)
        page, cursor = rows[: search.limit], None
        if len(rows) > search.limit:
            place = f"{page[-1]['request_time'].isoformat()} {page[-1]['id']}"
            cursor = base64.urlsafe_b64encode(place.encode()).decode()
        return Answer(200, {"items": [row["ocsf"] for row in page], "cursor": cursor})

    def _tag_keys(self, view: PodView, call: Call) -> Answer:
        _, tenant_id = self._workspace_manager(view, call)
        found = self.store.tag_keys(tenant_id)
        return Answer(200, [{name: str(value) for name, value in row.items()} for row in found])

    def _create_tag_key(self, view: PodView, call: Call) -> Answer:
        caller, tenant_id = self._workspace_manager(view, call)
        body = _json_object(call.body)
        key = body.get("key")
        if not isinstance(key, str) or not key:
            raise _invalid("missing", ["body", "key"], "Field required", body)
        made = self.store.add_tag_key(tenant_id, key, body.get("description"))
        if made is None:
            raise _Refused(409, "Tag key already exists")
        self._record(view, caller, tenant_id, "create_tag_key", made["id"])
        return Answer(200, {**made, "id": str(made["id"]), "created_at": str(made["created_at"])})

    def _delete_tag_key(self, view: PodView, call: Call) -> Answer:
        caller, tenant_id = self._workspace_manager(view, call)
        tag_key_id = _uuid(call.path.removeprefix(TAG_KEYS + "/"), ["path", "tag_key_id"])
        if not self.store.remove_tag_key(tenant_id, tag_key_id):
            raise _Refused(404, "Tag key not found")
        self._record(view, caller, tenant_id, "delete_tag_key", tag_key_id)
        return Answer(200, None)

    def _record(
        self, view: PodView, caller: _Caller, tenant_id: UUID, operation: str, resource_id: UUID
    ) -> None:
        if view.serves_audit_logs and view.can_use_audit_logs(str(caller.organization_id)):
            done = entry(
                OPERATIONS[operation],
                organization_id=caller.organization_id,
                tenant_id=tenant_id,
                user_id=caller.principal.user_id,
                credential_id=caller.principal.key_id,
                resource_id=resource_id,
                at=datetime.now(UTC),
                ip="127.0.0.1",
            )
            self.store.record(done)

    def _workspace_manager(self, view: PodView, call: Call) -> tuple[_Caller, UUID]:
        caller = self._caller(view, call)
        caller.must("workspaces:manage")
        told = call.headers.get("x-tenant-id")
        wanted = _uuid(told, ["header", "x-tenant-id"]) if told is not None else None
        if wanted is None or self.store.tenant(wanted, caller.organization_id) is None:
            raise _Refused(403, "Forbidden")
        return caller, wanted

    def _caller(self, view: PodView, call: Call) -> _Caller:
        key = call.headers.get("x-api-key", "")
        principal = self.store.principal(hashed(key, view.environment.get("API_KEY_SALT", "")))
        if principal is None:
            raise _Refused(401, "Invalid token")
        told = call.headers.get("x-organization-id")
        wanted = _uuid(told, ["header", "x-organization-id"]) if told else None
        if principal.organization_id is not None:
            if wanted not in (None, principal.organization_id):
                raise _Refused(403, "Forbidden")
            return _Caller(principal, principal.organization_id, PERMISSIONS["ORGANIZATION_ADMIN"])
        assert principal.user_id is not None  # noqa: S101 - the table's CHECK says so
        organization_id = wanted or self.store.first_organization(principal.user_id)
        role = self.store.role(principal.user_id, organization_id) if organization_id else None
        if organization_id is None or role is None:
            raise _Refused(403, "Forbidden")
        return _Caller(principal, organization_id, PERMISSIONS[role])


def _search(call: Call, organization_id: UUID) -> Search:
    cursor = call.one("cursor")
    tenant = call.one("workspace_id")
    operations = [value for name, value in call.query if name == "operations"]
    for name in operations:
        if name not in OPERATIONS:
            raise _invalid("enum", ["query", "operations"], "Input is no known operation", name)
    return Search(
        organization_id,
        start=_time(call, "start_time"),
        end=_time(call, "end_time"),
        limit=_limit(call.one("limit")),
        after=_place(cursor) if cursor else None,
        tenant_id=_uuid(tenant, ["query", "workspace_id"]) if tenant else None,
        operations=operations,
    )


def _time(call: Call, name: str) -> datetime:
    told = call.one(name)
    if told is None:
        raise _invalid("missing", ["query", name], "Field required", None)
    try:
        time = datetime.fromisoformat(told)
    except ValueError:
        message = "Input should be a valid datetime"
        raise _invalid("datetime_from_date_parsing", ["query", name], message, told) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _limit(told: str | None) -> int:
    if told is None:
        return DEFAULT_LIMIT
    try:
        limit = int(told)
    except ValueError:
        kind, wish = "int_parsing", "a valid integer"
    else:
        if 1 <= limit <= MAX_LIMIT:
            return limit
        kind, wish = "greater_than_equal", "greater than or equal to 1"
        if limit > MAX_LIMIT:
            kind, wish = "less_than_equal", f"less than or equal to {MAX_LIMIT}"
    raise _invalid(kind, ["query", "limit"], f"Input should be {wish}", told)


def _place(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, _, id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(id)
    except (ValueError, binascii.Error):
        raise _invalid("value_error", ["query", "cursor"], "Invalid cursor", cursor) from None


def _uuid(told: str, where: list[str]) -> UUID:
    try:
        return UUID(told)
    except ValueError:
        raise _invalid("uuid_parsing", where, "Input should be a valid UUID", told) from None


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise _invalid("json_invalid", ["body"], "JSON decode error", None) from None
    if not isinstance(value, dict):
        raise _invalid("dict_type", ["body"], "Input should be a valid dictionary", value)
    return value


def _invalid(kind: str, where: list[str], message: str, told: Any) -> _Refused:
    return _Refused(422, [{"type": kind, "loc": where, "msg": message, "input": told}])


def _plain(status: int, detail: str) -> Answer:
    return Answer(status, {"detail": detail})
