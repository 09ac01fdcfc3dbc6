"""Deployments and Argo Rollouts: their limits, and the status that kubectl and helm read.

Of Rollouts there is what a backend needs: rolling, `restartAt`, the status fields. Canary and
blue-green steps are not staged: a new template rolls as a Deployment's does.
"""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.controllers.base import age, condition, is_ending, is_ready, key_of
from wizard.practice.kubernetes.controllers.rolling import Limits, Rolling, count, share, size
from wizard.practice.kubernetes.controllers.sets import FAILURE
from wizard.practice.kubernetes.json_tools import clone, dig, parse_time, without_empty
from wizard.practice.kubernetes.pod_limits import blocking_budget

Json = dict[str, Any]

_COMPLETE = ("replicas", "updatedReplicas", "availableReplicas")
_PROGRESS = "Progressing"
_CREATED, _FOUND = "NewReplicaSetCreated", "FoundNewReplicaSet"
_MOVES, _DONE = "ReplicaSetUpdated", "NewReplicaSetAvailable"
_PAUSED, _RESUMED, _LATE = "DeploymentPaused", "DeploymentResumed", "ProgressDeadlineExceeded"
_TEXTS = {
    _CREATED: 'Created new replica set "{}"',
    _FOUND: 'Found new replica set "{}"',
    _MOVES: "{} is progressing.",
    _DONE: "{} has successfully progressed.",
    _LATE: "{} has timed out progressing.",
    _PAUSED: "Deployment is paused",
    _RESUMED: "Deployment is resumed",
}
_NO_DEADLINE = 2**31 - 1


def _has_deadline(obj: Json) -> bool:
    return dig(obj, "spec", "progressDeadlineSeconds") not in (None, _NO_DEADLINE)


def _reason(status: Json) -> str:
    """The reason of the condition Progressing, or ""."""
    conditions = status.get("conditions") or []
    return next((str(one["reason"]) for one in conditions if one["type"] == _PROGRESS), "")


def progress(status: Json, value: str, reason: str, name: str = "", *, anew: bool = False) -> None:
    """Set the condition Progressing; `anew` moves its lastUpdateTime though it says the same."""
    if _reason(status) == reason and not anew:
        return
    status["conditions"] = clone(status.get("conditions") or [])
    for one in status["conditions"]:
        if anew and one["type"] == _PROGRESS:
            one["message"] = ""  # so that it differs
    condition(status, _PROGRESS, value, reason, _TEXTS[reason].format(name))


