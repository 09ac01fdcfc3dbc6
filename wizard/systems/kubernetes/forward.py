"""A pod's port on this machine: a Unix socket for libpq, a loopback port for what needs TCP.

The socket lies in a folder that only this user can enter, and the port answers connections of this
process alone: nobody else on the machine can reach the pod through them. Each local connection
gets a WebSocket of its own, as kubectl does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import ssl
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.kubernetes.errors import Call, transport_problem
from wizard.systems.redact import redact

if TYPE_CHECKING:
    from wizard.systems.kubernetes.http import Connection

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
THREAD = "port-forward"
SOCKET_NAME = ".s.PGSQL.5432"
CHUNK = 64 * 1024
SEND_LIMIT = 30.0
PING_SECONDS = 30.0
"""So that nothing in between takes a connection for dead while a person thinks."""
OWN_FILES = Path("/dev/fd")
"""What this process has open, on Linux, macOS and BSD."""


class LocalForward:
    """An open port-forward; a context manager that closes all of it.

    Attributes:
        host, port: the loopback port, which answers this process alone; 0 without `tcp`.
        directory: the folder with the socket `.s.PGSQL.5432` (libpq: host=directory, port 5432);
            None with `tcp`.
        problem: the last thing that went wrong on the far side; connections are closed by it.
    """

    def __init__(
        self, connection: Connection, pod: str, namespace: str, port: int, *, tcp: bool
    ) -> None:
        self._connection = connection
        self._tcp = tcp
        self._call = Call("create", "pods/portforward", "", pod, namespace)
        self._remote = port
        self._closing, self._close = socket.socketpair()  # readable: all threads end
        self._ended = False
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.host = "127.0.0.1"
        self.port = 0
        self.directory: Path | None = None
        self.problem: Problem | None = None

    def __enter__(self) -> LocalForward:
        try:
            self._listen()
        except OSError as error:
            self.close()
            raise Problem(
                "LSA215",
                f"No local socket can be opened for the port-forward: {error.strerror or error}",
                on=self._call.on,
                next_step="check the temporary folder (TMPDIR): space, permissions, a short path",
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the listeners and every connection, and removes the folder."""
        self._ended = True
        self._close.close()
        for thread in self._threads:  # the first one accepts, and adds the others
            thread.join(SEND_LIMIT)
        if self._listener is not None:
            self._listener.close()
        self._closing.close()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _listen(self) -> None:
        if self._tcp:
            own_files()  # without them nobody could be told from this process
            self._listener = socket.create_server((self.host, 0))
            self.port = int(self._listener.getsockname()[1])
        else:
            self.directory = Path(tempfile.mkdtemp(prefix="lsa-"))
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.directory / SOCKET_NAME))
            self._listener.listen()
        self._start(self._accept, self._listener)

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, name=THREAD, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            for sock in (listener, self._closing):
                selector.register(sock, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._closing in ready:
                    return
                with contextlib.suppress(OSError):  # the other side has gone again
                    self._admit(listener.accept()[0])

    def _admit(self, local: socket.socket) -> None:
        if self._tcp and not of_this_process(local):
            local.close()
        else:
            self._start(self._serve, local)

    def _serve(self, local: socket.socket) -> None:
        """One local connection, from its start to its end."""
        from websocket import WebSocketException

        path = f"/api/v1/namespaces/{self._call.namespace}/pods/{self._call.name}/portforward"
        with local:
            local.settimeout(SEND_LIMIT)
            try:
                query = [("ports", str(self._remote))]
                far: Any = self._connection.websocket(self._call, path, query, PROTOCOL)
            except Problem as problem:
                self.problem = problem
                return
            try:
                _Pipe(local, far, self._closing).run()
            except _FarSide as error:
                self.problem = self._refused(str(error))
            except (WebSocketException, OSError) as error:
                if not self._ended:
                    info = self._connection.info
                    self.problem = transport_problem(error, info, self._call, SEND_LIMIT)
            finally:
                far.shutdown()

    def _refused(self, words: str) -> Problem:
        return Problem(
            "LSA215",
            f"The pod does not take connections on port {self._remote}",
            on=self._call.on,
            next_step=f"see whether it is ready: kubectl get pod {self._call.name} "
            f"-n {self._call.namespace}",
            detail=(redact(words),),
        )


def own_files() -> list[int]:
    """The handles of this process.

    Raises:
        OSError: the system does not list them.
    """
    return [int(path.name) for path in OWN_FILES.iterdir()]


def of_this_process(local: socket.socket) -> bool:
    """Whether the other end of a loopback connection is a socket of this process."""
    ends = local.getpeername(), local.getsockname()
    for handle in own_files():
        with contextlib.suppress(OSError):  # closed meanwhile, or not connected
            if not stat.S_ISSOCK(os.fstat(handle).st_mode):
                continue
            with socket.socket(fileno=os.dup(handle)) as own:
                if (own.getsockname(), own.getpeername()) == ends:
                    return True
    return False


class _FarSide(Exception):
    """Words that came on the error channel."""


class _LocalGone(Exception):
    """The local program closed its connection."""


class _Pipe:
    """Bytes both ways between one local socket and one WebSocket, in one thread."""

    def __init__(self, local: socket.socket, far: Any, closing: socket.socket) -> None:
        self._local = local
        self._far = far
        self._closing = closing
        self._begun: set[int] = set()

    def run(self) -> None:
        """Until either side closes, or the forward is closed."""
        self._far.settimeout(SEND_LIMIT)
        far = self._far.sock
        with selectors.DefaultSelector() as selector, contextlib.suppress(_LocalGone):
            for sock in (self._local, far, self._closing):
                selector.register(sock, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select(PING_SECONDS)]
                if not ready:
                    self._far.ping()
                if self._closing in ready or (far in ready and not self._from_far()):
                    return
                if self._local in ready:
                    self._to_far()

    def _to_far(self) -> None:
        try:
            data = self._local.recv(CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            raise _LocalGone
        self._far.send_binary(bytes([DATA]) + data)

    def _from_far(self) -> bool:
        """Handles the frames that are there; False when the far side has closed."""
        from websocket import ABNF, WebSocketConnectionClosedException

        while True:
            try:
                kind, frame = self._far.recv_data_frame(control_frame=True)
            except WebSocketConnectionClosedException:
                return False
            if kind == ABNF.OPCODE_CLOSE:
                return False
            if kind == ABNF.OPCODE_BINARY and frame.data:
                self._take(frame.data[0], bytes(frame.data[1:]))
            secured = self._far.sock
            if not (isinstance(secured, ssl.SSLSocket) and secured.pending()):
                return True

    def _take(self, channel: int, data: bytes) -> None:
        if channel not in self._begun:  # the first frame of a channel only repeats the port
            self._begun.add(channel)
        elif channel == ERROR:
            raise _FarSide(data.decode("utf-8", "replace"))
        else:
            try:
                self._local.sendall(data)
            except ConnectionError:
                raise _LocalGone from None
