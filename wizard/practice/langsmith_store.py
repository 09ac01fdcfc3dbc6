"""The practice database: what is in it at the start, its audit log, the stand-in's way to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from wizard.resources import template

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

ORGANIZATIONS: Mapping[str, UUID] = MappingProxyType(
    {
        "off": UUID("3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"),
        "null": UUID("8b7d40f2-16e9-4c55-8a0d-52c9e3f7b1a6"),
        "empty": UUID("c2a95e17-7d34-4b8f-b6e1-0f4d8a6c3b72"),
        "personal": UUID("e60d3c94-8f12-4a7b-95d8-1a2c7e5b4f30"),
        "on": UUID("5d84f7a1-2c6b-4e39-8d17-9e0b3c5a6f48"),
    }
)
"""The seeded organizations by what their config holds: false, NULL, {}, personal, true."""

USERS: Mapping[str, UUID] = MappingProxyType(
    {
        "admin_user": UUID("1a6e9d52-0b73-4f8c-a4d9-6c2f8e7b5301"),
        "viewer_user": UUID("94c0b7e3-5d28-4a16-8f7e-3b9d1c6a2e85"),
    }
)

ACTIVITY = 14
"""Entries that an organization has at least, once a backend records its audit log."""

ACTIVITIES = {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"}
"""OCSF 1.7.0, class API Activity (6003): its activity_id."""


@dataclass(frozen=True)
class Operation:
    """An operation that is recorded: as in `api.operation`, its activity_id, its HTTP request."""

    name: str
    activity: int
    method: str
    path: str


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("create_api_key", 1, "POST", "/api/v1/api-key"),
        Operation("delete_api_key", 4, "DELETE", "/api/v1/api-key/{id}"),
        Operation("create_personal_access_token", 1, "POST", "/api/v1/api-key/current"),
        Operation("create_service_key", 1, "POST", "/api/v1/orgs/current/service-keys"),
        Operation("create_role", 1, "POST", "/api/v1/orgs/current/roles"),
        Operation("update_role", 3, "PATCH", "/api/v1/orgs/current/roles/{id}"),
        Operation("invite_user_to_org", 1, "POST", "/api/v1/orgs/current/members"),
        Operation("update_org_member", 3, "PATCH", "/api/v1/orgs/current/members/{id}"),
        Operation("create_sso_settings", 1, "POST", "/api/v1/orgs/current/sso-settings"),
        Operation("update_login_methods", 3, "PATCH", "/api/v1/orgs/current/login-methods"),
        Operation("create_workspace", 1, "POST", "/api/v1/workspaces"),
        Operation("update_workspace", 3, "PATCH", "/api/v1/workspaces/{id}"),
        Operation("update_workspace_secrets", 3, "POST", "/api/v1/workspaces/current/secrets"),
        Operation("create_bulk_export", 1, "POST", "/api/v1/bulk-exports"),
        Operation("update_ttl_settings", 3, "PUT", "/api/v1/ttl-settings"),
        Operation("update_usage_limit", 3, "PUT", "/api/v1/usage-limits"),
        Operation("create_tag_key", 1, "POST", "/api/v1/workspaces/current/tag-keys"),
        Operation("delete_tag_key", 4, "DELETE", "/api/v1/workspaces/current/tag-keys/{id}"),
    )
}
"""Some of the operations that are recorded, by name."""


@dataclass(frozen=True)
class Entry:
    """One recorded operation that succeeded, as a row of the table audit_logs."""

    id: UUID
    operation_name: str
    request_time: datetime
    api_key_id: UUID | None
    user_id: UUID | None
    ls_user_id: UUID | None
    organization_id: UUID
    workspace_id: UUID | None
    enrichments: Jsonb


def entry(
    operation: Operation,
    *,
    organization_id: UUID,
    tenant_id: UUID | None,
    user_id: UUID | None,
    credential_id: UUID | None,
    resource_id: UUID,
    at: datetime,
    ip: str | None = None,
) -> Entry:
    """An operation that succeeded; without a credential it was done in the UI."""
    enrichments = {
        "request_method": operation.method,
        "request_path": operation.path.replace("{id}", str(resource_id)),
        "client_host": ip,
        "client_port": None,
        "x_forwarded_for": None,
        "response_status_code": 200,
        "resource_ids": [str(resource_id)],
    }
    return Entry(uuid4(), operation.name, at, credential_id, user_id, user_id,
                 organization_id, tenant_id, Jsonb(enrichments))  # fmt: skip


def plausible_activity(
    organization_id: UUID, tenant_id: UUID | None, user_id: UUID, count: int
) -> Iterator[Entry]:
    """What an administrator may have done in the last hours, oldest first."""
    now = datetime.now(UTC)
    for number in range(count):
        minutes_ago = (count - number) * 17 + random.randrange(10)  # noqa: S311 - no secret
        in_the_ui = number % 3 == 0
        yield entry(
            random.choice(list(OPERATIONS.values())),  # noqa: S311 - no secret
            organization_id=organization_id,
            tenant_id=tenant_id,
            user_id=user_id,
            credential_id=None if in_the_ui else uuid4(),
            resource_id=uuid4(),
            at=now - timedelta(minutes=minutes_ago),
            ip=f"10.20.0.{10 + number}" if in_the_ui else None,
        )


@dataclass(frozen=True)
class Keys:
    """Fresh API keys: tokens of an admin and a viewer (`lsv2_pt_…`), `off`'s service key."""

    admin: str = field(default_factory=lambda: _new_key("pt"), repr=False)
    viewer: str = field(default_factory=lambda: _new_key("pt"), repr=False)
    service: str = field(default_factory=lambda: _new_key("sk"), repr=False)


