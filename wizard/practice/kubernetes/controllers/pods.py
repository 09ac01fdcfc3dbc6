"""What scheduler and kubelet do with a pod: bind, start, make ready, run to the end, stop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import (
    Context,
    Controller,
    Key,
    condition,
    is_done,
    is_ending,
    is_ready,
    log,
)
from wizard.practice.kubernetes.controllers.pod_status import (
    ended,
    failing,
    missing_reference,
    ready,
    scheduled,
    unschedulable,
)
from wizard.practice.kubernetes.json_tools import clone, dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.store import Event

Json = dict[str, Any]

KUBELET = "kubelet"


def pod_address(uid: str) -> str:
    """A stable address in 10.244.0.0/16 for a pod."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.244.{digest[0]}.{digest[1] or 1}"


def _owner_kind(pod: Json) -> str:
    owners = pod["metadata"].get("ownerReferences") or []
    return next((str(one["kind"]) for one in owners if one.get("controller")), "")


def _job_of(pod: Json) -> str:
    for one in pod["metadata"].get("ownerReferences") or []:
        if one.get("controller") and one["kind"] == "Job":
            return str(one["name"])
    return ""


class Pods(Controller):
    """Moves pods through their life."""

    kind = "Pod"

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
            yield event.object["metadata"]["namespace"], event.object["metadata"]["name"]

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
        reason = self._failure(pod)
        if reason == "Unschedulable" and not dig(pod, "spec", "nodeName"):
            self._fail(pod, unschedulable(pod), reason)
            return
        if not dig(pod, "spec", "nodeName"):
            self.api.change(scheduled(pod))
            node = "practice-node"
            text = f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}"
            self._event(pod, "Scheduled", text, source="default-scheduler")
            return
        if reason and reason != "Unschedulable":
            self._fail(pod, failing(pod, reason, pod_address(meta["uid"])), reason)
            return
        self._starting.add(meta["uid"])
        self.context.after(self._takes(pod), lambda: self._proceed(meta))

    def _takes(self, pod: Json) -> float:
        times, faults = self.context.times, self.context.faults
        if _job_of(pod):
            return times.job if faults.jobs_take is None else faults.jobs_take
        return times.pod_ready if faults.pods_take is None else faults.pods_take

    def _failure(self, pod: Json) -> str:
        images = [one["image"] for one in pod["spec"]["containers"]]
        labels = dig(pod, "metadata", "labels", default={})
        staged = self.context.faults.pod_failure(labels, images, _owner_kind(pod))
        if staged:
            return staged
        return "CreateContainerConfigError" if missing_reference(self.api, pod) else ""

    def _fail(self, pod: Json, changed: Json, reason: str) -> None:
        key: Key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        if changed["status"] != pod.get("status"):
            self.api.change(changed)
            image = pod["spec"]["containers"][0]["image"]
            source = "default-scheduler" if reason == "Unschedulable" else KUBELET
            missing = (
                "" if reason != "CreateContainerConfigError" else missing_reference(self.api, pod)
            )
            for name, text in _FAILURE_EVENTS[reason]:
                told = missing or text.format(image=image)
                self._event(pod, name, told, source=source, warning=True)
        self.again(key, self.context.times.retry)

    def _current(self, meta: Json) -> Json | None:
        pod = self.api.find("Pod", meta["namespace"], meta["name"])
        return pod if pod is not None and pod["metadata"]["uid"] == meta["uid"] else None

    def _proceed(self, meta: Json) -> None:
        """The waiting is over: ask the host process, in a worker thread."""
        pod = self._current(meta)
        if pod is None or is_ending(pod):
            self._starting.discard(meta["uid"])
            return
        if self._failure(pod):
            self._starting.discard(meta["uid"])
            self._start(pod)
            return
        job_name = _job_of(pod)
        if job_name:
            self._run_job(meta, job_name)
            return
        handler, shown = self.context.handlers.on_pod_ready, clone(ready(pod, "", is_up=False))
        self.context.work(
            lambda: handler(shown) if handler else None,
            lambda future: self._became_ready(shown, future),
        )

    def _run_job(self, meta: Json, job_name: str) -> None:
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
        if is_ending(pod):
            return
        if problem := future.exception():
            log.error("on_pod_ready for pod %s: %r", meta["name"], problem)
            self._fail(
                pod,
                failing(pod, "CrashLoopBackOff", pod_address(meta["uid"])),
                "CrashLoopBackOff",
            )
            return
        self.api.change(ready(pod, pod_address(meta["uid"])))
        for container in pod["spec"]["containers"]:
            image = container["image"]
            text = f'Container image "{image}" already present on machine'
            self._event(pod, "Pulled", text)
            self._event(pod, "Started", f"Started container {container['name']}")

    def _stop(self, pod: Json) -> None:
        meta = pod["metadata"]
        if meta["uid"] in self._stopping:
            return
        self._stopping.add(meta["uid"])
        if not is_done(pod):
            unready = clone(pod)
            for one in unready["status"].get("containerStatuses") or []:
                one["ready"] = False
            condition(unready["status"], "Ready", "False", "ContainersNotReady", "")
            self.api.change(unready)
            for container in pod["spec"]["containers"]:
                self._event(pod, "Killing", f"Stopping container {container['name']}")
        seconds = 0.0 if is_done(pod) else self.context.times.pod_stops
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

    def _event(
        self, pod: Json, reason: str, text: str, *, source: str = KUBELET, warning: bool = False
    ) -> None:
        self.context.event(pod, reason, text, source=source, warning=warning)


_FAILURE_EVENTS = {
    "CrashLoopBackOff": (("BackOff", "Back-off restarting failed container"),),
    "ImagePullBackOff": (
        ("Failed", 'Failed to pull image "{image}": rpc error: code = NotFound: not found'),
        ("Failed", "Error: ErrImagePull"),
        ("Failed", "Error: ImagePullBackOff"),
    ),
    "CreateContainerConfigError": (("Failed", 'Error: secret "langsmith-extra" not found'),),
    "Unschedulable": (
        (
            "FailedScheduling",
            "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available.",
        ),
    ),
    "NotReady": (("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),),
}
