"""HTTP to one server: connections that are kept, limits that hold for the whole answer.

No redirect is followed. A ceiling holds for what an answer unpacks to.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

from wizard.record import dataclass
from wizard.systems.reach.dial import CHUNK, dial, login_to
from wizard.systems.reach.failures import Failure, Kind
from wizard.systems.reach.proxies import SCHEMES, Proxy

T = TypeVar("T")
KEPT_SECONDS = 60.0
"""A connection that nobody used for so long may be forgotten in between."""
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; its headers are asked for in any case."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Wire:
    """The way to one server, for several threads.

    Attributes:
        connect_limit: seconds for each step until the connection is there.
        certificate_ends: when the server's certificate ends (seconds since 1970), once a verified
            one was shown; None before that, and without TLS.
        meanwhile: what is done once, as soon as the next request is on its way.
    """

    def __init__(
        self,
        url: str,
        *,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
        connect_limit: float,
        server_name: str = "",
    ) -> None:
        parts = urlsplit(url)
        self._host, self._scheme = parts.hostname or "", parts.scheme
        self._port = parts.port or SCHEMES[parts.scheme]
        self._proxy = proxy
        self._context = context if parts.scheme == "https" else None
        self._name = server_name or self._host
        self.connect_limit = connect_limit
        self.certificate_ends: float | None = None
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self.meanwhile: Callable[[], object] = _nothing

    def ask(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | None = None,
        *,
        limit: float,
        most: int,
    ) -> Answer:
        """One request and its whole answer, of at most `most` bytes, within `limit` seconds.

        A connection that the server has closed meanwhile is made again, where that is harmless.

        Raises:
            Failure: there is no whole answer.
        """

        def once(cut: _Cut) -> Answer:
            with self._asked(cut, method, target, headers, body) as (connection, response):
                data = _whole(response, most)
                connection.done = not response.will_close
            return Answer(response.status, response.headers, data)

        return _within(limit, once)

    @contextlib.contextmanager
    def lines(
        self, method: str, target: str, headers: Headers, *, limit: float, lasts: float, most: int
    ) -> Iterator[tuple[int, http.client.HTTPMessage, Iterator[bytes]]]:
        """The status, the headers, and the lines of an answer as they come.

        The headers must be there within `limit` seconds, all of it within `limit` and `lasts`, and
        no line may have more than `most` bytes.

        Raises:
            Failure: no answer, also while the lines are read.
        """
        cut = _Cut()
        stack = contextlib.ExitStack()

        def opened(_: _Cut) -> http.client.HTTPResponse:
            return stack.enter_context(self._asked(cut, method, target, headers, None))[1]

        with stack:
            response = _within(limit, opened, cut)
            ends = threading.Timer(lasts + limit, cut.now)
            ends.daemon = True
            ends.start()
            stack.callback(ends.cancel)
            yield response.status, response.headers, _lines(response, most, cut)

    def opened(self, limit: float, then: Callable[[socket.socket], T]) -> T:
        """What `then` makes of a connection of its own to the server, within `limit` seconds.

        Raises:
            Failure: the connection does not come about, or the limit is over.
        """
        return _within(limit, lambda cut: then(self._open(cut, tunnel=True)))

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _open(self, cut: _Cut, *, tunnel: bool) -> socket.socket:
        limit = self.connect_limit
        made = dial(self._host, self._port, self._proxy, limit, cut.add, tunnel=tunnel)
        if self._context is not None:
            made = self._secured(made, self._context)
            cut.add(made)
        made.settimeout(None)  # from here on the limit of the whole answer holds
        return made

    def _secured(self, raw: socket.socket, context: ssl.SSLContext) -> socket.socket:
        name = self._name.encode() if self._name.isascii() else self._name  # see `dial`
        try:
            secured = context.wrap_socket(raw, server_hostname=name)
            ends = (secured.getpeercert() or {}).get("notAfter")
            self.certificate_ends = ssl.cert_time_to_seconds(str(ends)) if ends else None
            return secured
        except ssl.SSLCertVerificationError as error:
            raise Failure(Kind.CERTIFICATE, error.verify_message or str(error)) from None
        except TimeoutError:
            raise Failure(Kind.SILENT) from None
        except ssl.SSLError as error:
            raise Failure(Kind.TLS, error.reason or str(error)) from None
        except (OSError, ValueError) as error:
            raise Failure(Kind.BROKEN, getattr(error, "strerror", "") or str(error)) from None

    @property
    def _asks_the_proxy(self) -> bool:
        """Whether an HTTP proxy is asked for the whole URL: there is no TLS to the server."""
        return self._proxy is not None and not self._proxy.socks and self._scheme == "http"

    @contextlib.contextmanager
    def _asked(
        self, cut: _Cut, method: str, target: str, headers: Headers, body: bytes | None
    ) -> Iterator[tuple[_Connection, http.client.HTTPResponse]]:
        connection, response = self._answered(cut, method, target, list(headers), body)
        try:
            yield connection, response
        except (OSError, http.client.HTTPException, ValueError, zlib.error) as error:
            raise _failure(error) from None
        finally:
            if connection.done:
                connection.kept = time.monotonic()
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _answered(
        self,
        cut: _Cut,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        kept = self._kept()
        if kept is not None:
            try:
                return kept, self._send(kept, cut, method, target, headers, body)
            except Failure as failure:
                kept.close()
                if method != "GET" or failure.kind is not Kind.BROKEN:
                    raise
        fresh = _Connection(self._host, self._port, self._scheme)
        try:
            fresh.sock = self._open(cut, tunnel=not self._asks_the_proxy)
            return fresh, self._send(fresh, cut, method, target, headers, body)
        except BaseException:
            fresh.close()
            raise

    def _send(
        self,
        connection: _Connection,
        cut: _Cut,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
    ) -> http.client.HTTPResponse:
        connection.done = False
        if connection.sock is not None:
            cut.add(connection.sock)
        if self._asks_the_proxy and self._proxy is not None:
            host = f"[{self._host}]" if ":" in self._host else self._host
            target = f"http://{host}:{self._port}{target}"
            login = login_to(self._proxy)
            headers = [*headers, *([("Proxy-Authorization", login)] if login else [])]
        try:
            connection.putrequest(method, target)
            for name, text in headers:
                connection.putheader(name, text)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            work, self.meanwhile = self.meanwhile, _nothing
            work()
            return connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failure(error) from None

    def _kept(self) -> _Connection | None:
        """A connection that is still there."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                sock, fresh = connection.sock, time.monotonic() - connection.kept < KEPT_SECONDS
                # What there is to read of a connection that waits is its end.
                if fresh and sock is not None and not select.select([sock], [], [], 0)[0]:
                    return connection
                connection.close()
        return None


