"""Each set-up of a kubeconfig and of proxy variables, by this tool with helm 3 and 4 beside it.

What reached the server, as whom and through which proxy, is the same; what helm refuses is one
finding that names the entry.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gateway
import pytest
from gateway import Gateway

from wizard.practice.listening import self_signed
from wizard.problems import Exit, Problem
from wizard.systems.calls import environment
from wizard.systems.helm import process
from wizard.systems.kubernetes.cluster import SECRETS, Cluster

NAMESPACE = "ls"
V1, BETA, ALPHA = (f"client.authentication.k8s.io/{it}" for it in ("v1", "v1beta1", "v1alpha1"))
FACTS = ("Authorization", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid",
         "Impersonate-Extra-A%2fb")  # fmt: skip
Json = dict[str, Any]


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): text for name, text in self.headers.items()}
        who = tuple(headers.get(name.lower(), "") for name in FACTS)
        shown = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
        self.server.seen.append((path, who, shown))
        known = {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
        items = {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []}
        body = json.dumps(known if path.endswith("/version") else items).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class World:
    """Two API servers, with TLS and without; the files and proxies of the set-ups.

    In a set-up `{tls}`, `{plain}`, `{dir}` and `{proxy}` stand for their places.
    """

    folder: Path
    tls: Any
    plain: Any
    proxies: dict[str, Gateway]
    authority: str
    places: dict[str, str] = field(default_factory=dict)

    def fill(self, value: Any) -> Any:
        text = json.dumps(value)
        for name, place in self.places.items():
            text = text.replace("{" + name + "}", place)
        return json.loads(text)

    def seen(self) -> tuple[Any, ...]:
        """The last request for Secrets, and what the proxies were asked."""
        reached = [it for it in self.tls.seen + self.plain.seen if it[0].endswith("/secrets")]
        asked = [
            (kind, bool(proxy.asked), tuple(dict.fromkeys(proxy.logins)))
            for kind, proxy in self.proxies.items()
        ]
        return reached[-1] if reached else None, asked

    def forget(self) -> None:
        for server in (self.tls, self.plain):
            server.seen.clear()
        for proxy in self.proxies.values():
            proxy.asked.clear()
            proxy.logins.clear()


def _serve(certificate: tuple[Path, Path] | None) -> Any:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    server.seen = []
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.load_verify_locations(certificate[0])
        context.verify_mode = ssl.CERT_OPTIONAL
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


PLUGIN = """#!/bin/sh
echo "open https://microsoft.com/devicelogin and enter the code ABC-DEF" >&2
%s
echo '{"kind": "ExecCredential", "apiVersion": "'$VERSION'", "status": {"token": "plugged"}}'
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("as-helm")
    certificate = self_signed(folder)
    (folder / "sub").mkdir()
    (folder / "sub" / "token").write_text("of-sub\n")
    (folder / "token").write_text("of-file\n")
    (folder / "comment").write_text("# nothing yet\n")
    (folder / "empty").write_text("")
    (folder / "sub" / "ca.crt").write_bytes(certificate[0].read_bytes())
    for name, words in (("plugin", ""), ("fails", "exit 3"), ("sub/plugin", "")):
        (folder / name).write_text(PLUGIN % words)
        (folder / name).chmod(0o755)
    tls, plain = _serve(certificate), _serve(None)
    with contextlib.ExitStack() as stack:
        proxies = {
            kind: stack.enter_context(
                Gateway(kind, leads_to=tls.server_port, certificate=certificate)
            )
            for kind in ("http", "https", "socks5")
        }
        authority = base64.b64encode(certificate[0].read_bytes()).decode()
        made = World(folder, tls, plain, proxies, authority)
        made.places = {
            "tls": f"127.0.0.1:{tls.server_port}",
            "plain": f"127.0.0.1:{plain.server_port}",
            "port": str(tls.server_port),
            "dir": str(folder),
            "ca": authority,
            **{kind: proxy.url.partition("//")[2] for kind, proxy in proxies.items()},
        }
        yield made
    for server in (tls, plain):
        server.shutdown()
        server.server_close()


CLUSTER = {"server": "https://{tls}", "certificate-authority-data": "{ca}"}
FAR = {"server": "https://k8s.invalid:6443", "certificate-authority-data": "{ca}",
       "tls-server-name": "localhost"}  # fmt: skip
TOKEN = {"token": "inline"}


def plugin(command: str = "{dir}/plugin", version: str = V1, **more: Any) -> Json:
    told = {"apiVersion": version, "command": command, "interactiveMode": "IfAvailable", **more}
    env = [{"name": "VERSION", "value": version}]
    return {"exec": {"env": env, **{name: it for name, it in told.items() if it is not None}}}


