"""Rolling a workload from one ReplicaSet to the next; Deployments and Argo Rollouts share it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from wizard.practice.kubernetes.api import SUFFIX_ALPHABET
from wizard.practice.kubernetes.controllers.base import (
    Controller,
    is_ending,
    key_of,
    owner_reference,
)
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


def _copied(obj: Json) -> dict[str, str]:
    """The annotations of a workload that its ReplicaSet repeats."""
    notes = obj["metadata"].get("annotations") or {}
    return {key: one for key, one in notes.items() if key not in _NOT_COPIED}


@dataclass(frozen=True)
class Limits:
    """How far a roll may leave the wanted number of pods."""

    replicas: int
    surge: int
    unavailable: int
    recreate: bool = False


def _sizes(limits: Limits) -> dict[str, str]:
    return {_DESIRED: str(limits.replicas), _MAX: str(limits.replicas + limits.surge)}


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

    def numbered(self, obj: Json, new: Json, *, created: bool) -> Json:  # noqa: ARG002
        """A copy of the object with the revision of its newest ReplicaSet."""
        marked: Json = clone(obj)
        notes = marked["metadata"].setdefault("annotations", {})
        notes[REVISION] = str(revision_of(new))
        return marked

    def sync(self, obj: Json) -> None:
        """Bring the ReplicaSets a step closer to what the object asks for."""
        sets = self.api.owned("ReplicaSet", obj)
        new = self._matching(obj, sets)
        old = self._old(sets, new)
        if not is_ending(obj) and not self._scaled(obj, new, old) and not obj["spec"].get("paused"):
            new = self._roll(obj, new, old)
            self._forget(obj, old)
        sets = self.api.owned("ReplicaSet", obj)
        live = self.api.find(self.kind, *key_of(obj))
        if live is None:
            return
        if new is not None:
            name = new["metadata"]["name"]
            new = next((one for one in sets if one["metadata"]["name"] == name), new)
        self.report(live, new, self._old(sets, new))

    def _scaled(self, obj: Json, new: Json | None, old: list[Json]) -> bool:
        """Bring the one ReplicaSet with pods to a new number, also of a paused object."""
        wanted = self.limits(obj).replicas
        active = [one for one in (*old, *([new] if new else [])) if size(one)]
        if not active and new is not None and obj["spec"].get("paused"):
            active = [new]
        notes = [dig(one, "metadata", "annotations", _DESIRED) for one in active]
        if len(active) != 1 or notes[0] in (None, str(wanted)):
            return False
        self._resize(obj, active[0], wanted)
        return True

    def _roll(self, obj: Json, new: Json | None, old: list[Json]) -> Json | None:
        """One step of the strategy; gives the ReplicaSet of the template, if there is one."""
        limits = self.limits(obj)
        if limits.recreate:
            active = [self._resize(obj, one, 0) for one in old if size(one)]
            left = ("replicas", "terminatingReplicas")
            if active or any(count(one, field) for one in old for field in left):
                return new
        found = self._current_set(obj, new, old)
        self._scale(obj, found, old)
        return found

    def _old(self, sets: list[Json], new: Json | None) -> list[Json]:
        name = new["metadata"]["name"] if new else ""
        return [one for one in sets if one["metadata"]["name"] != name and not is_ending(one)]

    def _matching(self, obj: Json, sets: list[Json]) -> Json | None:
        wanted = template_hash(obj["spec"]["template"])
        same = (one for one in sets if one["metadata"]["labels"].get(self.hash_label) == wanted)
        return next(same, None)

    def _current_set(self, obj: Json, found: Json | None, old: list[Json]) -> Json:
        revision = max(map(revision_of, old), default=0) + 1
        new = self._noted(obj, found, revision) if found else self._create_set(obj, old, revision)
        self.api.change(self.numbered(obj, new, created=found is None))
        return new

    def _noted(self, obj: Json, replica_set: Json, revision: int) -> Json:
        """The ReplicaSet with the object's annotations, and the newest revision."""
        marked: Json = clone(replica_set)
        notes = marked["metadata"].setdefault("annotations", {})
        notes.update(_copied(obj))
        if revision_of(replica_set) < revision:
            past = [one for one in notes.get(_HISTORY, "").split(",") if one]
            if REVISION in notes:
                notes[_HISTORY] = ",".join([*past, notes[REVISION]])
            notes[REVISION] = str(revision)
        return self.api.change(marked)

    def _create_set(self, obj: Json, old: list[Json], revision: int) -> Json:
        meta, spec = obj["metadata"], obj["spec"]
        digest = template_hash(spec["template"])
        template = clone(spec["template"])
        labels = {**(dig(template, "metadata", "labels") or {}), self.hash_label: digest}
        template.setdefault("metadata", {})["labels"] = labels
        limits = self.limits(obj)
        notes = {**_copied(obj), REVISION: str(revision), **_sizes(limits)}
        room = max(0, limits.replicas + limits.surge - sum(map(size, old)))
        wanted = min(limits.replicas, room)
        selector = clone(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), self.hash_label: digest}
        body = {
            "metadata": {
                "name": f"{meta['name']}-{digest}",
                "labels": labels,
                "annotations": notes,
                "ownerReferences": [owner_reference(obj)],
            },
            "spec": {"replicas": wanted, "selector": selector, "template": template},
        }
        if "minReadySeconds" in spec:
            body["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        made = self.api.create(self.api.named("ReplicaSet"), meta["namespace"], body)
        if wanted:
            self._tell_scaled(obj, made, 0, wanted)
        return made

    def _tell_scaled(self, obj: Json, replica_set: Json, had: int, wanted: int) -> None:
        direction = "up" if wanted > had else "down"
        name = replica_set["metadata"]["name"]
        text = f"Scaled {direction} replica set {name} from {had} to {wanted}"
        self.tell(obj, "ScalingReplicaSet", text)

    def _resize(self, obj: Json, replica_set: Json, wanted: int) -> Json:
        had, limits = size(replica_set), self.limits(obj)
        changed = clone(replica_set)
        changed["spec"]["replicas"] = wanted
        changed["metadata"].setdefault("annotations", {}).update(_sizes(limits))
        if had != wanted:
            self._tell_scaled(obj, replica_set, had, wanted)
        return self.api.change(changed)

    def _scale(self, obj: Json, new: Json, old: list[Json]) -> None:
        limits = self.limits(obj)
        active = [one for one in old if size(one)]
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
            self.delete(one)
