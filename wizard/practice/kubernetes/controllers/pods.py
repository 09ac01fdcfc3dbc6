"""What scheduler and kubelet do with a pod: bind, start, make ready, run to the end, stop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import (
    SCHEDULER,
    Context,
    Controller,
    Key,
    is_done,
    is_ending,
    is_ready,
    key_of,
    log,
    owner_of,
)
from wizard.practice.kubernetes.controllers.containers import (
    NODE,
    Run,
    back_off,
    ended,
    exited,
    failing,
    full_name,
    missing_reference,
    missing_volume,
    never_ready,
    no_node,
    pull_problem,
    ready,
    restarted,
    run_of,
    scheduled,
    settled,
    started,
    status_of,
    unschedulable,
    unscheduled,
)
from wizard.practice.kubernetes.faults import NEVER_READY
from wizard.practice.kubernetes.json_tools import clone, dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.store import Event

Json = dict[str, Any]

KUBELET = "kubelet"
_SEEN = 1.0
"""Seconds that a container must run to be seen running, and so ready."""
_LONGEST_WAIT = 300
_FOREVER = 3600.0
"""A container that sleeps for so long is one that serves."""


def pod_address(uid: str) -> str:
    """A stable address in 10.244.0.0/16 for a pod."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.244.{digest[0]}.{digest[1] or 1}"


def _job_of(pod: Json) -> str:
    owner = owner_of(pod)
    return str(owner["name"]) if owner["kind"] == "Job" else ""


