"""Deployments: the strategy's limits and the status that rollout status and helm read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from wizard.practice.kubernetes.controllers.base import condition
from wizard.practice.kubernetes.controllers.replica_sets import FAILURE
from wizard.practice.kubernetes.controllers.rolling import Limits, Rolling, count, share, size
from wizard.practice.kubernetes.json_tools import clone, dig, now, parse_time, without_empty

Json = dict[str, Any]

_COUNTERS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def counters(new: Json | None, old: list[Json]) -> dict[str, int]:
    """The sums that a status shows."""
    sets = [*old, new] if new else old
    return {
        "replicas": sum(count(one, "replicas") for one in sets),
        "updatedReplicas": count(new, "replicas") if new else 0,
        "readyReplicas": sum(count(one, "readyReplicas") for one in sets),
        "availableReplicas": sum(count(one, "availableReplicas") for one in sets),
    }


class Deployments(Rolling):
    """The Deployment controller."""

    kind = "Deployment"

    def limits(self, obj: Json) -> Limits:
        """maxSurge and maxUnavailable in pods."""
        replicas = int(dig(obj, "spec", "replicas", default=1))
        strategy = obj["spec"]["strategy"]
        if strategy["type"] == "Recreate":
            return Limits(replicas, 0, replicas, recreate=True)
        rolling = strategy.get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge", "25%"), replicas, up=True)
        unavailable = share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
        return Limits(replicas, surge, unavailable if surge or unavailable else 1)

    def report(self, obj: Json, new: Json | None, old: list[Json]) -> None:
        """Counters, observedGeneration and the conditions Available and Progressing."""
        changed: Json = clone(obj)
        before = obj.get("status") or {}
        limits = self.limits(obj)
        sums = counters(new, old)
        wanted = sum(map(size, old)) + (size(new) if new else 0)
        missing = max(0, max(wanted, limits.replicas) - sums["availableReplicas"])
        status = without_empty(
            observedGeneration=obj["metadata"]["generation"], **sums, unavailableReplicas=missing
        )
        status["conditions"] = list(before.get("conditions") or [])
        changed["status"] = status
        enough = sums["availableReplicas"] >= limits.replicas - limits.unavailable
        if enough:
            text = "Deployment has minimum availability."
            condition(status, "Available", "True", "MinimumReplicasAvailable", text)
        else:
            text = "Deployment does not have minimum availability."
            condition(status, "Available", "False", "MinimumReplicasUnavailable", text)
        if new is not None:
            self._progress(obj, status, new, limits.replicas)
            self._failure(status, new)
        if not status["conditions"]:
            del status["conditions"]
        self.api.change(changed)

    def _failure(self, status: Json, new: Json) -> None:
        """What keeps the newest ReplicaSet from creating pods, as its own condition says it."""
        told = [
            one
            for one in dig(new, "status", "conditions", default=[])
            if one["type"] == FAILURE and one["status"] == "True"
        ]
        rest = [one for one in status["conditions"] if one["type"] != FAILURE]
        status["conditions"] = [*rest, *clone(told)]

    def _progress(self, obj: Json, status: Json, new: Json, wanted: int) -> None:
        name = new["metadata"]["name"]
        before = obj.get("status") or {}
        if all(status.get(field, 0) == wanted for field in _COUNTERS):
            text = f'ReplicaSet "{name}" has successfully progressed.'
            condition(status, "Progressing", "True", "NewReplicaSetAvailable", text)
            return
        old = next((one for one in status["conditions"] if one["type"] == "Progressing"), None)
        moved = any(status.get(field) != before.get(field) for field in _COUNTERS)
        deadline = float(dig(obj, "spec", "progressDeadlineSeconds", default=600))
        if old is None or moved or old["reason"] == "NewReplicaSetAvailable":
            created = old is None and not count(new, "replicas")
            reason = "NewReplicaSetCreated" if created else "ReplicaSetUpdated"
            text = f'Created new replica set "{name}"' if created else ""
            text = text or f'ReplicaSet "{name}" is progressing.'
            condition(status, "Progressing", "True", reason, text)
            for one in status["conditions"]:
                if one["type"] == "Progressing":
                    one["lastUpdateTime"] = now()
            left = deadline
        else:
            since = datetime.now(UTC) - parse_time(old["lastUpdateTime"])
            left = deadline - since.total_seconds()
        if left <= 0:
            text = f'ReplicaSet "{name}" has timed out progressing.'
            condition(status, "Progressing", "False", "ProgressDeadlineExceeded", text)
        else:
            self.again((obj["metadata"]["namespace"], obj["metadata"]["name"]), left + 1)
