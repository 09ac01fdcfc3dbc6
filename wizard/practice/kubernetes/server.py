"""The HTTP side: what is asked, by whom, in which form the answer goes out."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.practice.kubernetes import access, discovery, tables
from wizard.practice.kubernetes.deletion import PRESERVED, policy_of
from wizard.practice.kubernetes.errors import ApiError, PlainError
from wizard.practice.kubernetes.json_tools import compact, dig
from wizard.practice.kubernetes.paging import page
from wizard.practice.kubernetes.resources import Resources, object_list, select
from wizard.practice.kubernetes.routes import Request, Route, decode_body, parse, verb_of
from wizard.practice.kubernetes.subresources import Subresources
from wizard.practice.kubernetes.watch import Watch

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.faults import Faults
    from wizard.practice.kubernetes.handlers import Handlers
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

LARGEST_BODY = 3 * 1024 * 1024
"""Bytes of a request body, as the real server limits it."""
_TRUE = ("true", "1")
_HEALTH = ("/healthz", "/livez", "/readyz")
_DELETE_QUERY = ("gracePeriodSeconds", "propagationPolicy", "orphanDependents")


def json_response(body: Json, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=compact(body), status=status, content_type="application/json")


class Server:
    """Answers requests from the store, within its event loop."""

    def __init__(
        self,
        api: Api,
        faults: Faults,
        handlers: Handlers,
        requests: list[Request],
        token: str,
    ) -> None:
        self.api = api
        self.faults = faults
        self.requests = requests
        self.resources = Resources(api)
        self.subresources = Subresources(api, handlers)
        self.stopping = asyncio.Event()
        self._bearer = f"Bearer {token}"
        self._watches: set[Watch] = set()

    def close(self) -> None:
        """End every watch and every stalled request; called in the loop's own thread."""
        self.stopping.set()
        for watch in self._watches:
            watch.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            if self.faults.seconds:
                await asyncio.sleep(self.faults.seconds)
            if self.faults.stalled:
                await self.stopping.wait()
            if self.faults.credentials_refused or not self._admits(request):
                raise ApiError(401, "Unauthorized")
            route = parse(request.path)
            if route is None:
                return self._outside(request)
            return await self._recorded(request, route)
        except PlainError as refusal:
            return web.Response(text=refusal.message, status=refusal.code)
        except ApiError as refusal:
            return json_response(refusal.status(), refusal.code)

    def _admits(self, request: web.BaseRequest) -> bool:
        """Pods run commands of this machine, so only who can read the kubeconfig may ask."""
        if request.path.startswith((*_HEALTH, "/version")):
            return True
        given = request.headers.get("Authorization", "")
        return secrets.compare_digest(given.encode(), self._bearer.encode())

    async def _recorded(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        query = request.query
        watch = query.get("watch") in _TRUE
        verb = verb_of(request.method, route, watch=watch)
        dry_run = query.get("dryRun") == "All"

        def note(status: int) -> None:
            agent = request.headers.get("User-Agent", "")
            self.requests.append(
                Request(
                    verb,
                    route.group,
                    route.resource,
                    route.subresource,
                    route.namespace,
                    route.name,
                    agent,
                    status,
                    dry_run,
                )
            )

        try:
            kind = self._kind(route)
            access.refuse(self.faults, verb, route)
            if watch and not route.subresource:
                note(200)
                return await self._watch(request, kind, route)
            if self.subresources.upgrades(route):
                connection = self.subresources.connection(request, route)
                note(101)
                return await connection()
            answer = await self._answer(request, kind, route, verb, dry_run=dry_run)
        except ApiError as refusal:
            note(refusal.code)
            raise
        note(answer.status)
        return answer

    def _kind(self, route: Route) -> Kind:
        kind = self.api.kinds.by_resource(route.group, route.resource)
        known = kind is not None and kind.version == route.version
        if kind is None or not known:
            raise ApiError(404, "the server could not find the requested resource")
        if route.subresource and route.subresource not in (*kind.subresources, "status"):
            raise ApiError(404, "the server could not find the requested resource")
        return kind

    async def _answer(
        self, request: web.BaseRequest, kind: Kind, route: Route, verb: str, *, dry_run: bool
    ) -> web.StreamResponse:
        content_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
        body = decode_body(await request.read(), content_type)
        if kind.verbs == ("create",):
            return json_response(access.review(kind, body, self.faults, self.api.kinds), 201)
        if self.subresources.knows(route):
            return await self.subresources.answer(request, kind, route, verb, body)
        if verb == "get":
            found = self.api.read(kind, route.namespace, route.name)
            return self._shown(request, kind, found)
        if verb == "list":
            return self._listed(request, kind, route)
        name = route.name or dig(body, "metadata", "name", default="")
        access.admit(self.faults, verb, kind.plural, name)
        status, answer = self._write(request, kind, route, verb, body, dry_run=dry_run)
        shown = json_response(answer, status)
        if answer.get("kind") == kind.kind:
            shown = self._shown(request, kind, answer, status)
        if kind.kind == "Job" and verb.startswith("delete") and not _policy(request, body):
            shown.headers["Warning"] = f'299 - "{PRESERVED}"'
        return shown

    def _write(
        self,
        request: web.BaseRequest,
        kind: Kind,
        route: Route,
        verb: str,
        body: Any,
        *,
        dry_run: bool,
    ) -> tuple[int, Json]:
        query = request.query
        agent = request.headers.get("User-Agent", "unknown")
        manager = query.get("fieldManager") or agent.partition("/")[0]
        if verb == "create":
            return self.resources.create(kind, route, body, manager, dry_run=dry_run)
        if verb == "update":
            return self.resources.update(kind, route, body, manager, dry_run=dry_run)
        if verb == "patch":
            content_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
            return self.resources.patch(
                kind,
                route,
                body,
                content_type,
                query.get("fieldManager", "") if "apply" in content_type else manager,
                dry_run=dry_run,
                force=query.get("force") in _TRUE,
            )
        options = {**{key: query[key] for key in _DELETE_QUERY if key in query}, **(body or {})}
        if dry_run:
            options["dryRun"] = ["All"]
        if verb == "delete":
            return self.resources.delete(kind, route, options)
        return self.resources.delete_all(kind, route, options, query)

    def _render(self, request: web.BaseRequest, kind: Kind, obj: Json) -> Json:
        """An object in the form that the client accepts first."""
        accept = request.headers.get("Accept", "").partition(",")[0]
        if "as=Table" in accept:
            whole = request.query.get("includeObject") == "Object"
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return tables.table(kind, [obj], metadata, whole=whole, headed=True)
        if "as=PartialObjectMetadata" in accept:
            return tables.partial(obj)
        return obj

    def _shown(
        self, request: web.BaseRequest, kind: Kind, obj: Json, status: int = 200
    ) -> web.Response:
        return json_response(self._render(request, kind, obj), status)

    def _listed(self, request: web.BaseRequest, kind: Kind, route: Route) -> web.Response:
        with self.api.store.lock:
            found = select(self.api, kind, route, request.query)
            found, metadata = page(found, request.query, str(self.api.store.version))
        accept = request.headers.get("Accept", "").partition(",")[0]
        if "as=Table" in accept:
            whole = request.query.get("includeObject") == "Object"
            return json_response(tables.table(kind, found, metadata, whole=whole, headed=True))
        if "as=PartialObjectMetadataList" in accept:
            answer = object_list(kind, [tables.partial(obj) for obj in found], metadata)
            answer |= {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return json_response(answer)
        return json_response(object_list(kind, found, metadata))

    async def _watch(
        self, request: web.BaseRequest, kind: Kind, route: Route
    ) -> web.StreamResponse:
        watch = Watch(
            self.api.store,
            kind,
            route,
            request.query,
            lambda obj: self._render(request, kind, obj),
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._watches.add(watch)
        try:
            async with contextlib.aclosing(watch.lines()) as lines:
                async for line in lines:
                    await response.write(line)
            await response.write_eof()
        except ConnectionError:
            pass
        finally:
            self._watches.discard(watch)
        return response

    def _outside(self, request: web.BaseRequest) -> web.Response:
        """Health, version, discovery and OpenAPI."""
        path = request.path.rstrip("/") or "/"
        if path in _HEALTH:
            return web.Response(text="ok")
        if path == "/version":
            return json_response(discovery.VERSION)
        document = self._document(request, path)
        if document is None:
            message = "the server could not find the requested resource"
            raise ApiError(404, message)
        return document

    def _document(self, request: web.BaseRequest, path: str) -> web.Response | None:
        kinds = self.api.kinds
        if path in ("/api", "/apis"):
            return self._discovery(request, core=path == "/api")
        if path == "/openapi/v3":
            return json_response(discovery.openapi_index(kinds))
        parts = path.strip("/").split("/")
        found: Json | None = None
        if parts[:2] == ["openapi", "v3"]:
            group, version = _group_version(parts[2:])
            found = discovery.openapi_document(kinds, group, version)
        elif parts[0] == "apis" and len(parts) == 2:
            found = discovery.one_group(kinds, parts[1])
        elif parts[0] in ("api", "apis"):
            group, version = _group_version(parts)
            found = discovery.resource_list(kinds, group, version)
        return json_response(found) if found else None

    def _discovery(self, request: web.BaseRequest, *, core: bool) -> web.Response:
        accept = request.headers.get("Accept", "")
        kinds = self.api.kinds
        if discovery.AGGREGATED not in accept:
            plain = discovery.core_versions(request.host) if core else discovery.group_list(kinds)
            return json_response(plain)
        version = "v2" if "v=v2;" in accept or accept.endswith("v=v2") else "v2beta1"
        document = discovery.aggregated(kinds, core=core, version=version)
        mark = discovery.etag(document)
        headers = {"ETag": mark, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == mark:
            return web.Response(status=304, headers=headers)
        form = f"application/json;g={discovery.AGGREGATED};v={version};as=APIGroupDiscoveryList"
        headers["Content-Type"] = form
        return web.Response(body=compact(document), headers=headers)


def _policy(request: web.BaseRequest, body: Any) -> str:
    """The propagation policy that a delete asks for, or ""."""
    return policy_of({**request.query, **(body if isinstance(body, dict) else {})})


def _group_version(parts: list[str]) -> tuple[str, str]:
    """From `api/v1` or `apis/apps/v1`."""
    if parts[:1] == ["api"]:
        return "", (parts[1:] or [""])[0]
    return (*parts[1:3], "", "")[0], (*parts[1:3], "", "")[1]
