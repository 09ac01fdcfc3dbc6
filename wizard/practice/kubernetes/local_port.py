"""What stands behind a pod's port on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import clone

if TYPE_CHECKING:
    from wizard.practice.kubernetes.handlers import Handlers

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
