"""Audit log entries as LangSmith's API gives them: OCSF 1.7.0, class API Activity (6003)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any
from uuid import UUID, uuid4

from wizard.resources import template

ACTIVITIES = {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"}
"""OCSF's activity_id of the class API Activity."""


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
    """One recorded operation, as it is kept in the table audit_logs."""

    id: UUID
    organization_id: UUID
    tenant_id: UUID | None
    at: datetime
    operation: str
    ocsf: dict[str, Any]


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
    uid = uuid4()
    values = {
        "uid": uid,
        "time": int(at.timestamp()),
        "type_uid": 600300 + operation.activity,
        "activity_id": operation.activity,
        "activity_name": ACTIVITIES[operation.activity],
        "operation": operation.name,
        "method": operation.method,
        "path": operation.path.replace("{id}", str(resource_id)),
        "user_id": user_id,
        "credential_id": credential_id,
        "endpoint": {"ip": ip} if ip else None,
        "resource_id": resource_id,
        "organization_id": organization_id,
        "tenant_id": tenant_id,
    }
    told = {name: json.dumps(value, default=str) for name, value in values.items()}
    document = json.loads(Template(template("practice/ocsf.json")).substitute(told))
    return Entry(uid, organization_id, tenant_id, at, operation.name, document)


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
