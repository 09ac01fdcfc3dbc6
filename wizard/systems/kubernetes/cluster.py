"""The Kubernetes API as far as this tool needs it: plain dicts, and a limit on each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wizard.problems import Problem
from wizard.record import dataclass
from wizard.systems.kubernetes.errors import TOO_LARGE, Call, changes, not_kubernetes
from wizard.systems.kubernetes.http import Connection
from wizard.systems.kubernetes.kubeconfig import (
    SERVICE_ACCOUNT,
    ContextInfo,
    Entry,
    choose,
    in_pod,
    no_kubeconfig,
    read_kubeconfig,
)

if TYPE_CHECKING:
    from wizard.systems.kubernetes.exec import PodCommand
    from wizard.systems.kubernetes.forward import LocalForward

FIELD_MANAGER = "langsmith-audit"
PAGE = 500
JSON = "application/json"
METADATA = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""The form of a list that has nothing of its objects but their `metadata`."""
CONNECT_LIMIT = 10.0
LOG_BYTES = 64 * 1024


@dataclass(frozen=True)
class Resource:
    """One kind of object in the API."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The request path of an object or a list."""
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = ["namespaces", namespace] if namespace else []
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join([path, *(quote(part, safe="") for part in parts)])


PODS = Resource("pods", "Pod")
SERVICES = Resource("services", "Service")
SECRETS = Resource("secrets", "Secret")
CONFIGMAPS = Resource("configmaps", "ConfigMap")
EVENTS = Resource("events", "Event")
NAMESPACES = Resource("namespaces", "Namespace")
DEPLOYMENTS = Resource("deployments", "Deployment", "apps")
REPLICASETS = Resource("replicasets", "ReplicaSet", "apps")
STATEFULSETS = Resource("statefulsets", "StatefulSet", "apps")
JOBS = Resource("jobs", "Job", "batch")
QUOTAS = Resource("resourcequotas", "ResourceQuota")
BUDGETS = Resource("poddisruptionbudgets", "PodDisruptionBudget", "policy")
AUTOSCALERS = Resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2")
ARGO_ROLLOUTS = Resource("rollouts", "Rollout", "argoproj.io", "v1alpha1")
ACCESS_REVIEWS = Resource(
    "selfsubjectaccessreviews", "SelfSubjectAccessReview", "authorization.k8s.io"
)


