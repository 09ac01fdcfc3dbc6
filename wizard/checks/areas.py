"""All areas of the health check, in the order in which they are looked at."""

from __future__ import annotations

from wizard.checks import api, organizations, release, table, target, values, workload
from wizard.checks.check import Area
from wizard.steps.step import Access

AREAS: tuple[Area, ...] = (
    Area("target", "The cluster", target.CHECKS, ahead=("server_version",)),
    Area("release", "The Helm release", release.CHECKS),
    Area("values", "The values", values.CHECKS),
    Area("workload", "The backend", workload.CHECKS, ahead=("workload", "quotas")),
    Area("organizations", "The organizations", organizations.CHECKS, ahead=("database",)),
    Area("table", "The audit_logs table", table.CHECKS, ahead=("table",)),
    Area("api", "The audit-logs API", api.CHECKS, ahead=("api",)),
)

ACCESS: tuple[Access, ...] = tuple(
    dict.fromkeys(access for area in AREAS for check in area.checks for access in check.access)
)
"""Everything that a health check reads."""
