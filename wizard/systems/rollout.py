"""The backend's pods and their rollout, as `kubectl rollout status` and `restart` see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.cluster import DEPLOYMENTS, PODS, REPLICASETS, Cluster
from wizard.systems.installation import Installation
from wizard.systems.manifest import literal_env
from wizard.systems.pods import Pod, cause_of, read_pod

__all__ = ["Pod", "RolloutStatus", "Workload", "ready_pod"]

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"
POLL_SECONDS = 1.0
SILENCE_LIMIT = 60.0
PATIENCE = 30.0
SCHEDULING_PATIENCE = 180.0
UNSCHEDULABLE = "Unschedulable"


@dataclass(frozen=True)
class RolloutStatus:
    """One look at the rollout.

    Attributes:
        desired, updated, ready, available: replicas, as the Deployment counts them.
        old: pods of earlier templates that are still there.
        done: as `kubectl rollout status` decides it.
        stuck: empty, or why it will not end by itself (`pod x: ImagePullBackOff`).
        pods: all pods of the workload, the newest first.
        newest: the UID of the newest ReplicaSet; its pods stay when the rollout is done.
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


class Workload:
    """The backend's Deployment."""

    def __init__(self, cluster: Cluster, installation: Installation) -> None:
        self._cluster = cluster
        self._namespace = installation.namespace
        self._backend = installation.backend
        self.on = f"{self._backend.kind} {self._backend.name} in namespace {self._namespace}"

    def live(self) -> dict[str, Any]:
        """The object as it is in the cluster now."""
        return self._live()

    def uid(self) -> str:
        """The UID of the Deployment."""
        return str(self._live()["metadata"]["uid"])

    def live_env(self) -> dict[str, str | None]:
        """The variables of the backend container in the live template: name to plain value.

        None for a value that comes from elsewhere (`valueFrom`).
        """
        template = self._live()["spec"]["template"]["spec"]
        containers = template["containers"]
        named = [each for each in containers if each["name"] == self._backend.container]
        return literal_env((named or containers)[0].get("env"))

    def pods(self) -> list[Pod]:
        """The pods that the Deployment owns through its ReplicaSets, the newest first."""
        return list(self._look(self._live())[1])

    def status(self) -> RolloutStatus:
        """How far the rollout is."""
        live = self._live()
        newest, pods = self._look(live)
        return _status(live, newest, pods)

    def restart(self, *, at: datetime) -> str:
        """Restarts the pods as `kubectl rollout restart` does; the annotation that was there.

        Raises:
            Problem: the Deployment is paused (its pods would stay), is not there, or may not be
                patched.
        """
        live = self._live()
        if live["spec"].get("paused"):
            raise Problem(
                "LSA604",
                "The Deployment is paused: its pods would not be replaced",
                on=self.on,
                next_step=f"kubectl rollout resume deployment/{self._backend.name} "
                f"-n {self._namespace}",
                exit=Exit.FAILED,
            )
        prior = _annotations(live["spec"]["template"]).get(RESTARTED_AT, "")
        stamp = {RESTARTED_AT: at.isoformat(timespec="seconds")}
        body = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
        self._cluster.patch(DEPLOYMENTS, self._backend.name, self._namespace, body)
        return prior

    def wait(
        self,
        *,
        limit: float,
        tick: Callable[[RolloutStatus, float], None],
        patience: float | None = None,
    ) -> RolloutStatus:
        """Waits until the rollout is done; calls `tick(status, elapsed seconds)` at each look.

        An API server that is away for a while is waited for, up to a minute.

        Args:
            limit: seconds until it is given up.
            patience: seconds that a stuck rollout may stay stuck; as a rule 30, and 180 for pods
                that wait for a node.

        Raises:
            Problem: the rollout stays stuck, or is not done within `limit` seconds.
        """
        started = answered = moving = time.monotonic()
        status: RolloutStatus | None = None
        while True:
            try:
                status = self.status()
                answered = time.monotonic()
            except Problem as problem:
                if not _passing(problem) or time.monotonic() - answered > SILENCE_LIMIT:
                    raise
            elapsed = time.monotonic() - started
            if status is not None:
                tick(status, elapsed)
                if status.done:
                    return status
                moving = moving if status.stuck else time.monotonic()
                if time.monotonic() - moving > _patience(status.stuck, patience):
                    raise self._stuck(status)
            if elapsed >= limit:
                raise self._late(status, limit)
            time.sleep(min(POLL_SECONDS, max(limit - elapsed, 0.0)))

    def _live(self) -> dict[str, Any]:
        if self._backend.kind != "Deployment":
            raise Problem(
                "LSA605",
                "The backend is an Argo Rollout, which is not supported yet",
                on=self.on,
                next_step=f"Restart it by hand: kubectl argo rollouts restart {self._backend.name}"
                f" -n {self._namespace}",
            )
        live = self._cluster.get(DEPLOYMENTS, self._backend.name, self._namespace)
        if live is None:
            raise Problem(
                "LSA601",
                "The backend's Deployment is in the release and not in the cluster",
                on=self.on,
                next_step=f"kubectl get deployments -n {self._namespace}; "
                "a helm upgrade creates it again",
                exit=Exit.FAILED,
            )
        return live

    def _look(self, live: Mapping[str, Any]) -> tuple[str, tuple[Pod, ...]]:
        """The UID of the newest ReplicaSet, and the pods of all of them."""
        labels = ",".join(
            f"{name}={text}"
            for name, text in (live["spec"]["selector"].get("matchLabels") or {}).items()
        )
        owner = live["metadata"]["uid"]
        sets = [
            each
            for each in self._cluster.list(REPLICASETS, self._namespace, labels=labels)
            if owner in _owners(each)
        ]
        newest = max(sets, key=_revision, default=None)
        uids = {each["metadata"]["uid"] for each in sets}
        pods = [
            read_pod(each, self._backend.container)
            for each in self._cluster.list(PODS, self._namespace, labels=labels)
            if uids & _owners(each)
        ]
        pods.sort(key=lambda pod: (pod.created is not None, pod.created, pod.name), reverse=True)
        return (newest["metadata"]["uid"] if newest else ""), tuple(pods)

    def _stuck(self, status: RolloutStatus) -> Problem:
        return Problem(
            "LSA602",
            f"The backend's rollout is stuck: {status.stuck}",
            on=self.on,
            next_step=f"kubectl describe pods -n {self._namespace} shows the events; the old pods "
            "stay until the new ones are ready",
            exit=Exit.FAILED,
            detail=tuple(f"pod {pod.name}: {_words(pod)}" for pod in status.pods),
        )

    def _late(self, status: RolloutStatus | None, limit: float) -> Problem:
        seen = "nothing could be read" if status is None else _counts(status)
        return Problem(
            "LSA603",
            f"The backend's rollout was not done within {limit:g} seconds ({seen})",
            on=self.on,
            next_step=f"It goes on by itself: kubectl rollout status "
            f"deployment/{self._backend.name} -n {self._namespace}",
            detail=tuple(f"pod {pod.name}: {_words(pod)}" for pod in status.pods) if status else (),
        )


