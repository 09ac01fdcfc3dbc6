"""The upgrade while helm runs: what it waits for, hook Jobs, pods, events, and a hopeless end.

Reading never fails the upgrade: what cannot be read is a line of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from wizard.problems import Problem
from wizard.steps.helm_at_work import note_helm
from wizard.steps.rolling import status_lines
from wizard.systems.events import Event, node_comes
from wizard.systems.hook_jobs import HookJob, hook_jobs
from wizard.systems.watching import EventWatch
from wizard.systems.workload import BACK_OFF, NOT_LET_IN, Patience

if TYPE_CHECKING:
    from wizard.steps.base import Watch
    from wizard.systems.access import Systems
    from wizard.systems.helm import Release
    from wizard.systems.release_secrets import Stored
    from wizard.systems.workload import RolloutStatus

LOOK_SECONDS = 2.0
"""At most so long between two looks; less where `--patience` is shorter."""
SHORTEST = 0.5
STATE_SECONDS = 10.0
EVENTS = 5
"""How many of the last events are shown."""

T = TypeVar("T")


class UpgradeView:
    """What is seen of one upgrade; make it before helm starts, and close it at the end.

    Where it `rolls` the backend, only a new ReplicaSet is judged; where the template stays (a
    failed upgrade that is made again), the one that is there already.

    Attributes:
        hopeless: why helm was asked to end; empty while it was not.
        jobs: the hook Jobs of this upgrade; status: the backend's rollout, once it was read.
        before: the pods that were stuck before and stay, by UID, with their attempts.
    """

    def __init__(self, systems: Systems, watch: Watch, *, rolls: bool = True) -> None:
        self._systems = systems
        self._watch = watch
        self._namespace = systems.installation.namespace
        self.hopeless = ""
        self.jobs: tuple[HookJob, ...] = ()
        self.status: RolloutStatus | None = None
        self._cannot: dict[str, str] = {}
        patience = systems.target.patience
        self._between = min(LOOK_SECONDS, max(patience, SHORTEST))
        self._hooks = Patience(patience, node_comes=self._node_comes)
        cluster, release = systems.cluster, systems.target.release
        none_yet: tuple[HookJob, ...] = ()
        before = self._read(
            "hook Jobs", none_yet, lambda: hook_jobs(cluster, self._namespace, release)
        )
        self._jobs_before = frozenset(job.uid for job in before)
        self._news = EventWatch(cluster, self._namespace)
        self._changing = systems.workload.following()
        self.status = self._read("pods", self.status, systems.workload.status)
        pods = self.status.pods if self.status and not rolls else ()
        self.before = {pod.uid: pod.attempts for pod in pods if not pod.ready}
        self._rollout = Patience(patience, self.before, self._node_comes)
        self._newest_before = self.status.newest if self.status and rolls else ""
        self._looked = self._asked = float("-inf")
        self._events: tuple[Event, ...] = ()
        self._lines: tuple[str, ...] = ()
        self._state = ""
        self._noted = False

    def tick(self, seconds: float) -> None:
        """Look every two seconds or so, show it, and ask helm to end when there is no hope left."""
        running = self._systems.helm.running
        if running and not self._noted:
            self._noted = True
            note_helm(self._watch, running.pid)
        if seconds - self._looked >= self._between:
            self._looked = seconds
            self.look()
            self._ask_helm(seconds)
            if not self.hopeless:
                self._end_hopeless()
            self._lines = tuple(self._told())
        limit = f"limit {self._systems.target.upgrade_limit:.0f} s"
        what = f"helm upgrade is running ({limit}{self._state})"
        if self.hopeless:
            what = f"helm was asked to end, since there is no hope: {self.hopeless}"
        self._watch.finishing(what, seconds, self._lines)

    def rolling(self, status: RolloutStatus, seconds: float) -> None:
        """Show the rest of the rollout, when helm has ended and did not wait for it."""
        self.status = status
        limit = self._systems.target.rollout_limit
        what = f"the backend is rolling (limit {limit:.0f} s)"
        self._watch.finishing(what, seconds, tuple(self._told()))

    def look(self) -> None:
        """Read hook Jobs and pods."""
        cluster, release = self._systems.cluster, self._systems.target.release
        self.jobs = self._read(
            "hook Jobs",
            self.jobs,
            lambda: hook_jobs(cluster, self._namespace, release, self._jobs_before),
        )
        self.status = self._read("pods", self.status, self._rollout_now)

    def close(self) -> None:
        """Watch nothing any more."""
        self._news.close()
        self._changing.close()

    def events(self) -> tuple[Event, ...]:
        """The events of the backend and of the hook Jobs since the start, the oldest first."""
        names = self._names()
        self._events = self._read("events", self._events, lambda: self._news.about(names))
        return self._events

    def _node_comes(self) -> bool:
        return node_comes(lambda: self._news.about(self._names()))

    def _rollout_now(self) -> RolloutStatus:
        status = self._systems.workload.status_of(self._changing)
        self._changing.pause(0)
        return status

    def _names(self) -> set[str]:
        backend = self._systems.installation.backend.name
        pods = self.status.pods if self.status else ()
        names = {backend, *(pod.name for pod in pods)}
        names |= {pod.name.rsplit("-", 1)[0] for pod in pods}  # their ReplicaSets
        for job in self.jobs:
            names |= {job.name, *(pod.name for pod in job.pods)}
        return names

    def _end_hopeless(self) -> None:
        running = self._systems.helm.running
        cause = self._hooks.gone(self._hook_stuck())
        if self.status and self.status.newest != self._newest_before:
            cause = cause or self._rollout.over(self.status)
        if cause and running:
            self.hopeless = cause
            running.end()

    def _hook_stuck(self) -> str:
        """Why a hook Job will neither succeed nor fail; its events tell of pods not let in."""
        for job in self.jobs:
            if job.stuck:
                return job.stuck
            if job.state == "running" and not job.pods:
                refused = [
                    event
                    for event in self.events()
                    if event.reason == NOT_LET_IN and event.about == f"Job {job.name}"
                ]
                if refused:
                    return f"hook Job {job.name}: {NOT_LET_IN}: {refused[-1].message}"
        return ""

    def _ask_helm(self, seconds: float) -> None:
        if seconds - self._asked < STATE_SECONDS:
            return
        self._asked = seconds
        release = self._read("release", None, self._newest)
        if release:
            self._state = f", revision {release.revision} {release.status}"

    def _newest(self) -> Stored | Release:
        stored, target = self._systems.revisions(), self._systems.target
        if stored:
            return stored[-1]
        return self._systems.helm.release(target.release, target.namespace)

    def _told(self) -> Iterator[str]:
        """What it waits for comes first: it is all that is shown without a terminal."""
        yield f"waits for {self._waits_for()}"
        for job in self.jobs:
            yield f"hook Job {job.name}  {job.words}"
        if self.status:
            yield from status_lines(self.status)
        if stuck := self._hook_stuck():
            yield f"stuck: {stuck}"
        for event in self.events()[-EVENTS:]:
            yield f"{'! ' if event.warning else ''}{event.line}"
        for what, why in self._cannot.items():
            yield f"{what} cannot be read now: {why}"

    def _waits_for(self) -> str:
        running = [job for job in self.jobs if job.state == "running"]
        if running:
            return f"hook Job {running[-1].name}: {running[-1].words}"
        status = self.status
        if status is None or status.done:
            return "helm"
        again = f", tried again within {BACK_OFF:.0f} s" if self._rollout.untried(status) else ""
        cause = f" ({status.stuck}{again})" if status.stuck else ""
        return f"the backend's rollout: {status.counts}{cause}"

    def _read(self, what: str, otherwise: T, read: Callable[[], T]) -> T:
        try:
            found = read()
        except Problem as problem:
            self._cannot[what] = problem.what
            return otherwise
        self._cannot.pop(what, None)
        return found
