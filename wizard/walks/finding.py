"""Finding the release by looking, where it was not named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.target import Target

if TYPE_CHECKING:
    from wizard.systems.discovery import Found

FOUND = "found by looking"
"""How the origin of an answer begins that nobody gave."""


def look_for(
    target: Target, namespace: str | None, release: str | None
) -> tuple[tuple[Found, ...], str]:
    """The LangSmith releases that can be seen, and where was looked.

    Nothing where it cannot be looked: what stands in the way is told by the walk that follows.
    """
    from wizard.systems.cluster import Cluster
    from wizard.systems.discovery import discover
    from wizard.systems.helm import Helm

    cluster = Cluster.connect(target.kubeconfig, target.context, limit=target.connect_limit)
    try:
        helm = Helm.find(
            kubeconfig=target.kubeconfig,
            context=cluster.context or None,
            connect_limit=target.connect_limit,
        )
        seen = discover(helm, cluster, namespace)
    except Problem:
        return (), ""
    finally:
        cluster.close()
    return tuple(it for it in seen.found if release in (None, it.release)), seen.looked


def several(found: Sequence[Found], looked: str) -> Problem:
    """The problem of several releases, none of which was named."""
    return Problem(
        "LSA144",
        f"There are {len(found)} LangSmith releases, and none of them was named",
        on=looked,
        next_step="name one: type the flags of its line",
        exit=Exit.USAGE,
        detail=tuple(f"{it.flags}  (chart {it.chart_version}, {it.status})" for it in found),
    )
