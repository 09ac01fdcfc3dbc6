"""Credential plugins: programs that give a token or a certificate.

What a plugin writes to standard error (a device code, a question, an error) is shown at once in a
terminal, and is in the finding when it fails, with a terminal or without one.
Source: Kubernetes documentation, "client-go credential plugins".
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.calls import environment, logged
from wizard.systems.kubernetes.login import Shown, no_login, texts
from wizard.systems.redact import redact
from wizard.terminal import LAST_LINE

if TYPE_CHECKING:
    from wizard.systems.kubernetes.kubeconfig import ContextInfo

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
LIMIT = 120.0
"""Seconds that a plugin may take which cannot ask anybody."""
ASKING_LIMIT = 600.0
"""Seconds for one that a person answers in a terminal."""
PAUSE = 30.0
"""Seconds for which one that failed, or whose login was refused, is not run again: nobody is asked
for each request."""
LARGEST = 1024 * 1024
LAST_LINES = 8
REFRESH = {
    "aws": "aws eks update-kubeconfig --name CLUSTER",
    "aws-iam-authenticator": "aws eks update-kubeconfig --name CLUSTER",
    "gke-gcloud-auth-plugin": "gcloud container clusters get-credentials CLUSTER",
    "kubelogin": "kubelogin convert-kubeconfig",
}
"""What writes the entry of a plugin anew."""


class Plugin:
    """One user's plugin; what it gave is kept until it expires."""

    def __init__(self, info: ContextInfo) -> None:
        self._info = info
        self._user = info.user_entry
        self._body: Mapping[str, Any] = self._user.part("exec") or {}
        self._lock = threading.Lock()
        self._status: Mapping[str, Any] | None = None
        self._failed: Problem | None = None
        self._ran = -PAUSE
        self._check()

    def shown(self) -> Shown:
        """What the plugin gave, or gives now.

        Raises:
            Problem: LSA212, it cannot be run, failed, took too long, or gave nothing of use.
        """
        with self._lock:
            if self._status is None or _expired(self._status):
                self._status = self._once()
            told = {name: str(value) for name, value in self._status.items() if value}
        token = told.get("token", "")
        certificate, key = (
            told.get(name, "").encode() for name in ("clientCertificateData", "clientKeyData")
        )
        return Shown(f"Bearer {token}" if token else "", certificate, key)

    def _once(self) -> Mapping[str, Any]:
        if self._failed and self._lately:
            raise self._failed
        self._failed = None
        try:
            return self._run()
        except Problem as problem:
            self._failed = problem
            raise
        finally:
            self._ran = time.monotonic()

    @property
    def _lately(self) -> bool:
        return time.monotonic() - self._ran < PAUSE

    def refused(self) -> bool:
        """The plugin is asked again, unless it was just now."""
        with self._lock:
            if not self._lately:
                self._status = None
            return self._status is None

    def _check(self) -> None:
        version, command = self._version, str(self._body.get("command") or "")
        if not command:
            raise self._user.unusable("exec.command", "is missing", "name the plugin")
        if version not in VERSIONS:
            mend = REFRESH.get(os.path.basename(command))  # noqa: PTH119 - a command, not a path
            raise self._user.unusable(
                "exec.apiVersion",
                f"is {version or 'missing'}, which no client speaks any more",
                f"have the entry written anew: {mend}"
                if mend
                else f"say {VERSIONS[1]}, where the plugin speaks it",
            )
        if version == VERSIONS[0] and not self._body.get("interactiveMode"):
            raise self._user.unusable(
                "exec.interactiveMode", "is missing, which helm refuses", "say IfAvailable"
            )

    @property
    def _version(self) -> str:
        return str(self._body.get("apiVersion") or "")

    @property
    def _command(self) -> str:
        """The program: from the folder of the kubeconfig's file where it is a relative path."""
        command = str(self._body["command"])
        return str(self._user.file.parent / command) if os.sep in command else command

    def _run(self) -> Mapping[str, Any]:
        mode = str(self._body.get("interactiveMode") or "IfAvailable")
        terminal = bool(sys.stdin and sys.stdin.isatty())
        if mode == "Always" and not terminal:
            raise no_login(self._info, "asks its questions in a terminal, and there is none")
        asks = terminal and mode != "Never"
        argv = [self._command, *texts(self._body, "args")]
        limit = ASKING_LIMIT if asks else LIMIT
        try:
            with logged("plugin", self._command):
                code, output, words = _talk(argv, self._environment(asks=asks), limit, asks=asks)
        except OSError as error:
            hint = tuple(filter(None, (redact(str(self._body.get("installHint") or "")),)))
            why = f"cannot be run: {error.strerror or type(error).__name__}"
            raise no_login(self._info, why, hint) from None
        if code is None:
            raise no_login(self._info, f"did not end within {limit:g} seconds", words)
        if code:
            raise no_login(self._info, f"failed with exit code {code}", words)
        return self._read(output, words)

    def _environment(self, *, asks: bool) -> dict[str, str]:
        spec: dict[str, Any] = {"interactive": asks}
        if self._body.get("provideClusterInfo"):
            spec["cluster"] = self._cluster()
        told = {"kind": "ExecCredential", "apiVersion": self._version, "spec": spec}
        listed = self._body.get("env") or []
        own = {str(one.get("name")): str(one.get("value")) for one in listed}
        return {**environment(), **own, "KUBERNETES_EXEC_INFO": json.dumps(told)}

    def _cluster(self) -> dict[str, Any]:
        """The cluster as a plugin is told of it."""
        entry = self._info.cluster_entry
        names = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url",
                 "certificate-authority-data", "disable-compression")  # fmt: skip
        told = {name: entry.body[name] for name in names if entry.body.get(name)}
        for extension in entry.body.get("extensions") or []:
            if extension.get("name") == f"{GROUP}/exec":
                told["config"] = extension.get("extension")
        return told

    def _read(self, output: bytes, words: tuple[str, ...]) -> Mapping[str, Any]:
        try:
            answer = json.loads(output)
        except ValueError:
            answer = None
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
            raise no_login(self._info, "gave no ExecCredential", words)
        if answer.get("apiVersion") != self._version:
            why = f"speaks {str(answer.get('apiVersion'))[:60]}, and the kubeconfig says "
            raise no_login(self._info, why + self._version, words)
        if not isinstance(status, dict):
            raise no_login(self._info, "gave no status", words)
        pair = [bool(status.get(name)) for name in ("clientCertificateData", "clientKeyData")]
        if pair[0] != pair[1] or not (status.get("token") or all(pair)):
            raise no_login(self._info, "gave neither a token nor a certificate and its key", words)
        return status


