"""One look at a rollout, as every kind of workload tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wizard.record import dataclass
from wizard.systems.redact import redact
from wizard.systems.workload.pods import Pod, cause_of

NOT_LET_IN = "FailedCreate"
"""The reason of a ReplicaSet whose pods are refused: by a quota, a limit, an admission webhook."""


@dataclass(frozen=True)
class Held:
    """A rollout that somebody or its own strategy has stopped: what, and what lets it go on."""

    why: str
    command: str


@dataclass(frozen=True)
class RolloutStatus:
    """One look at the rollout.

    Attributes:
        desired, updated, ready, available: replicas, as the workload counts them.
        old: pods that the rollout has still to replace; not those that are leaving already.
        done: as `kubectl rollout status` decides it.
        stuck: empty, or why it will not end by itself (`pod x: ImagePullBackOff`).
        pods: all pods of the workload, the newest first.
        newest: the UID of the newest ReplicaSet.
        leaving: the UIDs of pods that the rollout under way replaces; none when it is done.
        held: who has to let it go on; None when nobody has.
    """

    desired: int
    updated: int
    ready: int
    available: int
    old: int
    done: bool
    stuck: str
    pods: tuple[Pod, ...]
    newest: str = ""
    leaving: frozenset[str] = frozenset()
    held: Held | None = None

    @property
    def refused(self) -> bool:
        """Whether it is stuck because the API server does not let its pods in (a quota)."""
        return self.stuck.startswith(NOT_LET_IN)

    @property
    def counts(self) -> str:
        """The counters, one line."""
        return (
            f"{self.updated} of {self.desired} updated, {self.available} available, "
            f"{self.old} old{self.ending}"
        )

    @property
    def ending(self) -> str:
        """How many pods were told to end and are still listed; empty when none is."""
        number = sum(pod.terminating for pod in self.pods)
        return f", {number} leaving" if number else ""


@dataclass(frozen=True)
class Live:
    """A workload as it is: its object, its newest ReplicaSet, and the pods of all of them.

    Attributes:
        budget: what allows none of the evictions that a restart under way needs, or nothing.
    """

    object: Mapping[str, Any]
    newest: Mapping[str, Any] | None
    pods: tuple[Pod, ...]
    budget: str = ""

    @property
    def uid(self) -> str:
        """The UID of the newest ReplicaSet; empty without one."""
        return str(self.newest["metadata"]["uid"]) if self.newest else ""

    @property
    def spec(self) -> Mapping[str, Any]:
        """The object's spec."""
        return self.object.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        """The object's status; empty before a controller has seen it."""
        return self.object.get("status") or {}

    @property
    def desired(self) -> int:
        """How many pods there shall be; without `spec.replicas` (an autoscaler) how many are."""
        return int(self.spec.get("replicas", self.status.get("replicas") or 1))

    def older(self) -> frozenset[str]:
        """The UIDs of the pods of earlier ReplicaSets that are still there."""
        return frozenset(it.uid for it in self.pods if it.owner != self.uid and not it.finished)

    def staying(self, uids: frozenset[str]) -> int:
        """How many of these pods were not told to end yet."""
        return sum(it.uid in uids and not it.terminating for it in self.pods)

    def cause(self) -> str:
        """Why the newest ReplicaSet's pods cannot be created or become ready, or nothing."""
        cause = cause_of(self.pods, self.uid)
        failure = condition(self.newest, "ReplicaFailure")
        if cause or failure.get("status") != "True":
            return cause
        # The API server does not let pods in: a quota, or an admission webhook.
        return f"{failure.get('reason') or NOT_LET_IN}: {redact(str(failure.get('message') or ''))}"


def condition(object_: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any]:
    """A condition of an object's status; empty when it has none of that type."""
    conditions = ((object_ or {}).get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def owners(object_: Mapping[str, Any]) -> set[str]:
    """The UIDs of an object's controllers."""
    references: Iterable[Mapping[str, Any]] = (object_.get("metadata") or {}).get(
        "ownerReferences"
    ) or ()
    return {str(each["uid"]) for each in references if each.get("controller")}


def annotations_of(object_: Mapping[str, Any]) -> Mapping[str, str]:
    """An object's annotations."""
    return (object_.get("metadata") or {}).get("annotations") or {}


def status_lines(status: RolloutStatus) -> tuple[str, ...]:
    """The counters, what keeps it, then a line a pod."""
    counts = f"{status.updated} of {status.desired} updated, {status.ready} ready"
    head = f"{counts}, {status.old} old{status.ending}"
    held = (status.held.why,) if status.held else ()
    stuck = (f"stuck: {status.stuck}",) if status.stuck else ()
    return (head, *stuck, *held, *(f"{pod.name}  {pod.words}" for pod in status.pods))
