"""Who owns a live object besides helm, and by what that shows.

Sources: the marks that Argo CD ("Resource Tracking"), Flux (helm-controller, kustomize-controller)
and Terraform leave on objects, and the field managers of server-side apply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
ARGO_INSTANCE = "argocd.argoproj.io/instance"
INSTANCE = "app.kubernetes.io/instance"
FLUX_NAME = "helm.toolkit.fluxcd.io/name"
FLUX_NAMESPACE = "helm.toolkit.fluxcd.io/namespace"
KUSTOMIZE_NAME = "kustomize.toolkit.fluxcd.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
MARKS = (ARGO_TRACKING, ARGO_INSTANCE, FLUX_NAME, KUSTOMIZE_NAME, MANAGED_BY)

_HELM = re.compile(r"helm[-_]?v?[\d._-]*(\.exe)?", re.IGNORECASE)
_OURS = ("langsmith-audit", "kubectl-rollout")


@dataclass(frozen=True)
class Owner:
    """Somebody who keeps an object as their own source says, and would take a change back.

    Attributes:
        tool: `Argo CD`, `Flux`, `Terraform`, or the field manager's own name.
        name: what it is called there (`application langsmith`); empty when nothing tells.
        marks: how it was recognised, a line each.
    """

    tool: str
    name: str
    marks: tuple[str, ...]

    @property
    def words(self) -> str:
        """The owner in a few words."""
        return f"{self.tool} ({self.name})" if self.name else self.tool


def is_helm(manager: str) -> bool:
    """Whether a field manager is helm, whatever its binary is called."""
    return bool(_HELM.fullmatch(manager))


def marks_at(live: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Where in an object the marks are by which owners are recognised."""
    for kind in ("annotations", "labels"):
        names = live["metadata"].get(kind) or {}
        yield from (("metadata", kind, name) for name in MARKS if name in names)


def owner_of(live: Mapping[str, Any], container: str) -> Owner | None:
    """The owner of a live workload, if helm is not the only one."""
    about = live["metadata"]
    managers = [each for each in about.get("managedFields") or [] if each.get("manager")]
    for look in (_argo, _flux, _terraform):
        found = look(about, managers)
        if found:
            return found
    return _applier(managers, container)


def writers(live: Mapping[str, Any], container: str, names: Sequence[str]) -> dict[str, str]:
    """Variables of the container that somebody other than helm has set: name to field manager."""
    found = {}
    for each in live["metadata"].get("managedFields") or []:
        manager = str(each.get("manager") or "")
        if is_helm(manager) or manager in _OURS:
            continue
        own = set(_env(each, container))
        found.update({name: manager for name in names if name in own})
    return found


def _argo(about: Mapping[str, Any], managers: Sequence[Mapping[str, Any]]) -> Owner | None:
    notes, labels = about.get("annotations") or {}, about.get("labels") or {}
    tracking, instance = notes.get(ARGO_TRACKING), labels.get(ARGO_INSTANCE)
    acting = [name for name in _names(managers) if name.startswith("argocd")]
    marks = []
    if tracking:
        marks.append(f"annotation {ARGO_TRACKING}: {tracking}")
    if instance:
        marks.append(f"label {ARGO_INSTANCE}: {instance}")
    if acting:
        marks.append(f"field manager {acting[0]}")
        instance = instance or labels.get(INSTANCE)
    name = str(tracking).partition(":")[0] if tracking else instance
    return Owner("Argo CD", f"application {name}" if name else "", tuple(marks)) if marks else None


def _flux(about: Mapping[str, Any], managers: Sequence[Mapping[str, Any]]) -> Owner | None:
    labels = about.get("labels") or {}
    name, kind = labels.get(FLUX_NAME), "HelmRelease"
    marks = [f"label {key}: {labels[key]}" for key in (FLUX_NAME, FLUX_NAMESPACE) if key in labels]
    if not name and labels.get(KUSTOMIZE_NAME):
        name, kind = labels[KUSTOMIZE_NAME], "Kustomization"
        marks = [f"label {KUSTOMIZE_NAME}: {name}"]
    acting = [it for it in _names(managers) if it in ("helm-controller", "kustomize-controller")]
    marks += [f"field manager {it}" for it in acting]
    return Owner("Flux", f"{kind} {name}" if name else "", tuple(marks)) if marks else None


def _terraform(about: Mapping[str, Any], managers: Sequence[Mapping[str, Any]]) -> Owner | None:
    marks = [f"field manager {it}" for it in _names(managers) if it.lower().startswith("terraform")]
    by = str((about.get("labels") or {}).get(MANAGED_BY) or "")
    if by.lower() == "terraform":
        marks.append(f"label {MANAGED_BY}: {by}")
    return Owner("Terraform", "", tuple(marks)) if marks else None


def _applier(managers: Sequence[Mapping[str, Any]], container: str) -> Owner | None:
    """Somebody who applies the container's variables again and again, not who once edited them."""
    for each in managers:
        manager = str(each["manager"])
        mine = is_helm(manager) or manager in _OURS
        if mine or each.get("operation") != "Apply":
            continue
        names = sorted(_env(each, container))
        if names:
            owns = f"field manager {manager} applies {len(names)} variables of container"
            return Owner(manager, "", (f"{owns} {container}",))
    return None


def _env(entry: Mapping[str, Any], container: str) -> Iterator[str]:
    """The variables of the container that an entry of managedFields owns."""
    node: Any = entry.get("fieldsV1") or {}
    for key in ("f:spec", "f:template", "f:spec", "f:containers"):
        node = node.get(key) or {}
    for key, fields in node.items():
        if _keyed(key) == container and isinstance(fields, Mapping):
            yield from filter(None, map(_keyed, fields.get("f:env") or {}))


def _keyed(key: str) -> str:
    """The name in a key of a list (`k:{"name":"backend"}`); empty for anything else."""
    if not key.startswith("k:"):
        return ""
    try:
        return str(json.loads(key[2:]).get("name") or "")
    except (ValueError, AttributeError):
        return ""


def _names(managers: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(each["manager"]) for each in managers))
