"""Reaching a Kubernetes API: the kubeconfig, and every way in which an API server says no."""

import json
import os
import re
import socket
import ssl
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from wizard.practice.cluster import PracticeCluster
from wizard.practice.listening import self_signed
from wizard.problems import Exit, Problem
from wizard.systems.kubernetes.cluster import (
    ARGO_ROLLOUTS,
    BUDGETS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    Cluster,
)
from wizard.systems.kubernetes.errors import refuses

SECRET = "t0ken-nobody-may-read"
SPEC = {"containers": [{"name": "c"}]}
PODS_PAGE = b'{"kind": "PodList", "items": []}'


def kubeconfig(path: Path, server: str, user: dict | None = None, **more: object) -> Path:
    cluster = {"server": server, **more}
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user or {"token": SECRET}}],
                "contexts": [
                    {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ls"}},
                    {"name": "there", "context": {"cluster": "c", "user": "u"}},
                ],
            }
        )
    )
    return path


class Answers(BaseHTTPRequestHandler):
    """Answers every request with what the server was given."""

    def do_GET(self) -> None:
        sent = {name: ", ".join(self.headers.get_all(name)) for name in self.headers}
        self.server.asked.append((self.path, sent))
        earlier = self.server.earlier.pop(0) if self.server.earlier else None
        answer = earlier or self.server.answer
        status, kind, body = answer(self.path) if callable(answer) else answer
        self.send_response(status)
        if status in (429, 504) and earlier:
            self.send_header("Retry-After", "0")
        if self.server.sends:
            self.send_header("Location", self.server.sends)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    running = []

    def start(status: int, body: bytes, kind: str = "application/json", tls: Path | None = None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.answer, server.asked, server.earlier = (status, kind, body), [], []
        server.sends = ""
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        start.server = server
        return f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def trusted(
    tmp_path: Path, serve: Callable[..., str], user: dict, answer: bytes = PODS_PAGE
) -> Path:
    """A kubeconfig of a server with TLS: without it nobody is told who asks."""
    certificate, _ = self_signed(tmp_path)
    server = serve(200, answer, tls=tmp_path)
    return kubeconfig(tmp_path / "c", server, user, **{"certificate-authority": str(certificate)})


def authorization(serve: Callable[..., str]) -> str | None:
    headers = {name.lower(): text for name, text in serve.server.asked[0][1].items()}
    return headers.get("authorization")


def status(code: int, reason: str, message: str) -> bytes:
    return json.dumps(
        {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
    ).encode()


def told(problem: Problem) -> str:
    return " ".join((problem.what, problem.on, problem.next_step, *problem.detail))


def refused(call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    assert SECRET not in told(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def page(*names: str, token: str = "") -> bytes:
    items = [{"metadata": {"name": name}, "spec": SPEC} for name in names]
    return json.dumps({"kind": "PodList", "metadata": {"continue": token}, "items": items}).encode()


def test_a_busy_server_is_asked_again_as_it_wishes(tmp_path: Path, serve) -> None:
    path = kubeconfig(tmp_path / "config", serve(200, page("a")))
    busy = (429, "application/json", status(429, "TooManyRequests", "please try again later"))
    serve.server.earlier = [busy, busy]
    with closing(Cluster.connect(path, None, limit=5)) as cluster:
        assert len(cluster.list(PODS, "ls")) == 1
    assert len(serve.server.asked) == 3


def test_the_servers_clock_is_told_by_its_answers(tmp_path: Path, serve, monkeypatch) -> None:
    path = kubeconfig(tmp_path / "config", serve(200, page("a")))
    with closing(Cluster.connect(path, None)) as cluster:
        assert abs(cluster.now() - datetime.now(UTC)) < timedelta(minutes=1)
        for date in ("Mon, 07 Jan 2030 10:00:00 GMT", "none", "Mon, 07 Jan 2030 10:00:09 -0000"):
            monkeypatch.setattr(Answers, "date_time_string", lambda _, date=date: date)
            cluster.list(PODS, "ls")
            ahead = cluster.now() - datetime(2030, 1, 7, 10, tzinfo=UTC)
            assert timedelta() <= ahead < timedelta(minutes=1), date


def test_a_list_whose_later_pages_are_forgotten_is_read_anew(tmp_path: Path, serve) -> None:
    path = kubeconfig(tmp_path / "config", serve(200, page("a", "b", "c")))
    gone = (410, "application/json", status(410, "Expired", "the provided continue is too old"))
    serve.server.earlier = [(200, "application/json", page("a", token="t")), gone]
    with closing(Cluster.connect(path, None)) as cluster:
        assert [one["metadata"]["name"] for one in cluster.list(PODS, "ls")] == ["a", "b", "c"]
        serve.server.answer = gone
        problem = refused(lambda: cluster.list(PODS, "ls"))
    assert (problem.id, problem.exit) == ("LSA218", Exit.UNKNOWN)


@pytest.mark.parametrize("items", [[7], ["x"], [None], [[]], [{}], [{"metadata": 7}], 7, {"a": 1}])
def test_a_list_of_what_is_no_object(tmp_path: Path, serve, items) -> None:
    body = json.dumps({"kind": "PodList", "metadata": {}, "items": items}).encode()
    path = kubeconfig(tmp_path / "config", serve(200, body))
    with closing(Cluster.connect(path, None)) as cluster:
        assert refused(lambda: cluster.list(PODS, "ls")).id == "LSA209"
        assert refused(lambda: cluster.metadata(PODS, "ls", labels="")).id == "LSA209"
        serve.server.answer = (200, "application/json", b'{"kind": "Pod", "metadata": []}')
        assert refused(lambda: cluster.get(PODS, "x", "ls")).id == "LSA209"


def test_as_in_the_kubeconfig_is_followed(tmp_path: Path, serve) -> None:
    user = {
        "token": SECRET,
        "as": "jane",
        "as-uid": "0-1",
        "as-groups": ["sre", "audit"],
        "as-user-extra": {"example.com/Reason": ["drill"]},
    }
    path = trusted(tmp_path, serve, user)
    with closing(Cluster.connect(path, None)) as cluster:
        cluster.list(PODS, "ls")
        refused(lambda: cluster.command("p", "ls", "c", ["true"]))
    for _, headers in serve.server.asked:
        sent = {name: text for name, text in headers.items() if name.startswith("Impersonate")}
        assert sent == {
            "Impersonate-User": "jane",
            "Impersonate-Uid": "0-1",
            "Impersonate-Group": "sre, audit",
            "Impersonate-Extra-example.com%2Freason": "drill",
        }
    assert len(serve.server.asked) == 2
    assert Cluster.contexts(path)[0].credentials == "token, as jane"


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(
    tmp_path: Path, serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.systems.kubernetes.http.LARGEST", 2_000)
    path = kubeconfig(tmp_path / "config", serve(200, b""))

    def answer(asked: str) -> tuple[int, str, bytes]:
        query = parse_qs(urlsplit(asked).query)
        size, at = int(query["limit"][0]), int(query.get("continue", ["0"])[0])
        names = [f"pod-{number}" for number in range(at, min(at + size, 120))]
        token = str(at + size) if at + size < 120 else ""
        return 200, "application/json", page(*names, token=token)

    serve.server.answer = answer
    with closing(Cluster.connect(path, None)) as cluster:
        found = cluster.list(PODS, "ls")
        assert [one["metadata"]["name"] for one in found] == [f"pod-{n}" for n in range(120)]
        monkeypatch.setattr("wizard.systems.kubernetes.http.LARGEST", 20)
        problem = refused(lambda: cluster.list(PODS, "ls"))
    assert problem.id == "LSA221"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (page("a", token="t"), "its list has no end"),
        (page(token="t"), "its list has no end"),
        (b'{"kind": "PodList", "items": [7]}', "items[0] is no object"),
        (b'{"kind": "PodList", "items": {}, "metadata": 7}', "metadata is no mapping"),
    ],
)
def test_a_list_that_is_none(tmp_path: Path, serve, body: bytes, words: str) -> None:
    path = kubeconfig(tmp_path / "config", serve(200, body))
    problem = refused(lambda: Cluster.connect(path, None).list(PODS, "ls"))
    assert problem.id == "LSA209"
    assert problem.detail == (f"its answer to list pods in namespace ls: {words}",)


@pytest.mark.parametrize(
    ("words", "id"), [(b"", "LSA204"), (b"SSH-2.0-x\r\n\r\n", "LSA209"), (None, "LSA208")]
)
def test_a_websocket_that_does_not_come_about(tmp_path: Path, words: bytes | None, id: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def speak() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(10_000)
                if words is None:
                    peer.recv(10_000)
                else:
                    peer.sendall(words)

        threading.Thread(target=speak, daemon=True).start()
        path = kubeconfig(tmp_path / "c", f"http://127.0.0.1:{server.getsockname()[1]}")
        cluster = Cluster.connect(path, None, limit=0.5 if words is None else 20)
        assert refused(lambda: cluster.command("p", "ls", "c", ["true"])).id == id


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe", b"7", b"null", b'"x"', b"<html>"])
def test_what_is_no_json_object(tmp_path: Path, serve, body: bytes) -> None:
    path = kubeconfig(tmp_path / "config", serve(200, body, "application/json"))
    assert refused(lambda: Cluster.connect(path, None).list(PODS, "ls")).id == "LSA209"


def test_json_of_another_content_type_is_read(tmp_path: Path, serve) -> None:
    path = kubeconfig(tmp_path / "config", serve(200, page("a"), "text/plain"))
    assert len(Cluster.connect(path, None).list(PODS, "ls")) == 1


# The kubeconfig


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    problem = refused(lambda: Cluster.connect(tmp_path / "nope", None))
    assert (problem.id, problem.exit) == ("LSA201", Exit.USAGE)
    assert str(tmp_path / "nope") in problem.what


def test_kubeconfig_variable_is_named_when_it_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    problem = refused(lambda: Cluster.connect(None, None))
    assert problem.id == "LSA201"
    assert "KUBECONFIG" in problem.what
    assert str(tmp_path / "b") in problem.what
    assert Cluster.contexts(None) == []


def test_a_context_needs_a_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert refused(lambda: Cluster.connect(None, "practice")).id == "LSA201"
    (tmp_path / "none").write_text("")
    assert refused(lambda: Cluster.connect(None, None)).id == "LSA211"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: [1\nb: 2\n", r"not YAML \(line 2\)"),
        (b"- a list\n", "no kubeconfig"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"- " * 5_000 + b"x\n", "not YAML|no kubeconfig"),  # older libyaml reads any depth
    ],
)
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(text)
    problem = refused(lambda: Cluster.connect(path, None))
    assert (problem.id, problem.exit) == ("LSA202", Exit.USAGE)
    assert re.search(words, problem.what)


@pytest.mark.skipif(os.name != "posix", reason="kinds of files of POSIX")
def test_what_is_no_regular_file_is_no_kubeconfig(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        problem = refused(lambda path=path: Cluster.connect(path, None))
        assert (problem.id, "not a regular file" in problem.what) == ("LSA202", True)


def test_a_wrong_context_lists_those_there_are(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    problem = refused(lambda: Cluster.connect(path, "elsewhere"))
    assert (problem.id, problem.exit) == ("LSA203", Exit.USAGE)
    assert "here, there" in problem.what


def test_a_context_without_a_cluster_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "contexts: [{name: lone, context: {cluster: gone, user: u}}]\ncurrent-context: lone\n"
    )
    problem = refused(lambda: Cluster.connect(path, None))
    assert problem.id == "LSA203"
    assert "without a server" in problem.what


def test_no_context_is_taken_by_chance(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    path.write_text(path.read_text().replace('"current-context": "here",', ""))
    problem = refused(lambda: Cluster.connect(path, None))
    assert (problem.id, problem.exit) == ("LSA211", Exit.USAGE)


def test_the_chosen_context_is_told(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "https://k8s.example.com:6443")
    cluster = Cluster.connect(path, None)
    assert (cluster.context, cluster.server) == ("here", "https://k8s.example.com:6443")
    assert cluster.default_namespace == "ls"
    here, there = Cluster.contexts(path)
    assert (here.current, there.current, there.namespace) == (True, False, "default")
    assert SECRET not in repr(here)


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ("https://me:S3CRET@k8s.example.com:6443/?token=S3CRET", "https://k8s.example.com:6443/"),
        ("https://k8s.example.com/k8s/clusters/c-1#S3CRET", "https://k8s.example.com/k8s/clusters/c-1"),
        ("me:S3CRET@k8s.example.com", "k8s.example.com"),
        ("https://[fd00::1]:6443", "https://[fd00::1]:6443"),
        ("https://[S3CRET", "a server whose URL cannot be read"),
    ],
)  # fmt: skip
def test_a_servers_url_is_told_without_its_secrets(tmp_path: Path, server: str, shown: str) -> None:
    path = kubeconfig(tmp_path / "config", server)
    assert {Cluster.connect(path, None).server, Cluster.contexts(path)[0].server} == {shown}


def test_the_first_file_decides_as_for_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., str]
) -> None:
    right = serve(200, b'{"kind": "PodList", "items": []}')
    asked = serve.server.asked
    wrong = serve(200, b'{"kind": "PodList", "items": []}')
    first = kubeconfig(tmp_path / "first", right)
    second = kubeconfig(tmp_path / "second", wrong)
    second.write_text(second.read_text().replace('"here"', '"other"'))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(second)]))
    cluster = Cluster.connect(None, None)
    assert cluster.context == "here"
    assert cluster.list(PODS, "ls") == []
    assert len(asked) == 1


