"""Rolling a workload from one ReplicaSet to the next; Deployments and Argo Rollouts share it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from wizard.practice.kubernetes.api import SUFFIX_ALPHABET
from wizard.practice.kubernetes.controllers.base import Controller, is_ending, owner_reference
from wizard.practice.kubernetes.json_tools import canonical, clone, dig

Json = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAX = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    {REVISION, _HISTORY, _DESIRED, _MAX, "kubectl.kubernetes.io/last-applied-configuration"}
)
_HASH_LENGTH = 10


def template_hash(template: Json) -> str:
    """A stable short name for a pod template."""
    digest = hashlib.sha256(canonical(template).encode()).digest()
    return "".join(SUFFIX_ALPHABET[byte % len(SUFFIX_ALPHABET)] for byte in digest[:_HASH_LENGTH])


def share(value: int | str, total: int, *, up: bool) -> int:
    """`25%` of the total, or the number itself."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * total / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def size(replica_set: Json) -> int:
    """How many pods a ReplicaSet shall have."""
    return int(dig(replica_set, "spec", "replicas", default=0))


def count(obj: Json, field: str) -> int:
    """A counter of a status."""
    return int(dig(obj, "status", field, default=0))


def revision_of(obj: Json) -> int:
    """The revision number that the object's annotation holds; 0 without one."""
    return int(dig(obj, "metadata", "annotations", REVISION, default="0"))


@dataclass(frozen=True)
class Limits:
    """How far a roll may leave the wanted number of pods."""

    replicas: int
    surge: int
    unavailable: int
    recreate: bool = False