@dataclass(frozen=True)
class Case:
    """A set-up; `refused` is a part of the finding where helm refuses it, too."""

    name: str
    cluster: Json = field(default_factory=lambda: CLUSTER)
    user: Json = field(default_factory=lambda: TOKEN)
    refused: str = ""
    env: dict[str, str] = field(default_factory=dict)
    top: Json = field(default_factory=dict)
    files: str = "{dir}/config"


def with_(**changed: Any) -> Json:
    """The cluster with other fields; `_` stands for `-`."""
    return {**CLUSTER, **{name.replace("_", "-"): it for name, it in changed.items()}}


def far(**variables: str) -> Json:
    return {"cluster": FAR, "env": variables}


LOGINS = (
    Case("a token"),
    Case("no TLS, no login", {"server": "http://{plain}"},
         {**TOKEN, "as": "jane", "as-groups": ["g"], "as-uid": "1"}),
    Case("no TLS, no scheme", {"server": "{plain}"}),
    Case("a path", with_(server="https://{tls}/k8s/clusters/c-1/")),
    Case("the file wins over the token", user={**TOKEN, "tokenFile": "{dir}/token"}),
    Case("a file that is not there beside a token", user={**TOKEN, "tokenFile": "/no"}),
    Case("an empty token beside a file", user={"token": "", "tokenFile": "{dir}/token"}),
    Case("a file that is not there", user={"tokenFile": "/no"}, refused="user.tokenFile"),
    Case("a file of the entry's folder", user={"tokenFile": "sub/token"}),
    Case("a password", user={"username": "u", "password": "p"}),
    Case("a name alone", user={"username": "u"}),
    Case("a token and a password", user={**TOKEN, "username": "u", "password": "p"},
         refused="user.username stands beside a token"),
    Case("a token that is a number", user={"token": 12345}, refused="token is no text"),
    Case("a line break in the token", user={"token": "x\n"}, refused="line break"),
    Case("who stands in the URL", with_(server="https://me:p%40w@{tls}/?token=x"), {}),
    Case("who stands in the URL, and a token", with_(server="https://me:pw@{tls}")),
    Case("impersonation", user={**TOKEN, "as": "jane", "as-uid": "1", "as-groups": ["g"],
                                "as-user-extra": {"a/B": ["c"]}}),
    Case("groups without somebody", user={**TOKEN, "as-groups": ["g"]}, refused="user.as is"),
    Case("a client certificate", user={"client-certificate": "{dir}/tls.crt",
                                       "client-key": "tls.key"}),
    Case("a certificate without its key", user={"client-certificate": "tls.crt"},
         refused="client-key is missing"),
    Case("a certificate and its data", user={"client-certificate": "tls.crt",
         "client-certificate-data": "{ca}", "client-key": "tls.key"},
         refused="client-certificate stands beside"),
    Case("a certificate with another key", user={"client-certificate": "tls.crt",
         "client-key-data": "{ca}"}, refused="do not go together"),
    Case("no such user", top={"users": []}),
    Case("two users of a name", top={"users": [{"name": "u"}, {"name": "u"}]},
         refused="two entries u"),
    Case("users that are no list", top={"users": {"u": 1}}, refused="users is no list"),
    Case("contexts that are null", top={"contexts": None}, refused="no context"),
    Case("a plugin", user=plugin()),
    Case("a plugin of the file's folder", user=plugin("./sub/plugin")),
    Case("a plugin of v1beta1", user=plugin(version=BETA, interactiveMode=None)),
    Case("a plugin of v1alpha1", user=plugin(version=ALPHA), refused="exec.apiVersion"),
    Case("a plugin without a mode", user=plugin(interactiveMode=None),
         refused="exec.interactiveMode is missing"),
    Case("a plugin without a version", user=plugin(version=""), refused="exec.apiVersion"),
    Case("a plugin that speaks another version",
         user=plugin(env=[{"name": "VERSION", "value": BETA}]), refused=f"speaks {BETA}"),
    Case("a plugin that fails", user=plugin("{dir}/fails"), refused="exit code 3"),
    Case("a plugin that is not there", user=plugin("/no/such"), refused="cannot be run"),
    Case("a plugin that needs a terminal", user=plugin(interactiveMode="Always"),
         refused="and there is none"),
    Case("a plugin beside a token", user={**plugin("{dir}/fails"), **TOKEN}),
    Case("a plugin beside a password", user={**plugin("{dir}/fails"), "username": "u"}),
    Case("a plugin beside a certificate", user={**plugin("{dir}/fails"),
         "client-certificate": "tls.crt", "client-key": "tls.key"}),
    *(
        Case(f"the provider {name}", user={"auth-provider": {"name": name}, **more},
             refused=f"auth-provider is {name}")
        for name, more in (("gcp", {}), ("azure", {}), ("openstack", {}), ("gcp", TOKEN))
    ),
)  # fmt: skip
CLUSTERS = (
    Case("empty data beside a file", {"server": "https://{tls}", "certificate-authority-data": "",
                                      "certificate-authority": "{dir}/tls.crt"}),
    Case("data beside a file", with_(certificate_authority="tls.crt"),
         refused="certificate-authority stands beside"),
    Case("an authority that is not there", {"server": "https://{tls}",
         "certificate-authority": "none.crt"}, refused="certificate-authority names"),
    Case("an authority that is no base64", with_(certificate_authority_data="!"),
         refused="is no base64"),
    Case("an authority that is no certificate", with_(certificate_authority_data="aGVsbG8="),
         refused="is no certificate"),
    Case("nobody is verified", {"server": "https://{tls}", "insecure-skip-tls-verify": True}),
    Case("nobody is verified, by an authority", with_(insecure_skip_tls_verify=True),
         refused="stands beside insecure-skip-tls-verify"),
    Case("another name", with_(tls_server_name="localhost")),
    Case("a wrong name", with_(tls_server_name="nobody"), refused="is not trusted"),
    Case("another scheme", with_(server="ftp://{tls}"), refused="cluster.server is no http"),
    *(Case(f"proxy-url {kind}", {**FAR, "proxy-url": f"{kind}://{{{kind}}}"},
           env={"NO_PROXY": "k8s.invalid"}) for kind in ("http", "https", "socks5")),
    *(Case(f"proxy-url {kind} with a login", {**FAR, "proxy-url": f"{kind}://m%40e:p%2Fw@{{{kind}}}"})
      for kind in ("http", "https", "socks5")),
    Case("proxy-url for this machine", with_(proxy_url="http://{http}")),
    Case("proxy-url of another kind", with_(proxy_url="ftp://x"), refused="cluster.proxy-url"),
    Case("proxy-url without a scheme", with_(proxy_url="127.0.0.1:1"), refused="cluster.proxy-url"),
)  # fmt: skip
PROXIED = (
    Case("HTTPS_PROXY", **far(HTTPS_PROXY="http://{http}")),
    Case("https_proxy", **far(https_proxy="http://{http}")),
    Case("HTTPS_PROXY without a scheme", **far(HTTPS_PROXY="{http}")),
    Case("HTTPS_PROXY with a login", **far(HTTPS_PROXY="http://me:pw@{http}")),
    Case("HTTPS_PROXY by TLS", **far(HTTPS_PROXY="https://{https}")),
    Case("HTTPS_PROXY by SOCKS", **far(HTTPS_PROXY="socks5://{socks5}")),
    Case("HTTP_PROXY is for others", refused="cannot be reached", **far(HTTP_PROXY="http://{http}")),
    Case("ALL_PROXY is for others", refused="cannot be reached", **far(ALL_PROXY="http://{http}")),
    Case("this machine", env={"HTTPS_PROXY": "http://{http}"}),
    Case("this machine, by name", with_(server="https://localhost:{port}"),
         env={"HTTPS_PROXY": "http://{http}"}),
    *(
        Case(f"NO_PROXY {text!r}", refused="" if proxied else "cannot be reached",
             **far(HTTPS_PROXY="http://{http}", NO_PROXY=text))
        for text, proxied in (
            ("*", False), ("invalid", False), (".invalid", False), ("*.invalid", False),
            (" k8s.invalid ", False), ("a,k8s.invalid:6443", False), ("k8s.invalid:443", True),
            ("a k8s.invalid", True), ("8s.invalid", True), ("10.0.0.0/8", True),
        )
    ),
    *(
        Case(f"NO_PROXY {text!r} for an address", {**FAR, "server": "https://192.0.2.7:6443"},
             env={"HTTPS_PROXY": "http://{http}", "NO_PROXY": text})
        for text in ("192.0.3.0/24", "192.0.2.7:443", "192.0.2")
    ),
)  # fmt: skip
LISTS = (
    Case("a comment alone first", files="{dir}/comment:{dir}/config"),
    Case("an empty file first", files="{dir}/empty:{dir}/config"),
    Case("a file that is not there", files="/no/such::{dir}/config:{dir}/config"),
    Case("each file's own folder", files="{dir}/sub/config:{dir}/config"),
    Case("a home", files="~/config"),
)


