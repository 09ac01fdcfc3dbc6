"""Runs `langsmith-audit` in a fork of a process that has its imports behind it.

Half of a short run is imports. The fork has arguments, environment, folder, streams and, in a
terminal, a session of its own, and ends as any process does. What depends on the interpreter's own
start takes a process of its own, as does everything where forks are not to be had. What helm
answers without a cluster is remembered (`helm_answers`).
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO, TypeVar

import helm_answers
import measured
import plans

from wizard.systems.redact import redact

T = TypeVar("T")

HEAVY = ("psycopg", "rich.console", "rich.status", "rich._emoji_codes", "ruamel.yaml", "websocket")
HEAVY += ("yaml", "semver", "encodings.idna", "tty", "questionary", "prompt_toolkit")
HEAVY += ("prompt_toolkit.input.vt100", "prompt_toolkit.key_binding.bindings.search")
AT_START = re.compile("PYTHON|LC_|LANG$|LANGUAGE$|TZ|SSL_|LANGSMITH_AUDIT_DEBUG$")
"""Variables that are read when the interpreter or a library starts."""
LARGEST = 200_000
PROGRAM = "wizard.cli"


class Fork:
    """One run of the program: what `subprocess.Popen` has, as far as the tests use it.

    Attributes:
        stdout: what it writes to either stream, when it was started in the background.
    """

    def __init__(self, arguments: Sequence[str], control: socket.socket) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        self.stdout: TextIO | None = None
        self._control = control
        self.pid = int(control.recv(LARGEST))

    def poll(self) -> int | None:
        """The exit code, or minus the signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: it did not come in `timeout` seconds.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, timeout: float = 120) -> tuple[str, None]:
        """All that it still writes, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it did not end in `timeout` seconds; it is ended then.
        """
        assert self.stdout
        with self.stdout as stream:
            told, ended = self.read_within(timeout, stream.read)
        if ended:
            raise subprocess.TimeoutExpired(self.args, timeout, told)
        return told, None

    def read_within(self, timeout: float, read: Callable[[], T]) -> tuple[T, bool]:
        """What `read` gives of its output once it has ended, and whether it had to be ended."""
        late = threading.Timer(timeout, self.kill)
        late.start()
        begun = time.monotonic()
        told = read()
        ended = time.monotonic() - begun >= timeout
        late.cancel()
        late.join()
        self.wait(30)
        return told, ended

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._control.settimeout(timeout)
            try:
                self.returncode = int(self._control.recv(LARGEST))
            except (BlockingIOError, TimeoutError):
                return None
            self._control.close()
        return self.returncode