class Rolling(Controller):
    """Keeps one new ReplicaSet for the template and scales the older ones down."""

    owns = ("ReplicaSet",)
    hash_label = "pod-template-hash"
    source = "deployment-controller"

    def limits(self, obj: Json) -> Limits:
        """The limits that the object's strategy sets."""
        raise NotImplementedError

    def report(self, obj: Json, new: Json | None, old: list[Json]) -> None:
        """Write the object's status."""
        raise NotImplementedError

    def sync(self, obj: Json) -> None:
        """Bring the ReplicaSets a step closer to what the object asks for."""
        if is_ending(obj):
            return
        sets = self.api.owned("ReplicaSet", obj)
        if obj["spec"].get("paused"):
            new = self._matching(obj, sets)
        else:
            new = self._current_set(obj, sets)
            old = self._old(sets, new)
            self._scale(obj, new, old)
            self._forget(obj, old)
        sets = self.api.owned("ReplicaSet", obj)
        live = self.api.find(self.kind, obj["metadata"]["namespace"], obj["metadata"]["name"])
        if new is not None:
            name = new["metadata"]["name"]
            new = next((one for one in sets if one["metadata"]["name"] == name), new)
        self.report(live or obj, new, self._old(sets, new))

    def _old(self, sets: list[Json], new: Json | None) -> list[Json]:
        name = new["metadata"]["name"] if new else ""
        return [one for one in sets if one["metadata"]["name"] != name and not is_ending(one)]

    def _matching(self, obj: Json, sets: list[Json]) -> Json | None:
        wanted = template_hash(obj["spec"]["template"])
        for one in sets:
            if one["metadata"]["labels"].get(self.hash_label) == wanted:
                return one
        return None

    def _current_set(self, obj: Json, sets: list[Json]) -> Json:
        newest = max((revision_of(one) for one in sets), default=0)
        found = self._matching(obj, sets)
        if found is None:
            found = self._create_set(obj, newest + 1)
        elif revision_of(found) < newest:
            found = self._renumber(found, newest + 1)
        revision = str(revision_of(found))
        if dig(obj, "metadata", "annotations", REVISION) != revision:
            marked = clone(obj)
            marked["metadata"].setdefault("annotations", {})[REVISION] = revision
            self.api.change(marked)
        return found

    def _renumber(self, replica_set: Json, revision: int) -> Json:
        marked: Json = clone(replica_set)
        notes = marked["metadata"]["annotations"]
        past = [one for one in notes.get(_HISTORY, "").split(",") if one]
        notes[_HISTORY] = ",".join([*past, notes[REVISION]])
        notes[REVISION] = str(revision)
        return self.api.change(marked)

    def _create_set(self, obj: Json, revision: int) -> Json:
        meta, spec = obj["metadata"], obj["spec"]
        digest = template_hash(spec["template"])
        template = clone(spec["template"])
        labels = {**(dig(template, "metadata", "labels") or {}), self.hash_label: digest}
        template.setdefault("metadata", {})["labels"] = labels
        limits = self.limits(obj)
        notes = {
            key: one
            for key, one in (meta.get("annotations") or {}).items()
            if key not in _NOT_COPIED
        }
        notes |= {
            REVISION: str(revision),
            _DESIRED: str(limits.replicas),
            _MAX: str(limits.replicas + limits.surge),
        }
        selector = clone(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), self.hash_label: digest}
        body = {
            "metadata": {
                "name": f"{meta['name']}-{digest}",
                "labels": labels,
                "annotations": notes,
                "ownerReferences": [owner_reference(obj)],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        }
        return self.api.create(self.api.named("ReplicaSet"), meta["namespace"], body)

    def _resize(self, obj: Json, replica_set: Json, wanted: int) -> Json:
        had = size(replica_set)
        if had == wanted:
            return replica_set
        changed = clone(replica_set)
        changed["spec"]["replicas"] = wanted
        direction = "up" if wanted > had else "down"
        name = replica_set["metadata"]["name"]
        self.context.event(
            obj,
            "ScalingReplicaSet",
            f"Scaled {direction} replica set {name} from {had} to {wanted}",
            source=self.source,
        )
        return self.api.change(changed)

    def _scale(self, obj: Json, new: Json, old: list[Json]) -> None:
        limits = self.limits(obj)
        active = [one for one in old if size(one)]
        if limits.recreate:
            for one in active:
                self._resize(obj, one, 0)
            if not any(count(one, "replicas") for one in old):
                self._resize(obj, new, limits.replicas)
            return
        if size(new) > limits.replicas:
            new = self._resize(obj, new, limits.replicas)
        room = limits.replicas + limits.surge - size(new) - sum(map(size, active))
        if size(new) < limits.replicas and room > 0:
            new = self._resize(obj, new, min(limits.replicas, size(new) + room))
        if active:
            self._shrink(obj, new, active, limits)

    def _shrink(self, obj: Json, new: Json, active: list[Json], limits: Limits) -> None:
        """Scale old ReplicaSets down: unavailable pods first, then as availability allows."""
        minimum = limits.replicas - limits.unavailable
        total = size(new) + sum(map(size, active))
        spare = total - minimum - (size(new) - count(new, "availableReplicas"))
        if spare <= 0:
            return
        kept = []
        for one in sorted(active, key=revision_of):
            idle = min(size(one) - count(one, "availableReplicas"), spare)
            spare -= max(0, idle)
            kept.append(self._resize(obj, one, size(one) - max(0, idle)))
        available = count(new, "availableReplicas") + sum(
            min(size(one), count(one, "availableReplicas")) for one in kept
        )
        spare = available - minimum
        for one in kept:
            fewer = min(size(one), max(0, spare))
            spare -= fewer
            self._resize(obj, one, size(one) - fewer)

    def _forget(self, obj: Json, old: list[Json]) -> None:
        """Delete the oldest ReplicaSets beyond the history limit."""
        limit = int(dig(obj, "spec", "revisionHistoryLimit", default=10))
        idle = [one for one in old if not size(one) and not count(one, "replicas")]
        for one in sorted(idle, key=revision_of)[: max(0, len(idle) - limit)]:
            meta = one["metadata"]
            self.api.delete(self.api.named("ReplicaSet"), meta["namespace"], meta["name"])
