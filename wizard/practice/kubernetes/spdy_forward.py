"""Port-forward as kubectl does it: SPDY streams tunnelled in one WebSocket.

Each TCP connection has two streams with the same `requestid`: one of `streamtype` error, one of
`streamtype` data, both with the `port`.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from wizard.practice.kubernetes import spdy
from wizard.practice.kubernetes.local_port import CHUNK, open_local

if TYPE_CHECKING:
    from wizard.practice.kubernetes.handlers import Handlers

Json = dict[str, Any]

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

    async def _send(self, frame: bytes) -> None:
        if not self.socket.closed:
            with contextlib.suppress(ConnectionError):
                await self.socket.send_bytes(frame)

    async def _take(self, frame: spdy.Frame) -> None:
        if frame.kind == spdy.SYN_STREAM:
            await self._send(self._codec.reply(frame.stream))
            self._open(frame)
        elif frame.kind == spdy.PING:
            await self._send(spdy.control(spdy.PING, frame.payload))
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
                        await self._send(spdy.data(stream, chunk))
            finally:
                feeding.cancel()
                writer.close()
        await self._send(spdy.data(error, told, ends=True))
        await self._send(spdy.data(stream, b"", ends=True))
        self._inputs.pop(stream, None)

    async def _feed(self, stream: int, writer: asyncio.StreamWriter) -> None:
        queue = self._inputs[stream]
        with contextlib.suppress(ConnectionError):
            while (chunk := await queue.get()) is not None:
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()
