"""Into the pods: commands in a container, and a pod's port on this machine."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import requests
from websocket import WebSocket

from wizard.practice.cluster import DATABASE, PracticeCluster
from wizard.practice.kubernetes.faults import LocalCommand
from wizard.problems import Exit, Problem
from wizard.systems.kubernetes.cluster import Cluster
from wizard.systems.kubernetes.forward import THREAD, LocalForward

NAMESPACE = "langsmith"
POSTGRES_POD = "langsmith-postgres-0"
BIG = 300_000


@pytest.fixture
def connected(cluster: PracticeCluster) -> Iterator[Cluster]:
    connection = Cluster.connect(cluster.kubeconfig, None)
    yield connection
    connection.close()


@pytest.fixture
def shell(cluster: PracticeCluster) -> Iterator[None]:
    """Every exec runs what it was asked to run, on this machine."""
    before = cluster.kubernetes.exec_handler
    cluster.kubernetes.exec_handler = lambda _pod, _container, argv: LocalCommand(
        argv, {"PATH": os.environ["PATH"]}
    )
    yield
    cluster.kubernetes.exec_handler = before


def in_pod(connected: Cluster, *argv: str, stdin: bytes = b"", limit: float = 20.0):
    """Exit code, standard output and error of a command that ends by itself."""
    streams = {1: b"", 2: b""}
    with closing(connected.command(POSTGRES_POD, NAMESPACE, "postgres", argv)) as command:
        command.send(stdin)
        while got := command.receive(limit):
            streams[got[0]] += got[1]
    return command.code, streams[1].decode(), streams[2].decode()


def refused(call) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


# exec


def test_a_command_in_the_pod(connected: Cluster) -> None:
    asked = ("psql", "-U", "postgres", "-d", DATABASE, "-Atc", "SELECT 6*7")
    assert in_pod(connected, *asked) == (0, "42\n", "")


def test_exit_code_and_streams_are_told_apart(connected: Cluster, shell: None) -> None:
    ended = in_pod(connected, "sh", "-c", "echo out; echo é >&2; exit 7")
    assert ended == (7, "out\n", "é\n")


def test_it_reads_much(connected: Cluster, shell: None) -> None:
    text = "ä" * BIG
    stdin = text.encode()
    assert in_pod(connected, "head", "-c", str(len(stdin)), stdin=stdin) == (0, text, "")


def test_a_command_that_is_not_in_the_container(connected: Cluster, shell: None) -> None:
    code, _, _ = in_pod(connected, "no-such-program")
    assert code is None


def test_a_command_that_is_silent_is_given_up(connected: Cluster, shell: None) -> None:
    with pytest.raises(TimeoutError):
        in_pod(connected, "sleep", "30", limit=0.5)


LACKING = pytest.mark.parametrize("verb", ["*", "create"], ids=["all", "create alone"])
"""An API server gives no word of `create`, which a WebSocket's GET needs besides."""


@LACKING
def test_exec_needs_its_right_and_its_pod(
    cluster: PracticeCluster, connected: Cluster, verb: str
) -> None:
    missing = refused(lambda: connected.command("nope", NAMESPACE, "postgres", ["true"]))
    assert (missing.id, missing.exit) == ("LSA217", Exit.FAILED)
    cluster.kubernetes.faults.forbid(verb, "pods", "exec")
    problem = refused(lambda: in_pod(connected, "true"))
    assert problem.id == "LSA207"
    assert 'resources: ["pods/exec"], verbs: ["get", "create"]' in problem.next_step


# port-forward


def dsn(cluster: PracticeCluster, local: LocalForward) -> str:
    parameters = psycopg.conninfo.conninfo_to_dict(cluster.postgres.dsn(DATABASE))
    return psycopg.conninfo.make_conninfo(
        **{**parameters, "host": str(local.directory), "port": 5432, "connect_timeout": 10}
    )


def test_libpq_through_the_private_socket(cluster: PracticeCluster, connected: Cluster) -> None:
    with connected.forward(POSTGRES_POD, NAMESPACE, 5432) as local:
        folder = local.directory
        assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IRWXU
        with psycopg.connect(dsn(cluster, local)) as connection:
            rows = connection.execute("SELECT count(*) FROM organizations").fetchone()
            assert rows[0] >= 5
            big = connection.execute("SELECT repeat('x', %s)", (BIG,)).fetchone()[0]
            assert len(big) == BIG
            sent = connection.execute("SELECT length(%s)", ("y" * BIG,)).fetchone()[0]
            assert sent == BIG
        assert local.problem is None
    assert not folder.exists()


LISTENING = "0A"
"""The state in Linux's table of TCP sockets."""


