"""What pods and Jobs do on this machine: the host process sets these, each may be None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LocalCommand:
    """What an exec really runs here.

    Attributes:
        argv: the program and its arguments, on this machine.
        env: the whole environment of the child.
    """

    argv: list[str]
    env: dict[str, str]


Pod = Mapping[str, Any]


@dataclass(eq=False, repr=False)
class Handlers:
    """The handlers as they are now; read anew at each use."""

    exec_handler: Callable[[Pod, str, list[str]], LocalCommand | None] | None = None
    port_handler: Callable[[Pod, int], tuple[str, int] | None] | None = None
    job_handler: Callable[[Mapping[str, Any]], bool] | None = None
    on_pod_ready: Callable[[Pod], None] | None = None
    on_pod_gone: Callable[[Pod], None] | None = None
    log_handler: Callable[[Pod, str], str] | None = None
