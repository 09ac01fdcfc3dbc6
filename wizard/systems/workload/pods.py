"""Pods as the API server describes them: are they ready, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from wizard.article import WANTED
from wizard.record import dataclass
from wizard.systems.release.manifest import literal_env

UNSCHEDULABLE = "Unschedulable"

HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        UNSCHEDULABLE,
    }
)
"""Reasons that seldom pass by themselves."""

BACKING_OFF = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull"})
"""Those after which a kubelet tries again, later and later."""
MANY_RESTARTS = 3
KINDS = ("initContainerStatuses", "containerStatuses")


@dataclass(frozen=True)
class Pod:
    """One pod.

    Attributes:
        created: when the pod was created; started: when its container last started.
        reason: why it waits or ended (`CrashLoopBackOff`, `Unschedulable`); else empty.
        env: the article's two variables, where the backend container has them as plain values.
        owner: the UID of its controller: a ReplicaSet, or a Job.
        restarts: how often the one that counts was started again; attempts: all of its containers.
        ended: why it ended the last time before it was started again (`OOMKilled`), and `ended_at`.
        grace: seconds that startup and readiness probes allow it until it is ready: those of the
            container that is allowed most, because a pod is as ready as all of them.
        container: the one that counts, for its log.
        probed: whether a readiness probe asks that one; without one it is ready once it runs, also
            if it ends a second later.
    """

    name: str
    uid: str
    created: datetime | None
    started: datetime | None
    ready: bool
    phase: str
    reason: str
    image: str
    node: str
    terminating: bool
    env: Mapping[str, str]
    owner: str
    restarts: int = 0
    attempts: int = 0
    grace: float = 0.0
    container: str = ""
    probed: bool = True
    ended: str = ""
    ended_at: datetime | None = None

    @property
    def words(self) -> str:
        """Its state in a word or two."""
        return (
            "leaving" if self.terminating else "ready" if self.ready else self.reason or self.phase
        )

    @property
    def restarted(self) -> str:
        """How often it was started again, in words."""
        often = {0: "not restarted", 1: "restarted once", 2: "restarted twice"}
        return often.get(self.restarts, f"restarted {self.restarts} times")

    @property
    def unready(self) -> bool:
        """Whether it runs, and its probes do not say that it is ready."""
        running = self.phase == "Running" and not self.reason
        return running and not self.ready and not self.terminating

    @property
    def finished(self) -> bool:
        """Whether it has run to its end (an evicted pod stays listed)."""
        return self.phase in ("Succeeded", "Failed")


def read_pod(pod: Mapping[str, Any], container: str) -> Pod:
    """The pod from its API object, `container` being the one that counts."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    containers = spec.get("containers") or [{}]
    ours = next((each for each in containers if each.get("name") == container), containers[0])
    state: Mapping[str, Any] = next(
        (each for each in status.get("containerStatuses") or [] if each["name"] == container), {}
    )
    # Init containers that stay are sidecars, whose readiness is the pod's as well.
    staying = [it for it in spec.get("initContainers") or [] if it.get("restartPolicy") == "Always"]
    running = (state.get("state") or {}).get("running") or {}
    last = (state.get("lastState") or {}).get("terminated") or {}
    return Pod(
        name=str(meta["name"]),
        uid=str(meta["uid"]),
        created=_time(meta.get("creationTimestamp")),
        started=_time(running.get("startedAt") or status.get("startTime")),
        ready=_condition(status, "Ready").get("status") == "True",
        phase=str(status.get("phase") or "Unknown"),
        reason=_reason(status),
        image=str(state.get("image") or ours.get("image") or ""),
        node=str(spec.get("nodeName") or ""),
        terminating=bool(meta.get("deletionTimestamp")),
        env={
            name: text
            for name, text in literal_env(ours.get("env")).items()
            if name in WANTED and text is not None
        },
        owner=next(
            (str(o["uid"]) for o in meta.get("ownerReferences") or [] if o.get("controller")), ""
        ),
        restarts=int(state.get("restartCount") or 0),
        attempts=sum(
            int(each.get("restartCount") or 0) for kind in KINDS for each in status.get(kind) or []
        ),
        grace=max(map(_grace, (*containers, *staying))),
        container=str(ours.get("name") or container),
        probed=bool(ours.get("readinessProbe")),
        ended=str(last.get("reason") or ""),
        ended_at=_time(last.get("finishedAt")),
    )


def cause_of(pods: Iterable[Pod], newest: str) -> str:
    """Why the newest ReplicaSet's pods will not become ready by themselves, or nothing."""
    for pod in pods:
        if pod.owner != newest or pod.terminating or pod.ready:
            continue
        if pod.reason in HOPELESS:
            return f"pod {pod.name}: {pod.reason}"
        if pod.restarts >= MANY_RESTARTS:
            return f"pod {pod.name}: {pod.restarted}"
    return ""


def _grace(container: Mapping[str, Any]) -> float:
    """Seconds that its probes may fail; the API's own defaults where one names none."""
    seconds = 0.0
    for probe in filter(None, map(container.get, ("startupProbe", "readinessProbe"))):
        times = int(probe.get("failureThreshold") or 3) * int(probe.get("periodSeconds") or 10)
        seconds += int(probe.get("initialDelaySeconds") or 0) + times
    return seconds


def _reason(status: Mapping[str, Any]) -> str:
    """The first reason that tells something: unscheduled, waiting, ended, evicted."""
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason") or "Unschedulable")
    for kind in KINDS:
        for each in status.get(kind) or []:
            state = each.get("state") or {}
            waiting = (state.get("waiting") or {}).get("reason")
            if waiting:
                return str(waiting)
            ended = state.get("terminated") or {}
            if ended and (ended.get("exitCode") or kind == "containerStatuses"):
                return str(ended.get("reason") or "Terminated")
    return str(status.get("reason") or "")


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = (each for each in status.get("conditions") or [] if each.get("type") == kind)
    return next(found, {})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