def hashed(key: str, salt: str) -> str:
    """How a key is stored; with another salt (`config.apiKeySalt`) no key is known any more."""
    return hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()


def plant(connection: psycopg.Connection, keys: Keys, salt: str) -> None:
    """Create the tables of an older LangSmith and fill them."""
    values: dict[str, object] = {**ORGANIZATIONS, **USERS}
    for name in ("admin", "viewer", "service"):
        values[f"{name}_hash"] = hashed(getattr(keys, name), salt)
    cursor = psycopg.ClientCursor(connection)
    cursor.execute(template("practice/sql/schema.sql"))
    cursor.execute(template("practice/sql/seed.sql"), values)


def migrate(connection: psycopg.Connection) -> None:
    """What the migrations Job of chart 0.12.33 does: the table audit_logs."""
    connection.execute(template("practice/sql/audit_logs.sql"))


def _new_key(kind: str) -> str:
    return f"lsv2_{kind}_{secrets.token_hex(16)}_{secrets.token_hex(5)}"


@dataclass(frozen=True)
class Principal:
    """Whom a key belongs to: a person (token) or an organization (service key)."""

    key_id: UUID
    user_id: UUID | None
    organization_id: UUID | None


@dataclass(frozen=True)
class Search:
    """What audit-logs was asked for; `after` is the place of the last entry already given."""

    organization_id: UUID
    start: datetime
    end: datetime
    limit: int
    after: tuple[datetime, UUID] | None = None
    tenant_id: UUID | None = None
    operations: Sequence[str] = ()


