"""Which objects of a LangSmith release are what, from its own manifest, never by a name pattern.

The chart's values can rename every object (`fullnameOverride`, `nameOverride`, `backend.name`) and
move it to another namespace (`namespace`), so only the rendered manifest tells. Objects are found
by the template they come from (`# Source: langsmith/templates/backend/deployment.yaml`); where a
post-renderer has taken these comments away, the backend is found by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.exits import Exit
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.helm import Release

CHART = "langsmith"
URI_VARIABLE = "POSTGRES_DATABASE_URI"
BACKEND = "backend/deployment.yaml"
POSTGRES_SET = "postgres/stateful-set.yaml"
POSTGRES_SERVICE = "postgres/service.yaml"
FRONTEND_SERVICE = "frontend/service.yaml"
WORKLOADS = ("Deployment", "Rollout")
DEFAULT_PORT = 1984


@dataclass(frozen=True)
class Backend:
    """The backend's workload.

    Attributes:
        kind: `Deployment`, or `Rollout` (Argo) when `backend.rollout.enabled`.
        container: the container that serves the API.
        port: its port.
        env: its variables in the release's manifest; None where the value comes from elsewhere.
    """

    kind: str
    name: str
    container: str
    port: int
    env: Mapping[str, str | None]


@dataclass(frozen=True)
class DatabaseReference:
    """Where the backend has its database from.

    Attributes:
        secret, key: the Secret and key that hold the URL (env `POSTGRES_DATABASE_URI`).
        schema: `POSTGRES_SCHEMA`; None when the chart sets none.
        external: `postgres.external.enabled`.
        custom_tls: `POSTGRES_TLS`, the database has a certificate of a private authority.
        client_certificate: `postgres.external.clientCert.secretName` is set (mTLS).
        iam_provider: `aws`, `gcp` or `azure` when the URL has no password; None otherwise.
    """

    secret: str
    key: str
    schema: str | None
    external: bool
    custom_tls: bool = False
    client_certificate: bool = False
    iam_provider: str | None = None


@dataclass(frozen=True)
class Service:
    """A Service of the release: its first port, and whether it is a LoadBalancer."""

    name: str
    port: int
    load_balancer: bool


@dataclass(frozen=True)
class PostgresWorkload:
    """The bundled PostgreSQL: StatefulSet (its first pod is `<name>-0`), container and port."""

    name: str
    container: str
    port: int

    @property
    def pod(self) -> str:
        """The pod of the one replica."""
        return f"{self.name}-0"


@dataclass(frozen=True)
class Installation:
    """The objects of one LangSmith release.

    Attributes:
        namespace: where the objects live; the value `namespace` may move them away from the
            release's own.
        postgres: the bundled PostgreSQL; None when it is external.
        frontend_service: None when `frontend.enabled` is false.
        url: from `config.hostname` and `config.basePath`; None when no hostname is set.
    """

    namespace: str
    backend: Backend
    database: DatabaseReference
    postgres: PostgresWorkload | None
    postgres_service: Service | None
    frontend_service: Service | None
    url: str | None

    @property
    def postgres_workload(self) -> str | None:
        """The name of the bundled StatefulSet, if there is one."""
        return self.postgres.name if self.postgres else None

    @property
    def load_balancer(self) -> bool:
        """Whether the frontend's Service wants a load balancer."""
        return bool(self.frontend_service and self.frontend_service.load_balancer)


def read_installation(
    manifest: str, computed_values: Mapping[str, Any], release: Release
) -> Installation:
    """The objects of a release, from its manifest and its values with the chart's defaults.

    Raises:
        Problem: the chart is not LangSmith, or the manifest has no backend with a database.
    """
    if release.chart_name != CHART:
        raise Problem(
            "LSA140",
            f"The release {release.name} is of the chart {release.chart}, not LangSmith.",
            on=release.on,
            next_step="Name the LangSmith release with --release and --namespace.",
            exit=Exit.FAILED,
        )
    found = _objects(manifest, release)
    backend = found.get(BACKEND)
    if backend is None:
        raise _no_backend(release, "The release's manifest has no backend.")
    container = _container(backend, URI_VARIABLE)
    env = _env(container)
    if URI_VARIABLE not in env:
        raise _no_backend(release, f"The backend has no variable {URI_VARIABLE}.")
    return Installation(
        namespace=str(backend["metadata"].get("namespace") or release.namespace),
        backend=Backend(
            str(backend["kind"]),
            str(backend["metadata"]["name"]),
            str(container.get("name", "")),
            _port(container, DEFAULT_PORT),
            env,
        ),
        database=_database(container, env, computed_values, release),
        postgres=_postgres(found.get(POSTGRES_SET)),
        postgres_service=_service(found.get(POSTGRES_SERVICE)),
        frontend_service=_service(found.get(FRONTEND_SERVICE)),
        url=url_of(computed_values),
    )


def url_of(values: Mapping[str, Any]) -> str | None:
    """The installation's URL: `config.hostname` with its scheme, and `config.basePath`.

    Without a scheme it is https, and http for localhost, as the chart's own documents say.
    """
    config = _map(values.get("config"))
    hostname = str(config.get("hostname") or "").strip().rstrip("/")
    if not hostname:
        return None
    if "://" not in hostname:
        local = re.match(r"(localhost|127\.0\.0\.1|\[::1\])(:|/|$)", hostname)
        hostname = f"{'http' if local else 'https'}://{hostname}"
    base = str(config.get("basePath") or "").strip("/")
    return f"{hostname}/{base}" if base else hostname


