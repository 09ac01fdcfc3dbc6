"""Requests to one API server: the kubernetes client's credentials and TLS, plain JSON, limits.

Of the kubernetes package only what its releases 34 to 37 have in common is used: the loaded
configuration and its urllib3 pool. Loading runs credential plugins, so it waits for the first
request.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from wizard.systems.calls import logged
from wizard.systems.kubernetes.errors import (
    Call,
    answer_problem,
    not_kubernetes,
    parse,
    plugin_problem,
    transport_problem,
)
from wizard.systems.kubernetes.kubeconfig import ContextInfo, Kubeconfig

if TYPE_CHECKING:
    from websocket import WebSocket

CREDENTIALS_LIMIT = 120.0
AGENT = "langsmith-audit"
BUSY = 429
BEHIND = (503, 504)
TRIES = 10
"""How often a busy API server is asked, as kubectl does."""


class Connection:
    """One API server as one context reaches it."""

    def __init__(self, config: Kubeconfig, info: ContextInfo, limit: float) -> None:
        self.info = info
        self.limit = limit
        self._files = os.pathsep.join(str(path) for path in config.paths)
        self._lock = threading.Lock()
        self._client: Any = None
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time by the API server's clock, as its last answer tells it, to the second.

        By this machine's, where none told it (RFC 9110, "Date").
        """
        return datetime.now(UTC) + self._ahead

    def request(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """The JSON object of a 2xx answer.

        Raises:
            Problem: every other outcome. Only a request that a busy server has not begun (429 with
                Retry-After), or a read that it asks to repeat, is sent again, within the limit.
        """
        status, answer = self._send(call, method, path, query, body, content_type, accept=accept)
        document = parse(answer)
        if status >= 300:
            raise answer_problem(status, answer, self.info, call)
        if not isinstance(document, dict) or "kind" not in document:
            raise not_kubernetes(self.info, call)
        return document

    def text(self, call: Call, path: str, *, query: Mapping[str, str] | None = None) -> str:
        """The text of a 2xx answer (a log).

        Raises:
            Problem: every other outcome, as for `request`.
        """
        status, answer = self._send(call, "GET", path, query, None, "", accept="*/*")
        if status >= 300:
            raise answer_problem(status, answer, self.info, call)
        return answer.decode("utf-8", "replace")

    @contextmanager
    def lines(
        self, call: Call, path: str, *, query: Mapping[str, str], seconds: float
    ) -> Iterator[Iterator[bytes]]:
        """The lines of a 2xx answer as they come, while the context is open.

        Args:
            seconds: how long the server may take until it ends the answer; the limit comes on top.

        Raises:
            Problem: another outcome, also while the lines are read.
        """
        url, headers = self._prepared(path, query, "application/json")
        response = self._once(call, "GET", path, url, None, headers, streams=seconds)
        try:
            lines = self._lines(call, response, self.limit + seconds)
            if response.status >= 300:
                raise answer_problem(response.status, b"".join(lines), self.info, call)
            yield lines
        finally:
            response.close()

    def _lines(self, call: Call, response: Any, limit: float) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        try:
            yield from response
        except (HTTPError, OSError) as error:
            raise transport_problem(error, self.info, call, limit) from None

    def _send(
        self,
        call: Call,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
        *,
        accept: str = "application/json",
    ) -> tuple[int, bytes]:
        url, headers = self._prepared(path, query, accept)
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body).encode()
        ends = time.monotonic() + self.limit
        response = self._once(call, method, path, url, data, headers)
        for _ in range(TRIES - 1):
            pause = _pause(response, method)
            if pause is None or time.monotonic() + pause > ends:
                break
            time.sleep(pause)
            response = self._once(call, method, path, url, data, headers)
        return int(response.status), bytes(response.data)

    def _prepared(self, path: str, query: Mapping[str, str] | None, accept: str) -> tuple[str, Any]:
        """The URL, and headers with the credentials."""
        from urllib3 import HTTPHeaderDict

        headers = HTTPHeaderDict({"Accept": accept, "User-Agent": AGENT})
        for name, text in self._credentials():
            headers.add(name, text)
        url = self._loaded().configuration.host.rstrip("/") + path
        return url + (f"?{urlencode(query)}" if query else ""), headers

    def _once(
        self,
        call: Call,
        method: str,
        path: str,
        url: str,
        data: bytes | None,
        headers: Any,
        *,
        streams: float = 0.0,
    ) -> Any:
        """One answer, whatever its status; one that streams for so many seconds is not read yet."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        try:
            with logged("kubernetes", f"{method} {path}") as sent:
                response = self._loaded().rest_client.pool_manager.request(
                    method,
                    url,
                    body=data,
                    headers=headers,
                    timeout=Timeout(connect=self.limit, read=self.limit + streams)
                    if streams
                    else Timeout(total=self.limit),
                    preload_content=not streams,
                    retries=False,
                    redirect=False,
                )
                sent.ended = str(response.status)
            self._ahead = _ahead(str(response.headers.get("Date") or "")) or self._ahead
        except (HTTPError, OSError) as error:
            raise transport_problem(error, self.info, call, self.limit) from None
        return response

    def websocket(
        self, call: Call, path: str, query: Sequence[tuple[str, str]], protocols: str
    ) -> WebSocket:
        """An open WebSocket to a subresource (`exec`, `portforward`)."""
        from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

        configuration = self._loaded().configuration
        address = configuration.host.rstrip("/") + path + "?" + urlencode(query)
        url = "ws" + address.removeprefix("http")
        socket: Any = WebSocket(sslopt=_tls(configuration), skip_utf8_validation=True)
        headers = [f"{name}: {text}" for name, text in self._credentials()]
        headers += [f"sec-websocket-protocol: {protocols}", f"user-agent: {AGENT}"]
        options: dict[str, Any] = {"header": headers, "timeout": self.limit}
        try:
            with logged("kubernetes", f"WebSocket {path}"):
                socket.connect(url, **_proxied(configuration, url, options))
        except WebSocketBadStatusException as error:
            body = bytes(error.resp_body or b"")
            raise answer_problem(error.status_code, body, self.info, call) from None
        except (WebSocketException, OSError) as error:
            socket.shutdown()
            raise transport_problem(error, self.info, call, self.limit) from None
        return cast("WebSocket", socket)

    def close(self) -> None:
        """Closes the pooled connections."""
        if self._client is not None:
            self._client.rest_client.pool_manager.clear()

    def _credentials(self) -> list[tuple[str, str]]:
        """The headers that say who asks; a name may come more than once."""
        settings = self._loaded().configuration.auth_settings()
        own = [
            (str(each["key"]), str(each["value"]))
            for each in settings.values()
            if each.get("in") == "header" and each.get("value")
        ]
        return [*own, *self.info.headers]

    def _loaded(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._load()
            return self._client

    def _load(self) -> Any:
        """The kubernetes client; its credential plugin may take a while, but not for ever."""
        outcome: list[Any] = []
        thread = threading.Thread(target=lambda: outcome.append(self._try()), daemon=True)
        with _logged() as said:
            thread.start()
            thread.join(CREDENTIALS_LIMIT)
        if not outcome:
            raise plugin_problem(self.info, "", limit=CREDENTIALS_LIMIT)
        words = " ".join(said)
        if isinstance(outcome[0], Exception):
            raise plugin_problem(self.info, f"{words} {outcome[0]}".strip())
        if words and self.info.credentials.startswith("credential plugin"):
            raise plugin_problem(self.info, words)
        return outcome[0]

    def _try(self) -> Any:
        client: Any = import_module("kubernetes.client")
        config: Any = import_module("kubernetes.config")
        try:
            if not self._files:
                configuration = client.Configuration()
                config.load_incluster_config(client_configuration=configuration)
                return client.ApiClient(configuration=configuration)
            return config.new_client_from_config(self._files, context=self.info.name)
        except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            return error


def _pause(response: Any, method: str) -> float | None:
    """Seconds after which a busy API server wants to be asked again; it has done nothing yet.

    One that is behind the others of its cluster (504) or starting (503) says so of reads, too.
    Source: Kubernetes documentation, "API Priority and Fairness" (429 with Retry-After), and
    "Resource versions" (too large resource version).
    """
    told = str(response.headers.get("Retry-After") or "")
    again = response.status == BUSY or (method == "GET" and response.status in BEHIND)
    return float(told) if again and told.isdigit() else None


def _ahead(date: str) -> timedelta | None:
    """How far the clock that tells this is ahead of this machine's; None where it tells nothing."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    return told.replace(tzinfo=told.tzinfo or UTC) - datetime.now(UTC)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What the client logs while it loads: it reports a failed plugin in no other way."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler = Keep(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(handler)


def _tls(configuration: Any) -> dict[str, Any]:
    """The configuration's TLS settings as websocket-client takes them."""
    import ssl

    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    if configuration.verify_ssl:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "check_hostname": True}
        if configuration.ssl_ca_cert:
            options["ca_certs"] = configuration.ssl_ca_cert
        if configuration.assert_hostname is False:
            options["check_hostname"] = False
    if configuration.cert_file:
        options["certfile"] = configuration.cert_file
    if configuration.key_file:
        options["keyfile"] = configuration.key_file
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    return options


def _proxied(configuration: Any, url: str, options: dict[str, Any]) -> dict[str, Any]:
    if not (configuration.proxy or configuration.proxy_headers):
        return options
    websockets: Any = import_module("kubernetes.stream.ws_client")
    return dict(websockets.websocket_proxycare(options, configuration, url, {}))
