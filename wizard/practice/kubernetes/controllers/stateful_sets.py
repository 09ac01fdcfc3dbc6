"""StatefulSets: pods with ordinals, their claims, and rolling from the highest ordinal down."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.controllers.base import (
    Controller,
    is_done,
    is_ending,
    is_ready,
    owner_reference,
    pod_from,
)
from wizard.practice.kubernetes.controllers.rolling import template_hash
from wizard.practice.kubernetes.json_tools import clone, dig, without_empty

Json = dict[str, Any]

_REVISION_LABEL = "controller-revision-hash"
_HASH_LABEL = "controller.kubernetes.io/hash"
_SOURCE = "statefulset-controller"


def _ordinal(pod: Json) -> int:
    return int(str(pod["metadata"]["name"]).rpartition("-")[2])


class StatefulSets(Controller):
    """The StatefulSet controller."""

    kind = "StatefulSet"
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
                self._delete(obj, pod)
            elif pod is None:
                self._create(obj, ordinal, revision)
            elif is_ready(pod) and not is_ending(pod):
                continue
            complete = False
            if pod is not None and not is_ending(pod) and not parallel:
                return self._unblock(obj, pod, revision)
            if not parallel:
                return False
        return complete

    def _unblock(self, obj: Json, pod: Json, revision: str) -> bool:
        """A pod of an older revision that is not ready is replaced, so that a mend can take."""
        labels = dig(pod, "metadata", "labels", default={})
        if labels.get(_REVISION_LABEL) != revision:
            self._delete(obj, pod)
        return False

    def _shrink(self, obj: Json, pods: dict[int, Json], wanted: int) -> bool:
        surplus = sorted((n for n in pods if n >= wanted), reverse=True)
        if surplus and not is_ending(pods[surplus[0]]):
            self._delete(obj, pods[surplus[0]])
        return not surplus

    def _roll(self, obj: Json, pods: dict[int, Json], revision: str) -> None:
        update = obj["spec"].get("updateStrategy") or {}
        if update.get("type") == "OnDelete":
            return
        partition = int(dig(update, "rollingUpdate", "partition", default=0))
        for ordinal in sorted(pods, reverse=True):
            labels = dig(pods[ordinal], "metadata", "labels", default={})
            if ordinal >= partition and labels.get(_REVISION_LABEL) != revision:
                self._delete(obj, pods[ordinal])
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
        self.context.event(obj, "SuccessfulCreate", text, source=_SOURCE)

    def _claim(self, obj: Json, claim: Json, pod: Json, pod_name: str) -> None:
        namespace, short = obj["metadata"]["namespace"], claim["metadata"]["name"]
        name = f"{short}-{pod_name}"
        volumes = [one for one in pod["spec"].get("volumes") or [] if one["name"] != short]
        volume = {"name": short, "persistentVolumeClaim": {"claimName": name}}
        pod["spec"]["volumes"] = [*volumes, volume]
        if self.api.find("PersistentVolumeClaim", namespace, name) is None:
            labels = dig(obj, "spec", "selector", "matchLabels", default={})
            body = {
                "metadata": {**clone(claim["metadata"]), "name": name},
                "spec": clone(claim["spec"]),
            }
            body["metadata"]["labels"] = {**labels, **(claim["metadata"].get("labels") or {})}
            kind = self.api.named("PersistentVolumeClaim")
            self.api.create(kind, namespace, body)

    def _delete(self, obj: Json, pod: Json) -> None:
        meta = pod["metadata"]
        if is_ending(pod):
            return
        self.api.delete(self.api.named("Pod"), meta["namespace"], meta["name"])
        text = f"Delete Pod {meta['name']} in StatefulSet {obj['metadata']['name']} successful"
        self.context.event(obj, "SuccessfulDelete", text, source=_SOURCE)

    def _report(self, obj: Json, revision: str, wanted: int) -> None:
        pods = self.api.owned("Pod", obj)
        live = [pod for pod in pods if not is_done(pod)]
        ready = [pod for pod in live if is_ready(pod) and not is_ending(pod)]
        current = str(dig(obj, "status", "currentRevision", default="")) or revision

        def of(name: str) -> int:
            return sum(1 for pod in live if pod["metadata"]["labels"].get(_REVISION_LABEL) == name)

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
