"""What tells a target from every other one: names alone do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wizard.problems import Problem
from wizard.records.plan_file import Where
from wizard.steps.base import Access
from wizard.systems.access import Systems
from wizard.walks.where import where

RIGHTS = (Access("kubernetes", "get", "namespaces", optional=True),)
"""What tells the target of a plan; a plan without it names the API server's address instead."""

SYSTEM = "kube-system"
"""Its uid is what Kubernetes people take for a cluster's identity; it is never made anew."""


def plan_where(systems: Systems) -> Where:
    """The target with its identity; what cannot be read is said, and left empty."""
    names = {"context", "api_server", "namespace", "release", "revision", "chart"}
    facts: dict[str, Any] = {k: v for k, v in where(systems).items() if k in names}
    unread: list[str] = []
    namespace = systems.target.namespace
    facts["cluster_uid"] = _read(unread, "cluster uid", lambda: _uid(systems, SYSTEM))
    facts["namespace_uid"] = _read(unread, "namespace uid", lambda: _uid(systems, namespace))
    facts |= _database(systems, unread)
    return Where(**facts, unread=tuple(unread))


def _uid(systems: Systems, namespace: str) -> str:
    from wizard.systems.cluster import NAMESPACES

    found = systems.cluster.get(NAMESPACES, namespace, None)
    return str(found["metadata"]["uid"]) if found else ""


def _database(systems: Systems, unread: list[str]) -> dict[str, str]:
    try:
        identity = systems.database.identity()
        table = systems.database.find_organizations()
    except Problem as problem:
        unread.append(f"database: {problem.what} ({problem.id})")
        return {}
    if identity.system_identifier is None:
        unread.append("system identifier: this login may not read it")
    return {
        "database": identity.database,
        "system_identifier": identity.system_identifier or "",
        "organizations_oid": str(table.oid),
    }


def _read(unread: list[str], what: str, read: Callable[[], str]) -> str:
    try:
        return read()
    except Problem as problem:
        unread.append(f"{what}: {problem.what} ({problem.id})")
        return ""
