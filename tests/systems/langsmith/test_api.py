"""LangSmith's API, asked over real sockets: right answers, and every kind of wrong one."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import gateway
import pytest
from databases import refused, told
from events import EVENT
from gateway import Gateway

from wizard.practice.listening import free_port, self_signed
from wizard.problems import Exit, Problem
from wizard.systems.langsmith.api import LangSmithApi

ID = UUID("3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905")
KEY = "lsv2_pt_0123456789abcdef_hidden"
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 30, tzinfo=UTC)
PAGE = "<!doctype html><html><head><title>LangSmith</title></head><body>UI</body></html>"
INFO = "/api/v1/orgs/current/info"
LOGS = "/api/v1/audit-logs"


def organization(
    *, allowed: object = True, permissions: object = ("organization:manage",)
) -> dict[str, Any]:
    return {
        "id": str(ID),
        "display_name": "Acme",
        "is_personal": False,
        "permissions": list(permissions) if isinstance(permissions, tuple) else permissions,
        "config": {"can_use_audit_logs": allowed},
    }


class Server:
    """Answers by path: (status, body, headers); a body that is no text becomes JSON."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object, dict[str, str]]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append((self.path, dict(self.headers)))
                default = (200, PAGE, {"Content-Type": "text/html"})
                status, body, headers = server.answers.get(urlsplit(self.path).path, default)
                text = body if isinstance(body, str) else json.dumps(body)
                kind = {"Content-Type": "application/json"} if text is not body else {}
                self.send_response(status)
                for name, value in (kind | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        self.answers[path] = (status, body, {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of proxies and certificates but those that a test sets."""
    for name in gateway.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Any]:
    it = Server()
    it.answer(INFO, organization())
    it.answer(LOGS, {"items": [EVENT], "cursor": "next+/="})
    with serving(it):
        yield it


@contextlib.contextmanager
def serving(it: Server) -> Iterator[Any]:
    thread = threading.Thread(target=it.http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield
    it.http.shutdown()
    it.http.server_close()
    thread.join()


@contextlib.contextmanager
def talking(answer: Any) -> Iterator[Any]:
    """A server that says what it likes on each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

        threading.Thread(target=talk, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def api(url: str, key: str = KEY, **more: Any) -> LangSmithApi:
    return LangSmithApi(url, key, **({"connect_limit": 2, "read_limit": 5} | more))


def page(client: LangSmithApi, **more: Any) -> Any:
    return client.audit_logs(**({"start": START, "end": END} | more))


def test_a_page_of_the_audit_log(server: Server) -> None:
    found = page(api(server.url, organization=ID), limit=100, cursor="a b&c")
    assert found.items == [EVENT]
    assert (found.cursor, found.problems) == ("next+/=", ())
    path, headers = server.requests[-1]
    assert parse_qs(urlsplit(path).query) == {
        "start_time": ["2026-01-01T00:00:00Z"],
        "end_time": ["2026-01-30T00:00:00Z"],
        "limit": ["100"],
        "cursor": ["a b&c"],
    }
    assert headers["X-API-Key"] == KEY
    assert headers["X-Organization-Id"] == str(ID)


def test_times_of_other_zones_are_given_in_utc(server: Server) -> None:
    start = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    page(api(server.url), start=start)
    query = parse_qs(urlsplit(server.requests[-1][0]).query)
    assert query["start_time"] == ["2025-12-31T23:30:00Z"]
    with pytest.raises(ValueError, match="time zone"):
        page(api(server.url), start=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("cursor", [None, ""])
def test_the_last_page(server: Server, cursor: str | None) -> None:
    server.answer(LOGS, {"items": [], "cursor": cursor})
    assert page(api(server.url)).cursor is None


def test_events_of_another_shape_are_told(server: Server) -> None:
    server.answer(LOGS, {"items": [EVENT, {"class_uid": 1}, "x"], "cursor": None})
    found = page(api(server.url))
    assert found.items == [EVENT, {"class_uid": 1}]
    assert "event 1: class_uid is not 6003" in found.problems
    assert "event 2: the event is not an object" in found.problems
    assert not any(problem.startswith("event 0") for problem in found.problems)


def test_the_organization(server: Server) -> None:
    found = api(server.url).organization()
    assert (found.id, found.display_name) == (ID, "Acme")
    assert (found.can_use_audit_logs, found.may_manage) == (True, True)


@pytest.mark.parametrize(
    ("config", "permissions", "allowed", "manages"),
    [
        (None, None, None, None),
        ({}, [], None, False),
        ({"can_use_audit_logs": "true"}, ["organization:read"], None, False),
        ({"can_use_audit_logs": False}, ["organization:manage"], False, True),
    ],
)
def test_what_the_organization_does_not_say_is_not_known(
    server: Server, config: Any, permissions: Any, allowed: Any, manages: Any
) -> None:
    body = organization() | {"config": config, "permissions": permissions}
    server.answer(INFO, body)
    found = api(server.url).organization()
    assert (found.can_use_audit_logs, found.may_manage) == (allowed, manages)


@pytest.mark.parametrize(
    ("body", "id", "what", "next_step"),
    [
        (
            organization(permissions=("organization:read",)),
            "LSA821",
            "organization:manage",
            "Admin",
        ),
        (organization(allowed=False, permissions=()), "LSA821", "organization:manage", "Admin"),
        (organization(allowed=False), "LSA822", "audit logs are off for", "restart"),
        (organization(), "LSA823", "refuses the audit log", "licence"),
        (organization(allowed=None, permissions=None), "LSA823", "refuses the audit log", "role"),
    ],
)
def test_a_403_is_explained_by_the_organization(
    server: Server, body: dict[str, Any], id: str, what: str, next_step: str
) -> None:
    server.answer(INFO, body)
    server.answer(LOGS, {"detail": "Forbidden for you"}, 403)
    with refused(id) as caught:
        page(api(server.url))
    assert caught.value.exit == Exit.FAILED
    assert "answer: Forbidden for you" in caught.value.detail
    assert what in caught.value.what
    assert f"Acme ({ID})" in caught.value.what
    assert next_step in caught.value.next_step


def test_a_403_that_the_organization_does_not_explain(server: Server) -> None:
    server.answer(INFO, {"detail": "no"}, 403)
    server.answer(LOGS, {"detail": "no"}, 403)
    with refused("LSA823") as caught:
        page(api(server.url))
    assert any("orgs/current/info" in line for line in caught.value.detail)


@pytest.mark.parametrize(
    ("path", "status", "id", "exit"),
    [
        (INFO, 401, "LSA811", Exit.FAILED), (INFO, 403, "LSA812", Exit.FAILED),
        (INFO, 404, "LSA813", Exit.FAILED), (LOGS, 401, "LSA811", Exit.FAILED),
        (LOGS, 404, "LSA824", Exit.FAILED), (LOGS, 422, "LSA825", Exit.FAILED),
        (LOGS, 429, "LSA819", Exit.UNKNOWN), (LOGS, 500, "LSA816", Exit.UNKNOWN),
        (LOGS, 503, "LSA816", Exit.UNKNOWN), (LOGS, 418, "LSA820", Exit.FAILED),
    ],
)  # fmt: skip
def test_each_status_has_its_meaning(
    server: Server, path: str, status: int, id: str, exit: Exit
) -> None:
    server.answer(path, {"detail": f"because of {KEY}"}, status)
    with refused(id) as caught:
        page(api(server.url)) if path == LOGS else api(server.url).organization()
    assert caught.value.exit == exit
    assert "answer: because of ***" in caught.value.detail
    assert str(status) in caught.value.what
    assert KEY not in told(caught.value)
    assert path in caught.value.on


def test_html_means_the_wrong_url(server: Server) -> None:
    with refused("LSA814") as caught:
        page(api(server.url + "/wrong"))
    assert "answer: page: LangSmith" in caught.value.detail
    assert "--url" in caught.value.next_step


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_page_is_not_about_the_key(server: Server, status: int) -> None:
    server.answer(INFO, PAGE, status, Content_Type="text/html")
    with refused("LSA815"):
        api(server.url).organization()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_key_does_not_follow_a_redirect(server: Server, status: int) -> None:
    other = Server()
    with serving(other):
        other_host = f"http://localhost:{other.port}/login?next=/x&secret=veiled"
        server.answer(LOGS, "", status, Location=other_host)
        with refused("LSA815") as caught:
            page(api(server.url))
    assert other.requests == []
    assert "to http://localhost/login" in caught.value.detail
    assert "veiled" not in told(caught.value)


def test_a_redirect_to_https_says_so(server: Server) -> None:
    server.answer(INFO, "", 308, Location=server.url.replace("http:", "https:") + INFO)
    with refused("LSA815") as caught:
        api(server.url).organization()
    assert caught.value.next_step == "give the URL with https"


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '{"items": []}', '{"cursor": null}', '{"items": {}, "cursor": ""}',
     "[" * 100_000, '{"items": "\ud83d"}'],
)  # fmt: skip
def test_what_is_not_a_page_of_audit_logs(server: Server, body: str) -> None:
    server.answer(LOGS, body.encode("utf-8", "replace").decode(), Content_Type="application/json")
    with refused("LSA817") as caught:
        page(api(server.url))
    assert caught.value.exit == Exit.FAILED
    assert len(told(caught.value)) < 1000


def test_an_organization_without_id(server: Server) -> None:
    server.answer(INFO, organization() | {"id": 7})
    with refused("LSA817"):
        api(server.url).organization()


def test_a_long_body_is_shortened(server: Server) -> None:
    server.answer(INFO, "x" * 5000, 500)
    with refused("LSA816") as caught:
        api(server.url).organization()
    assert len(caught.value.detail[0]) < 350


@pytest.mark.parametrize("suffix", ["", "/", "/api/v1", "/api/", f"/o/{ID}/settings", "?a=b#c"])
def test_the_base_url_is_taken_as_people_paste_it(server: Server, suffix: str) -> None:
    client = api(server.url + suffix)
    assert client.base_url == server.url
    assert client.organization().id == ID


def test_a_base_path_stays(server: Server) -> None:
    server.answer("/smith/here" + INFO, organization())
    assert api(server.url + "/smith/here/").organization().id == ID


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("smith.example.com", "https://smith.example.com"),
        ("smith.example.com:8443/x", "https://smith.example.com:8443/x"),
        ("localhost:8080", "http://localhost:8080"),
        ("https://[fd00::1]:8443", "https://[fd00::1]:8443"),
        ("https://me:hidden@smith.example.com/", "https://smith.example.com"),
        ('"https://smith.example.com/api/v1" ', "https://smith.example.com"),
    ],
)
def test_a_base_url_without_scheme(given: str, base: str) -> None:
    assert api(given).base_url == base


@pytest.mark.parametrize("url", ["", "ftp://h", "https://", "https://h:99999", "https://a b", "/x"])
def test_what_is_no_url(url: str) -> None:
    with refused("LSA801") as caught:
        api(url)
    assert caught.value.exit == Exit.USAGE


@pytest.mark.parametrize(
    ("key", "odd"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("two words", "a blank or a line break"),
        ("line\nbreak", "a blank or a line break"),
        ("no\xa0blank", "a blank or a line break"),
        ("a\ufeffmark", "a byte order mark"),
        ("\u201ccurly\u201d", "a quotation mark"),
        ("half'quoted", "a quotation mark"),
        ("umläut", "another letter than ASCII"),
        ("nul\0", "another letter than ASCII"),
    ],
)
def test_what_is_no_key(key: str, odd: str) -> None:
    with refused("LSA802") as caught:
        api("https://h", key)
    assert odd in caught.value.what
    assert caught.value.exit == Exit.USAGE
    assert key.strip() == "" or key not in told(caught.value)


@pytest.mark.parametrize("around", ["{}\r\n", " {} ", '"{}"', "'{}'\n", "\ufeff{}", '\ufeff"{}" '])
def test_what_is_around_a_key_is_taken_off(server: Server, around: str) -> None:
    api(server.url, around.format(KEY)).organization()
    assert server.requests[-1][1]["X-API-Key"] == KEY


def test_the_key_is_in_no_representation(server: Server) -> None:
    assert KEY not in repr(api(server.url)) + str(vars(api(server.url)).keys())


def test_credentials_of_the_url_are_used_and_not_shown(server: Server) -> None:
    client = api(server.url.replace("://", "://me:hidden%40word@"))
    server.answer(INFO, "hidden@word", 500)
    with refused("LSA816") as caught:
        client.organization()
    assert "hidden" not in told(caught.value)
    assert server.requests[-1][1]["Authorization"].startswith("Basic ")


def test_netrc_is_not_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password hidden\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api(server.url).organization()
    assert "Authorization" not in server.requests[-1][1]


def test_a_name_that_nobody_knows() -> None:
    with refused("LSA804") as caught:
        api("https://smith.invalid", read_limit=60).organization()
    assert caught.value.exit == Exit.UNKNOWN
    assert "smith.invalid" in caught.value.what


def test_nothing_listens() -> None:
    with refused("LSA805"):
        api(f"http://127.0.0.1:{free_port()}").organization()


def test_no_connection_within_the_limit() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        with refused("LSA806") as caught:
            api(f"http://127.0.0.1:{full.getsockname()[1]}", connect_limit=0.5).organization()
        for client in waiting:
            client.close()
    assert "within 0.5 seconds" in caught.value.what
    assert caught.value.exit == Exit.UNKNOWN


def test_a_silent_server() -> None:
    released = threading.Event()
    with talking(lambda _: released.wait(20)) as url, refused("LSA807") as caught:
        api(url, read_limit=0.4).organization()
    released.set()
    assert "no complete answer within 0.4 seconds" in caught.value.what


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"HTTP/1.1 "]
)
def test_a_dripping_server(head: bytes) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(head)
        while not over.wait(0.1):
            connection.sendall(b"2")

    with talking(drip) as url, refused("LSA807") as caught:
        api(url, connect_limit=0.5, read_limit=0.5).organization()
    over.set()
    assert "within 0.5 seconds" in caught.value.what


