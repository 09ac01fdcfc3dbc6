"""The LangSmith stand-in: a frontend, and behind it the backend pods that are ready now."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import web

from wizard.practice.langsmith_api import Api, Call
from wizard.practice.langsmith_store import Store
from wizard.practice.listening import server_context
from wizard.practice.pods import Get, PodView, backend_container, view_of

THREAD_LIMIT = 30.0
"""Seconds that the stand-in's own thread may take to start, stop, or take in a pod."""

UI = (
    "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>LangSmith</title></head>"
    "<body><div id='root'></div></body></html>\n"
)
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Backend:
    view: PodView
    site: web.SockSite
    port: int


class LangSmith:
    """Serves LangSmith's API on 127.0.0.1, in a thread of its own.

    Requests to `url` pass the frontend, which spreads them over the ready backend pods. Each pod
    also has a port of its own, for port-forwards. Answers are held back for `delay` seconds.
    """

    def __init__(
        self, store: Store, get: Get, serves: Callable[[PodView], bool] = lambda _view: True
    ) -> None:
        self.delay = 0.0
        self.port = 0
        self._store = store
        self._get = get
        self._serves = serves
        self._api = Api(store)
        self._backends: dict[str, _Backend] = {}
        self._turn = count()
        self._base_path = ""
        self._front_ports: set[int] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="langsmith", daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The frontend's URL, without the base path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; no backend is ready yet, so the API answers 502."""
        self._thread.start()
        self.port = self._in_loop(self._start())

    def stop(self) -> None:
        """Close every port; idempotent."""
        if not self._thread.is_alive():
            return
        self._in_loop(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(THREAD_LIMIT)
        self._loop.close()

    def serve_tls(self, certificate: Path, key: Path) -> str:
        """Serve the frontend over TLS too, with a certificate and key in PEM; gives the URL."""
        context = server_context(certificate, key)
        _, port = self._in_loop(self._listen(context))
        self._front_ports.add(port)
        return f"https://127.0.0.1:{port}"

    def pod_ready(self, pod: Mapping[str, Any]) -> None:
        """Take in a pod: from now on it answers with what it finds at this moment."""
        if backend_container(pod) is None or pod["metadata"]["uid"] in self._backends:
            return
        view = view_of(pod, self._get, self._store.configs())
        if view.serves_audit_logs:
            self._store.have_activity(
                UUID(org) for org in view.configs if view.can_use_audit_logs(org)
            )
        self._in_loop(self._add(view))

    def pod_gone(self, pod: Mapping[str, Any]) -> None:
        """Forget a pod, and close its port."""
        backend = self._backends.pop(pod["metadata"]["uid"], None)
        if backend is not None:
            self._in_loop(backend.site.stop())

    def pod_port(self, uid: str) -> int | None:
        """The local port on which a ready backend pod answers."""
        backend = self._backends.get(uid)
        return None if backend is None else backend.port

    def views(self) -> tuple[PodView, ...]:
        """What the ready backend pods know; for looking, and for `restore`."""
        return tuple(backend.view for backend in list(self._backends.values()))

    def restore(self, views: tuple[PodView, ...]) -> None:
        """Make the ready pods those of an earlier `views()`."""
        self.delay = 0.0
        self._in_loop(self._restore(views))

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _in_loop(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(THREAD_LIMIT)

    async def _start(self) -> int:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        _, port = await self._listen()
        self._front_ports.add(port)
        return port

    async def _stop(self) -> None:
        self._backends.clear()
        if self._runner is not None:
            await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _listen(self, context: ssl.SSLContext | None = None) -> tuple[web.SockSite, int]:
        assert self._runner is not None  # noqa: S101 - start() came first
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        site = web.SockSite(self._runner, listener, ssl_context=context)
        await site.start()
        return site, listener.getsockname()[1]

    async def _add(self, view: PodView) -> None:
        site, port = await self._listen()
        self._base_path = view.base_path
        self._backends[view.uid] = _Backend(view, site, port)

    async def _restore(self, views: tuple[PodView, ...]) -> None:
        for uid in set(self._backends) - {view.uid for view in views}:
            await self._backends.pop(uid).site.stop()
        for view in views:
            there = self._backends.get(view.uid)
            if there is None:
                await self._add(view)
            else:
                self._backends[view.uid] = _Backend(view, there.site, there.port)
        if views:
            self._base_path = views[-1].base_path

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.delay:
            await asyncio.sleep(self.delay)
        port = request.get_extra_info("sockname")[1]
        if port not in self._front_ports:
            return await self._answer_through_pod(port, request)
        if not request.path.startswith(self._base_path + "/api/"):
            return web.Response(text=UI, content_type="text/html")
        behind = [one for one in self._backends.values() if self._serves(one.view)]
        ready = [one for one in behind if not self._ending(one.view)]
        if not ready:
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        backend = ready[next(self._turn) % len(ready)]
        return await self._answer(backend.view, request, request.path[len(self._base_path) :])

    def _ending(self, view: PodView) -> bool:
        """Whether a pod is being deleted: a Service sends it nothing more."""
        pod = self._get("Pod", view.namespace, view.name)
        return pod is not None and "deletionTimestamp" in pod["metadata"]

    async def _answer_through_pod(self, port: int, request: web.Request) -> web.Response:
        for backend in self._backends.values():
            if backend.port == port:
                return await self._answer(backend.view, request, request.path)
        gone = web.Response(status=503)  # on a connection that outlived its pod
        gone.force_close()
        return gone

    async def _answer(self, view: PodView, request: web.Request, path: str) -> web.Response:
        call = Call(
            method=request.method,
            path=path,
            query=tuple(request.query.items()),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        answer = await asyncio.to_thread(self._api.answer, view, call)
        return web.json_response(answer.body, status=answer.status)
