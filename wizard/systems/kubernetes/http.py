"""Requests to one API server: credentials, plain JSON, limits.

Nothing is read, run or sent before the first request. No redirect is followed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from wizard.problems import Problem
from wizard.systems.calls import logged
from wizard.systems.kubernetes.credentials import Credentials, Headers
from wizard.systems.kubernetes.ending import certificate_ends, token_ends
from wizard.systems.kubernetes.errors import (
    Call,
    answer_problem,
    not_kubernetes,
    parse,
    refuse_odd,
    transport_problem,
)
from wizard.systems.kubernetes.kubeconfig import ContextInfo
from wizard.systems.kubernetes.server import Server
from wizard.systems.reach.failures import Failure, Kind
from wizard.systems.reach.http import Answer, Wire

if TYPE_CHECKING:
    import socket

    from websocket import WebSocket

AGENT = "langsmith-audit"
BUSY = 429
BEHIND = (503, 504)
UPGRADED = 101
TRIES = 10
"""How often a busy API server is asked, as kubectl does."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer: a page of whole objects has some megabytes, a Secret at most one."""
LONGEST = 8 * 1024 * 1024
"""Bytes of a line of a watch: one object."""


HEARD: list[Problem] = []
"""The remarks of all connections of this process, each once."""


class Connection:
    """One API server as one context reaches it.

    Attributes:
        remarks: what a person should hear of the login.
    """

    def __init__(self, info: ContextInfo, limit: float) -> None:
        self.info = info
        self.limit = limit
        self.remarks: list[Problem] = []
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._who: Credentials | None = None
        self._wire: tuple[tuple[bytes, bytes], Wire] | None = None
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time by the API server's clock, as its last answer tells it, to the second.

        By this machine's, where none told it (RFC 9110, "Date").
        """
        return datetime.now(UTC) + self._ahead

    def login_ends(self) -> datetime | None:
        """See `Cluster.login_ends`."""
        certificate, _ = self._credentials.certificate()
        told = dict(self._credentials.headers()).get("Authorization", "")
        ends = (certificate_ends(certificate), token_ends(told.removeprefix("Bearer ")))
        return min((it for it in ends if it), default=None)

    def log_in(self) -> None:
        """See `Cluster.log_in`."""
        self._credentials.headers()
        self._way()

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
        answer = self._send(call, method, path, query, body, content_type, accept=accept)
        if answer.status >= 300:
            raise self._refused(answer, call)
        document = parse(answer.body)
        if not isinstance(document, dict) or "kind" not in document:
            raise not_kubernetes(self.info, call)
        refuse_odd(document, self.info, call)
        return document

    def text(self, call: Call, path: str, *, query: Mapping[str, str] | None = None) -> str:
        """The text of a 2xx answer (a log).

        Raises:
            Problem: every other outcome, as for `request`.
        """
        answer = self._send(call, "GET", path, query, None, "", accept="*/*")
        if answer.status >= 300:
            raise self._refused(answer, call)
        return answer.body.decode("utf-8", "replace")

    def _refused(self, answer: Answer, call: Call) -> Problem:
        place = answer.headers.get("Location")
        return answer_problem(answer.status, answer.body, self.info, call, place)

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
        wire, target, headers = self._prepared(path, query, "application/json")
        limit = self.limit
        try:
            with logged("kubernetes", f"GET {path}") as sent:
                answer = wire.lines(
                    "GET", target, headers, limit=limit, lasts=seconds, most=LONGEST
                )
                with answer as (status, told, lines):
                    sent.ended = str(status)
                    self._hear(told.get("Date", ""))
                    if status >= 300:
                        body = b"".join(lines)
                        raise answer_problem(status, body, self.info, call, told.get("Location"))
                    yield lines
        except Failure as failure:
            raise transport_problem(failure, self.info, call, limit + seconds) from None

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
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        kind = content_type if data is not None else ""
        ends = time.monotonic() + self.limit
        answer = self._once(call, method, path, query, data, kind, accept)
        if answer.status == 401 and self._credentials.refused():
            answer = self._once(call, method, path, query, data, kind, accept)
        for _ in range(TRIES - 1):
            pause = _pause(answer, method)
            if pause is None or time.monotonic() + pause > ends:
                break
            time.sleep(pause)
            answer = self._once(call, method, path, query, data, kind, accept)
        return answer

    def _once(
        self,
        call: Call,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        content_type: str,
        accept: str,
    ) -> Answer:
        """One answer, whatever its status."""
        wire, target, headers = self._prepared(path, query, accept)
        headers += [("Content-Type", content_type)] if content_type else []
        try:
            with logged("kubernetes", f"{method} {path}") as sent:
                answer = wire.ask(method, target, headers, data, limit=self.limit, most=LARGEST)
                sent.ended = str(answer.status)
        except Failure as failure:
            raise transport_problem(failure, self.info, call, self.limit) from None
        self._hear(answer.headers.get("Date", ""))
        return answer

    def _hear(self, date: str) -> None:
        self._ahead = _ahead(date) or self._ahead

    def _prepared(
        self, path: str, query: Mapping[str, str] | None, accept: str
    ) -> tuple[Wire, str, Headers]:
        """The way, the target of a request, and headers with the credentials."""
        headers = self._credentials.headers()
        target = self._reached.prefix + path + (f"?{urlencode(query)}" if query else "")
        told = [("Accept", accept), ("User-Agent", AGENT), *headers]
        return self._way(), target, told

    def websocket(
        self, call: Call, path: str, query: Sequence[tuple[str, str]], protocols: str
    ) -> WebSocket:
        """An open WebSocket to a subresource (`exec`, `portforward`)."""
        wire, target, headers = self._prepared(path, None, "*/*")
        own = [f"{name}: {text}" for name, text in headers if name != "Accept"]
        own.append(f"Sec-WebSocket-Protocol: {protocols}")
        url = f"ws{'s' if self._reached.secure else ''}://{self._reached.place}{target}"

        def upgrade(way: socket.socket) -> WebSocket:
            return _upgraded(way, f"{url}?{urlencode(query)}", own, self.info, call)

        from websocket import WebSocketException

        try:
            with logged("kubernetes", f"WebSocket {path}"):
                return wire.opened(self.limit, upgrade)
        except (Failure, OSError, WebSocketException) as error:
            raise transport_problem(error, self.info, call, self.limit) from None

    def close(self) -> None:
        """Closes the connections that are kept."""
        if self._wire is not None:
            self._wire[1].close()

    @property
    def _reached(self) -> Server:
        with self._lock:
            if self._server is None:
                self._server = Server(self.info)
                if insecure := self._server.insecure:
                    self._remark(insecure)
            return self._server

    def _remark(self, problem: Problem) -> None:
        self.remarks.append(problem)
        if (problem.what, problem.on) not in {(it.what, it.on) for it in HEARD}:
            HEARD.append(problem)

    @property
    def _credentials(self) -> Credentials:
        secure = self._reached.secure
        with self._lock:
            if self._who is None:
                self._who = Credentials(self.info, self._remark, secure=secure)
            return self._who

    def _way(self) -> Wire:
        """The connections that show the present client certificate."""
        certificate, server = self._credentials.certificate(), self._reached
        with self._lock:
            if self._wire is None or self._wire[0] != certificate:
                self._wire = certificate, server.wire(certificate, self.limit)
            return self._wire[1]


def _upgraded(
    way: socket.socket, url: str, headers: list[str], info: ContextInfo, call: Call
) -> WebSocket:
    """The WebSocket on a connection that is there already; a redirect is followed nowhere."""
    from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

    socket: Any = WebSocket(skip_utf8_validation=True)
    try:
        socket.connect(url, socket=way, header=headers, redirect_limit=0, suppress_origin=True)
        status, body = int(socket.getstatus()), b""
    except WebSocketBadStatusException as error:
        status, body = error.status_code, bytes(error.resp_body or b"")
    except WebSocketException:
        if socket.handshake_response is None:
            raise
        status, body = int(socket.handshake_response.status), b""
    except (IndexError, ValueError):  # what older versions make of it
        raise Failure(Kind.STRANGE, "no answer in HTTP") from None
    if status != UPGRADED:
        way.close()
        place = (socket.getheaders() or {}).get("location")
        raise answer_problem(status, body, info, call, place)
    return cast("WebSocket", socket)


def _pause(response: Answer, method: str) -> float | None:
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
