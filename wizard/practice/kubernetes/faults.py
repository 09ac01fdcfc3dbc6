"""What the host process sets at any time: what pods do on this machine, what shall go wrong."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class LocalCommand:
    """What an exec really runs here: a program with its arguments, and its whole environment."""

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


NEVER_READY = "NotReady"
POD_FAILURES = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "CreateContainerConfigError",
    "Unschedulable",
    NEVER_READY,
)
OF_EVERYBODY = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
"""What every user may create (`system:basic-user`)."""


@dataclass(frozen=True)
class Ban:
    """A right that is refused; `*` stands for any."""

    verb: str
    resource: str
    subresource: str
    namespace: str

    def covers(self, verb: str, resource: str, subresource: str, namespace: str) -> bool:
        """Whether a request falls under it."""
        mine = (self.verb, self.resource, self.subresource, self.namespace)
        asked = (verb, resource, subresource, namespace)
        return all(one in ("*", other) for one, other in zip(mine, asked, strict=True))


@dataclass(frozen=True)
class Grant:
    """A rule of a Role; without a namespace of a ClusterRole."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    namespace: str

    def covers(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Whether a request falls under it; the resource with its subresource."""
        pairs = ((verb, self.verbs), (group, self.groups), (resource, self.resources))
        granted = all({"*", asked} & listed for asked, listed in pairs)
        return granted and self.namespace in ("", namespace)


@dataclass(frozen=True)
class Denial:
    """A write that an admission webhook refuses; `*` stands for any."""

    verb: str
    resource: str
    name_contains: str
    message: str
    webhook: str

    def covers(self, verb: str, resource: str, name: str) -> bool:
        """Whether a request falls under it."""
        asked = self.verb in ("*", verb) and self.resource in ("*", resource)
        return asked and self.name_contains in name


class Faults:
    """The faults that are staged now. Thread-safe; every method takes effect at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.changed: Callable[[], object] = lambda: None
        self._none()

    def _none(self) -> None:
        self._bans: list[Ban] = []
        self._grants: list[Grant] | None = None
        self._pods: list[tuple[dict[str, str], str, str]] = []
        self._jobs: list[str] = []
        self._images: list[str] = []
        self._denials: list[Denial] = []
        self.pods_take: float | None = None
        self.jobs_take: float | None = None
        self.credentials_refused = False
        self.seconds = 0.0
        self.stalled = False
        self.load_balancer = True

    def forbid(self, verb: str, resource: str, subresource: str = "", namespace: str = "*") -> None:
        """Refuse a right with 403, as RBAC would (`get`, `secrets`); `*` stands for any."""
        with self._lock:
            self._bans.append(Ban(verb, resource, subresource, namespace))

    def grant_only(self, roles: Iterable[Json]) -> None:
        """Refuse every right but those of these Roles and ClusterRoles; bans come on top."""
        grants = [
            Grant(
                frozenset(rule["verbs"]),
                frozenset(rule["apiGroups"]),
                frozenset(rule["resources"]),
                str(role["metadata"].get("namespace", "")),
            )
            for role in roles
            for rule in role["rules"]
        ]
        with self._lock:
            self._grants = grants

    def refuse_credentials(self) -> None:
        """Answer 401 to every request."""
        self.credentials_refused = True

    def delay(self, seconds: float) -> None:
        """Answer each request only after this many seconds."""
        self.seconds = seconds

    def stall(self) -> None:
        """Take each request and never answer it."""
        self.stalled = True

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile take each request and never answer it; those taken stay unanswered."""
        self.stalled = True
        try:
            yield
        finally:
            self.stalled = False

    def no_load_balancer(self) -> None:
        """Give Services of type LoadBalancer no address, and take back those given."""
        self.load_balancer = False
        self.changed()

    def fail_pods(
        self, labels: Mapping[str, str], reason: str = "CrashLoopBackOff", *, owner: str = ""
    ) -> None:
        """Keep pods with these labels from becoming ready, as long as the fault stands.

        Pods that were ready before stay ready. Reasons: POD_FAILURES, or a ValueError. `owner`
        limits it to pods whose controller is of this kind (`ReplicaSet`, `Job`).
        """
        if reason not in POD_FAILURES:
            raise ValueError(f"{reason} is none of {', '.join(POD_FAILURES)}")
        with self._lock:
            self._pods.append((dict(labels), reason, owner))

    def fail_job(self, name_contains: str) -> None:
        """Let the pods of Jobs whose name contains this text end with exit code 1."""
        with self._lock:
            self._jobs.append(name_contains)

    def lack_image(self, contains: str) -> None:
        """Let images whose reference contains this text be in no registry: ImagePullBackOff."""
        with self._lock:
            self._images.append(contains)

    def deny(
        self,
        verb: str,
        resource: str,
        message: str,
        *,
        name_contains: str = "",
        webhook: str = "policy.practice.example",
    ) -> None:
        """Refuse a write as an admission webhook does, with its message; `*` stands for any."""
        with self._lock:
            self._denials.append(Denial(verb, resource, name_contains, message, webhook))

    def slow(self, *, pods: float | None = None, jobs: float | None = None) -> None:
        """Let pods become ready, or Jobs end, only after so many seconds."""
        self.pods_take, self.jobs_take = pods, jobs

    def clear(self) -> None:
        """Take every fault back; waiting pods then become ready."""
        with self._lock:
            self._none()
        self.changed()

    def forbids(
        self, verb: str, group: str, resource: str, subresource: str, namespace: str
    ) -> bool:
        """Whether a request is refused."""
        named = f"{resource}/{subresource}" if subresource else resource
        with self._lock:
            if any(ban.covers(verb, resource, subresource, namespace) for ban in self._bans):
                return True
            if self._grants is None or resource in OF_EVERYBODY:
                return False
            return not any(it.covers(verb, group, named, namespace) for it in self._grants)

    def any_forbidden(self) -> bool:
        """Whether any right is refused at all."""
        with self._lock:
            return bool(self._bans) or self._grants is not None

    def denial(self, verb: str, resource: str, name: str) -> Denial | None:
        """The webhook's refusal of a write, or None."""
        with self._lock:
            return next((one for one in self._denials if one.covers(verb, resource, name)), None)

    def pod_failure(self, labels: Mapping[str, str], owner: str = "") -> str:
        """The reason why a pod with these labels and controller's kind fails, or ""."""
        with self._lock:
            for wanted, reason, kind in self._pods:
                if kind in ("", owner) and wanted.items() <= labels.items():
                    return reason
        return ""

    def lacks_image(self, image: str) -> bool:
        """Whether an image is in no registry."""
        with self._lock:
            return any(text in image for text in self._images)

    def job_fails(self, name: str) -> bool:
        """Whether the Job of that name fails."""
        with self._lock:
            return any(text in name for text in self._jobs)