def _expired(status: Mapping[str, Any]) -> bool:
    told = status.get("expirationTimestamp")
    if not isinstance(told, str):
        return False
    try:
        return datetime.fromisoformat(told).astimezone(UTC) <= datetime.now(UTC)
    except ValueError:
        return False


def _talk(
    argv: list[str], env: Mapping[str, str], limit: float, *, asks: bool
) -> tuple[int | None, bytes, tuple[str, ...]]:
    """The exit code (None: it took too long), the output, and the last words on standard error.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        argv,
        env=dict(env),
        stdin=None if asks else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    streams = bytearray(), bytearray()
    shows = bool(sys.stderr and sys.stderr.isatty())
    readers = [
        threading.Thread(target=_collect, args=(pipe, into, speaker), daemon=True)
        for pipe, into, speaker in (
            (process.stdout, streams[0], None),
            (process.stderr, streams[1], process if shows else None),
        )
    ]
    for reader in readers:
        reader.start()
    until = time.monotonic() + limit
    try:
        code: int | None = process.wait(limit)
    except subprocess.TimeoutExpired:
        code = None
    except BaseException:
        process.kill()
        LAST_LINE.end(process)
        raise
    if code is None:
        process.kill()
        process.wait()
    for reader in readers:  # what a plugin leaves running may hold its streams
        reader.join(max(min(until - time.monotonic(), 2.0), 0.2))
    LAST_LINE.end(process)
    words = redact(streams[1].decode("utf-8", "replace"))
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return code, bytes(streams[0]), tuple(lines[-LAST_LINES:])


def _collect(
    pipe: IO[bytes] | None, into: bytearray, speaker: subprocess.Popen[bytes] | None
) -> None:
    """Read all that comes; with a speaker it is said in the terminal, too."""
    if pipe is None:
        return
    with contextlib.suppress(OSError, ValueError), pipe:
        while data := os.read(pipe.fileno(), 65536):
            into += data[: LARGEST - len(into)]
            if speaker:
                LAST_LINE.speak(speaker, data.decode("utf-8", "replace"))
                if speaker.poll() is not None:  # by what it leaves running
                    LAST_LINE.end(speaker)
