"""What the article fixes: the two variables, where they go, and the charts that know them.

Source: Enabling Audit Logs in Self-Hosted LangSmith.
"""

from __future__ import annotations

import re

WANTED = ("AUDIT_LOGS_ENABLED", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS")
"""Names; the value of each is the string "true"."""

PLACE = "backend.deployment.extraEnv"
"""The list of the chart's values that gets them."""

OLDEST = "0.12.33"
"""The first chart version with audit logs (the article, "Prerequisites")."""

ON_BY_DEFAULT = "0.13.37"
"""The first chart version with audit logs on by default."""


_RELEASED = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
LINES = ("0.16", "0.15", "0.14")
"""The newest three chart lines when this version was made (August 2026), which are supported."""


def new_enough(version: str) -> bool:
    """Whether a chart version has audit logs, by SemVer precedence (0.12.33-rc.1 has not)."""
    return at_least(version, OLDEST)


def at_least(version: str, wanted: str) -> bool:
    """Whether a chart version is `wanted` or later, by SemVer precedence; False for no version."""
    told, asked = _RELEASED.fullmatch(version), _RELEASED.fullmatch(wanted)
    if told and asked:  # what every chart is; the library is for the rest
        return [*map(int, told.groups())] >= [*map(int, asked.groups())]
    from semver import Version

    try:
        return Version.parse(version.removeprefix("v")) >= wanted
    except ValueError:
        return False
