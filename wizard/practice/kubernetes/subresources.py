"""Subresources that are no plain read or write: log, scale, eviction, token, exec, port-forward."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.exec import run_exec
from wizard.practice.kubernetes.json_tools import clone, compact, dig, now
from wizard.practice.kubernetes.pod_limits import blocking_budget
from wizard.practice.kubernetes.port_forward import run_port_forward, wanted_ports
from wizard.practice.kubernetes.resources import patched

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.handlers import Handlers
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]

_CONNECTS = ("exec", "attach", "portforward")
_OWN = ("log", "scale", "eviction", "token", "finalize")


def _json(body: Json, status: int = 200) -> web.Response:
    return web.Response(body=compact(body), status=status, content_type="application/json")


def container_of(pod: Json, wanted: str) -> str:
    """The container meant: the one named, or the only one.

    Raises:
        ApiError: 400, when the pod has no such container, or several and none was named.
    """
    names = [one["name"] for one in dig(pod, "spec", "containers", default=[])]
    name = pod["metadata"]["name"]
    if wanted and wanted not in names:
        raise ApiError(400, f"container {wanted} is not valid for pod {name}")
    if not wanted and len(names) > 1:
        raise ApiError(
            400,
            f"a container name must be specified for pod {name}, choose one of: "
            f"[{' '.join(names)}]",
        )
    return wanted or names[0]


class Subresources:
    """Answers what is asked below an object."""

    def __init__(self, api: Api, handlers: Handlers) -> None:
        self.api = api
        self.handlers = handlers

    def upgrades(self, route: Route) -> bool:
        """Whether the route is a connection rather than a request."""
        return route.resource == "pods" and route.subresource in _CONNECTS

    def knows(self, route: Route) -> bool:
        """Whether the route is answered here."""
        return route.subresource in _OWN

    def connection(
        self, request: web.BaseRequest, route: Route
    ) -> Callable[[], Awaitable[web.StreamResponse]]:
        """Exec or port-forward over a WebSocket, ready to be run.

        Raises:
            ApiError: the connection is refused.
        """
        pod = self.api.read(self.api.named("Pod"), route.namespace, route.name)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise ApiError(400, "Upgrade request required: this server upgrades to WebSocket only")
        if route.subresource == "portforward":
            ports = wanted_ports(request, pod)
            return lambda: run_port_forward(request, pod, ports, self.handlers)
        if route.subresource == "attach":
            raise ApiError(405, "attach is not served on the practice cluster")
        container = container_of(pod, request.query.get("container", ""))
        if dig(pod, "status", "phase") != "Running":
            raise ApiError(
                500,
                f'unable to upgrade connection: container not found ("{container}")',
            )
        return lambda: run_exec(request, pod, container, self.handlers)

    async def answer(
        self,
        request: web.BaseRequest,
        kind: Kind,
        route: Route,
        verb: str,
        body: Any,
    ) -> web.Response:
        """The plain ones."""
        obj = self.api.read(kind, route.namespace, route.name)
        if route.subresource == "log":
            return self._log(request, obj)
        if route.subresource == "eviction":
            return self._evict(kind, obj, body or {})
        if route.subresource == "scale":
            return self._scale(request, kind, obj, verb, body)
        if route.subresource == "token":
            expires = {"token": "practice", "expirationTimestamp": now()}
            return _json({**(body or {}), "status": expires}, 201)
        return self._finalize(kind, route, body)

    def _log(self, request: web.BaseRequest, pod: Json) -> web.Response:
        container = container_of(pod, request.query.get("container", ""))
        statuses = dig(pod, "status", "containerStatuses", default=[])
        status: Json = next((one for one in statuses if one["name"] == container), {})
        reason = dig(status, "state", "waiting", "reason", default="")
        if reason and reason != "CrashLoopBackOff":
            name = pod["metadata"]["name"]
            raise ApiError(
                400,
                f'container "{container}" in pod "{name}" is waiting to start: {reason}',
            )
        handler = self.handlers.log_handler
        text = handler(clone(pod), container) if handler else ""
        lines = text.splitlines(keepends=True)
        tail = request.query.get("tailLines")
        if tail is not None:
            lines = lines[-int(tail) :] if int(tail) else []
        return web.Response(text="".join(lines), content_type="text/plain")

    def _evict(self, kind: Kind, pod: Json, body: Json) -> web.Response:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        budget = blocking_budget(self.api.store, pod)
        if budget is not None:
            cause = {
                "reason": "DisruptionBudget",
                "message": f"The disruption budget {budget['metadata']['name']} needs more "
                "healthy pods",
            }
            raise ApiError(
                429,
                "Cannot evict pod as it would violate the pod's disruption budget.",
                details={"causes": [cause]},
            )
        self.api.delete(kind, namespace, name, body.get("deleteOptions"))
        return _json({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}, 201)

    def _scale(
        self,
        request: web.BaseRequest,
        kind: Kind,
        obj: Json,
        verb: str,
        body: Any,
    ) -> web.Response:
        meta = obj["metadata"]
        scale = _scale_of(obj)
        if verb != "get":
            content_type = request.headers.get("Content-Type", "").partition(";")[0]
            wanted = body if verb == "update" else patched(kind, scale, body, content_type)
            changed = clone(obj)
            changed["spec"]["replicas"] = dig(wanted, "spec", "replicas", default=0)
            version = dig(wanted, "metadata", "resourceVersion")
            changed["metadata"]["resourceVersion"] = version or meta["resourceVersion"]
            obj = self.api.update(kind, meta["namespace"], meta["name"], changed, manager="scale")
            scale = _scale_of(obj)
        return _json(scale)

    def _finalize(self, kind: Kind, route: Route, body: Any) -> web.Response:
        done = self.api.update(kind, route.namespace, route.name, body)
        return _json(done)


def _scale_of(obj: Json) -> Json:
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    pairs = dig(obj, "spec", "selector", "matchLabels", default={})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in fields},
        "spec": {"replicas": dig(obj, "spec", "replicas", default=0)},
        "status": {
            "replicas": dig(obj, "status", "replicas", default=0),
            "selector": ",".join(f"{key}={value}" for key, value in pairs.items()),
        },
    }
