"""The HTTP side: what is asked, by whom, in which form the answer goes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.practice.kubernetes import access, discovery, tables
from wizard.practice.kubernetes.deletion import PRESERVED, policy_of
from wizard.practice.kubernetes.errors import ApiError, PlainError, invalid_options, unknown_path
from wizard.practice.kubernetes.json_tools import compact, dig, is_on
from wizard.practice.kubernetes.reading import Ask
from wizard.practice.kubernetes.resources import (
    Resources,
    check_version_query,
    object_list,
    page,
    select,
)
from wizard.practice.kubernetes.routes import Request, Route, decode_body, parse, verb_of
from wizard.practice.kubernetes.subresources import Subresources, json_response
from wizard.practice.kubernetes.watch import Watch

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.faults import Faults, Handlers
    from wizard.practice.kubernetes.kinds import Kind

log = logging.getLogger(__name__)
Json = dict[str, Any]

LARGEST_BODY = 3 * 1024 * 1024
"""Bytes of a request body, as the real server limits it."""
_HEALTH = ("/healthz", "/livez", "/readyz")
_DELETE_QUERY = ("gracePeriodSeconds", "propagationPolicy", "orphanDependents")


def _watches(request: web.BaseRequest) -> bool:
    return is_on(request.query.get("watch")) or "/watch/" in request.path


def _not_found() -> web.Response:
    """What the real server answers where no handler is."""
    return web.Response(text="404 page not found\n", status=404)


def _openapi_v2(accept: str) -> web.Response:
    """A document without a schema: helm looks here for kinds that v3 lacks, before it says so."""
    form = accept.partition(",")[0]
    if "protobuf" in form:
        # "@" is no part of a media type, so that the real server says it otherwise than it is asked
        return web.Response(body=b"\x0a\x032.0", headers={"Content-Type": form.replace("@", ".")})
    return json_response({"swagger": "2.0"})


def _refusal(problem: ApiError) -> web.Response:
    response = json_response(problem.status(), problem.code)
    seconds = dig(problem.details, "retryAfterSeconds")
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def _ask(request: web.BaseRequest, verb: str) -> Ask:
    """How the client wants its write to be taken."""
    query = request.query
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    agent = request.headers.get("User-Agent", "unknown")
    named = query.get("fieldManager", "")
    kinds = query.getall("dryRun", [])
    options = f"{verb.removesuffix('collection').capitalize()}Options"
    if kinds and kinds != ["All"]:
        told = f'Unsupported value: {json.dumps(kinds)}: supported values: "All"'
        raise invalid_options(options, "dryRun", told)
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        listed = '"", "Ignore", "Strict", "Warn"'
        told = f'Unsupported value: "{validation}": supported values: {listed}'
        raise invalid_options(options, "fieldValidation", told)
    return Ask(
        named or ("" if "apply" in content_type else agent.partition("/")[0]),
        dry_run=bool(kinds),
        force=query.get("force", "false") not in ("false", "0"),
        content_type=content_type,
        validation=validation,
    )


class Server:
    """Answers requests from the store, within its event loop."""

    def __init__(
        self, api: Api, faults: Faults, handlers: Handlers, requests: list[Request], token: str
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
            route = parse(request.path)
            self._admit(request, route)
            if route is None:
                return self._outside(request)
            return await self._recorded(request, route)
        except PlainError as refusal:
            return web.Response(text=refusal.message, status=refusal.code)
        except ApiError as refusal:
            return _refusal(refusal)
        except web.HTTPRequestEntityTooLarge:
            told = f"Request entity too large: limit is {LARGEST_BODY}"
            return _refusal(ApiError(413, told))
        except Exception as problem:
            log.exception("%s %s", request.method, request.path)
            return _refusal(ApiError(500, f"Internal error occurred: {problem!r}"))

    def _admit(self, request: web.BaseRequest, route: Route | None) -> None:
        """Pods run commands of this machine, so only who can read the kubeconfig may ask."""
        if self.faults.credentials_refused:
            raise ApiError(401, "Unauthorized")
        if request.path.startswith((*_HEALTH, "/version")):
            return
        given = request.headers.get("Authorization", "")
        if given and not secrets.compare_digest(given.encode(), self._bearer.encode()):
            raise ApiError(401, "Unauthorized")
        if not given:
            verb = "get"
            if route is not None:
                verb = verb_of(request.method, route, watch=_watches(request))
            raise access.anonymous(request.path, verb, route)

    async def _recorded(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        query = request.query
        watch = _watches(request)
        verb = verb_of(request.method, route, watch=watch)
        if watch and route.name:
            watch, verb = False, "get"

        def note(status: int) -> None:
            agent = request.headers.get("User-Agent", "")
            names = (route.group, route.resource, route.subresource, route.namespace, route.name)
            self.requests.append(Request(verb, *names, agent, status, "dryRun" in query))

        try:
            access.refuse(self.faults, verb, route)
            if route.group not in self.api.kinds.groups():
                note(404)
                return _not_found()
            kind = self._kind(route)
            if watch and not route.subresource:
                note(200)
                return await self._watch(request, kind, route)
            if self.subresources.upgrades(route):
                connection = self.subresources.connection(request, route)
                note(101)
                return await connection()
            answer = await self._answer(request, kind, route, verb)
        except ApiError as refusal:
            note(refusal.code)
            raise
        note(answer.status)
        return answer

    def _kind(self, route: Route) -> Kind:
        kind = self.api.kinds.by_resource(route.group, route.resource)
        if kind is None or kind.version != route.version:
            raise unknown_path()
        if route.subresource and route.subresource not in (*kind.subresources, "status"):
            raise unknown_path()
        return kind

    async def _answer(
        self, request: web.BaseRequest, kind: Kind, route: Route, verb: str
    ) -> web.StreamResponse:
        ask = _ask(request, verb)
        body: Any = None
        data = await request.read()
        if verb in ("create", "update", "patch") or data:
            body = decode_body(data, ask.content_type, kind)
        if kind.verbs == ("create",):
            return json_response(access.review(kind, body, ask, self.faults, self.api.kinds), 201)
        if self.subresources.knows(route):
            return await self.subresources.answer(request, kind, route, verb, body, ask)
        if verb == "get":
            found = self.api.read(kind, route.namespace, route.name)
            return json_response(self._render(request, kind, found))
        if verb == "list":
            return self._listed(request, kind, route)
        name = route.name or dig(body, "metadata", "name", default="")
        access.admit(self.faults, verb, kind.plural, name)
        status, answer = self._write(request, kind, route, verb, body, ask)
        if answer.get("kind") == kind.kind:
            answer = self._render(request, kind, answer)
        response = json_response(answer, status)
        if kind.kind == "Job" and verb.startswith("delete") and not _policy(request, body):
            ask.warnings.append(PRESERVED)
        for told in ask.warnings:
            response.headers.add("Warning", f"299 - {json.dumps(told, ensure_ascii=False)}")
        return response

    def _write(
        self, request: web.BaseRequest, kind: Kind, route: Route, verb: str, body: Any, ask: Ask
    ) -> tuple[int, Json]:
        query, does = request.query, self.resources
        writes = {"create": does.create, "update": does.update, "patch": does.patch}
        if verb in writes:
            return writes[verb](kind, route, body, ask)
        options = {**{key: query[key] for key in _DELETE_QUERY if key in query}, **(body or {})}
        if ask.dry_run:
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

    def _listed(self, request: web.BaseRequest, kind: Kind, route: Route) -> web.Response:
        check_version_query(request.query, self.api.store)
        with self.api.store.lock:
            found = select(self.api, kind, route, request.query)
            found, metadata = page(found, request.query, str(self.api.store.version))
        accept = request.headers.get("Accept", "").partition(",")[0]
        if "as=Table" in accept:
            whole = request.query.get("includeObject") == "Object"
            return json_response(tables.table(kind, found, metadata, whole=whole, headed=True))
        if "as=PartialObjectMetadataList" in accept:
            answer = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            items = [tables.partial(obj) for obj in found]
            return json_response({**answer, "metadata": metadata, "items": items})
        return json_response(object_list(kind, found, metadata))

    async def _watch(
        self, request: web.BaseRequest, kind: Kind, route: Route
    ) -> web.StreamResponse:
        watch = Watch(
            self.api.store, kind, route, request.query, lambda obj: self._render(request, kind, obj)
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
        if document is not None:
            return document
        parts = path.split("/")
        if parts[1] == "api" or (parts[1:2] == ["apis"] and parts[2] in self.api.kinds.groups()):
            raise unknown_path()
        return _not_found()

    def _document(self, request: web.BaseRequest, path: str) -> web.Response | None:
        kinds = self.api.kinds
        if path in ("/api", "/apis"):
            return self._discovery(request, core=path == "/api")
        if path == "/openapi/v3":
            answer = json_response(discovery.openapi_index(kinds))
            answer.content_type = "text/plain"  # as the real server says, although it is JSON
            answer.charset = "utf-8"
            return answer
        if path == "/openapi/v2":
            return _openapi_v2(request.headers.get("Accept", ""))
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
        if f"g={discovery.AGGREGATED};v=v2;" not in accept.replace(" ", ""):
            plain = discovery.core_versions(request.host) if core else discovery.group_list(kinds)
            return json_response(plain)
        document = discovery.aggregated(kinds, core=core)
        mark = discovery.etag(document)
        headers = {"ETag": mark, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == mark:
            return web.Response(status=304, headers=headers)
        form = f"application/json;g={discovery.AGGREGATED};v=v2;as=APIGroupDiscoveryList"
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
