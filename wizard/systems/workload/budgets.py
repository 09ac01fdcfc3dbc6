"""Disruption budgets that let no pod go: an Argo Rollout restarts by evicting, so they stop it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

DONE = ("Succeeded", "Failed")


def kept(budget: Json, pods: Iterable[Json]) -> tuple[int, int]:
    """How many pods must stay healthy, and how many there are that have not run to their end.

    `status.expectedPods` does not tell: it counts the done pods of hook Jobs, which carry the
    backend's labels. Nor does `disruptionsAllowed`: it is 0 for a moment in every restart.
    """
    wanted = _selector(budget).items()
    there = [
        pod
        for pod in pods
        if wanted <= (pod["metadata"].get("labels") or {}).items()
        if (pod.get("status") or {}).get("phase") not in DONE
    ]
    return int((budget.get("status") or {}).get("desiredHealthy") or 0), len(there)


def covers(budget: Json, template: Json) -> bool:
    """Whether it is about the pods of this template, by its labels."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    wanted = _selector(budget)
    return bool(wanted) and wanted.items() <= labels.items()


def blocking(budgets: Iterable[Json], pods: Sequence[Json], template: Json) -> str:
    """The first budget that lets no pod of this template go, in words; empty when none does."""
    for budget in budgets:
        desired, there = kept(budget, pods)
        if 0 < there <= desired and covers(budget, template):
            counts = f"{desired} of {there} pods must stay"
            return f"PodDisruptionBudget {budget['metadata']['name']} lets no pod go ({counts})"
    return ""


def _selector(budget: Json) -> Json:
    return ((budget.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
