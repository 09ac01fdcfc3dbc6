"""What limits pods: ResourceQuotas for new ones, PodDisruptionBudgets for their eviction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import dig
from wizard.practice.kubernetes.selectors import selects

if TYPE_CHECKING:
    from wizard.practice.kubernetes.store import Store

Json = dict[str, Any]

_COUNTED = ("pods", "count/pods")
_ENDED = ("Succeeded", "Failed")


def admit_pod(store: Store, namespace: str, name: str) -> None:
    """Refuse a pod that a quota of the namespace has no room for; finished pods do not count.

    Raises:
        ApiError: 403 with the real server's message.
    """
    for quota in store.items(("", "resourcequotas"), namespace):
        hard = dig(quota, "spec", "hard", default={})
        for resource in _COUNTED:
            if resource not in hard:
                continue
            used = pods_in(store, namespace)
            if used >= int(hard[resource]):
                raise ApiError(
                    403,
                    f'pods "{name}" is forbidden: exceeded quota: {quota["metadata"]["name"]}, '
                    f"requested: {resource}=1, used: {resource}={used}, "
                    f"limited: {resource}={hard[resource]}",
                    details={"name": name, "kind": "pods"},
                )


def pods_in(store: Store, namespace: str) -> int:
    """The pods that count towards a quota."""
    pods = store.items(("", "pods"), namespace)
    return sum(dig(pod, "status", "phase") not in _ENDED for pod in pods)


def blocking_budget(store: Store, pod: Json) -> Json | None:
    """The disruption budget that does not allow an eviction of the pod now, or None."""
    namespace, labels = pod["metadata"]["namespace"], dig(pod, "metadata", "labels", default={})
    for budget in store.items(("policy", "poddisruptionbudgets"), namespace):
        allowed = dig(budget, "status", "disruptionsAllowed", default=0)
        if selects(dig(budget, "spec", "selector"), labels) and allowed < 1:
            return budget
    return None
