"""The kinds that the backend's workload can be: a Deployment, or an Argo Rollout.

Of a Deployment: `kubectl rollout status`, `restart` and `resume`. Of an Argo Rollout
(`backend.rollout.enabled`): phase, canary pauses, `restartAt`.
Source: https://argo-rollouts.readthedocs.io, "Rollout specification" and "Restarting Rollout Pods".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from wizard.systems.kubernetes.cluster import ARGO_ROLLOUTS, DEPLOYMENTS
from wizard.systems.redact import redact
from wizard.systems.workload.pods import Pod, cause_of
from wizard.systems.workload.status import Held, Live, RolloutStatus, annotations_of, condition

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"

Json = Mapping[str, Any]


class DeploymentKind:
    """What is particular to Deployments."""

    resource = DEPLOYMENTS
    strategic = True

    def newest(self, _live: Json, sets: Sequence[Json]) -> Json | None:
        """The ReplicaSet of the current template."""
        return max(sets, key=lambda it: _revision(it, REVISION), default=None)

    def status(self, live: Live, where: str) -> RolloutStatus:
        """As `kubectl rollout status` decides it; `where` ends its commands (`NAME -n NS`).

        Counters decide, not the reason of the condition Progressing: with Recreate it says
        NewReplicaSetAvailable before anything has happened, and of pods that crash a moment later.
        """
        status, desired = live.status, live.desired
        updated = int(status.get("updatedReplicas") or 0)
        available = int(status.get("availableReplicas") or 0)
        total = int(status.get("replicas") or 0)
        seen = int(status.get("observedGeneration") or 0) >= int(
            live.object["metadata"].get("generation", 0)
        )
        late = _late(live)
        counted = updated >= desired and total <= updated and available >= updated
        done = seen and counted and not late and not cause_of(live.pods, live.uid)
        held = None
        if live.spec.get("paused") and not done:
            held = Held("the Deployment is paused", f"kubectl rollout resume deployment/{where}")
        return RolloutStatus(
            desired=desired,
            updated=updated if seen else 0,
            ready=int(status.get("readyReplicas") or 0),
            available=available,
            old=live.staying(live.older()),
            done=done,
            stuck="" if done or not seen else live.cause() or late,
            pods=live.pods,
            newest=live.uid,
            leaving=frozenset() if done else live.older(),
            held=held,
        )

    def paused(self, live: Json, where: str) -> Held | None:
        """Whether a restart would replace no pod."""
        if not live["spec"].get("paused"):
            return None
        return Held("The Deployment is paused", f"kubectl rollout resume deployment/{where}")

    def restart(self, live: Live, stamp: str) -> dict[str, Any]:
        """The patch that `kubectl rollout restart` makes.

        The stamp of another restart in the same second would change nothing, and restart nothing.
        """
        if stamp == self.restarted(live.object):
            stamp = (datetime.fromisoformat(stamp) + timedelta(seconds=1)).isoformat()
        return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: stamp}}}}}

    def restarted(self, live: Json) -> str:
        """When it was restarted last; empty if never."""
        return str(annotations_of(live["spec"]["template"]).get(RESTARTED_AT, ""))

    def evicts(self, _live: Json) -> bool:
        """Never: a rolling update is no eviction."""
        return False

    def command(self, where: str) -> str:
        """The restart as it is typed."""
        return f"kubectl rollout restart deployment/{where}"

    def follow(self, where: str) -> str:
        """What shows the rest of a rollout."""
        return f"kubectl rollout status deployment/{where}"


def _late(live: Live) -> str:
    """What the controller says of a rollout whose deadline is over.

    With Recreate it still says so of the one before, until all pods of that one have ended.
    """
    progress = condition(live.object, "Progressing")
    if progress.get("reason") != "ProgressDeadlineExceeded":
        return ""
    recreates = (live.spec.get("strategy") or {}).get("type") == "Recreate"
    if recreates and any(pod.terminating for pod in live.pods):
        return ""
    return str(progress.get("message") or "progress deadline exceeded")


def _revision(replica_set: Json, *names: str) -> int:
    notes = annotations_of(replica_set)
    text = next((str(notes[name]) for name in names if name in notes), "0")
    return int(text) if text.isdigit() else 0


HASH = "rollouts-pod-template-hash"
REVISIONS = ("rollout.argoproj.io/revision", REVISION)


class ArgoRolloutKind:
    """What is particular to Argo Rollouts."""

    resource = ARGO_ROLLOUTS
    strategic = False

    def newest(self, live: Json, sets: Sequence[Json]) -> Json | None:
        """The ReplicaSet of the current template, by the hash that the status names."""
        wanted = (live.get("status") or {}).get("currentPodHash")
        if wanted and _observed(live):
            for each in sets:
                if (each["metadata"].get("labels") or {}).get(HASH) == wanted:
                    return each
        return max(sets, key=lambda it: _revision(it, *REVISIONS), default=None)

    def status(self, live: Live, where: str) -> RolloutStatus:
        """By the phase and the counters of the newest ReplicaSet; `where` ends its commands."""
        status, desired = live.status, live.desired
        updated = int(status.get("updatedReplicas") or 0)
        available = int(status.get("availableReplicas") or 0)
        seen, phase = _observed(live.object), str(status.get("phase") or "")
        leaving = live.older() | _restarting(live)
        counted = updated >= desired and available >= updated
        done = seen and phase in ("Healthy", "") and counted and not leaving
        held = None if done else _held(live, where)
        stuck = live.cause() or live.budget
        if phase == "Degraded" and not stuck:
            told = redact(str(status.get("message") or "")) or "no reason given"
            stuck = f"the Rollout is degraded: {told}"
        return RolloutStatus(
            desired=desired,
            updated=updated if seen else 0,
            ready=int(status.get("readyReplicas") or 0),
            available=available,
            old=live.staying(leaving),
            done=done,
            stuck="" if done or not seen else stuck,
            pods=live.pods,
            newest=live.uid,
            leaving=frozenset() if done else leaving,
            held=held,
        )

    def paused(self, live: Json, where: str) -> Held | None:
        """Whether a restart would replace no pod."""
        if not live["spec"].get("paused"):
            return None
        return Held("The Rollout is paused", f"kubectl argo rollouts promote {where}")

    def restart(self, live: Live, stamp: str) -> dict[str, Any]:
        """The patch that `kubectl argo rollouts restart` makes.

        Pods created before `restartAt` are replaced. It is one second after the creation of the
        youngest pod, so that no clock but the API server's own decides.
        """
        created = [pod.created for pod in live.pods if pod.created]
        if created:
            youngest = max(created).astimezone(UTC) + timedelta(seconds=1)
            stamp = youngest.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"spec": {"restartAt": stamp}}

    def restarted(self, live: Json) -> str:
        """When it was restarted last; empty if never."""
        return str(live["spec"].get("restartAt") or "")

    def evicts(self, live: Json) -> bool:
        """Whether a restart is under way, which evicts pods."""
        return _restart_of(live) != ""

    def command(self, where: str) -> str:
        """The restart as it is typed."""
        return f"kubectl argo rollouts restart {where}"

    def follow(self, where: str) -> str:
        """What shows the rest of a rollout."""
        return f"kubectl argo rollouts status {where}"


def _observed(live: Json) -> bool:
    """Whether the controller has seen the newest spec; the generation is kept as a text there."""
    seen = str((live.get("status") or {}).get("observedGeneration") or "0")
    return not seen.isdigit() or int(seen) >= int(live["metadata"].get("generation", 0))


def _restart_of(live: Json) -> str:
    """The `restartAt` that the controller has not come to the end of; empty without one."""
    wanted = str(live["spec"].get("restartAt") or "")
    return "" if wanted == str((live.get("status") or {}).get("restartedAt") or "") else wanted


def _restarting(live: Live) -> frozenset[str]:
    """The pods that a restart under way has still to replace."""
    wanted = _restart_of(live.object)
    if not wanted:
        return frozenset()
    moment = datetime.fromisoformat(wanted)

    def older(pod: Pod) -> bool:
        return pod.created is not None and pod.created < moment and not pod.finished

    return frozenset(pod.uid for pod in live.pods if older(pod))


def _held(live: Live, where: str) -> Held | None:
    """A pause that ends only when somebody ends it; one with a duration is waited for."""
    promote = f"kubectl argo rollouts promote {where}"
    if live.spec.get("paused"):
        return Held("the Rollout is paused", promote)
    if not live.status.get("pauseConditions"):
        return None
    steps = ((live.spec.get("strategy") or {}).get("canary") or {}).get("steps") or []
    index = int(live.status.get("currentStepIndex") or 0)
    step = steps[index] if index < len(steps) else {}
    if (step.get("pause") or {}).get("duration"):
        return None
    if not steps:
        return Held("the Rollout waits to be promoted", promote)
    return Held(f"the Rollout is paused at its canary step {index + 1} of {len(steps)}", promote)
