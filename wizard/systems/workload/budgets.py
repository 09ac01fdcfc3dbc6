"""Disruption budgets that let no pod go: an Argo Rollout restarts by evicting, so they stop it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]


def lets_none_go(budget: Json) -> bool:
    """Whether it asks for as many healthy pods as there are, so that no eviction is ever allowed.

    `status.disruptionsAllowed` does not tell: it is 0 for a moment in every restart.
    """
    status = budget.get("status") or {}
    expected = int(status.get("expectedPods") or 0)
    return 0 < expected <= int(status.get("desiredHealthy") or 0)


def covers(budget: Json, template: Json) -> bool:
    """Whether it is about the pods of this template, by its labels."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    wanted = ((budget.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return bool(wanted) and wanted.items() <= labels.items()


def blocking(budgets: Iterable[Json], template: Json) -> str:
    """The first budget that lets no pod of this template go, in words; empty when none does."""
    for budget in budgets:
        if lets_none_go(budget) and covers(budget, template):
            status = budget["status"]
            counts = f"{status['desiredHealthy']} of {status['expectedPods']} pods must stay"
            return f"PodDisruptionBudget {budget['metadata']['name']} lets no pod go ({counts})"
    return ""
