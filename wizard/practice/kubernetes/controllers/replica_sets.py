"""ReplicaSets: as many pods as they ask for."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.api import name_suffix
from wizard.practice.kubernetes.controllers.base import (
    Controller,
    condition,
    is_done,
    is_ending,
    is_ready,
    pod_from,
    ready_for,
)
from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import clone, dig, without_empty

Json = dict[str, Any]

FAILURE = "ReplicaFailure"
"""The condition that tells that a pod could not be created; Deployments repeat it."""

_SOURCE = "replicaset-controller"


class ReplicaSets(Controller):
    """The ReplicaSet controller."""

    kind = "ReplicaSet"
    owns = ("Pod",)

    def sync(self, obj: Json) -> None:
        """Count the pods as they are, then create or delete some."""
        pods = self.api.owned("Pod", obj)
        live = [pod for pod in pods if not is_done(pod) and not is_ending(pod)]
        wanted = int(dig(obj, "spec", "replicas", default=1))
        refused = ""
        if not is_ending(obj):
            refused = self._fill(obj, wanted - len(live))
            for pod in self._least_wanted(live)[: max(0, len(live) - wanted)]:
                self._delete(obj, pod)
        self._report(obj, pods, live, refused)

    def _fill(self, obj: Json, missing: int) -> str:
        """Create the pods that are missing; gives the server's words when it refuses one."""
        try:
            for _ in range(missing):
                self._create(obj)
        except ApiError as refusal:
            if refusal.code != 403:
                raise
            text = f"Error creating: {refusal.message}"
            self.context.event(obj, "FailedCreate", text, source=_SOURCE, warning=True)
            self.again(
                (obj["metadata"]["namespace"], obj["metadata"]["name"]), self.context.times.retry
            )
            return refusal.message
        return ""

    def _create(self, obj: Json) -> None:
        meta = obj["metadata"]
        name = f"{meta['name']}-{name_suffix()}"
        pod = pod_from(obj["spec"]["template"], obj, name)
        pod["metadata"]["generateName"] = f"{meta['name']}-"
        self.api.create(self.api.named("Pod"), meta["namespace"], pod)
        self.context.event(obj, "SuccessfulCreate", f"Created pod: {name}", source=_SOURCE)

    def _delete(self, obj: Json, pod: Json) -> None:
        meta = pod["metadata"]
        self.api.delete(self.api.named("Pod"), meta["namespace"], meta["name"])
        text = f"Deleted pod: {meta['name']}"
        self.context.event(obj, "SuccessfulDelete", text, source=_SOURCE)

    def _least_wanted(self, pods: list[Json]) -> list[Json]:
        """Pods that are not ready come first, then the youngest."""
        youngest = sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))[::-1]
        return sorted(youngest, key=is_ready)

    def _report(self, obj: Json, pods: list[Json], live: list[Json], refused: str) -> None:
        wait = float(obj["spec"].get("minReadySeconds", 0))
        left = [wait - ready_for(pod) for pod in live if is_ready(pod)]
        if any(one > 0 for one in left):
            key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
            self.again(key, min(one for one in left if one > 0))
        changed = clone(obj)
        changed["status"] = {
            "replicas": len(live),
            **without_empty(
                fullyLabeledReplicas=len(live),
                readyReplicas=len(left),
                availableReplicas=sum(one <= 0 for one in left),
                observedGeneration=obj["metadata"].get("generation"),
            ),
            "terminatingReplicas": sum(is_ending(pod) and not is_done(pod) for pod in pods),
        }
        if refused:
            status = changed["status"]
            status["conditions"] = dig(obj, "status", "conditions", default=[])
            condition(status, FAILURE, "True", "FailedCreate", refused)
        self.api.change(changed)