class Cluster:
    """One cluster through one context. Nothing is sent before the first call.

    Attributes:
        context: the context's name; empty inside a pod.
        server: the API server's URL.
        default_namespace: the context's namespace.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.context = connection.info.name
        self.server = connection.info.server
        self.default_namespace = connection.info.namespace

    @classmethod
    def connect(
        cls, kubeconfig: Path | None, context: str | None, *, limit: float = CONNECT_LIMIT
    ) -> Cluster:
        """The cluster of a context; `limit` is in seconds and holds for each request.

        Reads the kubeconfig only; inside a pod without one, the pod's service account is used.

        Raises:
            Problem: no kubeconfig, one that cannot be read, or no such context.
        """
        config = read_kubeconfig(kubeconfig)
        inside = in_pod() and not context
        if config.contexts or (config.paths and not inside):
            return cls(Connection(choose(config, context), limit))
        if not inside:
            raise no_kubeconfig(kubeconfig)
        return cls(Connection(_pod_context(), limit))

    def log_in(self) -> None:
        """Have the login ready that helm will use as well; the API server is not asked.

        Raises:
            Problem: LSA212 to LSA214, there is none, or what leads to the server is of no use.
        """
        self._connection.log_in()

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """What a person should hear of the login, besides all that is asked."""
        return tuple(self._connection.remarks)

    def now(self) -> datetime:
        """The time by the API server's clock, as its last answer tells it."""
        return self._connection.now()

    @staticmethod
    def contexts(kubeconfig: Path | None) -> list[ContextInfo]:
        """The contexts of the kubeconfig, in its order; empty when there is no kubeconfig."""
        return list(read_kubeconfig(kubeconfig).contexts)

    @property
    def login_ends(self) -> datetime | None:
        """When the client certificate or the token ends; None where they do not say."""
        return self._connection.login_ends()

    def server_version(self) -> str:
        """The API server's version (`v1.33.1`); by default everybody may ask."""
        import json

        text = self._connection.text(Call("get", "version"), "/version")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        told = found.get("gitVersion") if isinstance(found, dict) else None
        if not isinstance(told, str) or not told:
            raise not_kubernetes(self._connection.info, Call("get", "version"))
        return told

    def get(self, resource: Resource, name: str, namespace: str | None) -> dict[str, Any] | None:
        """One object; None when it is not there."""
        call = Call("get", resource.plural, resource.group, name, namespace)
        try:
            return self._connection.request(call, "GET", resource.path(namespace, name))
        except Problem as problem:
            if problem.id == "LSA217":
                return None
            raise

    def serves(self, resource: Resource) -> bool:
        """Whether the API has a kind under this plural; by default everybody may ask that."""
        call = Call("get", resource.plural, resource.group)
        group = Resource("", "", resource.group, resource.version).path(None)
        try:
            answer = self._connection.request(call, "GET", group)
        except Problem as problem:
            if problem.id == "LSA217":
                return False
            raise
        return any(it.get("name") == resource.plural for it in answer.get("resources") or [])

    def versions(self) -> frozenset[str]:
        """Each group of the API with each version that it has (`apps/v1`); anybody may ask."""
        answer = self._connection.request(Call("get", "apis"), "GET", "/apis")
        groups = [it for it in answer.get("groups") or [] if isinstance(it, dict)]
        versions = [it for group in groups for it in group.get("versions") or []]
        return frozenset(str(it["groupVersion"]) for it in versions if "groupVersion" in it)

    def _pages(
        self, call: Call, path: str, query: Mapping[str, str], accept: str = JSON
    ) -> list[dict[str, Any]]:
        """All items of a list, fewer at a time where a page of them is too large."""
        found: list[dict[str, Any]] = []
        token, size = "", PAGE
        while True:
            page = {**query, "limit": str(size), **({"continue": token} if token else {})}
            try:
                answer = self._connection.request(call, "GET", path, query=page, accept=accept)
            except Problem as problem:
                if problem.id != TOO_LARGE or size == 1:
                    raise
                size = max(size // 10, 1)
                continue
            items = answer.get("items") or []
            found += items
            before, token = token, str((answer.get("metadata") or {}).get("continue") or "")
            if not token:
                return found
            if not items or token == before:
                raise not_kubernetes(self._connection.info, call, "its list has no end")

    def metadata(self, resource: Resource, namespace: str, *, labels: str) -> list[dict[str, Any]]:
        """The `metadata` of all objects with these labels; nothing else of them is sent."""
        call = Call("list", resource.plural, resource.group, "", namespace)
        query = {"labelSelector": labels}
        found = self._pages(call, resource.path(namespace), query, METADATA)
        return [each["metadata"] for each in found]

    def list(
        self, resource: Resource, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        """All objects of a kind in a namespace (None: in all), by label and field selectors."""
        call = Call("list", resource.plural, resource.group, "", namespace)
        query = {"labelSelector": labels, "fieldSelector": fields}
        query = {name: text for name, text in query.items() if text}
        path = resource.path(namespace)
        try:
            return self._pages(call, path, query)
        except Problem as problem:
            if problem.id != "LSA218":  # the first page is minutes old, and the rest forgotten
                raise
            return self._pages(call, path, query)

    def version(self, resource: Resource, namespace: str) -> str:
        """The present resource version of a kind in a namespace, to watch from; lists one object.

        Raises:
            Problem: the kind cannot be listed.
        """
        call = Call("list", resource.plural, resource.group, "", namespace)
        answer = self._connection.request(
            call, "GET", resource.path(namespace), query={"limit": "1"}
        )
        return str((answer.get("metadata") or {}).get("resourceVersion") or "")

    @contextmanager
    def watch(
        self, resource: Resource, namespace: str, version: str, *, seconds: int, name: str = ""
    ) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """What was `ADDED`, `MODIFIED` or `DELETED` since a resource version, as it comes.

        Args:
            seconds: after which the server ends it.
            name: of the one object that is watched; empty for all.

        Raises:
            Problem: the kind cannot be watched, or the version is forgotten (LSA218), also while
                the changes are read.
        """
        call = Call("watch", resource.plural, resource.group, name, namespace)
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        query |= {"fieldSelector": f"metadata.name={name}"} if name else {}
        path = resource.path(namespace)
        with self._connection.lines(call, path, query=query, seconds=seconds) as lines:
            yield changes(lines, self._connection.info, call)

    def log(
        self, pod: str, namespace: str, container: str, *, lines: int, previous: bool = False
    ) -> str:
        """The last lines of a container's log; `previous`: of the run before it was restarted.

        Raises:
            Problem: a missing right, no such pod, or nothing was logged yet.
        """
        call = Call("get", "pods/log", "", pod, namespace)
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
        query |= {"previous": "true"} if previous else {}
        return self._connection.text(call, PODS.path(namespace, pod, "log"), query=query)

    def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        body: Mapping[str, Any],
        *,
        strategic: bool = True,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Patches one object as field manager `langsmith-audit`; the object as it is afterwards.

        Args:
            strategic: a strategic merge patch; False: a JSON merge patch (custom resources).
            dry_run: let the server check it (admission too) and write nothing.
        """
        call = Call("patch", resource.plural, resource.group, name, namespace)
        kind = "strategic-merge-patch" if strategic else "merge-patch"
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        return self._connection.request(
            call,
            "PATCH",
            resource.path(namespace, name),
            query=query,
            body=body,
            content_type=f"application/{kind}+json",
        )

    def try_apply(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        body: Mapping[str, Any],
        *,
        manager: str = FIELD_MANAGER,
    ) -> dict[str, Any]:
        """What would become of an object, checked by the server; writes nothing.

        It is a server-side apply with `dryRun=All` that gives way to nobody's fields. Only as the
        `manager` that has applied the object before does it take away what is no longer in it.

        Raises:
            Problem: the object would be refused, or cannot be tried.
        """
        return self._connection.request(
            Call("patch", resource.plural, resource.group, name, namespace),
            "PATCH",
            resource.path(namespace, name),
            query={"fieldManager": manager, "force": "true", "dryRun": "All"},
            body=body,
            content_type="application/apply-patch+yaml",
        )

    def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Creates one object, or lets the server check it; the object as the server keeps it."""
        name = str((body.get("metadata") or {}).get("name") or "")
        call = Call("create", resource.plural, resource.group, name, namespace)
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        path = resource.path(namespace)
        return self._connection.request(call, "POST", path, query=query, body=body)

    def delete(self, resource: Resource, name: str, namespace: str, *, version: str = "") -> None:
        """Deletes one object at once; one that is not there any more is fine.

        With a `version` (its resourceVersion) only as it was then.
        """
        call = Call("delete", resource.plural, resource.group, name, namespace)
        query = {"gracePeriodSeconds": "0"}
        only = {"preconditions": {"resourceVersion": version}} if version else None
        try:
            path = resource.path(namespace, name)
            self._connection.request(call, "DELETE", path, query=query, body=only)
        except Problem as problem:
            if problem.id != "LSA217":
                raise

    def allowed(
        self, verb: str, resource: Resource, namespace: str | None, *, subresource: str = ""
    ) -> bool:
        """Whether the API server would allow the verb (a SelfSubjectAccessReview)."""
        call = Call("create", ACCESS_REVIEWS.plural, ACCESS_REVIEWS.group)
        attributes = {
            "verb": verb,
            "group": resource.group,
            "version": resource.version,
            "resource": resource.plural,
            "subresource": subresource,
            "namespace": namespace or "",
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": ACCESS_REVIEWS.kind,
            "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
        }
        answer = self._connection.request(call, "POST", ACCESS_REVIEWS.path(None), body=body)
        return bool((answer.get("status") or {}).get("allowed"))

    def command(self, pod: str, namespace: str, container: str, argv: Sequence[str]) -> PodCommand:
        """A command in a container that is talked to while it runs; close it after use.

        Raises:
            Problem: a missing right, no such pod, or the API server cannot be reached.
        """
        from wizard.systems.kubernetes.exec import PodCommand

        return PodCommand(self._connection, pod, namespace, container, argv)

    def forward(
        self, pod: str, namespace: str, port: int, *, tcp: bool = False
    ) -> AbstractContextManager[LocalForward]:
        """A port of a pod on this machine while the context is open: a Unix socket, or `tcp`."""
        from wizard.systems.kubernetes.forward import LocalForward

        return LocalForward(self._connection, pod, namespace, port, tcp=tcp)

    def close(self) -> None:
        """Closes the connections to the API server."""
        self._connection.close()


def _pod_context() -> ContextInfo:
    import os

    host, port = (
        os.environ["KUBERNETES_SERVICE_HOST"],
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    try:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = "default"
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    cluster: dict[str, str] = {"server": server}
    if (SERVICE_ACCOUNT / "ca.crt").exists():
        cluster["certificate-authority"] = "ca.crt"
    user = "the pod's service account"
    return ContextInfo(
        "",
        server,
        namespace,
        user,
        current=True,
        credentials="token",
        cluster_entry=Entry("clusters", "", cluster, SERVICE_ACCOUNT / "kubeconfig"),
        user_entry=Entry("users", user, {"tokenFile": "token"}, SERVICE_ACCOUNT / "kubeconfig"),
    )