class _Connection(http.client.HTTPConnection):
    """One connection; its socket is made elsewhere.

    Attributes:
        done: whether the last answer was read to its end, so that the next may be asked for.
        kept: since when it waits to be used again (`time.monotonic()`).
    """

    auto_open = 0

    def __init__(self, host: str, port: int, scheme: str) -> None:
        self.default_port = SCHEMES[scheme]
        super().__init__(host, port)
        self.done = False
        self.kept = 0.0


class _Cut:
    """The sockets of a request, to be cut when it has lasted long enough."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self.done = False

    def add(self, made: socket.socket) -> None:
        self._sockets.append(made)
        if self.done:
            self.now()

    def now(self) -> None:
        """Whoever reads or writes sees the end of the connection."""
        self.done = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # TLS's own would first say farewell


def _nothing() -> None:
    """What there is to do meanwhile, when nobody told."""


def _within(limit: float, work: Callable[[_Cut], T], cut: _Cut | None = None) -> T:
    """The outcome of the work; a thread of its own, since nothing else ends a name look-up.

    Raises:
        Failure: it was not there in time, or what the work raises.
    """
    cut = cut or _Cut()
    outcome: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work(cut))
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(limit)
    finally:
        if thread.is_alive():
            cut.now()
    if cut.done:  # what came then is not whole, whatever the work makes of it
        raise Failure(Kind.SILENT)
    if failed:
        raise failed[0]
    return outcome[0]


def _whole(response: http.client.HTTPResponse, most: int) -> bytes:
    unpack, body = None, bytearray()
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):  # though nobody has asked for it
        unpack = zlib.decompressobj(zlib.MAX_WBITS + (16 if "gzip" in encoding else 0))
    elif encoding not in ("identity", ""):
        raise Failure(Kind.STRANGE, f"content encoding {encoding[:40]!r}")
    while data := response.read(CHUNK):
        body += unpack.decompress(data, most + 1) if unpack else data
        if len(body) > most:
            raise Failure(Kind.LARGE)
    if response.length or (unpack and body and not unpack.eof):
        raise Failure(Kind.BROKEN, "the answer is not complete")
    return bytes(body)


def _lines(response: http.client.HTTPResponse, most: int, cut: _Cut) -> Iterator[bytes]:
    while True:
        try:
            line = response.readline(most + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise (Failure(Kind.SILENT) if cut.done else _failure(error)) from None
        if cut.done:
            raise Failure(Kind.SILENT)
        if len(line) > most:
            raise Failure(Kind.LARGE)
        if not line:
            return
        if line.strip():
            yield line


def _failure(error: BaseException) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, TimeoutError):
        return Failure(Kind.SILENT)
    if isinstance(error, ssl.SSLError):
        return Failure(Kind.TLS, error.reason or str(error))
    if isinstance(error, OSError):
        return Failure(Kind.BROKEN, error.strerror or str(error) or type(error).__name__)
    if isinstance(error, http.client.IncompleteRead | zlib.error):
        return Failure(Kind.BROKEN, "the answer is not complete")
    return Failure(Kind.STRANGE, type(error).__name__)