class Pods(Controller):
    """Moves pods through their life."""

    kind = "Pod"
    source = KUBELET

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._starting: set[str] = set()
        self._stopping: set[str] = set()
        self._lost: list[Json] = []

    def keys(self, event: Event, kind: str) -> Iterable[Key]:
        """The pod itself; one that is gone without having been stopped is noted."""
        if kind == self.kind:
            if event.type == "DELETED":
                self._lost.append(event.object)
            yield key_of(event.object)

    def reconcile(self, key: Key) -> None:
        """Tell of pods that were taken away at once, then look after the one that is there."""
        lost, self._lost = self._lost, []
        for pod in lost:
            meta = pod["metadata"]
            self._starting.discard(meta["uid"])
            if meta["uid"] not in self.context.told_gone and self._current(meta) is None:
                self._tell_gone(pod, None)
        super().reconcile(key)

    def sync(self, obj: Json) -> None:
        """Move one pod a step further."""
        if is_ending(obj):
            self._stop(obj)
        elif is_done(obj) or is_ready(obj):
            return
        elif obj["metadata"]["uid"] not in self._starting:
            self._start(obj)

    def _start(self, pod: Json) -> None:
        meta = pod["metadata"]
        staged = self._staged(pod)
        if not dig(pod, "spec", "nodeName"):
            self._bind(pod, staged)
            return
        if unmounted := missing_volume(self.api, pod):
            self.tell(pod, "FailedMount", unmounted, warning=True)
            self.retry(pod)
            return
        reason, messages = self._failure(pod, staged)
        if reason:
            self._fail(pod, reason, messages)
            return
        self._starting.add(meta["uid"])
        wait = 0.0 if self._asks_host(pod) else self._takes(pod)
        self.context.after(wait, lambda: self._proceed(meta))

    def _asks_host(self, pod: Json) -> bool:
        """Whether the host process, or a fault, says how a Job's pod ends, not its command."""
        name, known = _job_of(pod), any(map(run_of, pod["spec"]["containers"]))
        told = self.context.handlers.job_handler is not None or self.context.faults.job_fails(name)
        return bool(name) and (told or not known)

    def _bind(self, pod: Json, staged: str) -> None:
        """What the scheduler does."""
        meta = pod["metadata"]
        why = unschedulable(self.api.items("Node"), pod)
        if staged == "Unschedulable":
            why = why or no_node("1 Insufficient memory")
        if not why:
            self.api.change(scheduled(pod))
            text = f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE}"
            self.context.event(pod, "Scheduled", text, source=SCHEDULER)
            return
        changed = unscheduled(pod, why)
        if changed["status"] != pod["status"]:
            self.api.change(changed)
            self.context.event(pod, "FailedScheduling", why, source=SCHEDULER, warning=True)
        self.retry(pod)

    def _takes(self, pod: Json) -> float:
        times, faults = self.context.times, self.context.faults
        if _job_of(pod):
            return times.job if faults.jobs_take is None else faults.jobs_take
        return times.pod_ready if faults.pods_take is None else faults.pods_take

    def _staged(self, pod: Json) -> str:
        """The fault that is staged for a pod; a crash only where its own command does not end."""
        labels = dig(pod, "metadata", "labels", default={})
        told = self.context.faults.pod_failure(labels, owner_of(pod)["kind"])
        ends = any(map(_ends, pod["spec"]["containers"]))
        return "" if ends and told == "CrashLoopBackOff" else told

    def _failure(self, pod: Json, staged: str) -> tuple[str, dict[str, str]]:
        """Why a pod does not get up, and what each container waits with."""
        containers, lacks = pod["spec"]["containers"], self.context.faults.lacks_image
        absent = {
            one["name"]: pull_problem(
                one["image"], absent=staged == "ImagePullBackOff" or lacks(one["image"])
            )
            for one in containers
        }
        unset = {one["name"]: missing_reference(self.api, pod, one) for one in containers}
        if staged == "CreateContainerConfigError" and not any(unset.values()):
            unset = {one["name"]: 'secret "langsmith-extra" not found' for one in containers}
        for reason, told in (("ImagePullBackOff", absent), ("CreateContainerConfigError", unset)):
            if any(told.values()):
                return reason, {name: text for name, text in told.items() if text}
        if staged in ("", "Unschedulable"):
            return "", {}
        return staged, {one["name"]: "" for one in containers}

    def _fail(self, pod: Json, reason: str, messages: dict[str, str]) -> None:
        meta = pod["metadata"]
        shown = dict(messages)
        if reason == "ImagePullBackOff":
            images = {one["name"]: one["image"] for one in pod["spec"]["containers"]}
            for name, why in messages.items():
                shown[name] = f'Back-off pulling image "{images[name]}": ErrImagePull: {why}'
        changed = failing(pod, reason, pod_address(meta["uid"]), shown)
        if changed["status"] != pod.get("status"):
            self.api.change(changed)
            for container in pod["spec"]["containers"]:
                if container["name"] in messages:
                    self._tell_failure(pod, container, reason, messages[container["name"]])
        self.retry(pod)

    def _tell_failure(self, pod: Json, container: Json, reason: str, why: str) -> None:
        image = container["image"]
        told = {
            "ImagePullBackOff": [
                ("Pulling", f'Pulling image "{image}"', False),
                ("Failed", f'Failed to pull image "{image}": {why}', True),
                ("Failed", "Error: ErrImagePull", True),
                ("BackOff", f'Back-off pulling image "{image}"', False),
                ("Failed", "Error: ImagePullBackOff", True),
            ],
            "CreateContainerConfigError": [
                ("Pulled", _PULLED.format(image), False),
                ("Failed", f"Error: {why}", True),
            ],
            "CrashLoopBackOff": [("BackOff", _again(pod, container["name"]), True)],
            NEVER_READY: [("Unhealthy", _UNHEALTHY, True)],
        }
        if reason in ("CrashLoopBackOff", NEVER_READY):
            self._tell_started(pod, container)
        for name, text, warning in told[reason]:
            self._tell(pod, container, name, text, warning=warning)

    def _current(self, meta: Json) -> Json | None:
        pod = self.api.find("Pod", meta["namespace"], meta["name"])
        return pod if pod is not None and pod["metadata"]["uid"] == meta["uid"] else None

    def _proceed(self, meta: Json) -> None:
        """The waiting is over: run the containers, as far as it is known what they do."""
        pod = self._current(meta)
        if pod is None or is_ending(pod) or is_done(pod):
            self._starting.discard(meta["uid"])
            return
        if self._failure(pod, self._staged(pod))[0]:
            self._starting.discard(meta["uid"])
            self._start(pod)
            return
        for one in pod["spec"].get("initContainers") or []:
            code = dig(status_of(pod, one["name"]), "state", "terminated", "exitCode")
            if code != 0 and run_of(one) not in (None, Run(0.0, 0)):
                self._run(meta, one)
                return
        containers = pod["spec"]["containers"]
        if self._asks_host(pod):
            self.api.change(ready(pod, pod_address(meta["uid"])))
            self.context.after(self._takes(pod), lambda: self._run_job(meta, _job_of(pod)))
        elif any(_ends(one) or never_ready(one) for one in containers):
            for one in containers:
                self._run(meta, one)
        else:
            handler, shown = self.context.handlers.on_pod_ready, clone(ready(pod, "", is_up=False))
            self.context.work(
                lambda: handler(shown) if handler else None,
                lambda future: self._became_ready(shown, future),
            )

    def _run(self, meta: Json, container: Json) -> None:
        """Let a container run until its process ends; one that ends at once is not seen running."""
        pod, run = self._current(meta), run_of(container)
        if pod is None or is_ending(pod):
            return
        name, first = container["name"], container not in pod["spec"]["containers"]
        if run is None or run.seconds >= _SEEN:
            changed = clone(pod)
            for one in pod["spec"].get("initContainers") or [] if not first else []:
                exited(changed, one["name"], 0)
            unready = first or never_ready(container)
            started(changed, name, is_up=not unready)
            self.api.change(settled(changed, pod_address(meta["uid"])))
            if unready and not first:
                self._tell(pod, container, "Unhealthy", "Readiness probe failed: ", warning=True)
        self._tell_started(pod, container)
        if run is not None and run.seconds < _FOREVER:
            self.context.after(run.seconds, lambda: self._process_ended(meta, container, run.code))

    def _process_ended(self, meta: Json, container: Json, code: int) -> None:
        """A process has ended: the next container, the end of the pod, or once more."""
        pod = self._current(meta)
        if pod is None or is_ending(pod):
            return
        changed, name = clone(pod), container["name"]
        first = container not in pod["spec"]["containers"]
        if not first:
            for one in pod["spec"].get("initContainers") or []:
                exited(changed, one["name"], 0)
        status_of(changed, name)["state"].pop("terminated", None)
        exited(changed, name, code)
        policy = pod["spec"].get("restartPolicy")
        if policy == "Never" or (not code and (first or policy == "OnFailure")):
            self.api.change(settled(changed, pod_address(meta["uid"])))
            if first and not code:
                self._proceed(meta)
            return
        restarts = status_of(changed, name)["restartCount"]
        if restarts:
            seconds = min(_LONGEST_WAIT, 10 * 2 ** (restarts - 1))
            restarted(changed, name, back_off(pod, name, seconds))
            self._tell(pod, container, "BackOff", _again(pod, name), warning=True)
            self.context.after(seconds, lambda: self._restart(meta, container))
        self.api.change(settled(changed, pod_address(meta["uid"])))
        if not restarts:
            self._restart(meta, container)

    def _restart(self, meta: Json, container: Json) -> None:
        pod = self._current(meta)
        if pod is not None and not is_ending(pod):
            changed = clone(pod)
            restarted(changed, container["name"])
            self.api.change(settled(changed))
            self._run(meta, container)

    def _run_job(self, meta: Json, job_name: str) -> None:
        """Ask the host process, in a worker thread, how a Job ends whose command is not known."""
        job = clone(self.api.find("Job", meta["namespace"], job_name))
        handler = self.context.handlers.job_handler
        fails = self.context.faults.job_fails(job_name)

        def run() -> bool:
            if fails or job is None:
                return False
            return handler(job) if handler else True

        self.context.work(run, lambda future: self._job_ended(meta, future))

    def _job_ended(self, meta: Json, future: Future[Any]) -> None:
        self._starting.discard(meta["uid"])
        if problem := future.exception():
            log.error("job handler for pod %s: %r", meta["name"], problem)
        pod = self._current(meta)
        if pod is not None and not is_done(pod):
            well = future.exception() is None and bool(future.result())
            address = pod_address(meta["uid"])
            self.api.change(ended(ready(pod, address, is_up=False), succeeded=well))

    def _became_ready(self, shown: Json, future: Future[Any]) -> None:
        meta = shown["metadata"]
        self._starting.discard(meta["uid"])
        pod = self._current(meta)
        if pod is None:
            self._tell_gone(shown, None)  # it was taken away while the host process was told of it
            return
        if is_ending(pod) or is_done(pod):
            return
        if problem := future.exception():
            log.error("on_pod_ready for pod %s: %r", meta["name"], problem)
            names = (one["name"] for one in pod["spec"]["containers"])
            self._fail(pod, "CrashLoopBackOff", dict.fromkeys(names, ""))
            return
        self.api.change(ready(pod, pod_address(meta["uid"])))
        for container in (*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]):
            self._tell_started(pod, container)

    def _stop(self, pod: Json) -> None:
        meta = pod["metadata"]
        if meta["uid"] in self._stopping:
            return
        self._stopping.add(meta["uid"])
        if not is_done(pod):
            unready = clone(pod)
            for one in unready["status"].get("containerStatuses") or []:
                one["ready"] = False
            self.api.change(settled(unready))
            for container in pod["spec"]["containers"]:
                text = f"Stopping container {container['name']}"
                self._tell(pod, container, "Killing", text)
        seconds = 0.0 if is_done(pod) else self.context.times.pod_stops
        if seconds and any(map(run_of, pod["spec"]["containers"])):
            seconds = float(meta.get("deletionGracePeriodSeconds", 0))  # a shell does not heed TERM
        self.context.after(seconds, lambda: self._stopped(meta))

    def _stopped(self, meta: Json) -> None:
        pod = self._current(meta)
        if pod is None or not is_ending(pod):
            self._stopping.discard(meta["uid"])
        else:
            self._tell_gone(pod, lambda: self._gone(meta))

    def _tell_gone(self, pod: Json, then: Callable[[], None] | None) -> None:
        """Call on_pod_gone in a worker thread, once a pod."""
        self.context.told_gone.add(pod["metadata"]["uid"])
        handler, shown = self.context.handlers.on_pod_gone, clone(pod)

        def tell() -> None:
            if handler is not None:
                handler(shown)

        def told(future: Future[Any]) -> None:
            if problem := future.exception():
                log.error("on_pod_gone for pod %s: %r", pod["metadata"]["name"], problem)
            if then is not None:
                then()

        self.context.work(tell, told)

    def _gone(self, meta: Json) -> None:
        self._stopping.discard(meta["uid"])
        pod = self._current(meta)
        if pod is None or not is_ending(pod):
            return
        if pod["metadata"].get("finalizers"):
            released = clone(pod)
            released["metadata"]["deletionGracePeriodSeconds"] = 0
            self.api.change(released)
        else:
            self.api.store.remove(self.api.named("Pod").key, meta["namespace"], meta["name"])

    def _tell_started(self, pod: Json, container: Json) -> None:
        self._tell(pod, container, "Pulled", _PULLED.format(container["image"]))
        self._tell(pod, container, "Created", "Container created")
        self._tell(pod, container, "Started", "Container started")

    def _tell(
        self, pod: Json, container: Json, reason: str, text: str, *, warning: bool = False
    ) -> None:
        """An event about a container."""
        kind = "containers" if container in pod["spec"]["containers"] else "initContainers"
        field = f"spec.{kind}{{{container['name']}}}"
        self.context.event(pod, reason, text, source=KUBELET, warning=warning, field=field)


_PULLED = 'Container image "{}" already present on machine and can be accessed by the pod'
_UNHEALTHY = "Readiness probe failed: HTTP probe failed with statuscode: 503"


def _again(pod: Json, name: str) -> str:
    return f"Back-off restarting failed container {name} in pod {full_name(pod)}"


def _ends(container: Json) -> bool:
    """Whether the process of a container is known to end by itself."""
    run = run_of(container)
    return run is not None and run.seconds < _FOREVER
