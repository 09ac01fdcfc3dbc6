"""Runs the upgrade: helm, what is seen meanwhile, and the rest of the rollout afterwards.

Seen are what helm waits for, hook Jobs, pods, events, and a hopeless end. Reading never fails the
upgrade: what cannot be read is a line of its own. A helm that a run started and left is waited for:
it goes on by itself when the wizard is gone.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wizard.article import WANTED
from wizard.problems import Exit, Problem
from wizard.records.changes import Change, Done
from wizard.records.journal import known_runs
from wizard.steps.step import await_rollout
from wizard.steps.upgrade.live_drift import EDITS, NONE
from wizard.steps.upgrade.owner import owner
from wizard.systems.calls import poll
from wizard.systems.helm.process import still_runs
from wizard.systems.kubernetes.events import Event, node_comes
from wizard.systems.kubernetes.watching import EventWatch
from wizard.systems.workload import BACK_OFF, NOT_LET_IN, Patience, RolloutStatus
from wizard.systems.workload.hook_jobs import HookJob, hook_jobs
from wizard.systems.workload.status import status_lines

if TYPE_CHECKING:
    from wizard.steps.step import Watch
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Release, Upgrade
    from wizard.systems.release.records import Stored


def upgrade(systems: Systems, change: Change, watch: Watch) -> Done:
    """Run helm, end it kindly where there is no hope, and wait until every pod is new.

    helm's own `--wait` ends before that (some old pods may be left), and is not always taken.

    Raises:
        Problem: helm failed or was ended early, the rollout does not come to its end, or somebody
            took the variables back.
    """
    way: Upgrade = change.payload
    status = systems.workload.afresh().status()
    if not status.done and not status.stuck:  # one that is stuck may be what this upgrade mends
        # Somebody else has begun it, and two at once tell nobody's pods apart.
        await_rollout(systems, watch, "a rollout that was under way before is waited for")
    target = systems.target
    with closing(UpgradeView(systems, watch, rolls=_rolls(systems, change))) as view:
        try:
            result = systems.helm.upgrade(way, tick=view.tick)
        except Problem as problem:
            raise _told(systems, problem, change, view) from None
        systems.workload.wait(
            limit=target.rollout_limit,
            patience=target.patience,
            tick=view.rolling,
            before=view.before,
        )
    _make_sure_it_stayed(systems)
    return Done(
        f"Revision {change.register['revision']} → {result.revision} of release {way.release}",
        (f"chart {way.version}, helm took {result.seconds:.0f} s",),
        {**change.register, "revision_after": result.revision},
    )


def _rolls(systems: Systems, change: Change) -> bool:
    """Whether the upgrade may give the backend another template than its newest pods have."""
    backend = systems.installation.backend
    changed = {(it.kind, it.name) for it in change.rendered}
    edits = change.preconditions.get(EDITS)
    edited = edits is not None and edits.value != NONE
    return edited or bool(systems.lacking_live) or (backend.kind, backend.name) in changed


def _make_sure_it_stayed(systems: Systems) -> None:
    """An owner that nothing betrayed before may have taken the variables back meanwhile.

    Raises:
        Problem: a variable that helm has set is not live any more.
    """
    live = systems.workload.live_env()
    if all(live.get(name) == "true" for name in WANTED):
        return
    systems.forget()  # what was read of the release is older than the upgrade
    gone = [name for name in systems.lacking_live if name not in systems.lacking]
    if not gone:
        return
    found = owner(systems)
    who = found.words if found else "Somebody"
    raise Problem(
        "LSA441",
        f"{who} took back what helm had set: {' and '.join(gone)} "
        f"{'are' if len(gone) > 1 else 'is'} not live any more",
        on=systems.workload.on,
        next_step="find out who writes it (kubectl get --show-managed-fields -o yaml, the audit "
        "log of the API server), change it at its source, and go on: langsmith-audit run --gitops",
        exit=Exit.FAILED,
        detail=found.marks if found else (),
    )


def _told(systems: Systems, problem: Problem, change: Change, view: UpgradeView) -> Problem:
    way: Upgrade = change.payload
    if view.hopeless:
        return Problem(
            "LSA440",
            f"The upgrade was ended early, since there was no hope: {view.hopeless}",
            on=problem.on,
            next_step="mend the cause, then langsmith-audit run --accept-failed; or put the last "
            "good revision back: langsmith-audit undo",
            exit=Exit.FAILED,
            detail=(*(f"helm: {problem.what}",), *problem.detail),
        )
    if _is_pending(systems):
        before = change.register["revision"]
        return Problem(
            "LSA443",
            "helm ended in the middle of the upgrade and left the release pending: "
            "helm refuses every further upgrade",
            on=problem.on,
            next_step=f"put revision {before} back: langsmith-audit undo, which runs "
            f"{change.undo}; then langsmith-audit run again",
            exit=Exit.FAILED,
            detail=(f"helm: {problem.what}", *problem.detail),
        )
    if problem.id == "LSA130":
        return _with_job(systems, problem, view)
    if problem.id == "LSA127":
        what = f"{problem.what} within {way.timeout} seconds (--upgrade-limit)"
        return problem.but(what=what)
    return problem


def _with_job(systems: Systems, problem: Problem, view: UpgradeView) -> Problem:
    """A failed hook with the name of its Job, which helm does not tell."""
    view.look()
    failed = [job for job in view.jobs if job.state == "failed"]
    if not failed:
        return problem
    job = failed[-1]
    return problem.but(
        what=f"{problem.what}: Job {job.name} {job.words}",
        next_step=f"kubectl logs job/{job.name} -n {systems.installation.namespace} tells why, "
        "until the Job vanishes; langsmith-audit run --accept-failed makes the upgrade again",
    )


def _is_pending(systems: Systems) -> bool:
    """Whether helm has left the release so that nothing but a rollback helps."""
    systems.forget()
    try:
        return systems.release.status.startswith("pending-")
    except Problem:
        return False


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


UNDER_WAY = "pending-upgrade"


def note_helm(watch: Watch, pid: int) -> None:
    """Keep in the journal which process is at work, for whoever comes after this one."""
    watch.note(helm=pid, host=socket.gethostname())


def at_work(folder: Path) -> bool | None:
    """Whether the helm of the run in this folder is at work; None where nothing tells."""
    noted = [
        entry
        for run in known_runs()
        if run.folder == folder
        for entry in run.entries
        if entry["event"] == "note" and "helm" in entry
    ]
    if not noted or noted[-1].get("host") != socket.gethostname():
        return None
    return still_runs(int(noted[-1]["helm"]), "helm")


def settle(systems: Systems, folder: Path, watch: Watch) -> None:
    """Wait for the helm that a run left at work, up to `--upgrade-limit` seconds.

    Whatever state the release is in afterwards is for the steps to look at.
    """
    limit = systems.target.upgrade_limit
    what = f"helm of the run that was left is still at work (limit {limit:.0f} s)"
    for seconds in poll(limit):
        if not at_work(folder):
            break
        release = systems.release
        watch.waiting(what, seconds, (f"revision {release.revision} is {release.status}",))
        systems.forget()
    systems.forget()  # what was read of the release may be older than the end of that helm
