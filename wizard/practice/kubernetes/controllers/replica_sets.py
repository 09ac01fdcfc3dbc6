"""ReplicaSets: as many pods as they ask for."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.api import name_suffix
from wizard.practice.kubernetes.controllers.base import (
    Controller,
    is_done,
    is_ending,
    is_ready,
    pod_from,
)
from wizard.practice.kubernetes.json_tools import clone, dig, without_empty

Json = dict[str, Any]

_SOURCE = "replicaset-controller"


class ReplicaSets(Controller):
    """The ReplicaSet controller."""

    kind = "ReplicaSet"
    owns = ("Pod",)

    def sync(self, obj: Json) -> None:
        """Create or delete pods, then count them."""
        if is_ending(obj):
            return
        pods = [pod for pod in self.api.owned("Pod", obj) if not is_done(pod)]
        live = [pod for pod in pods if not is_ending(pod)]
        wanted = int(dig(obj, "spec", "replicas", default=1))
        for _ in range(wanted - len(live)):
            self._create(obj)
        for pod in self._least_wanted(live)[: max(0, len(live) - wanted)]:
            self._delete(obj, pod)
        self._report(obj)

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

    def _report(self, obj: Json) -> None:
        pods = [
            pod for pod in self.api.owned("Pod", obj) if not is_done(pod) and not is_ending(pod)
        ]
        up = sum(map(is_ready, pods))
        changed = clone(obj)
        changed["status"] = {
            "replicas": len(pods),
            **without_empty(
                fullyLabeledReplicas=len(pods),
                readyReplicas=up,
                availableReplicas=up,
                observedGeneration=obj["metadata"].get("generation"),
            ),
        }
        self.api.change(changed)
