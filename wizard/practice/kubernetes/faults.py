"""Staging: what shall go wrong on the practice cluster, set from the host process at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NEVER_READY = "NotReady"
POD_FAILURES = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "CreateContainerConfigError",
    "Unschedulable",
    NEVER_READY,
)


@dataclass(frozen=True)
class Ban:
    """A right that is refused; `*` stands for any."""

    verb: str
    resource: str
    subresource: str
    namespace: str

    def covers(self, verb: str, resource: str, subresource: str, namespace: str) -> bool:
        """Whether a request falls under it."""
        return (
            self.verb in ("*", verb)
            and self.resource in ("*", resource)
            and self.subresource in ("*", subresource)
            and self.namespace in ("*", namespace)
        )


class Faults:
    """The faults that are staged now. Thread-safe; every method takes effect at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bans: list[Ban] = []
        self._pods: list[tuple[dict[str, str], str]] = []
        self._jobs: list[str] = []
        self.credentials_refused = False
        self.seconds = 0.0
        self.stalled = False
        self.load_balancer = True
        self.changed: Callable[[], None] | None = None

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()

    def forbid(self, verb: str, resource: str, subresource: str = "", namespace: str = "*") -> None:
        """Refuse a right with 403, as RBAC would (`get`, `secrets`); `*` stands for any."""
        with self._lock:
            self._bans.append(Ban(verb, resource, subresource, namespace))

    def refuse_credentials(self) -> None:
        """Answer 401 to every request."""
        self.credentials_refused = True

    def delay(self, seconds: float) -> None:
        """Answer each request only after this many seconds."""
        self.seconds = seconds

    def stall(self) -> None:
        """Take each request and never answer it."""
        self.stalled = True

    def no_load_balancer(self) -> None:
        """Give Services of type LoadBalancer no address, and take back those given."""
        self.load_balancer = False
        self._tell()

    def fail_pods(self, labels: Mapping[str, str], reason: str = "CrashLoopBackOff") -> None:
        """Keep pods with these labels from becoming ready, as long as the fault stands.

        Pods that were ready before stay ready. Reasons: POD_FAILURES.

        Raises:
            ValueError: no such reason.
        """
        if reason not in POD_FAILURES:
            raise ValueError(f"{reason} is none of {', '.join(POD_FAILURES)}")
        with self._lock:
            self._pods.append((dict(labels), reason))

    def fail_job(self, name_contains: str) -> None:
        """Let the pods of Jobs whose name contains this text end with exit code 1."""
        with self._lock:
            self._jobs.append(name_contains)

    def clear(self) -> None:
        """Take every fault back; waiting pods then become ready."""
        with self._lock:
            self._bans.clear()
            self._pods.clear()
            self._jobs.clear()
        self.credentials_refused = self.stalled = False
        self.seconds = 0.0
        self.load_balancer = True
        self._tell()

    def forbids(self, verb: str, resource: str, subresource: str, namespace: str) -> bool:
        """Whether a request is refused."""
        with self._lock:
            return any(ban.covers(verb, resource, subresource, namespace) for ban in self._bans)

    def any_forbidden(self) -> bool:
        """Whether any right is refused at all."""
        with self._lock:
            return bool(self._bans)

    def pod_failure(self, labels: Mapping[str, str]) -> str:
        """The reason why a pod with these labels fails, or ""."""
        with self._lock:
            for wanted, reason in self._pods:
                if all(labels.get(key) == value for key, value in wanted.items()):
                    return reason
        return ""

    def job_fails(self, name: str) -> bool:
        """Whether the Job of that name fails."""
        with self._lock:
            return any(text in name for text in self._jobs)
