"""A login through an identity provider: renewed as kubectl and helm do, the kubeconfig kept."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from wizard.practice.listening import self_signed
from wizard.problems import Problem
from wizard.systems.helm import process
from wizard.systems.kubernetes.cluster import SECRETS, Cluster
from wizard.systems.kubernetes.oidc import rewritten

SECRET = "S3CRET-of-the-client"


def token(lasts: float, name: str = "jane") -> str:
    claims = {"exp": int(time.time() + lasts), "sub": name}
    parts = ({"alg": "none"}, claims, "signature")
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((path, self.headers.get("Authorization", "")))
        if path.endswith("openid-configuration"):
            self._say(200, {"token_endpoint": f"{self.server.url}/token"})
        elif path.endswith("/version"):
            self._say(200, {"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
        else:
            self._say(200, {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        login = self.headers.get("Authorization", "")
        self.server.forms.append((form, login))
        by_form = self.server.by_form
        if ("client_secret" not in form) if by_form else not login:
            self._say(401, {"error": "invalid_client"})
        else:
            self._say(*self.server.answer)

    def _say(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """An API server that is an identity provider as well."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.asked, server.forms, server.by_form = [], [], False
    server.url = f"https://127.0.0.1:{server.server_port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


CONFIG = """# the clusters of my team
apiVersion: v1
kind: Config
current-context: here  # production!
clusters:
- name: c
  cluster: {{server: "{url}", certificate-authority: tls.crt}}
users:
- {{name: other, user: {{token: other-token}}}}
- name: u
  user:
    auth-provider:
      name: oidc
      config:
        client-id: kube   # as the team was told
        client-secret: "{secret}"
        id-token: {token}
        idp-certificate-authority: {folder}/tls.crt
        idp-issuer-url: {url}
        refresh-token: '{refresh}'
contexts:
- {{name: here, context: {{cluster: c, user: u, namespace: ls}}}}
# the end
"""


def written(tmp_path: Path, server: Any, told: str, refresh: str = "r-1") -> Path:
    path = tmp_path / "config"
    facts = {"url": server.url, "secret": SECRET, "token": told, "refresh": refresh}
    path.write_text(CONFIG.format(**facts, folder=tmp_path))
    path.chmod(0o640)
    return path


def listed(path: Path) -> Cluster:
    with closing(Cluster.connect(path, None)) as cluster:
        assert cluster.list(SECRETS, "ls") == []
        return cluster


def bearers(server: Any) -> list[str]:
    return [login.removeprefix("Bearer ") for path, login in server.asked if "secrets" in path]


def test_a_token_that_lasts_is_taken_as_it_is(tmp_path: Path, server: Any) -> None:
    path = written(tmp_path, server, told := token(600))
    before = path.read_bytes()
    assert listed(path).remarks == ()
    assert (bearers(server), server.forms, path.read_bytes()) == ([told], [], before)


@pytest.mark.parametrize("by_form", [False, True])
@pytest.mark.parametrize("rotated", ["", 'r-2: "quoted"'])
def test_one_that_has_ended_is_renewed_and_nothing_else_changes(
    tmp_path: Path, server: Any, helm3: Path, helm4: Path, by_form: bool, rotated: str
) -> None:
    path = written(tmp_path, server, old := token(-5))
    before = path.read_text()
    new = token(600)
    server.by_form = by_form
    server.answer = (200, {"id_token": new, **({"refresh_token": rotated} if rotated else {})})
    (remark,) = listed(path).remarks
    assert bearers(server) == [new]
    assert (remark.id, remark.on) == ("LSA220", str(path))
    assert ("id-token and refresh-token" if rotated else "id-token changed") in remark.what
    assert not {old, new, SECRET} & set(remark.what.split())
    quoted = json.dumps(rotated) if rotated else "'r-1'"
    assert path.read_text() == before.replace(old, f'"{new}"').replace("'r-1'", quoted)
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(it.name for it in tmp_path.iterdir()) == ["config", "tls.crt", "tls.key"]
    form, login = server.forms[-1]
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], ["r-1"])
    assert bool(login) is not by_form
    after = path.read_bytes()
    for helm in (helm3, helm4):  # it finds a token that lasts, and leaves the file alone
        argv = [str(helm), "list", "-n", "ls", "--kubeconfig", str(path)]
        env = process.environment() | {"KUBECACHEDIR": str(tmp_path.parent / "cache")}
        assert subprocess.run(argv, env=env, capture_output=True).returncode == 0
    assert path.read_bytes() == after


def test_a_file_that_is_locked_stays_as_it_is(tmp_path: Path, server: Any) -> None:
    path = written(tmp_path, server, token(-5))
    before = path.read_bytes()
    (tmp_path / "config.lock").touch()
    server.answer = (200, {"id_token": token(600)})
    (remark,) = listed(path).remarks
    assert "the kubeconfig is as it was" in remark.what
    assert path.read_bytes() == before
    assert (tmp_path / "config.lock").exists()


@pytest.mark.parametrize(
    ("answer", "refresh", "words"),
    [
        ((400, {"error": "invalid_grant", "error_description": "Session not active"}), "r-1",
         "gave no id_token"),
        ((200, {"access_token": "x"}), "r-1", "gave no id_token"),
        ((200, ["x"]), "r-1", "gave no id_token"),
        ((500, {}), "r-1", "gave no id_token"),
        ((200, {}), "", "there is no refresh-token"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_renewed_is_told(
    tmp_path: Path, server: Any, answer: Any, refresh: str, words: str
) -> None:
    path = written(tmp_path, server, token(-5), refresh)
    before = path.read_bytes()
    server.answer = answer
    with pytest.raises(Problem) as caught:
        listed(path)
    assert caught.value.id == "LSA212"
    assert words in caught.value.what
    assert "log in again" in caught.value.next_step
    assert SECRET not in repr((caught.value.what, caught.value.detail))
    if "error" in answer[1]:
        assert caught.value.detail == ("Session not active",)
    assert path.read_bytes() == before


def test_a_provider_that_is_not_there(tmp_path: Path, server: Any) -> None:
    path = written(tmp_path, server, token(-5))
    path.write_text(path.read_text().replace("url: https://127.0.0.1", "url: https://idp.invalid"))
    with pytest.raises(Problem) as caught:
        listed(path)
    assert "idp.invalid: the name cannot be resolved" in caught.value.what


def test_what_is_not_there_is_not_written() -> None:
    assert rewritten("users: []", "u", {"id-token": "x"}) is None
    flow = '{"users": [{"name": "u", "user": {"auth-provider": {"config": {"id-token": "a"}}}}]}'
    assert rewritten(flow, "u", {"no-such": "x"}) is None
    assert rewritten(flow, "nobody", {"id-token": "x"}) is None
    assert rewritten(flow, "u", {"id-token": "b"}) == flow.replace('"a"', '"b"')
