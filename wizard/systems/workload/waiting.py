"""How long a rollout is waited for, and when there is no hope that it will end by itself.

An Argo Rollout restarts by evicting, so disruption budgets that let no pod go stop it.

Pods whose probes fail are given what the probes allow them, and the patience on top, so that a
short patience cuts no slow start short. A pod that no node takes has the patience alone, unless an
autoscaler has said by an event that a node comes, or events cannot be read: then ten minutes more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wizard.record import dataclass, field
from wizard.systems.workload.pods import BACKING_OFF, UNSCHEDULABLE
from wizard.systems.workload.status import RolloutStatus

PATIENCE = 30.0
"""Seconds that a rollout may stay stuck; as a rule (`--patience`)."""

NODE = 600.0
"""Seconds more for a pod for which an autoscaler has said that it brings a node."""

BACK_OFF = 300.0
"""Seconds within which a kubelet tries a crashed container, or an image, again: its maximum."""

STEADY = 5.0
"""Seconds that pods which no readiness probe asks must stay up until a rollout counts as done."""


@dataclass
class Steady:
    """Tells when a rollout that is done is so for good: a pod that nobody asks may end at once."""

    seconds: float = STEADY
    _since: float = field(default=0.0, init=False, repr=False)
    _runs: frozenset[tuple[str, int]] | None = field(default=None, init=False, repr=False)

    def stands(self, status: RolloutStatus) -> bool:
        """Whether it is done, and has been for long enough with the same runs of its pods."""
        if not status.done:
            self._runs = None
            return False
        runs = frozenset(
            (pod.uid, pod.attempts)
            for pod in status.pods
            if pod.owner == status.newest and not (pod.probed or pod.terminating or pod.finished)
        )
        if runs != self._runs:
            self._since, self._runs = time.monotonic(), runs
        return not runs or time.monotonic() - self._since >= self.seconds


@dataclass
class Patience:
    """Tells when a rollout has been stuck for too long. One is for one rollout.

    Pods whose probes fail have no reason of their own; they are given up when they have been
    running unready for longer than their probes allow, and the patience on top. Pods that are not
    let in are not judged while others are leaving, which may be what makes room.

    Attributes:
        seconds: how long it may stay stuck.
        before: how often the containers of pods that were stuck at the start had been started
            again (`Pod.attempts`), by the pods' UIDs. What kept them may be mended: they are not
            judged until they have been tried again.
        node_comes: whether an autoscaler has said that it brings a node for a pod that no node
            takes; asked when the patience is over, and believed from then on.
    """

    seconds: float = PATIENCE
    before: Mapping[str, int] = field(default_factory=dict)
    node_comes: Callable[[], bool] = field(default=lambda: False)
    _since: float | None = field(default=None, init=False, repr=False)
    _awaited: bool = field(default=False, init=False, repr=False)
    _unready: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    def over(self, status: RolloutStatus) -> str:
        """Why this rollout is given up; empty while it is waited for."""
        if status.done:
            return self.gone("")
        more = BACK_OFF if self.untried(status) else 0.0
        room = status.refused and any(pod.terminating for pod in status.pods)
        stuck = "" if room else status.stuck
        return self._failing(status, time.monotonic()) or self.gone(stuck, more)

    def untried(self, status: RolloutStatus) -> bool:
        """Whether a pod that was stuck at the start has not been tried again since."""
        return any(
            pod.reason in BACKING_OFF and self.before.get(pod.uid) == pod.attempts
            for pod in status.pods
        )

    def gone(self, stuck: str, more: float = 0.0) -> str:
        """The same text when it has stood for too long; an empty one lets hope return.

        `more` seconds come on top.
        """
        now = time.monotonic()
        if not stuck:
            self._since, self._awaited = None, False
            return ""
        self._since = now if self._since is None else self._since
        over = now - self._since - self.seconds - more
        if over <= 0:
            return ""
        if UNSCHEDULABLE in stuck:
            self._awaited = self._awaited or self.node_comes()
            over -= NODE if self._awaited else 0.0
        return stuck if over > 0 else ""

    def _failing(self, status: RolloutStatus, now: float) -> str:
        unready = {
            pod.uid: pod for pod in status.pods if pod.owner == status.newest and pod.unready
        }
        self._unready = {uid: self._unready.get(uid, now) for uid in unready}
        for uid, since in self._unready.items():
            if now - since > unready[uid].grace + self.seconds:
                return f"pod {unready[uid].name}: its probes fail ({now - since:.0f} s)"
        return ""


Json = Mapping[str, Any]

DONE = ("Succeeded", "Failed")


def kept(budget: Json, pods: Iterable[Json]) -> tuple[int, int]:
    """How many pods must stay healthy, and how many there are that have not run to their end.

    `status.expectedPods` does not tell: it counts the done pods of hook Jobs, which carry the
    backend's labels. Nor does `disruptionsAllowed`: it is 0 for a moment in every restart.
    """
    wanted = _selector(budget).items()
    there = [
        pod
        for pod in pods
        if wanted <= (pod["metadata"].get("labels") or {}).items()
        if (pod.get("status") or {}).get("phase") not in DONE
    ]
    return int((budget.get("status") or {}).get("desiredHealthy") or 0), len(there)


def covers(budget: Json, template: Json) -> bool:
    """Whether it is about the pods of this template, by its labels."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    wanted = _selector(budget)
    return bool(wanted) and wanted.items() <= labels.items()


def blocking(budgets: Iterable[Json], pods: Sequence[Json], template: Json) -> str:
    """The first budget that lets no pod of this template go, in words; empty when none does."""
    for budget in budgets:
        desired, there = kept(budget, pods)
        if 0 < there <= desired and covers(budget, template):
            counts = f"{desired} of {there} pods must stay"
            return f"PodDisruptionBudget {budget['metadata']['name']} lets no pod go ({counts})"
    return ""


def _selector(budget: Json) -> Json:
    return ((budget.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