def _objects(manifest: str, release: Release) -> dict[str, dict[str, Any]]:
    """The few objects that matter, by the template they come from."""
    wanted = (BACKEND, POSTGRES_SET, POSTGRES_SERVICE, FRONTEND_SERVICE)
    found: dict[str, dict[str, Any]] = {}
    commented = False
    for source, text in documents(manifest):
        commented = commented or bool(source)
        template = source.partition(f"{CHART}/templates/")[2]
        if template in wanted:
            document = _parse(text, release)
            if document:
                found.setdefault(template, document)
    if commented:
        return found
    return _by_shape(manifest, release)


def _by_shape(manifest: str, release: Release) -> dict[str, dict[str, Any]]:
    """The same without comments: the backend's port and the Postgres's are named in the chart."""
    found: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    for _, text in documents(manifest):
        if not re.search(r"^kind: *[\"']?(Deployment|Rollout|StatefulSet|Service)\b", text, re.M):
            continue
        document = _parse(text, release)
        kind = document.get("kind")
        if kind == "Service":
            components[_component(_map(document["spec"].get("selector")))] = document
        elif kind in WORKLOADS and _has_port(document, "backend"):
            found[BACKEND] = document
        elif kind in WORKLOADS and _has_port(document, "frontend"):
            found[FRONTEND_SERVICE] = document
        elif kind == "StatefulSet" and _has_port(document, "postgres"):
            found.setdefault(POSTGRES_SET, document)
    for key, workload in ((POSTGRES_SERVICE, POSTGRES_SET), (FRONTEND_SERVICE, FRONTEND_SERVICE)):
        owner = found.pop(workload, None) if key == workload else found.get(workload)
        labels = _map(_template(owner).get("metadata")).get("labels") if owner else None
        service = components.get(_component(_map(labels))) if owner else None
        if service:
            found[key] = service
    return found


def documents(manifest: str) -> Iterator[tuple[str, str]]:
    """Each document of a manifest: the template it comes from (or an empty string), its text."""
    for text in re.split(r"^---[ \t]*(?:#[^\n]*)?$", manifest, flags=re.MULTILINE):
        if text.strip():
            match = re.search(r"^# Source: (\S+)", text, re.MULTILINE)
            yield (match[1] if match else ""), text


def _parse(text: str, release: Release) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, the fast one
    except yaml.YAMLError:
        raise Problem(
            "LSA142",
            "The release's manifest cannot be read.",
            on=release.on,
            next_step=f"Look at it: helm get manifest {release.name} -n {release.namespace}",
        ) from None
    return document if isinstance(document, dict) else {}


def _no_backend(release: Release, what: str) -> Problem:
    return Problem(
        "LSA141",
        what,
        on=release.on,
        next_step=f"Look at it: helm get manifest {release.name} -n {release.namespace}; report "
        "the chart version if this is LangSmith's own chart.",
        exit=Exit.FAILED,
    )


def _database(
    container: Mapping[str, Any],
    env: Mapping[str, str | None],
    values: Mapping[str, Any],
    release: Release,
) -> DatabaseReference:
    entry = next(each for each in container["env"] if each.get("name") == URI_VARIABLE)
    reference = _map(_map(entry.get("valueFrom")).get("secretKeyRef"))
    if not reference.get("name") or not reference.get("key"):
        raise _no_backend(release, f"{URI_VARIABLE} does not name a Secret and a key.")
    external = _map(_map(values.get("postgres")).get("external"))
    return DatabaseReference(
        secret=str(reference["name"]),
        key=str(reference["key"]),
        schema=env.get("POSTGRES_SCHEMA") or None,
        external=external.get("enabled") is True,
        custom_tls=str(env.get("POSTGRES_TLS")).lower() == "true",
        client_certificate="POSTGRES_TLS_CLIENT_CERT_PATH" in env,
        iam_provider=env.get("POSTGRES_IAM_AUTH_PROVIDER") or None,
    )


def _postgres(document: dict[str, Any] | None) -> PostgresWorkload | None:
    if document is None:
        return None
    container = _containers(document)[0]
    port = _port(container, 5432)
    return PostgresWorkload(str(document["metadata"]["name"]), str(container["name"]), port)


def _service(document: dict[str, Any] | None) -> Service | None:
    if document is None:
        return None
    spec = _map(document.get("spec"))
    ports = spec.get("ports") or [{}]
    balanced = spec.get("type") == "LoadBalancer"
    return Service(str(document["metadata"]["name"]), int(ports[0].get("port") or 0), balanced)


def _container(document: Mapping[str, Any], variable: str) -> dict[str, Any]:
    """The first container with the variable: sidecars come after the chart's own."""
    containers = _containers(document)
    for container in containers:
        if variable in _env(container):
            return container
    return containers[0]


def _containers(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(_map(_template(document).get("spec")).get("containers") or [{}])


def _template(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(_map(document.get("spec")).get("template"))


def _component(labels: Mapping[str, Any]) -> str:
    return str(labels.get("app.kubernetes.io/component", ""))


def _has_port(document: Mapping[str, Any], name: str) -> bool:
    ports = [port for each in _containers(document) for port in each.get("ports") or []]
    return any(port.get("name") == name for port in ports)


def _port(container: Mapping[str, Any], default: int) -> int:
    ports = container.get("ports") or [{}]
    return int(ports[0].get("containerPort") or default)


def _env(container: Mapping[str, Any]) -> dict[str, str | None]:
    """The variables of a container; None for those whose value comes from elsewhere."""
    return literal_env(container.get("env"))


def literal_env(entries: Any) -> dict[str, str | None]:
    """Name to plain value (empty when none is given), or None for a `valueFrom`."""
    return {
        str(each["name"]): None if each.get("valueFrom") else str(each.get("value") or "")
        for each in entries or []
    }


def _map(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}
