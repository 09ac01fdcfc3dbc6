"""ReplicaSets and StatefulSets: as many pods as they ask for, plain or with ordinals and claims."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.controllers.base import (
    Controller,
    age,
    condition,
    is_done,
    is_ending,
    is_ready,
    key_of,
    owner_reference,
    pod_from,
    told_true,
)
from wizard.practice.kubernetes.controllers.rolling import template_hash
from wizard.practice.kubernetes.json_tools import clone, dig, without_empty

Json = dict[str, Any]

_REVISION_LABEL = "controller-revision-hash"
_HASH_LABEL = "controller.kubernetes.io/hash"
FAILURE = "ReplicaFailure"
"""The condition that tells that a pod could not be created; Deployments repeat it."""


class ReplicaSets(Controller):
    """The ReplicaSet controller."""

    kind = "ReplicaSet"
    source = "replicaset-controller"
    owns = ("Pod",)

    def sync(self, obj: Json) -> None:
        """Count the pods as they are, then create or delete some."""
        pods = self.api.owned("Pod", obj)
        live = [pod for pod in pods if not is_done(pod) and not is_ending(pod)]
        wanted = int(dig(obj, "spec", "replicas", default=1))
        refused = ""
        if not is_ending(obj):
            _, refused = self.start_pods(obj, wanted - len(live))
            for pod in self._least_wanted(live)[: max(0, len(live) - wanted)]:
                self.delete(pod)
                self.tell(obj, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        self._report(obj, pods, live, refused)

    def _least_wanted(self, pods: list[Json]) -> list[Json]:
        """Pods that are not ready come first, then the youngest."""
        youngest = sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))[::-1]
        return sorted(youngest, key=is_ready)

    def _report(self, obj: Json, pods: list[Json], live: list[Json], refused: str) -> None:
        wait = float(obj["spec"].get("minReadySeconds", 0))
        ready = filter(None, (told_true(pod, "Ready") for pod in live))
        left = [wait - age(one["lastTransitionTime"]) for one in ready]
        if any(one > 0 for one in left):
            self.again(key_of(obj), min(one for one in left if one > 0))
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


def _ordinal(pod: Json) -> int:
    return int(str(pod["metadata"]["name"]).rpartition("-")[2])


def _revision_of(pod: Json) -> str:
    return str(dig(pod, "metadata", "labels", _REVISION_LABEL, default=""))


class StatefulSets(Controller):
    """The StatefulSet controller."""

    kind = "StatefulSet"
    source = "statefulset-controller"
    owns = ("Pod",)

    def sync(self, obj: Json) -> None:
        """Bring the pods a step closer to what the set asks for."""
        if is_ending(obj):
            return
        revision = self._revision(obj)
        pods = {_ordinal(pod): pod for pod in self.api.owned("Pod", obj)}
        wanted = int(dig(obj, "spec", "replicas", default=1))
        if self._fill(obj, pods, wanted, revision) and self._shrink(obj, pods, wanted):
            self._roll(obj, pods, revision)
        self._report(obj, revision, wanted)

    def _revision(self, obj: Json) -> str:
        """The name of the ControllerRevision of the template, made when it is missing."""
        meta = obj["metadata"]
        name = f"{meta['name']}-{template_hash(obj['spec']['template'])}"
        revisions = self.api.owned("ControllerRevision", obj)
        if not any(one["metadata"]["name"] == name for one in revisions):
            number = max((one["revision"] for one in revisions), default=0) + 1
            labels = dig(obj, "spec", "template", "metadata", "labels", default={})
            body = {
                "metadata": {
                    "name": name,
                    "labels": {**labels, _HASH_LABEL: name.rpartition("-")[2]},
                    "ownerReferences": [owner_reference(obj)],
                },
                "data": {"spec": {"template": clone(obj["spec"]["template"])}},
                "revision": number,
            }
            self.api.create(self.api.named("ControllerRevision"), meta["namespace"], body)
        return name

    def _fill(self, obj: Json, pods: dict[int, Json], wanted: int, revision: str) -> bool:
        """Create what is missing; true when every pod up to `wanted` is there and ready."""
        parallel = obj["spec"].get("podManagementPolicy") == "Parallel"
        complete = True
        for ordinal in range(wanted):
            pod = pods.get(ordinal)
            if pod is not None and is_done(pod) and not is_ending(pod):
                self._remove(obj, pod)
            elif pod is None:
                self._create(obj, ordinal, revision)
            elif is_ready(pod) and not is_ending(pod):
                continue
            complete = False
            if not parallel:
                # One of an older revision that is not ready is replaced, so that a mend can take.
                if pod is not None and _revision_of(pod) != revision:
                    self._remove(obj, pod)
                return False
        return complete

    def _shrink(self, obj: Json, pods: dict[int, Json], wanted: int) -> bool:
        surplus = max((number for number in pods if number >= wanted), default=None)
        if surplus is not None:
            self._remove(obj, pods[surplus])
        return surplus is None

    def _roll(self, obj: Json, pods: dict[int, Json], revision: str) -> None:
        update = obj["spec"].get("updateStrategy") or {}
        if update.get("type") == "OnDelete":
            return
        partition = int(dig(update, "rollingUpdate", "partition", default=0))
        for ordinal in sorted(pods, reverse=True):
            if ordinal >= partition and _revision_of(pods[ordinal]) != revision:
                self._remove(obj, pods[ordinal])
                return

    def _create(self, obj: Json, ordinal: int, revision: str) -> None:
        meta = obj["metadata"]
        name = f"{meta['name']}-{ordinal}"
        if self.api.find("Pod", meta["namespace"], name) is not None:
            return
        labels = {
            _REVISION_LABEL: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        pod = pod_from(obj["spec"]["template"], obj, name, labels)
        pod["spec"]["hostname"] = name
        if obj["spec"].get("serviceName"):
            pod["spec"]["subdomain"] = obj["spec"]["serviceName"]
        for claim in obj["spec"].get("volumeClaimTemplates") or []:
            self._claim(obj, claim, pod, name)
        self.api.create(self.api.named("Pod"), meta["namespace"], pod)
        text = f"Create Pod {name} in StatefulSet {meta['name']} successful"
        self.tell(obj, "SuccessfulCreate", text)

    def _claim(self, obj: Json, claim: Json, pod: Json, pod_name: str) -> None:
        namespace, short = obj["metadata"]["namespace"], claim["metadata"]["name"]
        name = f"{short}-{pod_name}"
        volumes = [one for one in pod["spec"].get("volumes") or [] if one["name"] != short]
        volume = {"name": short, "persistentVolumeClaim": {"claimName": name}}
        pod["spec"]["volumes"] = [*volumes, volume]
        if self.api.find("PersistentVolumeClaim", namespace, name) is None:
            labels = dig(obj, "spec", "selector", "matchLabels", default={})
            labels = {**labels, **(claim["metadata"].get("labels") or {})}
            meta = {**clone(claim["metadata"]), "name": name, "labels": labels}
            body = {"metadata": meta, "spec": clone(claim["spec"])}
            self.api.create(self.api.named("PersistentVolumeClaim"), namespace, body)

    def _remove(self, obj: Json, pod: Json) -> None:
        if not is_ending(pod):
            self.delete(pod)
            name, its_set = pod["metadata"]["name"], obj["metadata"]["name"]
            text = f"Delete Pod {name} in StatefulSet {its_set} successful"
            self.tell(obj, "SuccessfulDelete", text)

    def _report(self, obj: Json, revision: str, wanted: int) -> None:
        pods = self.api.owned("Pod", obj)
        live = [pod for pod in pods if not is_done(pod)]
        ready = [pod for pod in live if is_ready(pod) and not is_ending(pod)]
        current = str(dig(obj, "status", "currentRevision", default="")) or revision

        def of(name: str) -> int:
            return sum(_revision_of(pod) == name for pod in live)

        rolls = dig(obj, "spec", "updateStrategy", "type") != "OnDelete"
        if rolls and len(ready) == wanted == of(revision) == len(live):
            current = revision
        changed = clone(obj)
        changed["status"] = {
            "replicas": len(live),
            "availableReplicas": len(ready),
            "collisionCount": 0,
            **without_empty(
                readyReplicas=len(ready),
                currentReplicas=of(current),
                updatedReplicas=of(revision),
                currentRevision=current,
                updateRevision=revision,
                observedGeneration=obj["metadata"]["generation"],
            ),
        }
        self.api.change(changed)
