"""A command in a container, over the API server's exec WebSocket; it is talked to while it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wizard.systems.kubernetes.errors import Call, parse

if TYPE_CHECKING:
    from websocket import WebSocket

    from wizard.systems.kubernetes.http import Connection


PROTOCOLS = "v5.channel.k8s.io, v4.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
CHUNK = 16_000
LOOK_SECONDS = 0.5
"""How long a wait may last at a time: a signal that comes just before it does not end it."""


def receive_frame(socket: WebSocket, limit: float) -> tuple[int, Any]:
    """The next frame with its opcode, control frames too.

    Raises:
        TimeoutError: none came within `limit` seconds.
        WebSocketException: the connection is gone, or what came is no frame.
    """
    from websocket import WebSocketTimeoutException

    end = time.monotonic() + limit
    while (left := end - time.monotonic()) > 0:
        socket.settimeout(min(left, LOOK_SECONDS))
        with contextlib.suppress(WebSocketTimeoutException):  # half a frame is kept for the next
            return socket.recv_data_frame(control_frame=True)
    raise TimeoutError


def exit_code(status: Any) -> int | None:
    """The exit code in the Status of the error channel; None when it tells of none."""
    if not isinstance(status, dict):
        return None
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"])
    return None


class PodCommand:
    """A running command, by its streams; it ends when this end lets go of it.

    Attributes:
        code: its exit code once it has ended; None when its end was not seen.
    """

    def __init__(
        self,
        connection: Connection,
        pod: str,
        namespace: str,
        container: str,
        argv: Sequence[str],
    ) -> None:
        call = Call("create", "pods/exec", "", pod, namespace)
        query = [("container", container), ("stdin", "true")]
        query += [("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in argv]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        self.code: int | None = None
        self._limit = connection.limit
        self._socket: Any = connection.websocket(call, path, query, PROTOCOLS)

    def send(self, data: bytes) -> None:
        """Bytes for its standard input.

        Raises:
            OSError: the connection is gone, or took nothing within the cluster's limit.
        """
        from websocket import WebSocketException

        self._socket.settimeout(self._limit)
        try:
            for start in range(0, len(data), CHUNK):
                self._socket.send_binary(bytes([STDIN]) + data[start : start + CHUNK])
        except WebSocketException:
            raise ConnectionError from None

    def receive(self, limit: float) -> tuple[int, bytes] | None:
        """What it wrote next, and on which stream (1 or 2); None after its end.

        Raises:
            TimeoutError: nothing came within `limit` seconds.
        """
        from websocket import ABNF, WebSocketException

        end = time.monotonic() + limit
        while True:
            try:
                kind, frame = receive_frame(self._socket, end - time.monotonic())
            except WebSocketException:
                return None
            if kind == ABNF.OPCODE_CLOSE:
                return None
            data = bytes(frame.data) if kind in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) else b""
            if data[:1] == bytes([STATUS]):
                self.code = exit_code(parse(data[1:]))
            elif len(data) > 1 and data[0] in (STDOUT, STDERR):
                return data[0], data[1:]

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown()
