"""Rights in the words of RBAC, and the Roles that grant them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wizard.record import dataclass

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
API = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Right:
    """One right, as the API server is asked about it.

    Attributes:
        what: the resource, plural, with its subresource (`pods/exec`).
        group: the API group; empty for the core.
        namespace: empty for the whole cluster.
    """

    verb: str
    what: str
    group: str
    namespace: str

    @property
    def words(self) -> str:
        """The right in a line."""
        named = f"{self.what}.{self.group}" if self.group else self.what
        where = f"namespace {self.namespace}" if self.namespace else "the whole cluster"
        return f"{self.verb} {named} in {where}"


def roles(rights: Iterable[Right], name: str) -> list[dict[str, Any]]:
    """A Role for each namespace and a ClusterRole for the whole cluster, where there is any."""
    verbs: dict[str, dict[tuple[str, str], set[str]]] = {}
    for it in rights:
        verbs.setdefault(it.namespace, {}).setdefault((it.group, it.what), set()).add(it.verb)
    return [_role(found, name, namespace) for namespace, found in sorted(verbs.items())]


def roles_text(rights: Iterable[Right], name: str) -> str:
    """The same as YAML that `kubectl apply -f -` takes."""
    import yaml

    documents = roles(rights, name)
    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None, width=100)


def _role(found: dict[tuple[str, str], set[str]], name: str, namespace: str) -> dict[str, Any]:
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, what), verbs in sorted(found.items()):
        ordered = tuple(verb for verb in VERBS if verb in verbs)
        alike.setdefault((group, ordered), []).append(what)
    about = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": API,
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": about,
        "rules": [
            {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
            for (group, verbs), resources in alike.items()
        ],
    }