def listening() -> set[str]:
    """The loopback ports that this process listens on, as Linux tells them."""
    own = set()
    for path in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # that of the folder itself
            own.add(str(path.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in own]
    return {place for place in ours if place.startswith("0100007F:")}


def test_the_database_has_no_port_on_this_machine(connected: Cluster) -> None:
    before = listening()
    with connected.forward(POSTGRES_POD, NAMESPACE, 5432) as local:
        assert (local.port, listening() - before) == (0, set())


STRANGER = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as client:
    client.sendall(b"GET /api/v1/info HTTP/1.0\\r\\n\\r\\n")
    try:
        sys.stdout.write(repr(client.recv(100)))
    except ConnectionError:
        sys.stdout.write("b''")
"""


def test_a_port_answers_this_process_alone(connected: Cluster) -> None:
    with connected.forward("langsmith-postgres-0", NAMESPACE, 5432, tcp=True) as local:
        heard = subprocess.run(
            [sys.executable, "-c", STRANGER, str(local.port)], capture_output=True, text=True
        )
        assert (heard.stdout, heard.stderr) == ("b''", "")
        with socket.create_connection((local.host, local.port), timeout=10) as client:
            client.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # whether the server has TLS
            assert client.recv(1) in (b"N", b"S")


def test_a_silent_connection_is_kept_alive(
    cluster: PracticeCluster, connected: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.systems.kubernetes.forward.PING_SECONDS", 0.05)
    pinged = threading.Event()
    ping = WebSocket.ping

    def noted(self: WebSocket, payload: str = "") -> None:
        ping(self, payload)
        pinged.set()

    monkeypatch.setattr(WebSocket, "ping", noted)
    with (
        connected.forward(POSTGRES_POD, NAMESPACE, 5432) as local,
        psycopg.connect(dsn(cluster, local)) as connection,
    ):
        assert pinged.wait(10)
        assert connection.execute("SELECT 6*7").fetchone() == (42,)
        assert local.problem is None


def test_many_connections_at_once(cluster: PracticeCluster, connected: Cluster) -> None:
    def ask(number: int) -> int:
        with psycopg.connect(dsn(cluster, local)) as connection:
            return connection.execute("SELECT %s::int", (number,)).fetchone()[0]

    with connected.forward(POSTGRES_POD, NAMESPACE, 5432) as local, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(24))) == list(range(24))


def test_http_through_the_loopback_port(cluster: PracticeCluster, connected: Cluster) -> None:
    pods = cluster.kubernetes.list("Pod", NAMESPACE)
    backend = next(
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["name"].startswith("langsmith-backend-")
        and pod["status"]["phase"] == "Running"
    )
    with connected.forward(backend, NAMESPACE, 1984, tcp=True) as local:
        url = f"http://{local.host}:{local.port}/api/v1/info"
        for headers in ({}, {"Connection": "close"}):
            answer = requests.get(url, headers=headers, timeout=10)
            assert answer.status_code == 200
            assert answer.json()["version"]


def test_exec_and_forward_of_much(
    cluster: PracticeCluster, connected: Cluster, shell: None
) -> None:
    text = "x" * BIG
    assert in_pod(connected, "head", "-c", str(BIG), stdin=text.encode()) == (0, text, "")
    with (
        connected.forward(POSTGRES_POD, NAMESPACE, 5432) as local,
        psycopg.connect(dsn(cluster, local)) as connection,
    ):
        for size in (1, BIG, 17):
            answer = connection.execute("SELECT repeat('x', %s), length(%s)", (size, text))
            row = answer.fetchone()
            assert (len(row[0]), row[1]) == (size, BIG)
    assert local.problem is None


def test_a_websocket_to_an_untrusted_server(
    cluster: PracticeCluster, tmp_path: Path, shell: None
) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "other").write_text(json.dumps(config))
    wary = Cluster.connect(tmp_path / "other", None)
    assert refused(lambda: in_pod(wary, "true")).id == "LSA205"
    config["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    (tmp_path / "other").write_text(json.dumps(config))
    careless = Cluster.connect(tmp_path / "other", None)
    assert in_pod(careless, "true") == (0, "", "")


def test_the_last_bytes_before_the_far_side_closes_arrive(
    cluster: PracticeCluster, connected: Cluster
) -> None:
    def speak(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"z" * BIG)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        cluster.kubernetes.port_handler, before = (
            lambda _pod, _port: server.getsockname(),
            cluster.kubernetes.port_handler,
        )
        try:
            speaker = threading.Thread(target=speak, args=(server,))
            speaker.start()
            with (
                connected.forward(POSTGRES_POD, NAMESPACE, 5432, tcp=True) as local,
                socket.create_connection((local.host, local.port), timeout=10) as client,
            ):
                got = bytearray()
                while data := client.recv(65536):
                    got += data
            speaker.join()
        finally:
            cluster.kubernetes.port_handler = before
    assert len(got) == BIG


def closed_with_reason(local: LocalForward) -> str:
    with socket.create_connection((local.host, local.port), timeout=10) as client:
        assert client.recv(1) == b""
    assert local.problem
    return " ".join((local.problem.what, *local.problem.detail))


def test_a_port_that_nobody_serves(connected: Cluster) -> None:
    with connected.forward(POSTGRES_POD, NAMESPACE, 4, tcp=True) as local:
        assert "does not take connections on port 4" in closed_with_reason(local)
        assert local.problem.id == "LSA215"


def test_a_pod_that_is_not_there(connected: Cluster) -> None:
    with connected.forward("nope", NAMESPACE, 5432, tcp=True) as local:
        assert "nope" in closed_with_reason(local)
        assert local.problem.id == "LSA217"


@LACKING
def test_a_missing_right_is_the_reason(
    cluster: PracticeCluster, connected: Cluster, verb: str
) -> None:
    cluster.kubernetes.faults.forbid(verb, "pods", "portforward")
    with connected.forward(POSTGRES_POD, NAMESPACE, 5432, tcp=True) as local:
        closed_with_reason(local)
        assert local.problem.id == "LSA207"
        assert "pods/portforward" in local.problem.next_step


def test_closing_cuts_what_is_open(cluster: PracticeCluster, connected: Cluster) -> None:
    with connected.forward(POSTGRES_POD, NAMESPACE, 5432) as local:
        connection = psycopg.connect(dsn(cluster, local))
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn(cluster, local))
    assert THREAD not in {thread.name for thread in threading.enumerate()}


def test_the_folder_goes_when_no_socket_can_be_opened(
    connected: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)  # longer than the path of a Unix socket may be
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    problem = refused(lambda: connected.forward(POSTGRES_POD, NAMESPACE, 5432).__enter__())
    assert problem.id == "LSA215"
    assert list(deep.iterdir()) == []
