"""Subresources that are no plain read or write: log, scale, eviction, token, exec, port-forward."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.practice.kubernetes.controllers.containers import run_of, status_of
from wizard.practice.kubernetes.errors import STATUS, ApiError, PlainError, cause, invalid
from wizard.practice.kubernetes.exec import run_exec, wanted_streams
from wizard.practice.kubernetes.json_tools import clone, compact, dig, is_on, now
from wizard.practice.kubernetes.kinds import Kind
from wizard.practice.kubernetes.pod_limits import blocking_budget
from wizard.practice.kubernetes.port_forward import run_port_forward, wanted_ports
from wizard.practice.kubernetes.protobuf import CONTENT_TYPE
from wizard.practice.kubernetes.reading import Ask, read, read_patched
from wizard.practice.kubernetes.resources import patched
from wizard.practice.kubernetes.rules import of_kind

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.faults import Handlers
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]

SCALE = Kind("autoscaling", "v1", "Scale", "scales")
_CONNECTS = ("exec", "attach", "portforward")
_PULLING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}
_NUMBERS = dict.fromkeys(("sinceSeconds", "limitBytes"), "greater than 0")
_NUMBERS = {"tailLines": "greater than or equal to 0", **_NUMBERS}
_LOG_FORMS = ("text/plain", "application/json", "application/yaml", CONTENT_TYPE)
_OWN = ("log", "scale", "eviction", "token", "finalize")


def json_response(body: Json, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=compact(body), status=status, content_type="application/json")


def container_of(pod: Json, wanted: str) -> str:
    """The container meant: the one named, or the only one beside init containers."""
    mains = [one["name"] for one in dig(pod, "spec", "containers", default=[])]
    names = [one["name"] for one in dig(pod, "spec", "initContainers", default=[])] + mains
    name = pod["metadata"]["name"]
    if wanted and wanted not in names:
        raise ApiError(400, f"container {wanted} is not valid for pod {name}")
    if not wanted and len(mains) > 1:
        told = f"a container name must be specified for pod {name}, choose one of: "
        raise ApiError(400, f"{told}[{' '.join(names)}]")
    return wanted or mains[0]


def _log_options(pod: Json, query: Mapping[str, str]) -> dict[str, int]:
    """The numbers that a log is asked for with."""
    name, found = pod["metadata"]["name"], dict[str, int]()
    for field, rule in _NUMBERS.items():
        text = query.get(field, "1")
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            raise ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')
        if int(text) < ("equal" not in rule):
            told = f"Invalid value: {text}: must be {rule}"
            details = {"name": name, "kind": "PodLogOptions", "causes": [cause(field, told)]}
            message = f'PodLogOptions "{name}" is invalid: {field}: {told}'
            raise ApiError(422, message, details=details)
        if field in query:
            found[field] = int(text)
    return found


def _refuse_log(pod: Json, container: str, *, previous: bool) -> None:
    """Refuse the log of what never ran."""
    status = status_of(pod, container)
    place = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    if previous:
        if not dig(status, "lastState", "terminated"):
            raise ApiError(400, f"previous terminated {place} not found")
        return
    reason = dig(status, "state", "waiting", "reason", default="")
    if reason and not dig(status, "lastState", "terminated"):
        told = _PULLING.get(reason, reason)
        raise ApiError(400, f"{place} is waiting to start: {told}")


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
        """Exec or port-forward over a WebSocket, ready to be run."""
        pod = self.api.read(self.api.named("Pod"), route.namespace, route.name)
        container = ""
        if route.subresource != "portforward":
            container = container_of(pod, request.query.get("container", ""))
        if not dig(pod, "spec", "nodeName"):
            raise ApiError(400, f"pod {route.name} does not have a host assigned")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise ApiError(400, "Upgrade request required")
        if route.subresource == "portforward":
            ports = wanted_ports(request, pod)
            return lambda: run_port_forward(request, pod, ports, self.handlers)
        wanted = wanted_streams(request)
        if not dig(status_of(pod, container), "state", "running"):
            raise PlainError(500, f'container not found ("{container}")')
        if route.subresource == "attach":
            raise ApiError(405, "attach is not served on the practice cluster")
        return lambda: run_exec(request, pod, container, wanted, self.handlers)

    async def answer(
        self, request: web.BaseRequest, kind: Kind, route: Route, verb: str, body: Any, ask: Ask
    ) -> web.Response:
        """The plain ones."""
        obj = self.api.read(kind, route.namespace, route.name)
        if route.subresource == "log":
            return self._log(request, obj)
        if route.subresource == "eviction":
            options = dict((body or {}).get("deleteOptions") or {})
            if request.query.get("dryRun") == "All":
                options["dryRun"] = ["All"]
            return self._evict(kind, obj, options)
        if route.subresource == "scale":
            return self._scale(kind, obj, verb, body, ask)
        if route.subresource == "token":
            expires = {"token": "practice", "expirationTimestamp": now()}
            return json_response({**(body or {}), "status": expires}, 201)
        return self._finalize(kind, route, body)

    def _log(self, request: web.BaseRequest, pod: Json) -> web.Response:
        accepted = request.headers.get("Accept", "*/*")
        if not any(form in accepted for form in ("*/*", *_LOG_FORMS)):
            told = f"406: Not Acceptable\n\nAvailable representations: {', '.join(_LOG_FORMS)}"
            raise ApiError(406, told, details={})
        options = _log_options(pod, request.query)
        container = container_of(pod, request.query.get("container", ""))
        if not dig(pod, "spec", "nodeName"):
            return web.Response(status=204)
        _refuse_log(pod, container, previous=is_on(request.query.get("previous")))
        lines = self._written(pod, container).splitlines(keepends=True)
        if "tailLines" in options:
            lines = lines[max(0, len(lines) - options["tailLines"]) :]
        text = "".join(lines).encode()[: options.get("limitBytes")]
        return web.Response(body=text, headers={"Content-Type": "text/plain"})

    def _written(self, pod: Json, container: str) -> str:
        """What a container has written: as the host process says, or by its command."""
        handler = self.handlers.log_handler
        if handler is not None:
            return handler(clone(pod), container)
        spec = pod["spec"]
        found = (*spec["containers"], *(spec.get("initContainers") or []))
        run = next(run_of(one) for one in found if one["name"] == container)
        return run.output if run is not None else ""

    def _evict(self, kind: Kind, pod: Json, options: Json) -> web.Response:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        budget = blocking_budget(self.api.store, pod)
        if budget is not None and dig(pod, "status", "phase") == "Running":
            status = budget["status"]
            told = (
                f"The disruption budget {budget['metadata']['name']} needs "
                f"{status['desiredHealthy']} healthy pods and has {status['currentHealthy']} "
                "currently"
            )
            raise ApiError(
                429,
                "Cannot evict pod as it would violate the pod's disruption budget.",
                details={"causes": [{"reason": "DisruptionBudget", "message": told}]},
            )
        self.api.delete(kind, namespace, name, options)
        return json_response({**STATUS, "status": "Success", "code": 201}, 201)

    def _scale(self, kind: Kind, obj: Json, verb: str, body: Any, ask: Ask) -> web.Response:
        meta = obj["metadata"]
        scale = _scale_of(kind, obj)
        if verb != "get":
            if verb == "patch":
                fresh = patched(SCALE, scale, body, ask.content_type)
                wanted = read_patched(SCALE, fresh, body, ask)
            else:
                wanted = read(SCALE, body, ask)
            replicas = dig(wanted, "spec", "replicas", default=0)
            if problems := list(of_kind("Scale", wanted)):
                raise invalid(SCALE, meta["name"], problems)
            version = dig(wanted, "metadata", "resourceVersion") or meta["resourceVersion"]
            changed = clone(obj)
            changed["spec"]["replicas"] = replicas
            changed["metadata"]["resourceVersion"] = version
            place = (meta["namespace"], meta["name"])
            obj = self.api.update(kind, *place, changed, ask, subresource="scale")
            scale = _scale_of(kind, obj)
        return json_response(scale)

    def _finalize(self, kind: Kind, route: Route, body: Any) -> web.Response:
        return json_response(self.api.update(kind, route.namespace, route.name, body))


def _scale_of(kind: Kind, obj: Json) -> Json:
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    pairs = dig(obj, "spec", "selector", "matchLabels", default={})
    replicas = dig(obj, "spec", "replicas", default=0)
    selector = ",".join(f"{key}={value}" for key, value in pairs.items())
    selector = dig(obj, "status", "selector", default="") if kind.custom else selector
    status = {"replicas": dig(obj, "status", "replicas", default=0)}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in fields},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status | ({"selector": selector} if selector else {}),
    }
