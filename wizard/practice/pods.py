"""What a backend pod knows: the environment it was started with, and its chart's version."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import semver

Json = Mapping[str, Any]
Get = Callable[[str, str, str], Json | None]
"""(kind, namespace, name) → the object, or None."""

ON_BY_DEFAULT_FROM = "0.13.37"
"""The first chart version with audit logs on by default."""


@dataclass(frozen=True)
class PodView:
    """One backend pod's view of the world, taken when it became ready and kept until it is gone.

    `release`, `chart_version` and `app_version` are from its labels; `environment` is its backend
    container's, references resolved; `configs` are the organizations' as the database held them.
    """

    uid: str
    name: str
    namespace: str
    release: str
    chart_version: str
    app_version: str
    environment: Mapping[str, str] = field(repr=False)
    configs: Mapping[str, Any]

    @property
    def serves_audit_logs(self) -> bool:
        """Whether the audit-logs endpoint exists in this pod."""
        return self._switch("AUDIT_LOGS_ENABLED")

    def can_use_audit_logs(self, organization_id: str) -> bool:
        """The value that this pod uses for an organization: the stored one, else the default."""
        config = self.configs.get(organization_id)
        if isinstance(config, Mapping) and config.get("can_use_audit_logs") is not None:
            return config["can_use_audit_logs"] is True
        return self._switch("DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS")

    @property
    def base_path(self) -> str:
        """`/base` when the release has a base path (`config.basePath`), else empty."""
        return self.environment.get("LANGCHAIN_ENDPOINT", "").removesuffix("/api/v1")

    def _switch(self, variable: str) -> bool:
        told = self.environment.get(variable)
        if told is None:
            return reaches(self.chart_version, ON_BY_DEFAULT_FROM)
        return told.strip().lower() in ("true", "1", "yes", "on")


def reaches(version: str, first: str) -> bool:
    """Whether a version is a valid one, and `first` or a later one."""
    return semver.Version.is_valid(version) and semver.Version.parse(version) >= first


def backend_container(pod: Json) -> Json | None:
    """The container that serves the API: the one with a port named `backend`."""
    for container in pod["spec"]["containers"]:
        if any(port.get("name") == "backend" for port in container.get("ports", ())):
            found: Json = container
            return found
    return None


def port_of(pod: Json, name: str) -> int | None:
    """The number of a pod's port of that name."""
    ports = (port for one in pod["spec"]["containers"] for port in one.get("ports", ()))
    return next((int(one["containerPort"]) for one in ports if one.get("name") == name), None)


def view_of(pod: Json, get: Get, configs: Mapping[str, Any]) -> PodView:
    """The view of a backend pod that starts now, with the organizations' configs of now."""
    metadata = pod["metadata"]
    labels = metadata.get("labels", {})
    container = backend_container(pod) or {}
    return PodView(
        uid=metadata["uid"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        release=labels.get("app.kubernetes.io/instance", ""),
        chart_version=labels.get("helm.sh/chart", "").removeprefix("langsmith-"),
        app_version=labels.get("app.kubernetes.io/version", ""),
        environment=environment_of(container, metadata["namespace"], get),
        configs=configs,
    )


def environment_of(container: Json, namespace: str, get: Get) -> dict[str, str]:
    """The environment that a kubelet would give a container: envFrom first, then env."""
    environment: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        environment.update(_all_of(source, namespace, get))
    for entry in container.get("env") or ():
        value = _value_of(entry, namespace, get)
        if value is not None:
            environment[entry["name"]] = value
    return environment


def _all_of(source: Json, namespace: str, get: Get) -> dict[str, str]:
    prefix = source.get("prefix", "")
    for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if reference in source:
            data = _data(kind, get(kind, namespace, source[reference]["name"]))
            return {prefix + key: value for key, value in data.items()}
    return {}


def _value_of(entry: Json, namespace: str, get: Get) -> str | None:
    reference = entry.get("valueFrom")
    if reference is None:
        return entry.get("value") or ""
    for source, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if source in reference:
            found = get(kind, namespace, reference[source]["name"])
            return _data(kind, found).get(reference[source]["key"])
    return None


def _data(kind: str, found: Json | None) -> dict[str, str]:
    data = (found or {}).get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    return dict(data)
