"""Where the server has audit logs by itself: from chart 0.13.37 they are on by default.

The server's own word decides; the chart version alone proves nothing, and is only asked where the
organization of the key cannot tell (a stored false hides the default).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.article import ON_BY_DEFAULT, WANTED, at_least
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.access import Systems

ENDPOINT_IS_THERE = ("LSA821", "LSA822", "LSA823")
"""Refusals by the audit-logs endpoint itself: the role, the organization, or something else."""


def does_without(systems: Systems) -> bool:
    """Whether the backend lacks a variable and the server has audit logs all the same.

    False also when that cannot be told, and with --force.
    """
    if systems.target.force:
        return False
    try:
        return bool(systems.lacking_live) and (systems.already_served or on_by_default(systems))
    except Problem:
        return False


def cannot_be_told(systems: Systems) -> bool:
    """Whether this may be a server that does without, and it cannot be asked."""
    try:
        new = at_least(systems.release.chart_version, ON_BY_DEFAULT)
    except Problem:
        return False
    try:
        return new and not systems.target.force and systems.served is None
    except Problem:
        return True


def on_by_default(systems: Systems) -> bool:
    """Whether organizations without a stored value have audit logs on this server.

    False also when that cannot be told, and with --force.
    """
    if systems.target.force:
        return False
    try:
        live, served = systems.live_env, systems.served
        untouched = all(live.get(name, "true") == "true" for name in WANTED)
        new = at_least(systems.release.chart_version, ON_BY_DEFAULT)
    except Problem:
        return False
    if not served or not untouched or not new:
        return False
    return served.on or (served.refused is not None and served.refused.id in ENDPOINT_IS_THERE)
