"""Argo Rollouts as far as a backend needs them: rolling, `restartAt`, and the status fields.

Canary and blue-green steps are not staged: a new template rolls as a Deployment's does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from wizard.practice.kubernetes.controllers.base import condition, is_ending, is_ready
from wizard.practice.kubernetes.controllers.deployments import counters
from wizard.practice.kubernetes.controllers.rolling import Limits, Rolling, share
from wizard.practice.kubernetes.json_tools import clone, dig, parse_time
from wizard.practice.kubernetes.pod_limits import blocking_budget

Json = dict[str, Any]


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
        status["conditions"] = list(status.get("conditions") or [])
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
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        left = (moment - datetime.now(UTC)).total_seconds()
        if left > 0:
            self.again(key, left)
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
                self.again(key, self.context.times.retry)
                break
            meta = pod["metadata"]
            self.api.delete(self.api.named("Pod"), meta["namespace"], meta["name"])
        return done
