"""The backend's workload: one interface over Deployments and Argo Rollouts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from datetime import datetime
from typing import Any, Protocol, Self

from wizard.problems import Exit, Problem
from wizard.systems.kubernetes.cluster import BUDGETS, PODS, REPLICASETS, Cluster, Resource
from wizard.systems.kubernetes.events import Event, events_about, node_comes
from wizard.systems.release.installation import Installation
from wizard.systems.release.manifest import literal_env
from wizard.systems.workload.deployment_or_rollout import ArgoRolloutKind, DeploymentKind
from wizard.systems.workload.following import Following
from wizard.systems.workload.pods import Pod, read_pod
from wizard.systems.workload.status import Held, Live, RolloutStatus, owners
from wizard.systems.workload.waiting import PATIENCE, Patience, Steady, blocking

GONE = "LSA601"
POLL_SECONDS = 1.0
SILENCE_LIMIT = 60.0
AWAY = ("LSA204", "LSA208", "LSA216")
"""After these the API server may be back in a moment."""


class Kind(Protocol):
    """What differs between the kinds of workload; `where` is `NAME -n NAMESPACE`.

    Attributes:
        resource: where it is in the API.
        strategic: whether it takes strategic merge patches.
    """

    resource: Resource
    strategic: bool

    def newest(self, live: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]) -> (
        Mapping[str, Any] | None
    ):  # fmt: skip
        """The ReplicaSet of the current template."""

    def status(self, live: Live, where: str) -> RolloutStatus:
        """How far the rollout is."""

    def paused(self, live: Mapping[str, Any], where: str) -> Held | None:
        """Whether a restart would replace no pod, and what lets it go on."""

    def restart(self, live: Live, stamp: str) -> dict[str, Any]:
        """The patch that restarts the pods."""

    def restarted(self, live: Mapping[str, Any]) -> str:
        """When it was restarted last; empty if never."""

    def evicts(self, live: Mapping[str, Any]) -> bool:
        """Whether a restart by evictions is under way, which a disruption budget may stop."""

    def command(self, where: str) -> str:
        """The restart as it is typed."""

    def follow(self, where: str) -> str:
        """What shows the rest of a rollout."""


class Workload:
    """The backend's Deployment or Rollout.

    What was read of it is kept, so that one look is one reading; what changes it or waits for it
    reads it anew.
    """

    def __init__(self, cluster: Cluster, installation: Installation) -> None:
        self._cluster = cluster
        self._namespace = installation.namespace
        self._backend = installation.backend
        rollout = self._backend.kind == "Rollout"
        self._kind: Kind = ArgoRolloutKind() if rollout else DeploymentKind()
        self._where = f"{self._backend.name} -n {self._namespace}"
        self.on = f"{self._backend.kind} {self._backend.name} in namespace {self._namespace}"
        self._object: dict[str, Any] | None = None
        self._seen: Live | None = None
        self._reading = threading.RLock()

    @property
    def resource(self) -> Resource:
        """Where the workload is in the API."""
        return self._kind.resource

    @property
    def restart_command(self) -> str:
        """The restart as it is typed."""
        return self._kind.command(self._where)

    @property
    def path(self) -> str:
        """Its request path."""
        return self.resource.path(self._namespace, self._backend.name)

    def live(self) -> dict[str, Any]:
        """The object as it is in the cluster, read once a look."""
        with self._reading:
            if self._object is None:
                self._object = self._read()
            return self._object

    def found(self) -> dict[str, Any] | None:
        """The same; None where it is gone."""
        try:
            return self.live()
        except Problem as problem:
            if problem.id != GONE:
                raise
            return None

    def uid(self) -> str:
        """The UID of the workload."""
        return str(self.live()["metadata"]["uid"])

    def live_env(self) -> dict[str, str | None]:
        """The variables of the backend container in the live template: name to plain value.

        None for a value that comes from elsewhere (`valueFrom`).
        """
        template = self.live()["spec"]["template"]["spec"]
        containers = template["containers"]
        named = [each for each in containers if each["name"] == self._backend.container]
        return literal_env((named or containers)[0].get("env"))

    def pods(self) -> list[Pod]:
        """The pods that the workload owns through its ReplicaSets, the newest first."""
        return list(self._look().pods)

    def status(self) -> RolloutStatus:
        """How far the rollout is."""
        return self._kind.status(self._look(), self._where)

    def afresh(self) -> Self:
        """The same, and what was read of it up to now is not gone by any more."""
        self._object = self._seen = None
        return self

    def following(self) -> Following:
        """The workload as it changes; close it after use."""
        return Following(
            self._cluster, self.resource, self._namespace, self._backend.name, self._read
        )

    def status_of(self, changing: Following) -> RolloutStatus:
        """How far the rollout is, by the newest that is known of the object; pods are read.

        Raises:
            Problem: something cannot be read, or the workload is gone.
        """
        self.afresh()
        self._object = changing.newest()
        return self.status()

    def must_roll(self) -> None:
        """Make sure that a new template would replace the pods.

        Raises:
            Problem: the workload is paused, or not there.
        """
        self._refuse_paused(self.live())

    def restart(self, *, at: datetime) -> str:
        """Restarts the pods as kubectl does; what was there in its place before.

        Raises:
            Problem: the workload is paused (its pods would stay), is not there, or may not be
                patched.
        """
        live = self.afresh()._look()
        self._refuse_paused(live.object)
        prior = self._kind.restarted(live.object)
        body = self._kind.restart(live, at.isoformat(timespec="seconds"))
        self._patch(body)
        return prior

    def try_restart(self, *, at: datetime) -> None:
        """Lets the API server check the restart's patch, admission included; writes nothing.

        Raises:
            Problem: it would be refused, or cannot be tried.
        """
        self._patch(self._kind.restart(self._look(), at.isoformat(timespec="seconds")), dry=True)

    def try_variables(self, variables: Mapping[str, str]) -> None:
        """Lets the API server check the workload with these variables; writes nothing.

        Raises:
            Problem: as `try_restart`.
        """
        containers = deepcopy(self.live()["spec"]["template"]["spec"]["containers"])
        named = [each for each in containers if each["name"] == self._backend.container]
        entry = (named or containers)[0]
        others = [it for it in entry.get("env") or [] if it.get("name") not in variables]
        entry["env"] = others + [{"name": it, "value": text} for it, text in variables.items()]
        self._patch({"spec": {"template": {"spec": {"containers": containers}}}}, dry=True)

    def unmoved_by(self) -> str:
        """The disruption budget that a restart would never get past, in words; or nothing.

        Budgets that may not be listed are none.
        """
        if self._backend.kind != "Rollout":
            return ""
        return self._budget(self.live())

    def _budget(self, live: Mapping[str, Any]) -> str:
        try:
            return self.budget_in_the_way(live)
        except Problem:
            return ""

    def budget_in_the_way(self, live: Mapping[str, Any]) -> str:
        """The disruption budget that lets no pod be evicted, in words; or nothing.

        Raises:
            Problem: budgets may not be listed.
        """
        budgets = self._cluster.list(BUDGETS, self._namespace)
        pods = self._cluster.list(PODS, self._namespace) if budgets else []
        return blocking(budgets, pods, live["spec"]["template"])

    def annotate(self, name: str, text: str) -> None:
        """Sets an annotation of the workload itself, which replaces no pod.

        Raises:
            Problem: it may not be patched.
        """
        self._patch({"metadata": {"annotations": {name: text}}})

    def _patch(self, body: Mapping[str, Any], *, dry: bool = False) -> None:
        self._cluster.patch(
            self.resource,
            self._backend.name,
            self._namespace,
            body,
            strategic=self._kind.strategic,
            dry_run=dry,
        )
        if not dry:
            self.afresh()

    def wait(
        self,
        *,
        limit: float,
        tick: Callable[[RolloutStatus, float], None],
        patience: float = PATIENCE,
        before: Mapping[str, int] | None = None,
    ) -> RolloutStatus:
        """Waits until the rollout is done for good; calls `tick(status, seconds)` at each look.

        A look is made at each change of the workload that the API server tells, and every second.
        One that is away for a while is waited for, up to a minute.

        Args:
            limit: seconds until it is given up.
            patience: seconds that a stuck rollout may stay stuck.
            before: the pods that were stuck before, as `Patience` has them.

        Raises:
            Problem: the rollout stays stuck, is held, or is not done within `limit` seconds.
        """
        status: RolloutStatus | None = None

        def announced() -> tuple[Event, ...]:
            names = {pod.name for pod in status.pods} if status else set()
            return events_about(self._cluster, self._namespace, names)

        hope = Patience(patience, before or {}, lambda: node_comes(announced))
        steady = Steady()
        started = answered = time.monotonic()
        with closing(self.following()) as changing:
            while True:
                try:
                    status = self.status_of(changing)
                    answered = time.monotonic()
                except Problem as problem:
                    if problem.id not in AWAY or time.monotonic() - answered > SILENCE_LIMIT:
                        raise
                elapsed = time.monotonic() - started
                if status is not None:
                    tick(status, elapsed)
                    if steady.stands(status):
                        return status
                    self._give_up(status, hope.over(status))
                if elapsed >= limit:
                    raise self._late(status, limit)
                changing.pause(min(POLL_SECONDS, max(limit - elapsed, 0.0)))

    def _refuse_paused(self, live: Mapping[str, Any]) -> None:
        held = self._kind.paused(live, self._where)
        if held:
            raise Problem(
                "LSA604",
                f"{held.why}: its pods would not be replaced",
                on=self.on,
                next_step=held.command,
                exit=Exit.FAILED,
            )

    def _give_up(self, status: RolloutStatus, cause: str) -> None:
        if cause:
            raise Problem(
                "LSA602",
                f"The backend's rollout is stuck: {cause}",
                on=self.on,
                next_step=self._way_out(cause),
                exit=Exit.FAILED,
                detail=_pod_lines(status),
            )
        if status.held:
            raise Problem(
                "LSA607",
                f"The backend's rollout does not go on: {status.held.why}",
                on=self.on,
                next_step=status.held.command,
                exit=Exit.FAILED,
                detail=_pod_lines(status),
            )

    def _read(self) -> dict[str, Any]:
        live = self._cluster.get(self.resource, self._backend.name, self._namespace)
        if live is None:
            raise Problem(
                GONE,
                f"The backend's {self._backend.kind} is in the release and not in the cluster",
                on=self.on,
                next_step=f"kubectl get {self.resource.plural} -n {self._namespace}; "
                "a helm upgrade creates it again",
                exit=Exit.FAILED,
            )
        return live

    def _look(self) -> Live:
        """The workload, its newest ReplicaSet, and the pods of all its ReplicaSets."""
        with self._reading:
            if self._seen is None:
                self._seen = self._look_around(self.live())
            return self._seen

    def _look_around(self, live: dict[str, Any]) -> Live:
        labels = ",".join(
            f"{name}={text}"
            for name, text in (live["spec"]["selector"].get("matchLabels") or {}).items()
        )
        owner = live["metadata"]["uid"]
        sets = [
            each
            for each in self._cluster.list(REPLICASETS, self._namespace, labels=labels)
            if owner in owners(each)
        ]
        uids = {each["metadata"]["uid"] for each in sets}
        pods = [
            read_pod(each, self._backend.container)
            for each in self._cluster.list(PODS, self._namespace, labels=labels)
            if uids & owners(each)
        ]
        pods.sort(key=lambda pod: (pod.created is not None, pod.created, pod.name), reverse=True)
        budget = self._budget(live) if self._kind.evicts(live) else ""
        return Live(live, self._kind.newest(live, sets), tuple(pods), budget)

    def _way_out(self, cause: str) -> str:
        if cause == self.unmoved_by():
            return (
                "add a replica, or lower the budget's minAvailable: kubectl get pdb "
                f"-n {self._namespace}; the restart then goes on by itself"
            )
        return (
            f"kubectl describe pods -n {self._namespace} shows the events; the old pods stay until "
            "the new ones are ready"
        )

    def _late(self, status: RolloutStatus | None, limit: float) -> Problem:
        seen = "nothing could be read" if status is None else status.counts
        return Problem(
            "LSA603",
            f"The backend's rollout was not done within {limit:g} seconds ({seen})",
            on=self.on,
            next_step=f"It goes on by itself: {self._kind.follow(self._where)}",
            detail=_pod_lines(status) if status else (),
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
        next_step="look at the pods: kubectl get pods, kubectl describe pod NAME",
        exit=Exit.FAILED,
        detail=tuple(f"pod {pod.name}: {pod.words}" for pod in pods),
    )


def _pod_lines(status: RolloutStatus) -> tuple[str, ...]:
    return tuple(f"pod {pod.name}: {pod.words}" for pod in status.pods)
