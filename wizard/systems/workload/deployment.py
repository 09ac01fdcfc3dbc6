"""The backend as a Deployment: `kubectl rollout status`, `restart` and `resume`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wizard.systems.cluster import DEPLOYMENTS
from wizard.systems.workload.pods import cause_of
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
        return max(sets, key=_revision, default=None)

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

    def restart(self, _live: Live, stamp: str) -> dict[str, Any]:
        """The patch that `kubectl rollout restart` makes."""
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


def _revision(replica_set: Json) -> int:
    text = str(annotations_of(replica_set).get(REVISION, "0"))
    return int(text) if text.isdigit() else 0