# What an API server can answer


def test_nobody_listens(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    path = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}")
    problem = refused(lambda: Cluster.connect(path, None).list(PODS, "ls"))
    assert (problem.id, problem.exit) == ("LSA204", Exit.UNKNOWN)
    assert f"127.0.0.1:{port}" in problem.what
    assert "refused" in problem.detail[0]


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "https://no-such-host.invalid:6443")
    assert refused(lambda: Cluster.connect(path, None).list(PODS, "ls")).id == "LSA204"


def test_a_silent_server_is_given_up_and_the_limit_is_named(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        path = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{silent.getsockname()[1]}")
        problem = refused(lambda: Cluster.connect(path, None, limit=0.3).list(PODS, "ls"))
    assert (problem.id, problem.exit) == ("LSA208", Exit.UNKNOWN)
    assert "0.3 seconds" in problem.what


def test_a_silent_tls_server_is_given_up_too(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        path = kubeconfig(tmp_path / "config", f"https://127.0.0.1:{silent.getsockname()[1]}")
        problem = refused(lambda: Cluster.connect(path, None, limit=0.3).list(PODS, "ls"))
    assert problem.exit is Exit.UNKNOWN
    assert "0.3 seconds" in problem.what


def test_a_certificate_that_is_not_trusted(tmp_path: Path, serve: Callable[..., str]) -> None:
    self_signed(tmp_path)
    server = serve(200, b'{"kind": "PodList", "items": []}', tls=tmp_path)
    path = kubeconfig(tmp_path / "config", server)
    problem = refused(lambda: Cluster.connect(path, None).list(PODS, "ls"))
    assert problem.id == "LSA205"
    assert "self" in problem.detail[0]
    trusting = kubeconfig(
        tmp_path / "trusting", server, **{"certificate-authority": str(tmp_path / "tls.crt")}
    )
    assert Cluster.connect(trusting, None).list(PODS, "ls") == []


def test_plain_http_behind_https_is_not_called_untrusted(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    server = serve(200, b"{}").replace("http:", "https:")
    path = kubeconfig(tmp_path / "config", server)
    assert refused(lambda: Cluster.connect(path, None).list(PODS, "ls")).id == "LSA204"


def test_refused_credentials_name_the_user_and_how_they_log_in(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    server = serve(401, status(401, "Unauthorized", "Unauthorized"))
    path = kubeconfig(tmp_path / "config", server)
    problem = refused(lambda: Cluster.connect(path, None).list(PODS, "ls"))
    assert (problem.id, problem.exit) == ("LSA206", Exit.UNKNOWN)
    assert "user u (token)" in problem.what


@pytest.mark.parametrize(
    ("code", "body", "kind", "id"),
    [
        (200, b"<!DOCTYPE html><title>Log in</title>", "text/html", "LSA209"),
        (200, b"{}", "application/json", "LSA209"),
        (302, b"", "text/plain", "LSA209"),
        (404, b"<h1>nginx</h1>", "text/html", "LSA209"),
        (500, status(500, "InternalError", "etcd is away"), "application/json", "LSA216"),
        (429, status(429, "TooManyRequests", "slow down"), "application/json", "LSA216"),
        (502, b"bad gateway", "text/plain", "LSA216"),
        (409, status(409, "Conflict", "changed"), "application/json", "LSA210"),
        (404, b"404 page not found\n", "text/plain; charset=utf-8", "LSA209"),
    ],
)
def test_other_answers(
    tmp_path: Path, serve: Callable[..., str], code: int, body: bytes, kind: str, id: str
) -> None:
    path = kubeconfig(tmp_path / "config", serve(code, body, kind))
    assert refused(lambda: Cluster.connect(path, None).get(PODS, "p", "ls")).id == id
    assert len(serve.server.asked) == 1  # nothing is tried again behind the caller's back


NO_SUCH_PATH = (404, b"404 page not found\n", "text/plain; charset=utf-8")
"""What a real API server answers for the group of a custom resource that it does not have."""


def test_a_cluster_without_argo_is_one_all_the_same(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    with closing(Cluster.connect(kubeconfig(tmp_path / "c", serve(*NO_SUCH_PATH)), None)) as here:
        assert here.get(ARGO_ROLLOUTS, "langsmith-backend", "ls") is None
        assert here.serves(ARGO_ROLLOUTS) is False
        problem = refused(lambda: here.list(ARGO_ROLLOUTS, "ls"))
        assert (problem.id, problem.what) == ("LSA217", "The cluster has no rollouts.argoproj.io")
        assert refused(lambda: here.list(DEPLOYMENTS, "ls")).id == "LSA209"
        assert refused(lambda: here.list(BUDGETS, "ls")).id == "LSA209"


def test_what_the_kubelet_says_of_a_pod_is_not_the_api_servers_trouble(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    kind = "text/plain; charset=utf-8"
    path = kubeconfig(tmp_path / "config", serve(500, b'container not found ("main")', kind))
    problem = refused(lambda: Cluster.connect(path, None).command("p", "ls", "main", ["psql"]))
    assert (problem.id, problem.exit) == ("LSA210", Exit.FAILED)
    assert problem.detail == ('container not found ("main")',)
    assert "kubectl get pods p -n ls" in problem.next_step


@pytest.mark.parametrize(
    "words",
    [
        "failed to create typed patch object (/x; apps/v1, Kind=Deployment): .spec.nosuch: "
        "field not declared in schema",
        "unknown patch type: sideways in map: map[$patch:sideways]",
    ],
)
def test_an_answer_of_500_may_be_about_the_request(
    tmp_path: Path, serve: Callable[..., str], words: str
) -> None:
    body = json.dumps({"kind": "Status", "status": "Failure", "message": words, "code": 500})
    path = kubeconfig(tmp_path / "config", serve(500, body.encode()))
    problem = refused(lambda: Cluster.connect(path, None).try_apply(DEPLOYMENTS, "x", "ls", {}))
    assert (problem.id, problem.exit) == ("LSA210", Exit.FAILED)
    assert problem.what.endswith("was refused (500)")
    assert words[:20] in problem.detail[0]


def test_a_status_without_a_reason_is_one_too(tmp_path: Path, serve: Callable[..., str]) -> None:
    body = json.dumps({"kind": "Status", "status": "Failure", "message": "no", "code": 500})
    path = kubeconfig(tmp_path / "config", serve(500, body.encode()))
    problem = refused(lambda: Cluster.connect(path, None).get(PODS, "p", "ls"))
    assert (problem.id, problem.detail) == ("LSA216", ("no",))
    assert problem.what.endswith("answered 500")


def test_a_policy_refuses_with_422(tmp_path: Path, serve: Callable[..., str]) -> None:
    words = (
        "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
        "denied request: no"
    )
    path = kubeconfig(tmp_path / "config", serve(422, status(422, "Invalid", words)))
    problem = refused(lambda: Cluster.connect(path, None).patch(DEPLOYMENTS, "x", "ls", {}))
    assert (problem.id, problem.detail, refuses(problem)) == ("LSA210", (words,), True)
    assert "(422 Invalid), though not for want of a right" in problem.what
    assert problem.next_step.startswith("meet the policy")


TYPED = "failed to create typed patch object (/x; apps/v1, Kind=Deployment): "


@pytest.mark.parametrize(
    ("code", "reason", "words", "judged"),
    [
        (403, "Forbidden", 'secrets "s" is forbidden: exceeded quota: q, requested: s=1', "ever"),
        (403, "Forbidden", 'pods "x" is forbidden: failed quota: q: must specify cpu', "ever"),
        (
            422,
            "Invalid",
            "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: n",
            "ever",
        ),
        (500, "", f'{TYPED}.env[name="A"].value: expected string, got &value.x', "ever"),
        (500, "", f"{TYPED}.spec.nosuch: field not declared in schema", "exact"),
        (422, "Invalid", 'Deployment.apps "x" is invalid: env[0].valueFrom: may not be', "exact"),
        (403, "Forbidden", 'User "u" cannot patch resource "deployments" in API group', "never"),
        (400, "BadRequest", 'admission webhook "w" does not support dry run', "never"),
        (409, "Conflict", "the object has been modified", "never"),
        (503, "ServiceUnavailable", "etcd is away", "never"),
    ],
)
def test_what_judges_a_write_and_what_does_not(
    tmp_path: Path, serve: Callable[..., str], code: int, reason: str, words: str, judged: str
) -> None:
    """Helm 3 patches: an apply that is not valid for what it leaves in says nothing of that."""
    path = kubeconfig(tmp_path / "config", serve(code, status(code, reason, words)))
    problem = refused(lambda: Cluster.connect(path, None).patch(DEPLOYMENTS, "x", "ls", {}))
    assert refuses(problem) is (judged in ("ever", "exact"))
    assert refuses(problem, exact=False) is (judged == "ever")


def test_an_object_that_the_server_repeats_is_not_told(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    """A merge patch with an unquoted value is answered with all of the patched object."""
    env = [{"name": "POSTGRES_DATABASE_URI", "value": SECRET + '}"] "'}]
    whole = json.dumps({"kind": "Deployment", "spec": {"env": env}}, separators=(",", ":"))
    words = (
        f' "" is invalid: patch: Invalid value: {json.dumps(whole)}: json: cannot unmarshal bool '
        "into Go struct field EnvVar.spec.template.spec.containers.env.value of type string"
    )
    path = kubeconfig(tmp_path / "config", serve(422, status(422, "Invalid", words)))
    connected = Cluster.connect(path, None)
    problem = refused(lambda: connected.patch(DEPLOYMENTS, "x", "ls", {}, strategic=False))
    assert problem.id == "LSA210"
    assert "json: cannot unmarshal bool into Go struct field EnvVar" in problem.detail[0]


def test_a_server_that_is_behind_is_asked_again_for_a_read_alone(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    behind = (504, "application/json", status(504, "Timeout", "Too large resource version"))
    path = kubeconfig(tmp_path / "config", serve(200, page("a")))
    serve.server.earlier = [behind]
    with closing(Cluster.connect(path, None, limit=5)) as connected:
        assert len(connected.list(PODS, "ls")) == 1
        assert len(serve.server.asked) == 2
        serve.server.earlier = [behind]
        problem = refused(lambda: connected.patch(DEPLOYMENTS, "x", "ls", {}))
    assert problem.id == "LSA216"
    assert len(serve.server.asked) == 3


def test_the_token_goes_to_the_server_by_tls_alone(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    Cluster.connect(trusted(tmp_path, serve, {"token": SECRET}), None).list(PODS, "ls")
    assert authorization(serve) == f"Bearer {SECRET}"
    path = kubeconfig(tmp_path / "plain", serve(200, PODS_PAGE), {"token": SECRET})
    Cluster.connect(path, None).list(PODS, "ls")
    assert (authorization(serve), SECRET in repr(serve.server.asked)) == (None, False)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
@pytest.mark.parametrize("websocket", [False, True])
def test_no_redirect_is_followed(
    tmp_path: Path, serve: Callable[..., str], code: int, websocket: bool
) -> None:
    elsewhere = serve(403, b"{}")
    other = serve.server
    path = trusted(tmp_path, serve, {"token": SECRET})
    serve.server.answer = (code, "text/plain", b"")
    serve.server.sends = f"{elsewhere}/login?next=S3CRET"
    with closing(Cluster.connect(path, None)) as cluster:
        problem = refused(
            lambda: (
                cluster.command("p", "ls", "c", ["true"]) if websocket else cluster.list(PODS, "ls")
            )
        )
    assert problem.id == "LSA209"
    assert f"sends us elsewhere ({code} to {elsewhere}/login)" in problem.what
    assert "S3CRET" not in told(problem)
    assert (other.asked, len(serve.server.asked)) == ([], 1)


# Credential plugins


def plugin(tmp_path: Path, script: str) -> dict:
    path = tmp_path / "get-token"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(stat.S_IRWXU)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(path),
            "interactiveMode": "Never",
        }
    }


def test_a_credential_plugin_gives_the_token(tmp_path: Path, serve: Callable[..., str]) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": SECRET},
    }
    user = plugin(tmp_path, f"print({json.dumps(json.dumps(credential))})")
    Cluster.connect(trusted(tmp_path, serve, user), None).list(PODS, "ls")
    assert authorization(serve) == f"Bearer {SECRET}"


def test_a_plugin_that_fails_is_named_with_its_words(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    user = plugin(tmp_path, "import sys; sys.exit('the session has ended, log in')")
    path = trusted(tmp_path, serve, user)
    problem = refused(lambda: Cluster.connect(path, None).list(PODS, "ls"))
    assert (problem.id, problem.exit) == ("LSA212", Exit.UNKNOWN)
    assert "get-token" in problem.what
    assert "log in" in problem.detail[0]
    assert serve.server.asked == []


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    user["exec"]["command"] = "/no/such/tool"
    path = kubeconfig(tmp_path / "c", "https://127.0.0.1:1", user)
    problem = refused(lambda: Cluster.connect(path, None).list(PODS, "ls"))
    assert problem.id == "LSA212"
    assert "/no/such/tool" in problem.what


# In a pod


def test_a_pod_uses_its_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., str]
) -> None:
    certificate, _ = self_signed(tmp_path)
    port = serve(200, b'{"kind": "PodList", "items": []}', tls=tmp_path).rsplit(":", 1)[1]
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "namespace").write_text("in-here\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    for module in ("wizard.systems.kubernetes.kubeconfig", "wizard.systems.kubernetes.cluster"):
        monkeypatch.setattr(f"{module}.SERVICE_ACCOUNT", tmp_path)
    certificate.rename(tmp_path / "ca.crt")
    cluster = Cluster.connect(None, None)
    assert (cluster.context, cluster.default_namespace) == ("", "in-here")
    assert cluster.server == f"https://127.0.0.1:{port}"
    assert cluster.list(PODS, "ls") == []
    assert authorization(serve) == f"Bearer {SECRET}"


# On the practice cluster


@pytest.fixture
def connected(cluster: PracticeCluster) -> Iterator[Cluster]:
    connection = Cluster.connect(cluster.kubeconfig, None)
    yield connection
    connection.close()


def test_what_is_there_and_what_is_not(connected: Cluster) -> None:
    found = connected.get(DEPLOYMENTS, "langsmith-backend", "langsmith")
    assert found["kind"] == "Deployment"
    assert connected.get(DEPLOYMENTS, "nope", "langsmith") is None
    assert connected.get(NAMESPACES, "nope", None) is None


def test_lists_page_to_the_end(
    cluster: PracticeCluster, connected: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.systems.kubernetes.cluster.PAGE", 2)
    labels = "app.kubernetes.io/instance=langsmith"
    names = [p["metadata"]["name"] for p in connected.list(PODS, "langsmith", labels=labels)]
    there = cluster.kubernetes.list("Pod", "langsmith", {"app.kubernetes.io/instance": "langsmith"})
    assert len(names) > 4
    assert sorted(names) == sorted(pod["metadata"]["name"] for pod in there)
    one = connected.list(PODS, "langsmith", fields=f"metadata.name={names[0]}")
    assert [pod["metadata"]["name"] for pod in one] == names[:1]
    assert connected.list(PODS, None, labels="app.kubernetes.io/instance=nobody") == []


def test_a_patch_and_its_dry_run(connected: Cluster) -> None:
    def note() -> str | None:
        live = connected.get(DEPLOYMENTS, "langsmith-backend", "langsmith")
        return live["metadata"]["annotations"].get("example.com/note")

    body = {"metadata": {"annotations": {"example.com/note": "x"}}}
    tried = connected.patch(DEPLOYMENTS, "langsmith-backend", "langsmith", body, dry_run=True)
    assert tried["metadata"]["annotations"]["example.com/note"] == "x"
    assert note() is None
    done = connected.patch(DEPLOYMENTS, "langsmith-backend", "langsmith", body, strategic=False)
    assert note() == "x"
    managers = {entry["manager"] for entry in done["metadata"]["managedFields"]}
    assert "langsmith-audit" in managers


def test_a_patch_of_what_is_not_there(connected: Cluster) -> None:
    problem = refused(lambda: connected.patch(DEPLOYMENTS, "nope", "langsmith", {"spec": {}}))
    assert (problem.id, problem.exit) == ("LSA217", Exit.FAILED)


def test_a_missing_right_is_named_with_its_rule(
    cluster: PracticeCluster, connected: Cluster
) -> None:
    cluster.kubernetes.faults.forbid("patch", "deployments")
    cluster.kubernetes.faults.forbid("get", "secrets")
    assert not connected.allowed("patch", DEPLOYMENTS, "langsmith")
    assert connected.allowed("get", DEPLOYMENTS, "langsmith")
    problem = refused(
        lambda: connected.patch(DEPLOYMENTS, "langsmith-backend", "langsmith", {"metadata": {}})
    )
    assert (problem.id, problem.exit) == ("LSA207", Exit.UNKNOWN)
    assert "may not patch deployments in namespace langsmith" in problem.what
    assert 'apiGroups: ["apps"], resources: ["deployments"], verbs: ["patch"]' in problem.next_step
    assert refused(lambda: connected.get(SECRETS, "x", "langsmith")).id == "LSA207"
    assert connected.list(EVENTS, "langsmith") is not None


def test_a_stalled_server_on_the_practice_cluster(cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.stall()
    connection = Cluster.connect(cluster.kubeconfig, None, limit=0.3)
    assert refused(lambda: connection.list(PODS, "langsmith")).id == "LSA208"
