"""Which objects of a LangSmith release are what, from its own manifest, never by a name pattern.

The chart's values can rename every object (`fullnameOverride`, `nameOverride`, `backend.name`) and
move it to another namespace (`namespace`), so only the rendered manifest tells. Objects are found
by the template they come from, see wizard/systems/release/manifest.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.release.manifest import (
    BACKEND,
    CHART,
    POSTGRES_SET,
    URI_VARIABLE,
    as_map,
    containers_of,
    literal_env,
    wanted_objects,
)

if TYPE_CHECKING:
    from wizard.systems.helm.records import Release

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
class SecretKeys:
    """A Secret, and keys in it."""

    secret: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class PostgresImage:
    """The chart's own PostgreSQL image (`images.postgresImage`), and what pulls it."""

    name: str
    pull_secrets: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class DatabaseReference:
    """Where the backend has its database from.

    Attributes:
        secret, key: the Secret and key that hold the URL (env `POSTGRES_DATABASE_URI`).
        schema: `POSTGRES_SCHEMA`; None when the chart sets none.
        external: `postgres.external.enabled`.
        authority: the certificates to trust (`config.customCa`), with `customTls`.
        client: certificate and key of a client certificate.
    """

    secret: str
    key: str
    schema: str | None
    external: bool
    authority: SecretKeys | None = None
    client: SecretKeys | None = None


@dataclass(frozen=True)
class PostgresWorkload:
    """The bundled PostgreSQL: StatefulSet (its first pod is `<name>-0`) and container."""

    name: str
    container: str

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
        url: from `config.hostname` and `config.basePath`; None when no hostname is set.
        image: the PostgreSQL image; None when the chart names none.
    """

    namespace: str
    backend: Backend
    database: DatabaseReference
    postgres: PostgresWorkload | None
    url: str | None
    image: PostgresImage | None = None


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
            f"The release {release.name} is of the chart {release.chart}, not LangSmith",
            on=release.on,
            next_step="name the LangSmith release with --release and --namespace",
            exit=Exit.FAILED,
        )
    found = wanted_objects(manifest, release)
    backend = found.get(BACKEND)
    if backend is None:
        raise _no_backend(release, "The release's manifest has no backend")
    containers = containers_of(backend)  # the chart's own, then sidecars
    container = next((it for it in containers if URI_VARIABLE in _env(it)), containers[0])
    ports = container.get("ports") or [{}]
    env = _env(container)
    if URI_VARIABLE not in env:
        raise _no_backend(release, f"The backend has no variable {URI_VARIABLE}")
    return Installation(
        namespace=str(backend["metadata"].get("namespace") or release.namespace),
        backend=Backend(
            str(backend["kind"]),
            str(backend["metadata"]["name"]),
            str(container.get("name", "")),
            int(ports[0].get("containerPort") or DEFAULT_PORT),
            env,
        ),
        database=_database(container, env, computed_values, release),
        postgres=_postgres(found.get(POSTGRES_SET)),
        url=url_of(computed_values),
        image=_image(as_map(computed_values.get("images"))),
    )


def url_of(values: Mapping[str, Any]) -> str | None:
    """The installation's URL: `config.hostname` with its scheme, and `config.basePath`.

    Without a scheme it is https, and http for localhost, as the chart's own documents say.
    """
    config = as_map(values.get("config"))
    hostname = str(config.get("hostname") or "").strip().rstrip("/")
    if not hostname:
        return None
    if "://" not in hostname:
        local = re.match(r"(localhost|127\.0\.0\.1|\[::1\])(:|/|$)", hostname)
        hostname = f"{'http' if local else 'https'}://{hostname}"
    base = str(config.get("basePath") or "").strip("/")
    return f"{hostname}/{base}" if base else hostname


def _no_backend(release: Release, what: str) -> Problem:
    return Problem(
        "LSA141",
        what,
        on=release.on,
        next_step=f"look at it: helm get manifest {release.name} -n {release.namespace}; report "
        "the chart version if this is LangSmith's own chart",
        exit=Exit.FAILED,
    )


def _database(
    container: Mapping[str, Any],
    env: Mapping[str, str | None],
    values: Mapping[str, Any],
    release: Release,
) -> DatabaseReference:
    entry = next(each for each in container["env"] if each.get("name") == URI_VARIABLE)
    reference = as_map(as_map(entry.get("valueFrom")).get("secretKeyRef"))
    if not reference.get("name") or not reference.get("key"):
        raise _no_backend(release, f"{URI_VARIABLE} does not name a Secret and a key")
    external = as_map(as_map(values.get("postgres")).get("external"))
    custom_tls = str(env.get("POSTGRES_TLS")).lower() == "true"
    trusted = as_map(as_map(values.get("config")).get("customCa")) if custom_tls else {}
    return DatabaseReference(
        secret=str(reference["name"]),
        key=str(reference["key"]),
        schema=env.get("POSTGRES_SCHEMA") or None,
        external=external.get("enabled") is True,
        authority=_secret_keys(trusted, "secretKey"),
        client=_secret_keys(as_map(external.get("clientCert")), "certSecretKey", "keySecretKey"),
    )


def _secret_keys(values: Mapping[str, Any], *names: str) -> SecretKeys | None:
    """The Secret that the values name, with the keys under these names; None when it is not set."""
    keys = tuple(str(values.get(name) or "") for name in names)
    secret = values.get("secretName")
    return SecretKeys(str(secret), keys) if secret and all(keys) else None


def _image(images: Mapping[str, Any]) -> PostgresImage | None:
    image = as_map(images.get("postgresImage"))
    if not image.get("repository") or not image.get("tag"):
        return None
    registry = f"{images['registry']}/" if images.get("registry") else ""
    secrets = tuple(images.get("imagePullSecrets") or ())
    return PostgresImage(f"{registry}{image['repository']}:{image['tag']}", secrets)


def _postgres(document: dict[str, Any] | None) -> PostgresWorkload | None:
    if document is None:
        return None
    container = containers_of(document)[0]
    return PostgresWorkload(str(document["metadata"]["name"]), str(container["name"]))


def _env(container: Mapping[str, Any]) -> dict[str, str | None]:
    """The variables of a container; None for those whose value comes from elsewhere."""
    return literal_env(container.get("env"))