class Warm:
    """One process with all imports behind it."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._answers = tempfile.TemporaryDirectory(prefix="lsa-test-")
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(there.fileno()), self._answers.name],
            env=os.environ | measured.ENVIRONMENT,
            pass_fds=(there.fileno(),),
            stdin=subprocess.DEVNULL,
        )
        there.close()

    def close(self) -> None:
        """End it."""
        self._here.close()
        self._process.wait(timeout=30)
        self._answers.cleanup()

    def start(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        streams: Sequence[int],
        *,
        cwd: Path | None = None,
        session: bool = False,
        main: str = PROGRAM,
    ) -> Fork:
        """Start `langsmith-audit` with these three streams, which stay the caller's to close.

        `session`: in a session of its own, with the first stream as its terminal. `main`: the
        module whose `main` it is.
        """
        request = {
            "main": main,
            "arguments": list(arguments),
            "env": dict(env),
            "cwd": str(cwd or Path.cwd()),
            "session": session,
            "measured": measured.first_of_its_kind(arguments),
        }
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            handles = [there.fileno(), *streams]
            socket.send_fds(self._here, [json.dumps(request).encode()], handles)
        return Fork(arguments, here)


_warm: Warm | None = None


def serves(env: Mapping[str, str]) -> bool:
    """Whether a run with this environment may be a fork."""
    particular = set(env.items()) ^ set(os.environ.items())
    return sys.platform == "linux" and not any(AT_START.match(name) for name, _ in particular)


def shared() -> Warm:
    """The process that all tests of this worker share."""
    global _warm
    if _warm is None:
        _warm = Warm()
    return _warm


def call(
    arguments: Sequence[str], env: Mapping[str, str], timeout: float = 120, main: str = PROGRAM
) -> subprocess.CompletedProcess[str]:
    """Run `langsmith-audit` without a terminal, and wait for its end."""
    if not serves(env):
        return subprocess.run(
            [sys.executable, "-m", "wizard" if main == PROGRAM else main, *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    nothing = os.open(os.devnull, os.O_RDONLY)
    pipes = [os.pipe(), os.pipe()]
    sent = [nothing, *(write for _, write in pipes)]
    fork = shared().start(arguments, env, sent, main=main)
    for handle in sent:
        os.close(handle)
    (stdout, stderr), ended = fork.read_within(
        timeout, lambda: _read_all([read for read, _ in pipes])
    )
    if ended:
        raise subprocess.TimeoutExpired(list(arguments), timeout, stdout, stderr)
    return subprocess.CompletedProcess(list(arguments), fork.wait(), stdout, stderr)


def in_background(arguments: Sequence[str], env: Mapping[str, str]) -> Fork:
    """Start `langsmith-audit` without a terminal, and go on; whoever starts it ends it."""
    nothing, (ours, its) = os.open(os.devnull, os.O_RDONLY), os.pipe()
    fork = shared().start(arguments, env, (nothing, its, its))
    os.close(nothing)
    os.close(its)
    fork.stdout = os.fdopen(ours, encoding="utf-8", errors="replace")
    return fork


def close() -> None:
    """End the process, if there is one."""
    global _warm
    if _warm is not None:
        _warm.close()
        _warm = None


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


def _load() -> None:
    """Import all that a run may, and build the dataclasses, which wait for their first object."""
    import wizard

    for each in pkgutil.walk_packages(wizard.__path__, "wizard."):
        if not each.name.startswith(("wizard.practice", "wizard.__main__")):
            module = importlib.import_module(each.name)
            for one in vars(module).values():
                if isinstance(one, type):
                    getattr(one, "__dataclass_fields__", None)
    for name in HEAVY:
        importlib.import_module(name)
    redact("a: b")  # compiles its patterns


def _become(request: Mapping[str, object], streams: Sequence[int]) -> int:
    """Be the program in this fork; its exit code."""
    for target, handle in enumerate(streams):
        os.dup2(handle, target)
        os.close(handle)
    if request["session"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if not request["measured"]:
        measured.stop()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(str(request["cwd"]))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.argv = ["langsmith-audit", *request["arguments"]]
    return importlib.import_module(request["main"]).main()


def _serve(requests: socket.socket) -> int:
    """Fork for each request, until the tests have ended; in the fork, the program's exit code.

    Of each fork its pid is told, and then how it ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    running: dict[int, tuple[int, socket.socket]] = {}
    waiting = select.poll()
    waiting.register(requests, select.POLLIN)
    while True:
        for handle, _ in waiting.poll():
            if handle in running:
                waiting.unregister(handle)
                _tell_end(handle, *running.pop(handle))
                continue
            data, handles, _, _ = socket.recv_fds(requests, LARGEST, 4)
            if not data:
                return 0
            control = socket.socket(fileno=handles[0])
            pid = os.fork()
            if pid == 0:
                for of in (requests, control, *(other for _, other in running.values())):
                    of.close()
                _end(_become(json.loads(data), handles[1:]))
            for stream in handles[1:]:
                os.close(stream)
            control.send(str(pid).encode())
            ended = os.pidfd_open(pid)
            running[ended] = (pid, control)
            waiting.register(ended, select.POLLIN)


def _tell_end(handle: int, pid: int, control: socket.socket) -> None:
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    with control, contextlib.suppress(BrokenPipeError):  # nobody asks any more
        control.send(str(os.waitstatus_to_exitcode(status)).encode())


def _end(code: int) -> NoReturn:
    """End as a process does, but for taking the loaded modules apart: that copies their pages."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _load()
    helm_answers.remember(Path(sys.argv[2]))
    plans.cheapen()
    measured.save_once()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
