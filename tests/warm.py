"""Runs `langsmith-audit` in a fork of a process that has its imports behind it.

Half of a short run is imports. The fork has arguments, environment, folder and streams of its own,
and ends as any process does. What depends on the interpreter's own start takes a process of its
own, as does everything where forks are not to be had.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

HEAVY = ("psycopg", "requests", "rich.console", "ruamel.yaml", "websocket", "kubernetes.client")
AT_START = ("PYTHON", "LC_", "LANG", "TZ", "SSL_", "LANGSMITH_AUDIT_DEBUG")
"""Variables that begin so are read when the interpreter or a library starts."""
LARGEST = 200_000


class Warm:
    """One such process; runs take turns."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(there.fileno())],
            pass_fds=(there.fileno(),),
            stdin=subprocess.DEVNULL,
        )
        there.close()

    def close(self) -> None:
        """End it."""
        self._here.close()
        self._process.wait(timeout=30)

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` would give for `langsmith-audit` with these arguments."""
        request = {"arguments": list(arguments), "env": dict(env), "cwd": str(Path.cwd())}
        with self._turn:
            streams = [os.pipe(), os.pipe()]
            sent = [write for _, write in streams]
            socket.send_fds(self._here, [json.dumps(request).encode()], sent)
            for write in sent:
                os.close(write)
            pid = int(self._here.recv(LARGEST))
            late = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            late.start()
            stdout, stderr = _read_all([read for read, _ in streams])
            status = int(self._here.recv(LARGEST))
            ended = late.finished.is_set()  # not by `cancel` yet
            late.cancel()
        if ended and status == -signal.SIGKILL:
            raise subprocess.TimeoutExpired(list(arguments), timeout, stdout, stderr)
        return subprocess.CompletedProcess(list(arguments), status, stdout, stderr)


def _read_all(handles: Sequence[int]) -> list[str]:
    texts = ["" for _ in handles]

    def read(at: int, handle: int) -> None:
        with os.fdopen(handle, encoding="utf-8") as stream:
            texts[at] = stream.read()

    threads = [threading.Thread(target=read, args=pair) for pair in enumerate(handles)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return texts


_warm: Warm | None = None


def call(
    arguments: Sequence[str], env: Mapping[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `langsmith-audit` without a terminal, and wait for its end."""
    global _warm
    particular = set(env.items()) ^ set(os.environ.items())
    if sys.platform != "linux" or any(name.startswith(AT_START) for name, _ in particular):
        return subprocess.run(
            [sys.executable, "-m", "wizard", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    if _warm is None:
        _warm = Warm()
    return _warm.run(arguments, env, timeout)


def close() -> None:
    """End the process, if there is one."""
    global _warm
    if _warm is not None:
        _warm.close()
        _warm = None


def _load() -> None:
    import wizard

    for each in pkgutil.walk_packages(wizard.__path__, "wizard."):
        if not each.name.startswith(("wizard.practice", "wizard.__main__")):
            importlib.import_module(each.name)
    for name in HEAVY:
        importlib.import_module(name)


def _become(request: Mapping[str, object], handles: Sequence[int]) -> int:
    """Be the program in this fork; its exit code."""
    for target, handle in enumerate(handles, 1):
        os.dup2(handle, target)
        os.close(handle)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(str(request["cwd"]))
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.argv = ["langsmith-audit", *request["arguments"]]
    from wizard.cli import main

    return main()


def _serve(control: socket.socket) -> int:
    """Fork for each request, until the tests have ended; in the fork, the program's exit code."""
    while True:
        data, handles, _, _ = socket.recv_fds(control, LARGEST, 2)
        if not data:
            return 0
        pid = os.fork()
        if pid == 0:
            control.close()
            return _become(json.loads(data), handles)
        for handle in handles:
            os.close(handle)
        control.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            control.send(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _load()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
