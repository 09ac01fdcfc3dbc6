"""The practice cluster's Kubernetes API as one object: start, stop, look, stage."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import secrets
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.api import Api
from wizard.practice.kubernetes.controllers.base import Context, Times, is_ready
from wizard.practice.kubernetes.defaults import apply_defaults, normalise
from wizard.practice.kubernetes.faults import Faults, Handlers
from wizard.practice.kubernetes.json_tools import clone, compact, dig, now
from wizard.practice.kubernetes.kinds import ARGO_ROLLOUT, Kinds
from wizard.practice.kubernetes.reading import Ask
from wizard.practice.kubernetes.resources import MERGE_PATCH, STRATEGIC, Resources
from wizard.practice.kubernetes.routes import Route
from wizard.practice.kubernetes.store import Event, Snapshot, Store
from wizard.practice.listening import kept, self_signed, server_context

if TYPE_CHECKING:
    from aiohttp import web

    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.routes import Request

log = logging.getLogger(__name__)
Json = dict[str, Any]


class Someone:
    """A client with a field manager of its own, by the server's rules and without HTTP."""

    def __init__(self, api: Api, manager: str) -> None:
        self.manager = manager
        self._api = api
        self._resources = Resources(api)

    def create(self, obj: Json) -> Json:
        """POST an object."""
        kind = self._api.kind_of(obj)
        route = _route(kind, obj["metadata"].get("namespace", ""))
        return self._resources.create(kind, route, obj, Ask(self.manager))[1]

    def patch(self, kind: str, namespace: str, name: str, change: Json) -> Json:
        """Patch an object, as `kubectl patch` does: strategically, custom kinds by merge."""
        found = self._api.named(kind)
        form = MERGE_PATCH if found.custom else STRATEGIC
        route = _route(found, namespace, name)
        ask = Ask(self.manager, content_type=form)
        return self._resources.patch(found, route, change, ask)[1]

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""
        found = self._api.named(kind)
        self._resources.delete(found, _route(found, namespace, name), {})

    def take_over(self, other: str) -> None:
        """Be the manager of every field that another manager has, as if it had been written so."""
        with self._api.store.lock:
            for resource, obj in list(self._api.store.everything()):
                mine = clone(obj)
                found = mine["metadata"].get("managedFields") or []
                entries = [entry for entry in found if entry["manager"] == other]
                for entry in entries:
                    entry["manager"] = self.manager
                if entries:
                    self._api.store.put(resource, mine)


def _route(kind: Kind, namespace: str, name: str = "") -> Route:
    return Route(kind.group, kind.version, kind.plural, namespace, name)


