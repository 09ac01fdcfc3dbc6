"""What controllers share: how they are told of changes, what they may use, how they run."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.api import name_suffix
from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import clone, dig, now, parse_time, without_empty

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.faults import Faults, Handlers
    from wizard.practice.kubernetes.store import Event

Json = dict[str, Any]
Key = tuple[str, str]  # namespace, name

SCHEDULER = "default-scheduler"
"""It writes Events of the later form: an action, no count, no source."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Times:
    """Seconds until a pod is ready, a Job's pod ends, a pod stops, a failed one is tried again."""

    pod_ready: float = 1.0
    job: float = 0.5
    pod_stops: float = 0.2
    retry: float = 0.5


class Controller:
    """Brings the state of one kind of object to what its spec asks for."""

    kind = ""
    source = ""
    """As which its Events are told."""
    owns: tuple[str, ...] = ()
    """Kinds whose changes concern the object that controls them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.api = context.api

    def keys(self, event: Event, kind: str) -> Iterable[Key]:
        """The objects that a change concerns."""
        if kind == self.kind:
            yield key_of(event.object)
        elif kind in self.owns:
            owner = owner_of(event.object)
            if owner["kind"] == self.kind:
                yield event.object["metadata"].get("namespace", ""), owner["name"]

    def every_key(self) -> Iterable[Key]:
        """Every object that there is to look after."""
        return map(key_of, self.api.items(self.kind))

    def reconcile(self, key: Key) -> None:
        """Do what is to be done for one object now."""
        obj = self.api.find(self.kind, *key)
        if obj is not None:
            self.sync(obj)

    def sync(self, obj: Json) -> None:
        """Do what is to be done for an object that exists; `obj` must not be changed."""

    def again(self, key: Key, seconds: float) -> None:
        """Reconcile an object once more, later."""
        self.context.later(seconds, self, key)

    def retry(self, obj: Json) -> None:
        """Reconcile an object once more when the time for another try has come."""
        self.again(key_of(obj), self.context.times.retry)

    def tell(self, obj: Json, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an Event about an object."""
        self.context.event(obj, reason, message, source=self.source, warning=warning)

    def delete(self, obj: Json, **options: str) -> None:
        """Delete an object."""
        self.api.delete(self.api.named(obj["kind"]), *key_of(obj), options or None)

    def start_pods(self, owner: Json, number: int) -> tuple[list[Json], str]:
        """Create pods from a template; gives them, and the server's words when it refuses one."""
        meta, pods = owner["metadata"], list[Json]()
        for _ in range(number):
            name = f"{meta['name']}-{name_suffix()}"
            pod = pod_from(owner["spec"]["template"], owner, name)
            pod["metadata"]["generateName"] = f"{meta['name']}-"
            try:
                pods.append(self.api.create(self.api.named("Pod"), meta["namespace"], pod))
            except ApiError as refusal:
                if refusal.code != 403:
                    raise
                text = f"Error creating: {refusal.message}"
                self.tell(owner, "FailedCreate", text, warning=True)
                self.retry(owner)
                return pods, refusal.message
            self.tell(owner, "SuccessfulCreate", f"Created pod: {name}")
        return pods, ""


class Context:
    """What a controller may use, and the queue through which it is called.

    Everything but the handlers' own work happens in the event loop's thread.
    """

    def __init__(self, api: Api, faults: Faults, handlers: Handlers, times: Times) -> None:
        self.api = api
        self.faults = faults
        self.handlers = handlers
        self.times = times
        self._controllers: Sequence[Controller] = ()
        self._waiting: set[tuple[int, Key]] = set()
        self._queue: asyncio.Queue[tuple[int, Key]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="practice-pod")
        self._stopped = threading.Event()
        self.told_gone: set[str] = set()
        """Uids of pods whose end the host process has been told."""

    async def run(self, controllers: Sequence[Controller]) -> None:
        """Run the controllers until cancelled, beginning with everything that is there."""
        self._controllers = controllers
        with self.api.store.lock:
            self.api.store.listen(self._hear)
            self.everything()
        try:
            while True:
                index, key = await self._queue.get()
                self._waiting.discard((index, key))
                self._reconcile(controllers[index], key)
        finally:
            self._stopped.set()
            self.api.store.forget(self._hear)
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _reconcile(self, controller: Controller, key: Key) -> None:
        try:
            with self.api.store.lock:
                controller.reconcile(key)
        except ApiError as refusal:
            log.info("%s %s: %s", controller.kind, key, refusal)
            if refusal.code != 403:
                controller.again(key, self.times.retry)

    def everything(self) -> None:
        """Reconcile every object."""
        for index, controller in enumerate(self._controllers):
            for key in controller.every_key():
                self._enqueue(index, key)

    def wake(self) -> None:
        """Reconcile every object; from any thread."""
        if not self._stopped.is_set():
            self._loop.call_soon_threadsafe(self.everything)

    def _hear(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._dispatch, event)

    def _dispatch(self, event: Event) -> None:
        kind = self.api.kinds.by_resource(*event.resource)
        if kind is None:
            return
        for index, controller in enumerate(self._controllers):
            for key in controller.keys(event, kind.kind):
                self._enqueue(index, key)

    def _enqueue(self, index: int, key: Key) -> None:
        if (index, key) not in self._waiting:
            self._waiting.add((index, key))
            self._queue.put_nowait((index, key))

    def later(self, seconds: float, controller: Controller, key: Key) -> None:
        """Reconcile one object after a while."""
        index = self._controllers.index(controller)
        self._loop.call_later(seconds, self._enqueue, index, key)

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        """Call `task` after a while, under the lock."""

        def run() -> None:
            if not self._stopped.is_set():
                with self.api.store.lock:
                    task()

        self._loop.call_later(seconds, run)

    def work(self, task: Callable[[], Any], done: Callable[[Future[Any]], None]) -> None:
        """Run a handler in a worker thread, then `done` in the loop's thread, under the lock."""

        def finish(future: Future[Any]) -> None:
            with self.api.store.lock:
                done(future)

        def finished(future: Future[Any]) -> None:
            if not self._stopped.is_set() and not future.cancelled():
                self._loop.call_soon_threadsafe(finish, future)

        self._pool.submit(task).add_done_callback(finished)

    def event(
        self,
        about: Json,
        reason: str,
        message: str,
        *,
        source: str,
        warning: bool = False,
        field: str = "",
    ) -> None:
        """Record an Event about an object (or a `field` of it), or count it when it is there."""
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        digest = hashlib.sha256(f"{meta['uid']}/{reason}/{message}/{field}".encode())
        name = f"{meta['name']}.{digest.hexdigest()[:16]}"
        old = self.api.find("Event", namespace, name)
        if old is not None:
            self.api.change(_once_more(old))
            return
        if dig(self.api.find("Namespace", None, namespace), "status", "phase") != "Active":
            return
        involved = _reference(about)
        if field:
            involved["fieldPath"] = field
        body = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            **_told_by(source, reason),
        }
        self.api.create(self.api.named("Event"), namespace, body)


