"""Rights in the words of RBAC, and the Roles that grant them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from wizard.record import dataclass

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
GROUP = "rbac.authorization.k8s.io"
API = f"{GROUP}/v1"
Objects: TypeAlias = tuple[str, str, str]
"""Group, resource, and the name of one object or nothing."""


@dataclass(frozen=True)
class Right:
    """One right, as the API server is asked about it.

    Attributes:
        what: the resource, plural, with its subresource (`pods/exec`).
        group: the API group; empty for the core.
        namespace: empty for the whole cluster.
        name: the one object that it is for; empty for all of them.
    """

    verb: str
    what: str
    group: str
    namespace: str
    name: str = ""

    @property
    def words(self) -> str:
        """The right in a line."""
        named = f"{self.what}.{self.group}" if self.group else self.what
        where = f"namespace {self.namespace}" if self.namespace else "the whole cluster"
        return f"{self.verb} {named} in {where}"


def roles(rights: Iterable[Right], name: str) -> list[dict[str, Any]]:
    """A Role for each namespace and a ClusterRole for the whole cluster, where there is any."""
    verbs: dict[str, dict[Objects, set[str]]] = {}
    for it in rights:
        objects = it.group, it.what, it.name
        verbs.setdefault(it.namespace, {}).setdefault(objects, set()).add(it.verb)
    return [_role(found, name, namespace) for namespace, found in sorted(verbs.items())]


def roles_text(rights: Iterable[Right], name: str) -> str:
    """The same as YAML that `kubectl apply -f -` takes."""
    return as_yaml(roles(rights, name))


def binding(role: Mapping[str, Any], subject: Mapping[str, str]) -> dict[str, Any]:
    """What gives a Role (or ClusterRole) to a subject."""
    kind = role["kind"]
    return {
        "apiVersion": API,
        "kind": f"{kind}Binding",
        "metadata": dict(role["metadata"]),
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role["metadata"]["name"]},
        "subjects": [dict(subject)],
    }


def as_yaml(documents: Iterable[Mapping[str, Any]]) -> str:
    """Documents as `kubectl apply -f -` takes them."""
    import yaml

    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None, width=100)


def _role(found: dict[Objects, set[str]], name: str, namespace: str) -> dict[str, Any]:
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, what, one), verbs in sorted(found.items()):
        ordered = tuple(verb for verb in VERBS if verb in verbs)
        alike.setdefault((group, one, ordered), []).append(what)
    about = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": API,
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": about,
        "rules": [
            {
                "apiGroups": [group],
                "resources": resources,
                **({"resourceNames": [one]} if one else {}),
                "verbs": list(verbs),
            }
            for (group, one, verbs), resources in alike.items()
        ],
    }
