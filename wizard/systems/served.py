"""What the server itself says of the key's organization and its audit log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.langsmith_api import AuditLogPage, CurrentOrganization, LangSmithApi


@dataclass(frozen=True)
class Served:
    """What the server itself says: the key's organization, and a page of its audit log."""

    url: str
    organization: CurrentOrganization
    page: AuditLogPage | None
    refused: Problem | None = field(default=None)

    @property
    def on(self) -> bool:
        """The server says that the organization has audit logs, and the endpoint answers."""
        return bool(self.organization.can_use_audit_logs) and self.page is not None


def what_it_serves(api: LangSmithApi, organization: CurrentOrganization) -> Served:
    """The organization's newest page, or why the endpoint does not give it."""
    try:
        page = recent_page(api)
    except Problem as problem:
        return Served(api.base_url, organization, None, problem)
    return Served(api.base_url, organization, page)


def recent_page(api: LangSmithApi) -> AuditLogPage:
    """The newest page of the last 30 days.

    Raises:
        Problem: the endpoint does not answer as documented.
    """
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    return api.audit_logs(start=now - timedelta(days=30), end=now + timedelta(minutes=1))
