"""Port-forward over a WebSocket, as the Python client does it (`v4.channel.k8s.io`) and kubectl.

Each port has two channels: 2n carries data, 2n+1 errors. The first message of each channel is the
port number, two bytes, little-endian. Every connection of the client is a WebSocket of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from wizard.practice.kubernetes import spdy
from wizard.practice.kubernetes.errors import ApiError, PlainError
from wizard.practice.kubernetes.exec import send
from wizard.practice.kubernetes.json_tools import clone, dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.faults import Handlers

Json = dict[str, Any]

CHUNK = 64 * 1024
"""Bytes carried at once."""
CONNECT_LIMIT = 10.0
"""Seconds to reach the local address behind a pod's port."""


async def open_local(
    pod: Json, port: int, handlers: Handlers
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | str:
    """A connection to what stands behind a pod's port, or why there is none."""
    handler = handlers.port_handler
    found = await asyncio.to_thread(handler, clone(pod), port) if handler else None
    name = pod["metadata"]["name"]
    refused = f"error forwarding port {port} to pod {name}: connection refused"
    if found is None:
        return refused
    try:
        return await asyncio.wait_for(asyncio.open_connection(*found), CONNECT_LIMIT)
    except (OSError, TimeoutError):
        return refused


PROTOCOL = "SPDY/3.1+portforward.k8s.io"


class Tunnel:
    """The streams of one WebSocket."""

    def __init__(self, socket: web.WebSocketResponse, pod: Json, handlers: Handlers) -> None:
        self.socket = socket
        self.pod = pod
        self.handlers = handlers
        self._codec = spdy.Codec()
        self._errors: dict[str, int] = {}
        self._inputs: dict[int, asyncio.Queue[bytes | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the client goes."""
        try:
            async for message in self.socket:
                if message.type is WSMsgType.BINARY:
                    for frame in self._codec.feed(message.data):
                        await self._take(frame)
        except (zlib.error, ValueError):
            await self.socket.close(code=1002)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, frame: spdy.Frame) -> None:
        if frame.kind == spdy.SYN_STREAM:
            await send(self.socket, self._codec.reply(frame.stream))
            self._open(frame)
        elif frame.kind == spdy.PING:
            await send(self.socket, spdy.control(spdy.PING, frame.payload))
        elif frame.kind in (spdy.DATA, spdy.RST_STREAM) and frame.stream in self._inputs:
            queue = self._inputs[frame.stream]
            if frame.kind == spdy.DATA and frame.payload:
                queue.put_nowait(frame.payload)
            if frame.ends:
                queue.put_nowait(None)

    def _open(self, frame: spdy.Frame) -> None:
        request = frame.headers.get("requestid", "")
        if frame.headers.get("streamtype") == "error":
            self._errors[request] = frame.stream
            return
        self._inputs[frame.stream] = asyncio.Queue()
        port = int(frame.headers.get("port", "0"))
        error = self._errors.pop(request, 0)
        task = asyncio.ensure_future(self._carry(frame.stream, error, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, stream: int, error: int, port: int) -> None:
        """One TCP connection, from its opening to its end."""
        local = await open_local(self.pod, port, self.handlers)
        told = local.encode() if isinstance(local, str) else b""
        if not isinstance(local, str):
            reader, writer = local
            feeding = asyncio.ensure_future(self._feed(stream, writer))
            try:
                with contextlib.suppress(ConnectionError):
                    while chunk := await reader.read(CHUNK):
                        await send(self.socket, spdy.data(stream, chunk))
            finally:
                feeding.cancel()
                writer.close()
        await send(self.socket, spdy.data(error, told, ends=True))
        await send(self.socket, spdy.data(stream, b"", ends=True))
        self._inputs.pop(stream, None)

    async def _feed(self, stream: int, writer: asyncio.StreamWriter) -> None:
        queue = self._inputs[stream]
        with contextlib.suppress(ConnectionError):
            while (chunk := await queue.get()) is not None:
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()


PROTOCOLS = (PROTOCOL, "v4.channel.k8s.io", "portforward.k8s.io")


class _Channels:
    """The connections of one WebSocket, one a port."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.writers: dict[int, asyncio.StreamWriter] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def send(self, channel: int, data: bytes) -> None:
        await send(self.socket, bytes([channel]) + data)

    async def open(self, index: int, port: int, pod: Json, handlers: Handlers) -> None:
        for channel in (2 * index, 2 * index + 1):
            await self.send(channel, struct.pack("<H", port))
        local = await open_local(pod, port, handlers)
        if isinstance(local, str):
            await self.send(2 * index + 1, local.encode())
            return
        reader, self.writers[index] = local
        self.tasks.append(asyncio.ensure_future(self._copy(reader, 2 * index)))

    async def _copy(self, reader: asyncio.StreamReader, channel: int) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self.send(channel, data)
        others = [task for task in self.tasks if task is not asyncio.current_task()]
        if all(task.done() for task in others):
            await self.socket.close()

    async def receive(self) -> None:
        async for message in self.socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            index, is_error = divmod(message.data[0], 2)
            writer = self.writers.get(index)
            if writer is None or is_error:
                continue
            with contextlib.suppress(ConnectionError):
                writer.write(message.data[1:])
                await writer.drain()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        for writer in self.writers.values():
            writer.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def wanted_ports(request: web.BaseRequest, pod: Json) -> list[int]:
    """The ports that a request names; none in a tunnel, where each stream names its own."""
    if dig(pod, "status", "phase") in ("Succeeded", "Failed"):
        meta = pod["metadata"]
        raise PlainError(500, f'pod not found ("{meta["name"]}_{meta["namespace"]}")')
    if PROTOCOL in request.headers.get("Sec-WebSocket-Protocol", ""):
        return []
    texts = [part for text in request.query.getall("ports", []) for part in text.split(",")]
    if not texts or not all(text.isdigit() for text in texts):
        raise ApiError(400, "you must specify at least 1 port when port-forwarding")
    return [int(text) for text in texts]


async def run_port_forward(
    request: web.BaseRequest, pod: Json, ports: list[int], handlers: Handlers
) -> web.StreamResponse:
    """Carry TCP connections between a client and what stands behind a pod's ports."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
    await socket.prepare(request)
    if socket.ws_protocol == PROTOCOL:
        await Tunnel(socket, pod, handlers).run()
        return socket
    channels = _Channels(socket)
    try:
        for index, port in enumerate(ports):
            await channels.open(index, port, pod, handlers)
        await channels.receive()
    finally:
        await channels.close()
    return socket
