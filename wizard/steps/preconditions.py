"""Preconditions that several steps rest on: names that a person understands, with values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wizard.systems.access import Systems

HELM = "meta.helm.sh/release-name"
"""The annotation that helm leaves on what it installs."""


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
        f"owner of {name}": _owner(live, backend.container),
    }


def moved_by_rollout(systems: Systems, *, image: bool) -> dict[str, str]:
    """Which of `of_workload` a change of the template moves; the image only where it may."""
    parts = ("generation of ", "image of ") if image else ("generation of ",)
    return {name: "" for name in of_workload(systems) if name.startswith(parts)}


def _owner(live: Mapping[str, Any], container: str) -> str:
    """Who manages the object: an owner that would take changes back, else helm."""
    from wizard.systems.owners import owner_of

    owner = owner_of(live, container)
    if owner:
        return owner.words
    release = (live["metadata"].get("annotations") or {}).get(HELM)
    return f"Helm release {release}" if release else "nobody"


def _image(live: Mapping[str, Any], container: str) -> str:
    """The image of the backend's container, else of the first one."""
    containers = live["spec"]["template"]["spec"]["containers"]
    named = [one for one in containers if one["name"] == container] or containers
    return str(named[0].get("image", ""))
