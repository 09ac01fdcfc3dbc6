"""Port-forward over a WebSocket, as the Python client does it (`v4.channel.k8s.io`) and kubectl.

Each port has two channels: 2n carries data, 2n+1 errors. The first message of each channel is the
port number, two bytes, little-endian. Every connection of the client is a WebSocket of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from wizard.practice.kubernetes.errors import ApiError, PlainError
from wizard.practice.kubernetes.json_tools import dig
from wizard.practice.kubernetes.local_port import CHUNK, open_local
from wizard.practice.kubernetes.spdy_forward import PROTOCOL, Tunnel

if TYPE_CHECKING:
    from wizard.practice.kubernetes.handlers import Handlers

Json = dict[str, Any]

PROTOCOLS = (PROTOCOL, "v4.channel.k8s.io", "portforward.k8s.io")


class _Channels:
    """The connections of one WebSocket, one a port."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.writers: dict[int, asyncio.StreamWriter] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def send(self, channel: int, data: bytes) -> None:
        if not self.socket.closed:
            with contextlib.suppress(ConnectionError):
                await self.socket.send_bytes(bytes([channel]) + data)

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
    """The ports that a request names; none in a tunnel, where each stream names its own.

    Raises:
        ApiError: 400, when there is none.
        PlainError: 500, when the pod has ended.
    """
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
