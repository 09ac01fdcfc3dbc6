"""The real kubectl against the in-process Kubernetes API."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from wizard.practice.kubernetes import LocalCommand, PracticeKubernetes, spdy

LIMIT = 60
KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on PATH")
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "web:1",
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}],
                    }
                ]
            },
        },
    },
}


class Kubectl:
    """kubectl with surroundings of its own."""

    def __init__(self, kube: PracticeKubernetes, folder: Path) -> None:
        self.kube = kube
        kube.write_kubeconfig(folder / "kubeconfig")
        self.env = os.environ | {
            "KUBECONFIG": str(folder / "kubeconfig"),
            "KUBECACHEDIR": str(folder / "kubecache"),
        }

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """Run it; stdout, or stderr where it is expected to fail."""
        done = subprocess.run(
            [KUBECTL or "kubectl", *arguments],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout


@pytest.fixture
def kube() -> Iterator[PracticeKubernetes]:
    cluster = PracticeKubernetes(pod_ready_after=0.05, job_takes=0.02)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def kubectl(kube: PracticeKubernetes, tmp_path: Path) -> Kubectl:
    client = Kubectl(kube, tmp_path)
    client.run("apply", "-f", "-", stdin=json.dumps(MANIFEST))
    client.run("rollout", "status", "deployment/web")
    return client


def env_of(kube: PracticeKubernetes) -> dict[str, str]:
    found = kube.get("Deployment", "default", "web")
    assert found is not None
    listed = found["spec"]["template"]["spec"]["containers"][0]["env"]
    return {one["name"]: one["value"] for one in listed}


@needs_kubectl
def test_get_and_describe(kubectl: Kubectl) -> None:
    shown = kubectl.run("get", "deploy,pods").split()
    assert "deployment.apps/web" in shown
    assert shown.count("Running") == 2
    assert kubectl.run("get", "pods", "--chunk-size=1").count("Running") == 2
    listed = json.loads(kubectl.run("get", "pods", "-l", "app=web", "-o", "json"))
    assert [one["status"]["phase"] for one in listed["items"]] == ["Running"] * 2
    described = kubectl.run("describe", "deployment", "web")
    assert "2 desired | 2 updated | 2 total | 2 available" in described
    assert "Scaled up replica set" in described
    assert "practice-node" in kubectl.run("describe", "pod", "-l", "app=web")
    assert "(NotFound)" in kubectl.run("get", "pod", "nosuch", code=1)


@needs_kubectl
def test_rollout_restart_status_and_history(kubectl: Kubectl) -> None:
    kubectl.run("rollout", "restart", "deployment/web")
    assert "successfully rolled out" in kubectl.run("rollout", "status", "deployment/web")
    history = kubectl.run("rollout", "history", "deployment/web")
    assert re.findall(r"^\d+", history, re.MULTILINE) == ["1", "2"]
    kubectl.run("rollout", "undo", "deployment/web")
    assert "successfully rolled out" in kubectl.run("rollout", "status", "deployment/web")


@needs_kubectl
def test_apply_set_env_patch_scale_and_delete(kubectl: Kubectl) -> None:
    kubectl.run("set", "env", "deployment/web", "B=2")
    changed = json.loads(json.dumps(MANIFEST))
    changed["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "C", "value": "3"}]
    kubectl.run("apply", "-f", "-", stdin=json.dumps(changed))
    assert env_of(kubectl.kube) == {"B": "2", "C": "3"}
    told = kubectl.run(
        "apply", "--server-side", "-f", "-", stdin=json.dumps(MANIFEST | changed), code=0
    )
    assert "serverside-applied" in told
    kubectl.run("scale", "deployment/web", "--replicas=1")
    kubectl.run("patch", "deployment", "web", "-p", '{"metadata":{"labels":{"a":"b"}}}')
    kubectl.run("wait", "--for=condition=Available", "deployment/web", f"--timeout={LIMIT}s")
    found = kubectl.kube.get("Deployment", "default", "web")
    assert found is not None
    assert (found["spec"]["replicas"], found["metadata"]["labels"]) == (1, {"a": "b"})
    kubectl.run("delete", "deployment", "web", "--cascade=foreground")
    assert kubectl.kube.list("Pod", "default") == []


@needs_kubectl
def test_a_server_dry_run_writes_nothing(kubectl: Kubectl) -> None:
    before = kubectl.kube.get("Deployment", "default", "web")
    changed = json.dumps(MANIFEST).replace("web:1", "web:2")
    kubectl.run("apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert kubectl.kube.get("Deployment", "default", "web") == before


@needs_kubectl
def test_exec_with_streams_and_exit_code(kubectl: Kubectl) -> None:
    kubectl.kube.exec_handler = lambda pod, container, argv: LocalCommand(
        argv, {"PATH": os.environ["PATH"], "POD": pod["metadata"]["name"]}
    )
    (name, _) = (one["metadata"]["name"] for one in kubectl.kube.list("Pod", "default"))
    assert kubectl.run("exec", name, "--", "sh", "-c", "echo $POD").strip() == name
    big = "line of text\n" * 50_000
    assert kubectl.run("exec", "-i", name, "--", "cat", stdin=big) == big
    failed = kubectl.run("exec", name, "--", "sh", "-c", "echo no >&2; exit 5", code=5)
    assert failed == "no\ncommand terminated with exit code 5\n"
    assert "executable file not found" in kubectl.run("exec", name, "--", "nosuch", code=1)


@needs_kubectl
def test_logs_and_rights(kubectl: Kubectl) -> None:
    kubectl.kube.log_handler = lambda pod, container: "first\nsecond\n"
    assert kubectl.run("logs", "deployment/web", "--tail=1") == "second\n"
    assert kubectl.run("auth", "can-i", "list", "secrets") == "yes\n"
    kubectl.kube.faults.forbid("list", "secrets")
    kubectl.run("auth", "can-i", "list", "secrets", code=1)
    assert "(Forbidden)" in kubectl.run("get", "secrets", code=1)
    kubectl.kube.faults.refuse_credentials()
    assert "Unauthorized" in kubectl.run("get", "pods", code=1)


class Greeting(BaseHTTPRequestHandler):
    """Answers each GET with its own path, many times."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode() * 20_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@needs_kubectl
def test_port_forward(kubectl: Kubectl) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Greeting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kubectl.kube.port_handler = lambda pod, port: ("127.0.0.1", server.server_address[1])
    forward = subprocess.Popen(
        [KUBECTL or "kubectl", "port-forward", "deployment/web", ":80", "--address=127.0.0.1"],
        env=kubectl.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert forward.stdout is not None
    try:
        told = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
        assert told is not None
        url = f"http://127.0.0.1:{told[1]}"
        for path in ("/one", "/another"):
            assert requests.get(url + path, timeout=LIMIT).text == path * 20_000
    finally:
        forward.terminate()
        forward.wait(LIMIT)
        forward.stdout.close()
        server.shutdown()
        server.server_close()


def test_the_spdy_dictionary_is_the_documented_one() -> None:
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_spdy_frames_in_pieces() -> None:
    sent = spdy.data(7, b"hello", ends=True) + spdy.control(spdy.PING, b"\0\0\0\1")
    codec = spdy.Codec()
    frames = [frame for n in range(len(sent)) for frame in codec.feed(sent[n : n + 1])]
    assert [(one.kind, one.stream, one.ends, one.payload) for one in frames] == [
        (spdy.DATA, 7, True, b"hello"),
        (spdy.PING, 0, False, b"\0\0\0\1"),
    ]
