"""Preconditions that several steps rest on: names that a person understands, with values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wizard.systems.access import Systems

_OWNERS = (
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux HelmRelease"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD application"),
    ("annotations", "meta.helm.sh/release-name", "Helm release"),
)
"""Where the tools that own an object write their name (their own documentation)."""


def content_of(path: Path) -> str:
    """The name of the precondition that a file is as it was."""
    return f"content of {path}"


def of_workload(systems: Systems) -> dict[str, str]:
    """The backend's workload: uid, generation, image, and who owns it."""
    backend, live = systems.installation.backend, systems.workload.live()
    name = f"{backend.kind} {backend.name}"
    about = live["metadata"]
    return {
        f"uid of {name}": str(about["uid"]),
        f"generation of {name}": str(about.get("generation", "")),
        f"image of {name}": _image(live, backend.container),
        f"owner of {name}": owner_of(about),
    }


def owner_of(about: Mapping[str, Any]) -> str:
    """Who manages an object, by its metadata; `nobody` when nothing says so."""
    found = [
        f"{title} {text}"
        for part, key, title in _OWNERS
        if (text := (about.get(part) or {}).get(key))
    ]
    found += [f"{one['kind']} {one['name']}" for one in about.get("ownerReferences") or []]
    return ", ".join(found) or "nobody"


def _image(live: Mapping[str, Any], container: str) -> str:
    """The image of the backend's container, else of the first one."""
    containers = live["spec"]["template"]["spec"]["containers"]
    named = [one for one in containers if one["name"] == container] or containers
    return str(named[0].get("image", ""))