CLUSTER_UID = "00000000-0000-4000-8000-000000000001"
"""The uid of kube-system, by which clients tell clusters apart."""
START_LIMIT = 15.0
"""Seconds to wait for the API to answer."""
STOP_LIMIT = 10.0
"""Seconds to wait for its thread to end."""
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class PracticeKubernetes(Handlers):
    """A Kubernetes API on 127.0.0.1, in a thread of this process.

    The handlers (`exec_handler`, `port_handler`, `job_handler`, `on_pod_ready`, `on_pod_gone`,
    `log_handler`) are plain attributes and may be set or changed at any time. They are called in
    worker threads.

    Attributes:
        url: where it answers, after start().
        token: the bearer token that every request must carry; a kubeconfig has it.
        certificate: what clients must trust, in PEM, after start(). TLS, because kubectl and helm
            send a token over nothing else.
        requests: what clients asked, in the order of the answers.
        faults: what shall go wrong.
        others: ends who else acts on the cluster meanwhile; closed by stop().
    """

    def __init__(
        self, *, pod_ready_after: float = 1.0, job_takes: float = 0.5, port: int = 0
    ) -> None:
        super().__init__()
        self.url = ""
        self.token = secrets.token_hex(20)
        self.certificate = ""
        self.requests: list[Request] = []
        self.faults = Faults()
        self.others = contextlib.ExitStack()
        self._times = Times(pod_ready=pod_ready_after, job=job_takes)
        self._port = port
        self._held = socket.socket()
        self._store = Store()
        self._api = Api(self._store, Kinds())
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._context: Context | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._furnish()

    def _furnish(self) -> None:
        """What every cluster has: namespaces, a node, a storage class."""
        for name in _NAMESPACES:
            made = self._api.create(self._api.named("Namespace"), "", {"metadata": {"name": name}})
            if name == "kube-system":
                meta = {**made["metadata"], "uid": CLUSTER_UID}
                self._store.put(("", "namespaces"), {**made, "metadata": meta})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        ready["lastTransitionTime"] = now()
        named = {"metadata": {"name": "practice-node"}, "spec": {}}
        node = self._api.create(self._api.named("Node"), "", named)
        room = {"allocatable": {"cpu": "64", "memory": "512Gi"}}
        self._api.change({**clone(node), "status": {"conditions": [ready], **room}})
        notes = {"storageclass.kubernetes.io/is-default-class": "true"}
        volumes = {
            "metadata": {"name": "standard", "annotations": notes},
            "provisioner": "practice.local/volumes",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        }
        self._api.create(self._api.named("StorageClass"), "", volumes)

    @property
    def times(self) -> Times:
        """How long things take; pods and Jobs that start from now on go by what is set."""
        return self._times

    @times.setter
    def times(self, times: Times) -> None:
        self._times = times
        if self._context is not None:
            self._context.times = times

    def acting_as(self, manager: str) -> Someone:
        """A client with this field manager, for what others write (`kubectl-edit`)."""
        return Someone(self._api, manager)

    @property
    def bearer(self) -> dict[str, str]:
        """The header that a plain request needs."""
        return {"Authorization": f"Bearer {self.token}"}

    def _tls(self) -> ssl.SSLContext:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = self_signed(Path(folder))
            self.certificate = certificate.read_text(encoding="ascii")
            return server_context(certificate, key)

    def start(self) -> None:
        """Begin to serve; returns when the port answers, or raises an OSError or TimeoutError."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._started.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="practice-kubernetes", daemon=True)
        self._thread.start()
        if not self._started.wait(START_LIMIT):
            raise TimeoutError(f"the practice API did not start within {START_LIMIT:.0f} s")
        if self._failure is not None:
            self._thread.join(STOP_LIMIT)
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """End the thread and free the port; does nothing when it is not running."""
        self.others.close()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ending.set)
        thread.join(STOP_LIMIT)
        self._held = kept(self._port)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as problem:
            log.exception("the practice API ended")
            self._failure = problem
            self.faults.changed = lambda: None
        finally:
            self._started.set()

    async def _serve(self) -> None:
        from wizard.practice.kubernetes.controllers.all import all_controllers
        from wizard.practice.kubernetes.server import Server

        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        server = Server(self._api, self.faults, self, self.requests, self.token)
        self._held.close()
        runner = await _listen(server, self._port, self._tls())
        context = Context(self._api, self.faults, self, self._times)
        self._context = context
        self.faults.changed = context.wake
        controllers = asyncio.ensure_future(context.run(all_controllers(context)))
        try:
            self._port = runner.addresses[0][1]
            self.url = f"https://127.0.0.1:{self._port}"
            self._started.set()
            await self._ending.wait()
        finally:
            self._context, self.faults.changed = None, lambda: None
            server.close()
            controllers.cancel()
            await asyncio.gather(controllers, return_exceptions=True)
            await runner.cleanup()

    def write_kubeconfig(
        self, path: Path, *, namespace: str = "default", context: str = "practice"
    ) -> None:
        """Write a kubeconfig (0600) that points here; JSON, which is YAML."""
        authority = base64.b64encode(self.certificate.encode()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        chosen = {"cluster": context, "user": context, "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": self.token}}],
            "contexts": [{"name": context, "context": chosen}],
        }
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(compact(config) + b"\n")

    def get(self, kind: str, namespace: str | None, name: str) -> Json | None:
        """A deep copy of one object, or None."""
        found = self._api.find(kind, namespace, name)
        return None if found is None else dict(clone(found))

    def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Json]:
        """Deep copies of the objects of a kind that carry these labels."""
        wanted = (labels or {}).items()
        return [
            clone(obj)
            for obj in self._api.items(kind, namespace)
            if wanted <= dig(obj, "metadata", "labels", default={}).items()
        ]

    def apply(self, obj: Mapping[str, Any]) -> Json:
        """Create an object, or replace it as it stands, status included; gives a deep copy."""
        wanted: Json = clone(dict(obj))
        with self._store.lock:
            kind = self._api.kind_of(wanted)
            namespace = wanted["metadata"].get("namespace") or "default"
            namespace = namespace if kind.namespaced else ""
            name = wanted["metadata"].get("name", "")
            if self._store.get(kind.key, namespace, name) is None:
                made: Json = clone(self._api.create(kind, namespace, wanted))
                if "status" in wanted:
                    made["status"] = wanted["status"]
                    made = self._api.change(made)
                return dict(clone(made))
            old = self._api.read(kind, namespace, name)
            fresh = wanted if kind.custom else apply_defaults(normalise(wanted))
            kept = {key: old["metadata"][key] for key in ("uid", "creationTimestamp")}
            fresh["metadata"] = {**fresh["metadata"], **kept, "resourceVersion": ""}
            if namespace:
                fresh["metadata"]["namespace"] = namespace
            return dict(clone(self._api.change(fresh)))

    def serve_argo_rollouts(self) -> None:
        """Install Argo's CustomResourceDefinition of Rollouts, whose controller is there."""
        kind = ARGO_ROLLOUT
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        scale = {"specReplicasPath": ".spec.replicas", "labelSelectorPath": ".status.selector"}
        scale["statusReplicasPath"] = ".status.replicas"
        version = {"name": kind.version, "served": True, "storage": True}
        version |= {"schema": {"openAPIV3Schema": schema}}
        version["subresources"] = {"status": {}, "scale": scale}
        names = {"kind": kind.kind, "plural": kind.plural, "shortNames": list(kind.short)}
        spec = {"group": kind.group, "scope": "Namespaced", "names": names, "versions": [version]}
        definitions = self._api.named("CustomResourceDefinition")
        self._api.create(definitions, "", {"metadata": {"name": kind.resource}, "spec": spec})
        self._api.kinds.define(self._api.items(definitions.kind))

    def until(self, true: Callable[[], bool], *, timeout: float) -> None:
        """Wait until something is true, asked after each change; TimeoutError when it never is."""
        ends = time.monotonic() + timeout
        with self._changes() as changed:
            while not true():
                if not changed.wait(max(0.0, ends - time.monotonic())):
                    raise TimeoutError(f"not seen within {timeout:.0f} s")
                changed.clear()

    def whenever(self, act: Callable[[], None]) -> None:
        """Call `act` after changes in the cluster, as a controller is, until `others` is closed.

        It is called in a thread of its own, once for the changes since the last call.
        """
        changed, over = self.others.enter_context(self._changes()), threading.Event()

        def react() -> None:
            while changed.wait() and not over.is_set():
                changed.clear()
                act()

        thread = threading.Thread(target=react, name="practice-controller", daemon=True)

        def end() -> None:
            over.set()
            changed.set()
            thread.join(STOP_LIMIT)

        self.others.callback(end)
        thread.start()

    @contextlib.contextmanager
    def _changes(self) -> Iterator[threading.Event]:
        """An event that is set by each change in the cluster."""
        changed = threading.Event()

        def hear(_: Event) -> None:
            changed.set()

        self._store.listen(hear)
        try:
            yield changed
        finally:
            self._store.forget(hear)

    def snapshot(self) -> Snapshot:
        """The whole state, to be put back by restore()."""
        return self._store.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Put the whole state back; the controllers continue from it.

        `on_pod_gone` is called for pods that go, `on_pod_ready` for ready ones that come back.
        """
        with self._store.lock:
            present, wanted = _pods(self.snapshot()), _pods(snapshot)
            told = self._context.told_gone if self._context is not None else set()
            going = {
                uid: pod
                for uid, pod in present.items()
                if uid not in told and (uid not in wanted or _came(pod, wanted[uid]))
            }
            coming = [pod for uid, pod in wanted.items() if _came(pod, present.get(uid))]
            told.update(going)
        _call(self.on_pod_gone, list(going.values()))
        _call(self.on_pod_ready, coming)
        with self._store.lock:
            self._store.restore(snapshot)
            told.difference_update(wanted)
        self._api.kinds.define(self._api.items("CustomResourceDefinition"))
        if self._context is not None:
            self._context.wake()


def _pods(snapshot: Snapshot) -> dict[str, Json]:
    pods = snapshot.objects.get(("", "pods"), {}).values()
    return {pod["metadata"]["uid"]: pod for pod in pods}


def _came(pod: Json, before: Json | None) -> bool:
    """Whether a pod is ready that was not."""
    return is_ready(pod) and not (before is not None and is_ready(before))


def _call(handler: Callable[[Mapping[str, Any]], None] | None, pods: list[Json]) -> None:
    for pod in pods if handler is not None else []:
        handler(clone(pod))  # type: ignore[misc]


async def _listen(server: Any, port: int, tls: ssl.SSLContext) -> web.ServerRunner:
    from aiohttp import web

    from wizard.practice.kubernetes.server import LARGEST_BODY

    loop = asyncio.get_running_loop()

    def request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Any:
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY
        )

    runner = web.ServerRunner(
        web.Server(
            server.handle, request_factory=request, handler_cancellation=True, access_log=None
        ),
        shutdown_timeout=1.0,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    return runner
