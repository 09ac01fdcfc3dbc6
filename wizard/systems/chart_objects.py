"""Which resource of the API an object of a chart is, told from its kind alone."""

from __future__ import annotations

from wizard.systems.cluster import Resource

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
    return Resource(_plural(kind), kind, group, version)


def is_custom(api_version: str) -> bool:
    """Whether a kind is none of Kubernetes' own: helm 3 has no schema to merge it by."""
    group = api_version.rpartition("/")[0]
    return "." in group and (group in OF_PROJECTS or not group.endswith(".k8s.io"))


def _plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"