@pytest.mark.parametrize("case", [*LOGINS, *CLUSTERS, *PROXIED, *LISTS], ids=lambda case: case.name)
def test_as_helm_does(
    world: World, monkeypatch: pytest.MonkeyPatch, helm3: Path, helm4: Path, case: Case
) -> None:
    config = _config(case)
    (world.folder / "config").write_text(json.dumps(world.fill(config)))
    (world.folder / "sub" / "config").write_text(json.dumps(world.fill(SUB)))
    for name in gateway.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(world.folder / "tls.crt"))  # for the proxy's own
    monkeypatch.setenv("HOME", str(world.folder))
    monkeypatch.setenv("KUBECONFIG", world.fill(case.files))
    for name, text in world.fill(case.env).items():
        monkeypatch.setenv(name, text)
    told = _by_helm(world, helm3), _by_helm(world, helm4)
    assert told[0] == told[1]
    world.forget()
    try:
        with closing(Cluster.connect(None, None, limit=10)) as cluster:
            assert cluster.list(SECRETS, NAMESPACE) == []
    except Problem as problem:
        assert case.refused, (problem.what, problem.detail)
        assert case.refused in problem.what, (problem.what, problem.detail)
        assert problem.id in KNOWN
        assert "inline" not in problem.what + problem.next_step
        assert told[0][0] is False
        return
    assert not case.refused
    assert (True, *world.seen()) == told[0]


