"""Whose environment a tool on the practice cluster gets: the user's, without other clusters."""

from __future__ import annotations

import os
from collections.abc import Mapping

FOREIGN = ("HELM_", "KUBE", "LANGSMITH", "PG")
"""Variables that would lead a tool elsewhere start like this."""


def led_to(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, in which helm, kubectl and langsmith-audit see the cluster."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**mine, **settings}