@pytest.mark.parametrize(
    "words",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"],
)  # fmt: skip
def test_a_connection_that_breaks(words: bytes) -> None:
    def breaks(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(words)

    with talking(breaks) as url, refused("LSA810"):
        api(url).organization()


def test_an_answer_that_is_too_large(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from wizard.systems.langsmith import http

    monkeypatch.setattr(http, "LARGEST", 100)
    with refused("LSA818"):
        api(server.url).organization()


def test_a_proxy_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:hidden@127.0.0.1:{free_port()}")
    with refused("LSA809") as caught:
        api("http://smith.invalid", read_limit=60).organization()
    assert "hidden" not in told(caught.value)
    monkeypatch.setenv("NO_PROXY", "smith.invalid")
    with refused("LSA804"):
        api("http://smith.invalid").organization()
    monkeypatch.setenv("HTTPS_PROXY", "me:hidden/x")
    with refused("LSA809") as caught:
        api("https://smith.example.com")
    assert caught.value.exit == Exit.USAGE
    assert "hidden" not in told(caught.value)


@pytest.mark.parametrize("login", ["", "me:hidden%40word@"])
def test_a_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    with Gateway("http", leads_to=server.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", f"://{login}"))
        assert api("http://smith.invalid").organization().id == ID
    assert proxy.asked == [f"GET http://smith.invalid:80{INFO}"]
    assert proxy.logins == (["me:hidden@word"] if login else [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
def test_the_key_for_this_machine_goes_to_no_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with Gateway("http", leads_to=server.port) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        url = server.url.replace("127.0.0.1", host)
        with contextlib.suppress(Problem):  # nobody listens on some of them
            api(url).organization()
    assert proxy.heard == b""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secured(server: Server, certificate: tuple[Path, Path]) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    return server.url.replace("http:", "https:")


def test_tls_that_is_not_trusted(secured: str) -> None:
    with refused("LSA808") as caught:
        api(secured).organization()
    assert "--ca-file" in caught.value.next_step
    assert caught.value.exit == Exit.UNKNOWN


def test_tls_with_the_ca_file(secured: str, certificate: tuple[Path, Path]) -> None:
    assert api(secured, ca_file=certificate[0]).organization().id == ID


def test_tls_that_the_system_trusts(
    secured: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert api(secured).organization().id == ID


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_tls_that_a_bundle_of_the_variables_trusts(
    secured: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(certificate[0]))
    assert api(secured).organization().id == ID


@pytest.mark.parametrize(
    "name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"]
)
def test_a_bundle_that_is_not_there_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/no/such/bundle")
    with refused("LSA803") as caught:
        api("https://h")
    assert f"({name} names it)" in caught.value.what
    assert caught.value.exit == Exit.USAGE
    assert caught.value.next_step == f"unset {name}, or let it name a PEM file"


def test_tls_for_another_host(secured: str, certificate: tuple[Path, Path]) -> None:
    client = api(secured.replace("127.0.0.1", "127.0.0.2"), ca_file=certificate[0])
    with refused("LSA808", "LSA805") as caught:
        client.organization()
    assert caught.value.id == "LSA805" or "another host" in caught.value.what


def test_tls_where_there_is_none(server: Server) -> None:
    with refused("LSA808") as caught:
        api(server.url.replace("http:", "https:")).organization()
    assert "scheme" in caught.value.next_step


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with refused("LSA803") as caught:
        api("https://h", ca_file=file)
    assert caught.value.exit == Exit.USAGE


def test_no_exception_carries_the_key(server: Server) -> None:
    for url in (server.url, f"http://127.0.0.1:{free_port()}", "https://smith.invalid"):
        server.answer(INFO, {"detail": KEY}, 500)
        with refused("LSA816", "LSA805", "LSA804") as caught:
            api(url, read_limit=60).organization()
        error: BaseException | None = caught.value
        while error is not None:
            assert KEY not in repr(error) + str(vars(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