def _moved(before: Json, status: Json) -> bool:
    """Whether more pods are updated, ready or available, or fewer old ones there."""

    def old_ones(one: Json) -> int:
        return int(one.get("replicas", 0)) - int(one.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_ones(status) < old_ones(before) or any(
        status.get(field, 0) > before.get(field, 0) for field in more
    )


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
            return Limits(replicas, 0, 0, recreate=True)
        rolling = strategy.get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge", "25%"), replicas, up=True)
        unavailable = share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
        return Limits(replicas, surge, min(unavailable, replicas) if surge or unavailable else 1)

    def sync(self, obj: Json) -> None:
        """Tell first that it is paused, or goes on; then as every roll."""
        paused = bool(obj["spec"].get("paused"))
        reason = _reason(obj.get("status") or {})
        if _has_deadline(obj) and reason != _LATE and paused != (reason == _PAUSED):
            obj = clone(obj)
            progress(obj.setdefault("status", {}), "Unknown", _PAUSED if paused else _RESUMED)
            obj = self.api.change(obj)
        super().sync(obj)

    def numbered(self, obj: Json, new: Json, *, created: bool) -> Json:
        """Also the condition that tells of a new ReplicaSet, before anything is counted."""
        marked = super().numbered(obj, new, created=created)
        status = marked.setdefault("status", {})
        if _has_deadline(obj) and (created or not _reason(status)):
            progress(status, "True", _CREATED if created else _FOUND, new["metadata"]["name"])
        return marked

    def report(self, obj: Json, new: Json | None, old: list[Json]) -> None:
        """Counters, observedGeneration and the conditions Available and Progressing."""
        changed: Json = clone(obj)
        before = obj.get("status") or {}
        limits = self.limits(obj)
        sums = counters(new, old)
        wanted = sum(map(size, old)) + (size(new) if new else 0)
        status = without_empty(
            observedGeneration=obj["metadata"]["generation"],
            **sums,
            unavailableReplicas=max(0, wanted - sums["availableReplicas"]),
        )
        sets = [*old, new] if new else old
        status["terminatingReplicas"] = sum(count(one, "terminatingReplicas") for one in sets)
        status["conditions"] = list(before.get("conditions") or [])
        changed["status"] = status
        up = sums["availableReplicas"] >= limits.replicas - limits.unavailable
        text = f"Deployment {'has' if up else 'does not have'} minimum availability."
        reason = "MinimumReplicasAvailable" if up else "MinimumReplicasUnavailable"
        condition(status, "Available", str(up), reason, text)
        if not _has_deadline(obj):
            status["conditions"] = [one for one in status["conditions"] if one["type"] != _PROGRESS]
        elif not obj["spec"].get("paused"):
            self._progress(obj, status, new, limits.replicas)
            self._failure(status, sets)
        self.api.change(changed)

    def _failure(self, status: Json, sets: list[Json]) -> None:
        """What keeps a ReplicaSet from creating pods, as its own condition says it."""
        all_of = (one for it in sets[::-1] for one in dig(it, "status", "conditions", default=[]))
        told = [one for one in all_of if one["type"] == FAILURE and one["status"] == "True"]
        rest = [one for one in status["conditions"] if one["type"] != FAILURE]
        status["conditions"] = [*rest, *clone(told[:1])]

    def _progress(self, obj: Json, status: Json, new: Json | None, wanted: int) -> None:
        """Move the condition Progressing; it stays where nothing moved, whatever it says."""
        name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else ""
        name = name or f'Deployment "{obj["metadata"]["name"]}"'
        before, reason = obj.get("status") or {}, _reason(status)
        updated = status.get("updatedReplicas", 0)
        if reason == _DONE and status.get("replicas", 0) == updated:
            return
        if all(status.get(field, 0) == wanted for field in _COMPLETE):
            progress(status, "True", _DONE, name)
        elif _moved(before, status):
            progress(status, "True", _MOVES, name, anew=True)
        if (reason := _reason(status)) not in (_DONE, _LATE, ""):
            told = next(one for one in status["conditions"] if one["type"] == _PROGRESS)
            left = float(obj["spec"]["progressDeadlineSeconds"]) - age(told["lastUpdateTime"])
            if left <= 0:
                progress(status, "False", _LATE, name)
            else:
                self.again(key_of(obj), left + 1)


class Rollouts(Rolling):
    """The Rollout controller."""

    kind = "Rollout"
    hash_label = "rollouts-pod-template-hash"
    source = "rollouts-controller"

    def limits(self, obj: Json) -> Limits:
        """The canary strategy's limits in pods; 25 % each when it names none."""
        replicas = int(dig(obj, "spec", "replicas", default=1))
        canary = dig(obj, "spec", "strategy", "canary", default={})
        surge = share(canary.get("maxSurge", "25%"), replicas, up=True)
        unavailable = share(canary.get("maxUnavailable", "25%"), replicas, up=False)
        return Limits(replicas, surge, unavailable if surge or unavailable else 1)

    def report(self, obj: Json, new: Json | None, old: list[Json]) -> None:
        """Phase, counters and conditions; first restarts pods when restartAt asks for it."""
        restarted = self._restart(obj, new)
        changed: Json = clone(obj)
        replicas = self.limits(obj).replicas
        sums = counters(new, old)
        healthy = all(number == replicas for number in sums.values()) and new is not None
        before = obj.get("status") or {}
        digest = new["metadata"]["labels"][self.hash_label] if new else ""
        status: Json = {
            **{key: one for key, one in before.items() if key in ("conditions", "stableRS")},
            **sums,
            "HPAReplicas": sums["replicas"],
            "currentPodHash": digest,
            "observedGeneration": str(obj["metadata"]["generation"]),
            "phase": "Healthy" if healthy else "Progressing",
            "selector": ",".join(
                f"{key}={one}"
                for key, one in dig(obj, "spec", "selector", "matchLabels", default={}).items()
            ),
        }
        if restarted:
            status["restartedAt"] = restarted
        if healthy:
            status["stableRS"] = digest
        else:
            status["message"] = "more replicas need to be updated"
        self._conditions(status, new, healthy=healthy)
        changed["status"] = status
        self.api.change(changed)

    def _conditions(self, status: Json, new: Json | None, *, healthy: bool) -> None:
        name = new["metadata"]["name"] if new else ""
        text = "Rollout has minimum availability"
        condition(status, "Available", str(healthy), "AvailableReason", text)
        reason = "NewReplicaSetAvailable" if healthy else "ReplicaSetUpdated"
        text = "has successfully progressed." if healthy else "is progressing."
        condition(status, "Progressing", "True", reason, f'ReplicaSet "{name}" {text}')
        condition(status, "Healthy", str(healthy), "RolloutHealthy", "")
        condition(status, "Completed", str(healthy), "RolloutCompleted", "")

    def _restart(self, obj: Json, new: Json | None) -> str:
        """Delete pods older than restartAt, a few at a time; gives what status.restartedAt is."""
        wanted = str(dig(obj, "spec", "restartAt", default=""))
        done = str(dig(obj, "status", "restartedAt", default=""))
        if not wanted or wanted == done or new is None:
            return done
        moment = parse_time(wanted)
        if (left := -age(wanted)) > 0:
            self.again(key_of(obj), left)
            return done
        pods = [pod for pod in self.api.owned("Pod", new) if not is_ending(pod)]
        older = [pod for pod in pods if parse_time(pod["metadata"]["creationTimestamp"]) < moment]
        if not older:
            return wanted if pods and all(map(is_ready, pods)) else done
        limits = self.limits(obj)
        down = limits.replicas - sum(map(is_ready, pods))
        for pod in older[: max(0, max(1, limits.unavailable) - down)]:
            # The real controller evicts, so that a disruption budget can hold it up.
            if blocking_budget(self.api.store, pod) is not None:
                self.retry(obj)
                break
            self.delete(pod)
        return done