class Store:
    """Reads and writes the practice database; `dsn` is asked anew for every connection."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        self._dsn = dsn
        self._kept: list[Connection] = []
        self._recording = threading.Lock()

    def configs(self) -> dict[str, Any]:
        """Each organization's config as it is stored, by id."""
        query = "SELECT id, config FROM organizations"
        return {str(row["id"]): row["config"] for row in self._all(query)}

    def principal(self, hashed_key: str) -> Principal | None:
        """The owner of a key, by its stored hash."""
        query = "SELECT id, user_id, organization_id FROM api_keys WHERE hashed_key = %s"
        row = self._one(query, hashed_key)
        return Principal(*row.values()) if row else None

    def organization(self, organization_id: UUID) -> Mapping[str, Any] | None:
        """id, display_name and is_personal."""
        query = "SELECT id, display_name, is_personal FROM organizations WHERE id = %s"
        return self._one(query, organization_id)

    def first_organization(self, user_id: UUID) -> UUID | None:
        """The oldest shared organization of a person: what a token means without a header."""
        query = (
            "SELECT id FROM organizations JOIN identities ON organization_id = id "
            "WHERE user_id = %s AND NOT is_personal ORDER BY created_at, id LIMIT 1"
        )
        return (self._one(query, user_id) or {}).get("id")

    def role(self, user_id: UUID, organization_id: UUID) -> str | None:
        """A person's role in an organization; None for who is no member."""
        query = "SELECT role FROM identities WHERE user_id = %s AND organization_id = %s"
        return (self._one(query, user_id, organization_id) or {}).get("role")

    def tenant(self, tenant_id: UUID, organization_id: UUID) -> UUID | None:
        """The workspace's id when it belongs to the organization."""
        query = "SELECT id FROM tenants WHERE id = %s AND organization_id = %s"
        return (self._one(query, tenant_id, organization_id) or {}).get("id")

    def workspaces(self, organization_id: UUID) -> Sequence[Mapping[str, Any]]:
        """id, display_name and organization_id of an organization's workspaces."""
        query = "SELECT id, display_name, organization_id FROM tenants WHERE organization_id = %s "
        return self._all(query + "ORDER BY created_at, id", (organization_id,))

    def tag_keys(self, tenant_id: UUID) -> Sequence[Mapping[str, Any]]:
        """id and key of a workspace's tag keys."""
        return self._all("SELECT id, key FROM tag_keys WHERE tenant_id = %s", (tenant_id,))

    def add_tag_key(self, tenant_id: UUID, key: str, description: str | None) -> DictRow | None:
        """The new tag key; None when there is one of that name."""
        query = (
            "INSERT INTO tag_keys (tenant_id, key, description) VALUES (%s, %s, %s) "
            "ON CONFLICT DO NOTHING RETURNING id, key, description, created_at"
        )
        return self._one(query, tenant_id, key, description)

    def remove_tag_key(self, tenant_id: UUID, tag_key_id: UUID) -> bool:
        """Whether there was such a tag key; it is gone."""
        query = "DELETE FROM tag_keys WHERE tenant_id = %s AND id = %s RETURNING id"
        return self._one(query, tenant_id, tag_key_id) is not None

    def audit_logs(self, search: Search) -> list[DictRow]:
        """`id`, `request_time` and `ocsf` of one entry more than the limit, newest first."""
        after = dict(zip(("after_time", "after_id"), search.after or (None, None), strict=True))
        kinds = {it.name: it.activity for it in OPERATIONS.values()}
        told = {"kinds": json.dumps(kinds), "activities": json.dumps(ACTIVITIES)}
        more = {"count": search.limit + 1, "operations": list(search.operations) or None}
        query = template("practice/sql/audit_logs_page.sql")
        return self._all(query, {**vars(search), **after, **more, **told})

    def record(self, entry: Entry) -> None:
        """Add one entry to the audit log."""
        with self._connect() as connection:
            _insert(connection, [entry])

    def have_activity(self, organization_ids: Iterable[UUID]) -> None:
        """Give each organization some recent activity, unless it has some or there is no table."""
        with self._recording, self._connect() as connection:
            if not connection.execute("SELECT to_regclass('audit_logs') AS t").fetchall()[0]["t"]:
                return
            for organization_id in organization_ids:
                self._have_activity(connection, organization_id)

    def _have_activity(self, connection: Connection, organization_id: UUID) -> None:
        rows = connection.execute(
            "SELECT (SELECT count(*) FROM audit_logs WHERE organization_id = %(org)s) AS entries, "
            "(SELECT id FROM tenants WHERE organization_id = %(org)s LIMIT 1) AS tenant, "
            "(SELECT user_id FROM identities WHERE organization_id = %(org)s "
            " AND role = 'ORGANIZATION_ADMIN' LIMIT 1) AS admin",
            {"org": organization_id},
        ).fetchall()
        missing = ACTIVITY - rows[0]["entries"]
        tenant, admin = rows[0]["tenant"], rows[0]["admin"]
        if missing > 0 and admin is not None:
            _insert(connection, plausible_activity(organization_id, tenant, admin, missing))

    def _one(self, query: str, *values: Any) -> DictRow | None:
        return next(iter(self._all(query, values)), None)

    def _all(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[DictRow]:
        with self._connect() as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Connection]:
        connection = self._idle() or psycopg.connect(
            self._dsn(), autocommit=True, connect_timeout=10, row_factory=dict_row
        )
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._kept.append(connection)

    def _idle(self) -> Connection | None:
        """A connection of before that the server has not ended since."""
        with contextlib.suppress(psycopg.Error, IndexError):
            connection = self._kept.pop()
            connection.execute("")
            return connection
        return None


def _insert(connection: Connection, entries: Iterable[Entry]) -> None:
    query = (
        "INSERT INTO audit_logs (id, operation_name, request_time, api_key_id, user_id, ls_user_id,"
        " organization_id, workspace_id, enrichments, operation_succeeded) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, true)"
    )
    with connection.cursor() as cursor:
        cursor.executemany(query, [tuple(vars(it).values()) for it in entries])
