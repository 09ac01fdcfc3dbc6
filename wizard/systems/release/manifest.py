"""The few objects of a release's manifest that matter, as plain dicts.

Objects are found by the template they come from (`# Source: langsmith/templates/backend/
deployment.yaml`). Where a post-renderer has taken these comments away, they are found by shape: the
backend by its port's name, the others by what refers to them. Which resource of the API an object
of a chart is, is told from its kind alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.resources import yaml_loader
from wizard.systems.kubernetes.cluster import Resource

if TYPE_CHECKING:
    from wizard.systems.helm.records import Release


CHART = "langsmith"
URI_VARIABLE = "POSTGRES_DATABASE_URI"
BACKEND = "backend/deployment.yaml"
POSTGRES_SET = "postgres/stateful-set.yaml"
WORKLOADS = ("Deployment", "Rollout")

Key = tuple[str, str, str]
"""What an object is found by: kind, namespace (of a cluster-wide one as well), name."""


def wanted_objects(manifest: str, release: Release) -> dict[str, dict[str, Any]]:
    """The few objects that matter, by the template they come from."""
    wanted = (BACKEND, POSTGRES_SET)
    found: dict[str, dict[str, Any]] = {}
    commented = False
    for source, text in documents(manifest):
        commented = commented or bool(source)
        template = source.partition(f"{CHART}/templates/")[2]
        if template in wanted:
            document = parsed(text, release)
            if document:
                found.setdefault(template, document)
    if commented:
        return found
    return _by_shape(manifest, release)


def _by_shape(manifest: str, release: Release) -> dict[str, dict[str, Any]]:
    objects = objects_of(manifest, (*WORKLOADS, "StatefulSet"), release)
    workloads = [each for each in objects if each.get("kind") in WORKLOADS]
    backend = next((each for each in workloads if _has_port(each, "backend")), None)
    # The PostgreSQL with the backend's Secret: newer charts have one for each agent, too.
    wanted = _secrets(backend, URI_VARIABLE)
    sets = [each for each in objects if each.get("kind") == "StatefulSet"]
    databases = (each for each in sets if _has_port(each, "postgres") and wanted & _secrets(each))
    found = {BACKEND: backend, POSTGRES_SET: next(databases, None)}
    return {template: document for template, document in found.items() if document}


def objects_of(manifest: str, kinds: Iterable[str], release: Release) -> list[dict[str, Any]]:
    """The objects of these kinds; the other documents are not parsed.

    Raises:
        Problem: a document of that kind cannot be read.
    """
    kind = rf"^kind: *[\"']?(?:{'|'.join(kinds)})\b"
    texts = (text for _, text in documents(manifest) if re.search(kind, text, re.MULTILINE))
    return [found for text in texts if (found := parsed(text, release))]


def all_objects(manifest: str, release: Release) -> dict[Key, Mapping[str, Any]]:
    """Every object of a manifest, hooks too."""
    read = (parsed(text, release) for _, text in documents(manifest))
    return {key: it for it in read if (key := key_of(it, release.namespace))}


def key_of(document: Mapping[str, Any], namespace: str) -> Key | None:
    """The key of an object, the release being in `namespace`; None for what is no object."""
    about = as_map(document.get("metadata"))
    if not (document.get("kind") and about.get("name")):
        return None
    return str(document["kind"]), str(about.get("namespace") or namespace), str(about["name"])


def documents(manifest: str) -> Iterator[tuple[str, str]]:
    """Each document of a manifest: the template it comes from (or an empty string), its text."""
    for text in re.split(r"^---[ \t]*(?:#[^\n]*)?$", manifest, flags=re.MULTILINE):
        if text.strip():
            match = re.search(r"^# Source: (\S+)", text, re.MULTILINE)
            yield (match[1] if match else ""), text


def parsed(text: str, release: Release) -> dict[str, Any]:
    """One document; an empty one when it is no map.

    Raises:
        Problem: it is no YAML.
    """
    import yaml

    try:
        return _loaded(text)
    except (yaml.YAMLError, RecursionError):
        raise Problem(
            "LSA142",
            "The release's manifest cannot be read",
            on=release.on,
            next_step=f"look at it: helm get manifest {release.name} -n {release.namespace}",
        ) from None


@functools.lru_cache(maxsize=512)
def _loaded(text: str) -> dict[str, Any]:
    """Each look reads the same documents again; nobody changes what is read."""
    import yaml

    document = yaml.load(text, Loader=yaml_loader())  # noqa: S506 - a safe loader, the fast one
    return document if isinstance(document, dict) else {}


def _secrets(document: Mapping[str, Any] | None, variable: str = "") -> set[str]:
    """The Secrets that the variables (or one of them) of a workload come from."""
    entries = [e for each in containers_of(document or {}) for e in each.get("env") or []]
    references = (
        as_map(as_map(each.get("valueFrom")).get("secretKeyRef"))
        for each in entries
        if variable in ("", each.get("name"))
    )
    return {str(each["name"]) for each in references if each.get("name")}


def containers_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of a workload's pods; one empty one when there are none."""
    return list(as_map(template_of(document).get("spec")).get("containers") or [{}])


def template_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod template of a workload."""
    return as_map(as_map(document.get("spec")).get("template"))


def _has_port(document: Mapping[str, Any], name: str) -> bool:
    ports = [port for each in containers_of(document) for port in each.get("ports") or []]
    return any(port.get("name") == name for port in ports)


def literal_env(entries: Any) -> dict[str, str | None]:
    """Name to plain value (empty when none is given), or None for a `valueFrom`."""
    return {
        str(each["name"]): None if each.get("valueFrom") else str(each.get("value") or "")
        for each in entries or []
    }


def as_map(node: Any) -> Mapping[str, Any]:
    """The node if it is a mapping, else an empty one."""
    return node if isinstance(node, Mapping) else {}


UNSCOPED = (
    "APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass",
    "MutatingWebhookConfiguration", "Namespace", "PersistentVolume", "PriorityClass",
    "StorageClass", "ValidatingWebhookConfiguration",
)  # fmt: skip
"""Kinds of a chart that live in no namespace."""

OF_PROJECTS = ("gateway.networking.k8s.io", "snapshot.storage.k8s.io")
"""Groups of Kubernetes' own projects that are custom resources all the same."""


def resource_of(kind: str, api_version: str) -> Resource:
    """The resource of a kind; its plural as Kubernetes forms the plurals of its own kinds."""
    group, _, version = api_version.rpartition("/")
    plural = kind.lower()
    if plural.endswith("y") and plural[-2:-1] not in "aeiou":
        plural = f"{plural[:-1]}ies"
    else:
        plural += "es" if plural.endswith(("s", "x", "ch")) else "s"
    return Resource(plural, kind, group, version)


def is_custom(api_version: str) -> bool:
    """Whether a kind is none of Kubernetes' own: helm 3 has no schema to merge it by."""
    group = api_version.rpartition("/")[0]
    return "." in group and (group in OF_PROJECTS or not group.endswith(".k8s.io"))
