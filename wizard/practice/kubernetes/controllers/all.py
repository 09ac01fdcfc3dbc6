"""Every controller, in the order in which a change is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.practice.kubernetes.controllers import small
from wizard.practice.kubernetes.controllers.deployments import Deployments
from wizard.practice.kubernetes.controllers.garbage import Garbage, Namespaces
from wizard.practice.kubernetes.controllers.jobs import Jobs
from wizard.practice.kubernetes.controllers.pods import Pods
from wizard.practice.kubernetes.controllers.replica_sets import ReplicaSets
from wizard.practice.kubernetes.controllers.rollouts import Rollouts
from wizard.practice.kubernetes.controllers.stateful_sets import StatefulSets

if TYPE_CHECKING:
    from wizard.practice.kubernetes.controllers.base import Context, Controller


def all_controllers(context: Context) -> list[Controller]:
    """One of each."""
    classes: list[type[Controller]] = [
        Namespaces,
        small.Definitions,
        Deployments,
        Rollouts,
        ReplicaSets,
        StatefulSets,
        Jobs,
        Pods,
        Garbage,
        small.Services,
        small.Claims,
        small.Budgets,
        small.Quotas,
        small.Autoscalers,
        small.DaemonSets,
    ]
    return [one(context) for one in classes]