KNOWN = ("LSA202", "LSA203", "LSA204", "LSA205", "LSA212", "LSA213")
SUB = {"users": [{"name": "u", "user": {"tokenFile": "token"}}],
       "clusters": [{"name": "c", "cluster": {"server": "https://{tls}",
                                              "certificate-authority": "ca.crt"}}]}  # fmt: skip


def _config(case: Case) -> Json:
    context = {"cluster": "c", "user": "u", "namespace": NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": case.cluster}],
        "users": [{"name": "u", "user": case.user}],
        "contexts": [{"name": "here", "context": context}],
        **case.top,
    }


def _by_helm(world: World, helm: Path) -> tuple[Any, ...]:
    """Whether `helm list` went well, and what it was seen to do."""
    world.forget()
    done = subprocess.run(
        [str(helm), "list", "-n", NAMESPACE],
        env=process.environment() | {"KUBECACHEDIR": str(world.folder / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    return done.returncode == 0, *world.seen()


def test_a_path_with_a_colon(world: World) -> None:
    folder = world.folder / "a:b"
    folder.mkdir()
    (folder / "config").write_text(json.dumps(world.fill(_config(Case("a colon")))))
    with closing(Cluster.connect(folder / "config", None)) as cluster:
        assert cluster.list(SECRETS, NAMESPACE) == []


def test_a_token_is_read_again_from_its_file(world: World, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    case = Case("again", user={"token": "old", "tokenFile": str(tmp_path / "token")})
    (tmp_path / "config").write_text(json.dumps(world.fill(_config(case))))
    with closing(Cluster.connect(tmp_path / "config", None)) as cluster:
        for token in ("first", "second"):
            (tmp_path / "token").write_text(token)
            cluster.list(SECRETS, NAMESPACE)
            assert world.seen()[0][1][0] == f"Bearer {token}"


def test_a_proxy_variable_that_is_none_is_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:S3CRET@proxy")
    (tmp_path / "config").write_text(json.dumps(world.fill(_config(Case("x", FAR)))))
    with pytest.raises(Problem) as caught:
        Cluster.connect(tmp_path / "config", None).list(SECRETS, NAMESPACE)
    assert (caught.value.id, caught.value.exit) == ("LSA214", Exit.USAGE)
    assert caught.value.what == "HTTPS_PROXY is no proxy's URL"


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_a_websocket_goes_as_requests_go(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.folder / "tls.crt"))
    case = Case("far", {**FAR, "proxy-url": f"{kind}://me:pw@{{{kind}}}"})
    (tmp_path / "config").write_text(json.dumps(world.fill(_config(case))))
    world.forget()
    with (
        closing(Cluster.connect(tmp_path / "config", None)) as cluster,
        pytest.raises(Problem) as caught,
    ):
        cluster.command("p", NAMESPACE, "c", ["true"])
    assert caught.value.id != "LSA204"  # it was reached: this server has no WebSockets
    assert world.proxies[kind].asked
    assert world.proxies[kind].logins == ["me:pw"]
    assert world.tls.seen[-1][1][0] == "Bearer inline"


def test_a_server_that_nobody_verifies_is_one_warning(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = Case("insecure", {"server": "https://{tls}", "insecure-skip-tls-verify": True})
    (tmp_path / "config").write_text(json.dumps(world.fill(_config(case))))
    with closing(Cluster.connect(tmp_path / "config", None)) as cluster:
        for _ in range(2):
            cluster.list(SECRETS, NAMESPACE)
        assert [it.id for it in cluster.remarks] == ["LSA219"]
    assert capfd.readouterr() == ("", "")


def test_helm_gets_a_kubeconfig_whose_home_is_spelled_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(world.folder))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["~/config", "/x/~y"]))
    assert process.environment()["KUBECONFIG"] == f"{world.folder}/config:/x/~y"
    assert environment()["KUBECONFIG"] == process.environment()["KUBECONFIG"]
