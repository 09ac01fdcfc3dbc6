"""One request and its whole answer, through every kind of proxy, from every kind of bad server."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gateway import Gateway

from wizard.practice.listening import self_signed
from wizard.systems.reach import trust
from wizard.systems.reach.failures import Failure, Kind
from wizard.systems.reach.http import Answer, Wire
from wizard.systems.reach.proxies import Proxy, read_proxy

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
MOST = 1_000_000


class Speaker:
    """Reads a request on each connection, and says what it was told to."""

    def __init__(self, say: Callable[[socket.socket], None], tls: tuple[Path, Path] | None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._say = say
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            with client:
                while request := client.recv(65536):
                    self.requests.append(request)
                    self._say(client)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def speaker() -> Iterator[Callable[..., Speaker]]:
    made: list[Speaker] = []

    def start(say: Callable[[socket.socket], None] | bytes, tls: tuple[Path, Path] | None = None):
        def words(client: socket.socket) -> None:
            client.sendall(say) if isinstance(say, bytes) else say(client)

        made.append(Speaker(words, tls))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


def get(wire: Wire, *, limit: float = 10, most: int = MOST) -> Answer:
    return wire.ask("GET", "/x?y=z", [("Accept", "*/*")], limit=limit, most=most)


def wire_to(port: int, *, proxy: Proxy | None = None) -> Wire:
    return Wire(f"http://127.0.0.1:{port}", proxy=proxy, context=None, connect_limit=5)


def failed(work: Callable[[], object]) -> Failure:
    with pytest.raises(Failure) as caught:
        work()
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
@pytest.mark.parametrize("login", ["", "me:p%40ss@"])
def test_through_a_proxy(speaker, certificate, monkeypatch, kind, scheme, login) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = speaker(OK, certificate if scheme == "https" else None)
    with Gateway(kind, leads_to=server.port, certificate=certificate) as gateway:
        wire = Wire(
            f"{scheme}://k8s.invalid:6443",
            proxy=read_proxy(gateway.url.replace("://", f"://{login}")),
            context=trust.only(certificate[0].read_bytes()),
            connect_limit=5,
            server_name="localhost",
        )
        with contextlib.closing(wire):
            assert [get(wire).body for _ in range(2)] == [b"{}", b"{}"]

            def upgrade(way: socket.socket) -> bytes:
                way.sendall(b"GET /ws HTTP/1.1\r\n\r\n")
                return way.recv(100)

            assert wire.opened(10, upgrade) == OK
    assert server.connections == 2  # the first was kept for the second request
    tunnel = {"socks5": "SOCKS k8s.invalid:6443"}.get(kind, "CONNECT k8s.invalid:6443")
    whole = kind != "socks5" and scheme == "http"
    assert gateway.asked == ["GET http://k8s.invalid:6443/x?y=z" if whole else tunnel, tunnel]
    assert gateway.logins == (["me:p@ss"] * 2 if login else [])
    secret = b"Proxy-Authorization"
    assert (secret in b"".join(server.requests)) is False or whole


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_proxy_that_refuses_is_told_with_its_words(kind: str) -> None:
    with Gateway(kind, leads_to=1, refuses="407 Proxy Authentication Required") as gateway:
        proxy = dataclasses.replace(read_proxy(gateway.url), user="me", password="hidden")
        wire = Wire("https://h.invalid", proxy=proxy, context=trust.anybody(), connect_limit=5)
        failure = failed(lambda: get(wire))
    assert failure.kind is Kind.PROXY
    wanted = "407 Proxy Authentication Required" if kind == "http" else "its rules do not allow it"
    assert wanted in failure.words
    assert gateway.url in failure.words
    assert "hidden" not in failure.words


def test_a_proxy_that_is_not_there() -> None:
    wire = wire_to(1, proxy=Proxy("http", "proxy.invalid", 3128, "me", "hidden"))
    failure = failed(lambda: get(wire))
    assert (failure.kind, "http://proxy.invalid:3128: " in failure.words) == (Kind.PROXY, True)


def drip(client: socket.socket, head: bytes) -> None:
    client.sendall(head)
    with contextlib.suppress(OSError):
        while True:
            time.sleep(0.05)
            client.sendall(b"1\r\n" if head.endswith(b"chunked\r\n\r\n") else b"1")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"",
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_drips_is_given_up(speaker, certificate, head, secure) -> None:
    server = speaker(lambda client: drip(client, head), certificate if secure else None)
    context = trust.only(certificate[0].read_bytes()) if secure else None
    url = f"http{'s' if secure else ''}://localhost:{server.port}"
    wire = Wire(url, proxy=None, context=context, connect_limit=5)
    began = time.monotonic()
    assert failed(lambda: get(wire, limit=0.4)).kind is Kind.SILENT
    assert time.monotonic() - began < 5


def pour(client: socket.socket, head: bytes, piece: bytes) -> None:
    client.sendall(head)
    with contextlib.suppress(OSError):
        while True:
            client.sendall(piece)


BOMB = gzip.compress(bytes(20_000_000))


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
         + str(len(BOMB)).encode() + b"\r\n\r\n", BOMB),
    ],
    ids=["without end", "a terabyte", "chunks", "a gzip bomb"],
)  # fmt: skip
def test_an_answer_has_a_ceiling(speaker, head, piece) -> None:
    wire = wire_to(speaker(lambda client: pour(client, head, piece)).port)
    assert failed(lambda: get(wire)).kind is Kind.LARGE


def test_what_is_packed_within_the_ceiling_is_unpacked(speaker) -> None:
    packed = gzip.compress(b"[" * 1000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    assert get(wire_to(speaker(head.encode() + packed).port)).body == b"[" * 1000


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (b"SSH-2.0-OpenSSH\r\n", Kind.STRANGE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", Kind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Kind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", Kind.STRANGE),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n", Kind.STRANGE),
    ],
)
def test_what_is_no_answer(speaker, words, kind) -> None:
    def say(client: socket.socket) -> None:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)

    assert failed(lambda: get(wire_to(speaker(say).port))).kind is kind


def test_what_is_done_meanwhile_is_done_once_and_before_the_answer(speaker) -> None:
    may_answer = threading.Event()

    def say(client: socket.socket) -> None:
        assert may_answer.wait(10)
        client.sendall(OK)

    wire = wire_to(speaker(say).port)
    done: list[str] = []

    def work() -> None:
        done.append("once")
        may_answer.set()

    wire.meanwhile = work
    for _ in range(2):
        assert wire.ask("GET", "/", (), limit=5, most=MOST).body == b"{}"
    assert done == ["once"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_kept_connection_that_was_closed_meanwhile_is_made_again(speaker, method) -> None:
    closed = threading.Event()

    def say(client: socket.socket) -> None:
        client.sendall(OK)
        client.shutdown(socket.SHUT_RDWR)
        closed.set()

    server = speaker(say)
    wire = wire_to(server.port)
    for _ in range(3):
        closed.clear()
        assert wire.ask(method, "/", [], b"{}", limit=10, most=MOST).body == b"{}"
        assert closed.wait(5)
    assert server.connections == 3


def test_a_connection_that_nobody_used_for_long_is_not_used_again(speaker, monkeypatch) -> None:
    server = speaker(OK)
    wire = wire_to(server.port)
    for seconds, connections in ((60.0, 1), (60.0, 1), (0.0, 2)):
        monkeypatch.setattr("wizard.systems.reach.http.KEPT_SECONDS", seconds)
        get(wire)
        assert server.connections == connections


def test_a_line_has_a_ceiling_and_the_whole_a_limit(speaker) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    long = wire_to(speaker(lambda client: pour(client, head, b"x" * 1000)).port)
    slow = wire_to(speaker(lambda client: drip(client, head + b"{}\n")).port)

    def read(wire: Wire) -> Iterator[bytes]:
        with wire.lines("GET", "/", [], limit=3.0, lasts=0.0, most=MOST) as (status, _, lines):
            assert status == 200
            yield from lines

    assert failed(lambda: list(read(long))).kind is Kind.LARGE
    lines = read(slow)
    assert next(lines) == b"{}\n"
    assert failed(lambda: next(lines)).kind is Kind.SILENT


def test_a_key_is_shown_from_no_file(certificate, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    public, key = (file.read_bytes() for file in certificate)
    written: list[str] = []
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda path, _: written.append(str(path)))
    trust.show(trust.anybody(), b"# a long preamble\n" * 20_000 + public, key)
    assert (written, list(tmp_path.iterdir())) == ([], [])
    with pytest.raises((ssl.SSLError, OSError)):
        trust.show(trust.anybody(), public, b"no key")