def _told_by(source: str, reason: str) -> Json:
    """Who tells an event, and when: the scheduler writes the later form."""
    told = {"reportingComponent": source, "reportingInstance": ""}
    if source == SCHEDULER:
        action = "Binding" if reason == "Scheduled" else "Scheduling"
        told |= {"action": action, "reportingInstance": f"{source}-practice"}
        moments = {"firstTimestamp": None, "lastTimestamp": None, "eventTime": _now_exactly()}
        return {**told, "source": {}, **moments}
    moments = {"firstTimestamp": now(), "lastTimestamp": now(), "eventTime": None}
    return {**told, "source": {"component": source}, "count": 1, **moments}


def _once_more(event: Json) -> Json:
    counted: Json = clone(event)
    if "count" in counted:
        counted["count"] += 1
        counted["lastTimestamp"] = now()
    else:
        number = dig(event, "series", "count", default=1) + 1
        counted["series"] = {"count": number, "lastObservedTime": _now_exactly()}
    return counted


def _now_exactly() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _reference(obj: Json) -> Json:
    meta = obj["metadata"]
    fields = ("name", "uid", "resourceVersion", "namespace")
    named = {field: meta[field] for field in fields if field in meta}
    return {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **named}


def owner_reference(owner: Json) -> Json:
    """The reference that makes `owner` the controller of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(
    status: Json, type_name: str, value: str, reason: str, message: str, **more: Any
) -> None:
    """Set one condition ("True", "False") in a status; its times move only when it changes."""
    words = without_empty(reason=reason, message=message)
    fresh: Json = {"type": type_name, "status": value, **more, **words}
    conditions = [dict(one) for one in status.get("conditions") or []]
    old = next((one for one in conditions if one["type"] == type_name), None)
    told = ("reason", "message", *fresh)
    if old is not None and all((old.get(key) or "") == (fresh.get(key) or "") for key in told):
        return
    moment = now()
    changed = old is None or old.get("status") != value
    fresh["lastTransitionTime"] = moment if changed or old is None else old["lastTransitionTime"]
    if type_name in ("Available", "Progressing"):
        fresh["lastUpdateTime"] = moment
    status["conditions"] = [one for one in conditions if one["type"] != type_name] + [fresh]


def told_true(obj: Json, *types: str) -> Json | None:
    """The first condition of these types that is true."""
    conditions = dig(obj, "status", "conditions", default=[])
    return next(
        (one for one in conditions if one["type"] in types and one["status"] == "True"), None
    )


def is_ready(pod: Json) -> bool:
    """Whether a pod's Ready condition is true."""
    return told_true(pod, "Ready") is not None


def age(text: str) -> float:
    """Seconds since a time as Kubernetes writes it."""
    return (datetime.now(UTC) - parse_time(text)).total_seconds()


def key_of(obj: Json) -> Key:
    """The namespace ("" without one) and name of an object."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def owner_of(obj: Json) -> Json:
    """The reference to an object's controller; of kind "" without one."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((one for one in owners if one.get("controller")), {"kind": "", "name": ""})


def is_ending(obj: Json) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


def is_done(pod: Json) -> bool:
    """Whether a pod has run to its end."""
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")


def pod_from(template: Json, owner: Json, name: str, labels: dict[str, str] | None = None) -> Json:
    """A new pod from a template, controlled by `owner`."""
    copy: Json = clone(template)
    meta = dict(copy.get("metadata") or {})
    meta |= {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(meta.get("labels") or {}), **(labels or {})},
        "ownerReferences": [owner_reference(owner)],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": copy["spec"]}
