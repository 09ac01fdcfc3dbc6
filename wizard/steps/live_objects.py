"""What somebody changed on the release's other objects, and what the upgrade would make of it.

Each object is read once. Where one differs, the API server is asked what an apply of the rendered
one would give (`dryRun=All`): what it fills in, rounds or drops is nobody's change.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.steps.live_drift import LiveDrift, Sides, compared
from wizard.systems.chart_objects import UNSCOPED, is_custom, resource_of
from wizard.systems.field_owners import applied_by_helm
from wizard.systems.manifest import Key, as_map, documents, key_of, parsed
from wizard.systems.rendering import HOOK, leaves_of

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.cluster import Resource
    from wizard.systems.helm_records import Release
    from wizard.systems.rendering import Leaves, Path

AT_ONCE = 8
"""Objects that are asked for at the same time."""
COMPARED = frozenset({"labels", "annotations"})
"""What is compared of `metadata`; the rest is the cluster's own."""
NOT_COMPARED = frozenset({"apiVersion", "kind", "status"})
_KEPT = re.compile(
    r"\bSecret \S+: .*(?:api_?key_?salt|license_?key|jwt_?secret|encryption_?key)", re.IGNORECASE
)
"""A place that holds what no yes makes good; see `steps.drift`."""

Read = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class _Object:
    """One object as the release has it and as it would become, and where the API has it."""

    old: Mapping[str, Any] = field(repr=False)
    new: Mapping[str, Any] = field(repr=False)
    namespace: str | None

    @property
    def kind(self) -> str:
        return str(self.new["kind"])

    @property
    def name(self) -> str:
        return str(self.new["metadata"]["name"])

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def custom(self) -> bool:
        return is_custom(str(self.new.get("apiVersion", "")))


def live_objects(systems: Systems, rendered: str) -> LiveDrift:
    """Compare what is live with the release's manifest and with the new rendering; not the backend.

    Raises:
        Problem: LSA420, the upgrade would put back a salt or a key that is another one now.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = threads.map(lambda it: _drifted(systems, it), _others(systems, rendered))
        drift = sum(found, start=LiveDrift())
    _refuse_losses(drift)
    return drift


def _others(systems: Systems, rendered: str) -> list[_Object]:
    """The objects that are in both; Jobs vanish by themselves when they are done."""
    release, backend = systems.release, systems.installation.backend
    read = functools.cache(lambda text: parsed(text, release))  # most of both is the same text
    old, new = (_objects(text, release, read) for text in (systems.manifest, rendered))
    return [
        _Object(old[key], new[key], None if key[0] in UNSCOPED else key[1])
        for key in new
        if key in old and key[0] != "Job" and (key[0], key[2]) != (backend.kind, backend.name)
    ]


def _objects(manifest: str, release: Release, read: Read) -> dict[Key, Mapping[str, Any]]:
    """The objects of a manifest by kind, namespace and name; hooks are none of the release."""
    found: dict[Key, Mapping[str, Any]] = {}
    for _, text in documents(manifest):
        document = read(f"{text.strip()}\n")
        key = key_of(document, release.namespace)
        if key and HOOK[-1] not in as_map(document["metadata"].get("annotations")):
            found[key] = document
    return found


def _drifted(systems: Systems, it: _Object) -> LiveDrift:
    try:
        live = systems.live_object(_resource(it), it.name, it.namespace)
        if live is None:
            return _gone(systems, it)
    except Problem as problem:
        if problem.id != "LSA207":
            raise
        return LiveDrift(unread=(f"{it.title}: {problem.what}",))
    by_server = systems.helm.major >= 4 and applied_by_helm(live)
    if it.custom and not by_server:
        return LiveDrift()  # helm compares the manifests alone, and leaves what is live
    return compared(
        Sides(_leaves(it.old), _leaves(it.new), _leaves(live)),
        live,
        f"{it.title}: ",
        cluster=systems.cluster,
        by_server=by_server,
        applied=lambda: _leaves(
            systems.cluster.try_apply(_resource(it), it.name, it.namespace, it.new)
        ),
    )


def _gone(systems: Systems, it: _Object) -> LiveDrift:
    """helm makes it again; unless the API has the kind under another plural than ours."""
    if it.custom and not systems.cluster.serves(_resource(it)):
        return LiveDrift(unread=(f"{it.title}: the API has no {_resource(it).plural}",))
    return LiveDrift(reverted=(f"{it.title}, which is gone",))


def _resource(it: _Object) -> Resource:
    return resource_of(it.kind, str(it.new.get("apiVersion", "")))


def _leaves(document: Mapping[str, Any]) -> Leaves:
    return dict(_told(document))


def _told(document: Mapping[str, Any]) -> Iterable[tuple[Path, Any]]:
    about = as_map(document.get("metadata"))
    rest = {key: value for key, value in document.items() if key not in NOT_COMPARED}
    rest["metadata"] = {key: about[key] for key in COMPARED if key in about}
    return leaves_of(_decoded(rest))


def _decoded(document: dict[str, Any]) -> dict[str, Any]:
    """A Secret's `stringData` as what becomes of it: base64 under `data`."""
    from base64 import b64encode

    texts = as_map(document.pop("stringData", None))
    if not texts:
        return document
    data = {key: b64encode(str(text).encode()).decode() for key, text in texts.items()}
    return {**document, "data": {**as_map(document.get("data")), **data}}


def _refuse_losses(drift: LiveDrift) -> None:
    lost = tuple(line for line in (*drift.reverted, *drift.refused) if _KEPT.search(line))
    if lost:
        raise Problem(
            "LSA420",
            "The upgrade would put back what every key, session or licence rests on, and another "
            "one is live",
            on="the release's Secrets",
            next_step="find out which one is right; where it is the live one, bring it into the "
            "values files and into the release by hand and by itself first",
            exit=Exit.FAILED,
            detail=lost,
        )
