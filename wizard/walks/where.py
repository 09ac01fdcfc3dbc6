"""The target as every walk shows it."""

from __future__ import annotations

from wizard.problems import Problem
from wizard.systems.access import Systems
from wizard.systems.discovery import NOT_READABLE


def where(systems: Systems) -> dict[str, str]:
    """The target as a person must see it; what cannot be read is left out."""
    target, cluster = systems.target, systems.cluster
    facts = {"context": cluster.context, "api_server": cluster.server}
    facts |= {"namespace": target.namespace, "release": target.release}
    if target.found:
        facts["found"] = target.found.removeprefix("found ")
    try:
        release = systems.release
    except Problem:
        return facts
    none = NOT_READABLE if release.status == NOT_READABLE else "none"
    return facts | {"revision": str(release.revision or none), "chart": release.chart}
