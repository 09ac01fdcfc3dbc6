"""Which resource of the API an object of a chart is, told from its kind alone."""

from __future__ import annotations

from wizard.systems.cluster import Resource

UNSCOPED = (
    "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace",
    "PersistentVolume", "PriorityClass", "StorageClass",
)  # fmt: skip
"""Kinds of a chart that live in no namespace."""


def resource_of(kind: str, api_version: str) -> Resource:
    """The resource of a kind; its plural as Kubernetes forms the plurals of its own kinds."""
    group, _, version = api_version.rpartition("/")
    return Resource(_plural(kind), kind, group, version)


def is_custom(api_version: str) -> bool:
    """Whether a kind is none of Kubernetes' own: helm 3 has no schema to merge it by."""
    group = api_version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"
