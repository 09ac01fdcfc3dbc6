"""Exec over a WebSocket (`v4.channel.k8s.io`, `v5.channel.k8s.io`), running a real process."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from wizard.practice.kubernetes.errors import PlainError
from wizard.practice.kubernetes.json_tools import clone, compact, is_on

if TYPE_CHECKING:
    from wizard.practice.kubernetes.faults import Handlers, LocalCommand

Json = dict[str, Any]

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE = 255
"""With v5: the channel that says which channel ends (stdin, in practice)."""
_CHUNK = 32 * 1024


def exit_status(code: int) -> Json:
    """The Status that the error channel carries at the end of a command."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: "
        f"command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _not_runnable(argv: Sequence[str]) -> Json:
    """The Status of a command that could not even be started."""
    why = "args must not be empty"
    if argv:
        program = argv[0]
        why = "executable file not found in $PATH"
        why = f"stat {program}: no such file or directory" if "/" in program else why
        why = f'unable to start container process: exec: "{program}": {why}'
    told = (
        "Internal error occurred: error executing command in container: failed to exec in "
        f'container: failed to start exec "{secrets.token_hex(32)}": OCI runtime exec failed: '
        f"exec failed: {why}: unknown"
    )
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {told}",
        "reason": "InternalError",
        "details": {"causes": [{"message": told}]},
        "code": 500,
    }


async def send(socket: web.WebSocketResponse, data: bytes) -> None:
    """Send bytes unless the client has gone."""
    if not socket.closed:
        with contextlib.suppress(ConnectionError):
            await socket.send_bytes(data)


class _Session:
    """One command and the WebSocket that it talks through."""

    def __init__(self, socket: web.WebSocketResponse, wanted: set[int]) -> None:
        self.socket = socket
        self.wanted = wanted

    async def send(self, channel: int, data: bytes) -> None:
        await send(self.socket, bytes([channel]) + data)

    async def run(self, command: LocalCommand) -> Json:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                env=command.env,
                stdin=pipe if STDIN in self.wanted else nothing,
                stdout=pipe,
                stderr=pipe,
            )
        except OSError:
            return _not_runnable(command.argv)
        feeding = asyncio.ensure_future(self._feed(process))
        try:
            await asyncio.gather(
                self._copy(process.stdout, STDOUT), self._copy(process.stderr, STDERR)
            )
            code = await process.wait()
        finally:
            feeding.cancel()
            if process.returncode is None:
                process.kill()
        return exit_status(code if code >= 0 else 128 - code)

    async def _copy(self, source: asyncio.StreamReader | None, channel: int) -> None:
        while source is not None and (data := await source.read(_CHUNK)):
            if channel in self.wanted:
                await self.send(channel, data)

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        """Client to process, until the client closes stdin or goes away."""
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                data = message.data.encode()
            elif message.type is WSMsgType.BINARY:
                data = message.data
            else:
                continue
            if data[:1] == bytes([CLOSE]):
                if data[1:2] == bytes([STDIN]) and process.stdin is not None:
                    process.stdin.close()
            elif data[:1] == bytes([STDIN]) and process.stdin is not None:
                with contextlib.suppress(ConnectionError):
                    process.stdin.write(data[1:])
                    await process.stdin.drain()
        if process.returncode is None:
            process.kill()


def wanted_streams(request: web.BaseRequest) -> set[int]:
    """The channels that a request asks for."""
    names = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR}
    wanted = {channel for name, channel in names.items() if is_on(request.query.get(name))}
    if not wanted:
        raise PlainError(400, "you must specify at least 1 of stdin, stdout, stderr")
    offered = request.headers.get("Sec-WebSocket-Protocol", PROTOCOLS[0])
    if not {one.strip() for one in offered.split(",")} & set(PROTOCOLS):
        raise PlainError(403, "")
    return wanted


async def run_exec(
    request: web.BaseRequest, pod: Json, container: str, wanted: set[int], handlers: Handlers
) -> web.StreamResponse:
    """Run a command in a container's stead and carry its streams."""
    argv = request.query.getall("command", [])
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
    await socket.prepare(request)
    session = _Session(socket, wanted)
    await session.send(min(wanted - {STDIN} or {ERROR}), b"")  # tells that the connection stands
    handler = handlers.exec_handler
    command = None
    if handler is not None and argv:
        command = await asyncio.to_thread(handler, clone(pod), container, argv)
    outcome = _not_runnable(argv) if command is None else await session.run(command)
    await session.send(ERROR, compact(outcome))
    await socket.close()
    return socket
