"""The Python client `kubernetes` against the in-process API: watch, exec, port-forward."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config
from kubernetes import dynamic as kubernetes_dynamic
from kubernetes import stream as kubernetes_stream
from kubernetes import watch as kubernetes_watch

from wizard.practice.kubernetes import LocalCommand, PracticeKubernetes

# The client's models are typed as requests never send them: plain dicts are what is used here.
client: Any = kubernetes_client
config: Any = kubernetes_config
dynamic: Any = kubernetes_dynamic
watch: Any = kubernetes_watch
portforward: Any = kubernetes_stream.portforward
stream: Any = kubernetes_stream.stream

LIMIT = 30
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db", "namespace": "default", "labels": {"app": "db"}},
    "spec": {
        "containers": [
            {"name": "main", "image": "example/db:1"},
            {"name": "side", "image": "example/side:1"},
        ]
    },
}


@pytest.fixture
def kube() -> Iterator[PracticeKubernetes]:
    cluster = PracticeKubernetes(pod_ready_after=0.02)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def api(kube: PracticeKubernetes, tmp_path: Path) -> Any:
    kube.write_kubeconfig(tmp_path / "kubeconfig")
    return config.new_client_from_config(config_file=str(tmp_path / "kubeconfig"))


@pytest.fixture
def pod(kube: PracticeKubernetes) -> dict[str, Any]:
    kube.apply(POD)
    kube.until(lambda: phase(kube) == "Running", timeout=LIMIT)
    found = kube.get("Pod", "default", "db")
    assert found is not None
    return found


def phase(kube: PracticeKubernetes) -> str:
    found = kube.get("Pod", "default", "db") or {}
    return str(found.get("status", {}).get("phase", ""))


class Echo:
    """A TCP server that sends back what it gets, in capitals, and counts its connections."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = self.server.getsockname()
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data.upper())

    def close(self) -> None:
        self.server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def run(api: Any, argv: list[str], stdin: str | None = None) -> tuple[str, str, int]:
    """Exec in the pod's container `main`: stdout, stderr, exit code."""
    session = stream(
        client.CoreV1Api(api).connect_get_namespaced_pod_exec,
        "db",
        "default",
        container="main",
        command=argv,
        stdin=stdin is not None,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    if stdin is not None:
        session.write_stdin(stdin)
    session.run_forever(timeout=LIMIT)
    return session.read_stdout(), session.read_stderr(), session.returncode


def test_typed_lists_and_errors(api: Any, pod: dict[str, Any]) -> None:
    core = client.CoreV1Api(api)
    found = core.list_namespaced_pod("default", label_selector="app=db").items
    assert [one.metadata.name for one in found] == ["db"]
    assert found[0].status.container_statuses[0].restart_count == 0
    with pytest.raises(client.ApiException) as refusal:
        core.read_namespaced_pod("nosuch", "default")
    assert refusal.value.status == 404
    assert '"reason":"NotFound"' in refusal.value.body


def test_dynamic_client_patches(api: Any, kube: PracticeKubernetes, tmp_path: Path) -> None:
    dynamic_client = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery"))
    maps = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    body = {"metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}}
    maps.create(body=body, namespace="default")
    maps.patch(
        body={"data": {"a": None}},
        name="settings",
        namespace="default",
        content_type="application/merge-patch+json",
    )
    stored = kube.get("ConfigMap", "default", "settings")
    assert stored is not None
    assert stored["data"] == {"b": "2"}


def test_watch_sees_a_pod_become_ready(api: Any, kube: PracticeKubernetes) -> None:
    core = client.CoreV1Api(api)
    version = core.list_namespaced_pod("default").metadata.resource_version
    kube.apply(POD)
    kinds = []
    for event in watch.Watch().stream(
        core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=LIMIT
    ):
        kinds.append(event["type"])
        conditions = event["object"].status.conditions or []
        if any(one.type == "Ready" and one.status == "True" for one in conditions):
            break
    assert kinds[0] == "ADDED"
    assert set(kinds[1:]) == {"MODIFIED"}


def test_exec_runs_a_real_process(api: Any, kube: PracticeKubernetes, pod: dict[str, Any]) -> None:
    asked: list[tuple[str, str, list[str]]] = []

    def handler(pod: Any, container: str, argv: list[str]) -> LocalCommand:
        asked.append((pod["metadata"]["name"], container, argv))
        return LocalCommand(argv, {"PATH": os.environ["PATH"], "WHO": "practice"})

    kube.exec_handler = handler
    argv = ["sh", "-c", "echo $WHO; echo problem >&2; exit 7"]
    assert run(api, argv) == ("practice\n", "problem\n", 7)
    assert asked == [("db", "main", argv)]
    touched = kube.requests[-1]
    assert (touched.verb, touched.subresource, touched.status) == ("get", "exec", 101)
    assert run(api, ["head", "-c", "3"], stdin="abcdef") == ("abc", "", 0)


def test_exec_of_what_is_not_there(api: Any, kube: PracticeKubernetes, pod: dict[str, Any]) -> None:
    kube.exec_handler = lambda pod, container, argv: None
    session = stream(
        client.CoreV1Api(api).connect_get_namespaced_pod_exec,
        "db",
        "default",
        container="main",
        command=["psql"],
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    session.run_forever(timeout=LIMIT)
    status = json.loads(session.read_channel(3))
    assert status["reason"] == "InternalError"
    assert 'exec: "psql": executable file not found' in status["message"]


@pytest.mark.parametrize(
    ("container", "status", "told"),
    [("nosuch", 400, "container nosuch is not valid"), ("", 400, "a container name must be")],
)
def test_exec_in_a_wrong_container(
    api: Any, pod: dict[str, Any], container: str, status: int, told: str
) -> None:
    with pytest.raises(client.ApiException) as refusal:
        stream(
            client.CoreV1Api(api).connect_get_namespaced_pod_exec,
            "db",
            "default",
            command=["true"],
            stdout=True,
            **({"container": container} if container else {}),
        )
    assert told in str(refusal.value)


def test_exec_can_be_forbidden(api: Any, kube: PracticeKubernetes, pod: dict[str, Any]) -> None:
    kube.faults.forbid("create", "pods", "exec")
    with pytest.raises(client.ApiException) as refusal:
        stream(
            client.CoreV1Api(api).connect_get_namespaced_pod_exec,
            "db",
            "default",
            container="main",
            command=["true"],
            stdout=True,
        )
    assert "403" in str(refusal.value)
    assert [one.status for one in kube.requests] == [403]


def test_port_forward_carries_concurrent_connections(
    api: Any, kube: PracticeKubernetes, pod: dict[str, Any], echo: Echo
) -> None:
    kube.port_handler = lambda pod, port: echo.address if port == 5432 else None
    payload = b"some text\n" * 20_000

    def exchange(_: int) -> bool:
        forward = portforward(
            client.CoreV1Api(api).connect_get_namespaced_pod_portforward,
            "db",
            "default",
            ports="5432",
        )
        tunnel = forward.socket(5432)
        tunnel.settimeout(LIMIT)
        sender = threading.Thread(target=tunnel.sendall, args=(payload,))
        sender.start()
        received = b""
        while len(received) < len(payload):
            data = tunnel.recv(65536)
            if not data:
                break
            received += data
        sender.join()
        tunnel.close()
        return received == payload.upper()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(exchange, range(4))) == [True] * 4
    assert echo.connections == 4


def test_port_forward_to_a_closed_port(
    api: Any, kube: PracticeKubernetes, pod: dict[str, Any]
) -> None:
    kube.port_handler = lambda pod, port: None
    forward = portforward(
        client.CoreV1Api(api).connect_get_namespaced_pod_portforward, "db", "default", ports="99"
    )
    tunnel = forward.socket(99)
    tunnel.settimeout(LIMIT)
    assert tunnel.recv(1) == b""
    assert "connection refused" in str(forward.error(99))


def test_logs(api: Any, kube: PracticeKubernetes, pod: dict[str, Any]) -> None:
    kube.log_handler = lambda pod, container: f"one\ntwo from {container}\n"
    core = client.CoreV1Api(api)
    told = core.read_namespaced_pod_log("db", "default", container="side", tail_lines=1)
    assert told == "two from side\n"


def test_access_reviews_say_what_the_faults_do(api: Any, kube: PracticeKubernetes) -> None:
    kube.faults.forbid("get", "secrets")
    reviews = client.AuthorizationV1Api(api)

    def allowed(verb: str, resource: str) -> bool:
        attributes = {"verb": verb, "resource": resource, "namespace": "default"}
        body = {"spec": {"resourceAttributes": attributes}}
        return bool(reviews.create_self_subject_access_review(body).status.allowed)

    assert (allowed("get", "secrets"), allowed("get", "pods")) == (False, True)
    with pytest.raises(client.ApiException) as refusal:
        client.CoreV1Api(api).read_namespaced_secret("x", "default")
    assert refusal.value.status == 403
    rules = reviews.create_self_subject_rules_review({"spec": {"namespace": "default"}})
    granted = next(one for one in rules.status.resource_rules if one.resources == ["secrets"])
    assert "get" not in granted.verbs