def ready_pod(workload: Workload) -> Pod:
    """The newest ready pod of the backend.

    Raises:
        Problem: no pod is ready.
    """
    pods = workload.pods()
    for pod in pods:
        if pod.ready and not pod.terminating:
            return pod
    raise Problem(
        "LSA606",
        "No pod of the backend is ready",
        on=workload.on,
        next_step="Look at the pods: kubectl get pods, kubectl describe pod NAME",
        exit=Exit.FAILED,
        detail=tuple(f"pod {pod.name}: {_words(pod)}" for pod in pods),
    )


def _status(live: Mapping[str, Any], newest: str, pods: tuple[Pod, ...]) -> RolloutStatus:
    spec, status = live["spec"], live.get("status") or {}
    desired = int(spec.get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    total = int(status.get("replicas") or 0)
    seen = int(status.get("observedGeneration") or 0) >= int(live["metadata"].get("generation", 0))
    late = next(
        (
            str(each.get("message") or "progress deadline exceeded")
            for each in status.get("conditions") or []
            if each.get("type") == "Progressing"
            and each.get("reason") == "ProgressDeadlineExceeded"
        ),
        "",
    )
    done = seen and not late and updated >= desired and total <= updated and available >= updated
    return RolloutStatus(
        desired=desired,
        updated=updated if seen else 0,
        ready=int(status.get("readyReplicas") or 0),
        available=available,
        old=sum(1 for pod in pods if pod.owner != newest and not pod.finished),
        done=done,
        stuck="" if done or not seen else cause_of(pods, newest) or late,
        pods=pods,
        newest=newest,
    )


def _patience(stuck: str, asked: float | None) -> float:
    if asked is not None:
        return asked
    return SCHEDULING_PATIENCE if UNSCHEDULABLE in stuck else PATIENCE


def _passing(problem: Problem) -> bool:
    """Whether the API server may be back in a moment."""
    return problem.id in ("LSA204", "LSA208", "LSA216")


def _revision(replica_set: Mapping[str, Any]) -> int:
    text = str(_annotations(replica_set).get(REVISION, "0"))
    return int(text) if text.isdigit() else 0


def _annotations(object_: Mapping[str, Any]) -> Mapping[str, str]:
    return (object_.get("metadata") or {}).get("annotations") or {}


def _owners(object_: Mapping[str, Any]) -> set[str]:
    references = (object_.get("metadata") or {}).get("ownerReferences") or []
    return {each["uid"] for each in references if each.get("controller")}


def _words(pod: Pod) -> str:
    return "leaving" if pod.terminating else "ready" if pod.ready else pod.reason or pod.phase


def _counts(status: RolloutStatus) -> str:
    return (
        f"{status.updated} of {status.desired} updated, {status.available} available, "
        f"{status.old} old"
    )
