"""Where the chart comes from: an alias that helm lacks or whose index is old, a file, OCI."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from leftovers import refused, writes

from wizard.practice.cluster import PracticeCluster
from wizard.practice.listening import self_signed, server_context
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.systems.helm.charts import alias_of

PLAN = ("plan", "--all", "--detailed-exitcode")


@pytest.mark.parametrize(
    ("scenario", "exit", "id", "words"),
    [
        ("repo-missing", 2, "LSA119", "helm repo add langchain https://langchain-ai.github.io"),
        ("repo-stale", 3, "LSA120", "helm repo update langchain"),
    ],
)
def test_a_repository_is_told_and_refreshed_when_told_to(
    cluster, run, scenario, exit, id, words
) -> None:
    stage(cluster, SCENARIOS[scenario])
    refused(cluster, run(*PLAN), exit, id, words, "--repo-update")
    gone = {"LANGSMITH_AUDIT_REPO_URL": "http://127.0.0.1:9"}
    if scenario == "repo-missing":
        refused(cluster, run(*PLAN, "--repo-update", env=gone), 5, "LSA190", "127.0.0.1:9")
    answer = run(*PLAN, "--repo-update")
    assert answer.returncode == 6, answer.stderr
    assert writes(cluster) == []
    assert run(*PLAN).returncode == 6


def test_a_packaged_chart(cluster, run) -> None:
    (package,) = cluster.repository.folder.glob("langsmith-0.12.33.tgz")
    answer = run(*PLAN, "--chart", str(package))
    assert answer.returncode == 6, answer.stderr
    assert f"helm upgrade langsmith {package}" in answer.stdout
    other = package.with_name("langsmith-0.13.37.tgz")
    refused(cluster, run(*PLAN, "--chart", str(other)), 3, "LSA120", "0.13.37, not 0.12.33")


@pytest.fixture
def registry(cluster: PracticeCluster, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """An OCI registry on loopback that has the chart; its URL, and what trusts it."""
    certificate, key = self_signed(tmp_path)
    (package,) = cluster.repository.folder.glob("langsmith-0.12.33.tgz")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(package))
    server.socket = server_context(certificate, key).wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"oci://127.0.0.1:{server.server_port}/charts/langsmith"
    yield url, {"SSL_CERT_FILE": str(certificate)}
    server.shutdown()
    server.server_close()


def _handler(package: Path) -> type[BaseHTTPRequestHandler]:
    config = b'{"name":"langsmith","version":"0.12.33","appVersion":"0.12.72"}'
    layer = package.read_bytes()
    blobs = {_digest(each): each for each in (config, layer)}
    media = "application/vnd.cncf.helm"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _described(config, f"{media}.config.v1+json"),
            "layers": [_described(layer, f"{media}.chart.content.v1.tar+gzip")],
        }
    ).encode()

    class Registry(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            *_, part, name = self.path.split("/")
            if part == "manifests" and name in ("0.12.33", _digest(manifest)):
                return self._send(manifest, "application/vnd.oci.image.manifest.v1+json")
            if part == "blobs" and name in blobs:
                return self._send(blobs[name], "application/octet-stream")
            if self.path == "/v2/charts/langsmith/tags/list":
                tags = {"name": "charts/langsmith", "tags": ["0.12.33"]}
                return self._send(json.dumps(tags).encode(), "application/json")
            return self._send(b"{}", "application/json", 200 if self.path == "/v2/" else 404)

        do_HEAD = do_GET  # noqa: N815 - the base's name

        def _send(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Registry


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _described(content: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def test_a_chart_in_a_registry(cluster, run, helm, registry) -> None:
    cluster.use_helm(helm)
    url, trust = registry
    answer = run(*PLAN, "--chart", url, env=trust)
    assert answer.returncode == 6, answer.stderr
    assert f"helm upgrade langsmith {url} --namespace langsmith --version 0.12.33" in (
        answer.stdout
    )
    more = ("--chart-version", "0.12.34", "--repo-update")
    missing = run(*PLAN, "--chart", url, *more, env=trust)
    refused(cluster, missing, 2, "LSA119", "oci://")


@pytest.mark.parametrize(
    ("chart", "alias"),
    [
        ("langchain/langsmith", "langchain"),
        ("oci://ghcr.io/x/langsmith", ""),
        ("./charts/langsmith", ""),
        ("/srv/langsmith-0.12.33.tgz", ""),
        ("~/charts", ""),
        ("langsmith", ""),
        ("https://example.com/langsmith-0.12.33.tgz", ""),
    ],
)
def test_what_is_an_alias(chart: str, alias: str) -> None:
    assert alias_of(chart) == alias
