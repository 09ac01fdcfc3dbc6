"""What the upgrade would change in the rendered objects, and the yes for more than is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.changes import Consent
from wizard.records.rendered import DiffState, ObjectDiff, beyond
from wizard.steps.server_default import does_without
from wizard.systems.manifest import BACKEND, containers_of, literal_env, parsed, wanted_objects
from wizard.systems.redact import is_secret_key, redact, secret_literals
from wizard.systems.rendering import ORDER, Differing, Renderings, differing
from wizard.variables import WANTED

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm import Upgrade
    from wizard.systems.installation import Backend
    from wizard.systems.rendering import Path as Place

LINES = 40
"""More changed places of one object than these are only counted."""
TOLD = 30
"""Where a yes is asked for, more lines than these give way to the names of the objects."""
LONGEST = 160
HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Rendered:
    """The objects that would change, what is wanted first and noise last.

    Attributes:
        manifest: the rendering with its hooks; it holds secrets.
    """

    objects: tuple[ObjectDiff, ...]
    manifest: str = field(default="", repr=False)

    @property
    def told(self) -> tuple[str, ...]:
        """What is beyond the two variables, in lines; of very many objects only their names."""
        others = beyond(self.objects)
        lines = [line for it in others for line in (it.title, *(f"  {at}" for at in it.lines))]
        if len(lines) <= TOLD:
            return tuple(lines)
        more = len(others) - TOLD
        objects = [it.title for it in others[:TOLD]]
        counted = [f"and {more} more objects"] if more > 0 else []
        return (*objects, *counted, "every line of it: langsmith-audit plan")

    def consents(self, *, accepted: bool) -> tuple[Consent, ...]:
        """The yes for objects that change although neither the values nor the version do."""
        others = beyond(self.objects)
        if not others or accepted:
            return ()
        refusal = Problem(
            "LSA411",
            "The upgrade would change more than the two variables (in "
            f"{len(others)} object{'s' if others[1:] else ''}), although the values and the "
            "chart's version stay",
            on="the deployed manifest and helm template",
            next_step="find out why (was the version published again, was a post-renderer used?), "
            "or accept it with --accept-render",
            exit=Exit.FAILED,
            detail=self.told,
        )
        return (Consent("accept_render", refusal),)


def rendered(systems: Systems, upgrade: Upgrade, edited: tuple[Path, bytes] | None) -> Rendered:
    """Render the chart twice as the upgrade would, and compare with what is deployed.

    `edited` is a values file with the bytes that it will have when the upgrade is made.

    Raises:
        Problem: the chart cannot be rendered with these values, or the upgrade would not give the
            backend the variables.
    """
    release = systems.release
    new, again = systems.renderings(upgrade, edited)
    _make_sure_of_variables(systems, new)
    old = f"{systems.manifest}\n---\n{systems.hooks}"
    texts = Renderings(old, new, again, release.namespace)
    secrets = secret_literals(systems.deployed_values) | secret_literals(systems.file_values)
    backend = systems.installation.backend
    found = (
        object_diff(it, backend, secrets)
        for it in differing(texts, lambda text: parsed(text, release))
    )
    rank = {DiffState.NOISE: 2}
    ordered = sorted(found, key=lambda it: (not it.ours, rank.get(it.state, 1)))
    return Rendered(tuple(ordered), new)


def _make_sure_of_variables(systems: Systems, manifest: str) -> None:
    """An upgrade that does not bring the variables would be for nothing."""
    backend = systems.installation.backend
    found = wanted_objects(manifest, systems.release).get(BACKEND, {})
    env = {
        name: value
        for container in containers_of(found)
        if container.get("name") == backend.container
        for name, value in literal_env(container.get("env")).items()
    }
    lacking = [name for name in WANTED if env.get(name) != "true"]
    if lacking and not does_without(systems):
        raise Problem(
            "LSA412",
            f"The upgrade would not give the backend {' and '.join(lacking)}",
            on=f"{backend.kind} {backend.name}, as helm template renders it",
            next_step="add both to backend.deployment.extraEnv: langsmith-audit values FILE shows "
            "how; do not leave the step values_file out",
            exit=Exit.FAILED,
        )


def object_diff(it: Differing, backend: Backend, secrets: Iterable[str]) -> ObjectDiff:
    """The difference of one object as it is shown: no value that may be a secret."""
    if it.old is None or it.new is None:
        state = DiffState.ADDED if it.old is None else DiffState.REMOVED
        return ObjectDiff(it.kind, it.namespace, it.name, state, hook=it.hook)
    shown = _Shown(it, backend, tuple(secrets))
    lines = [shown.line(place) for place in it.changed]
    lines += [f"~ {'.'.join(place)}: differs at every rendering" for place in it.noise]
    if len(lines) > LINES:
        lines[LINES:] = [f"and {len(lines) - LINES} more"]
    state = DiffState.CHANGED if it.changed else DiffState.NOISE
    return ObjectDiff(
        it.kind, it.namespace, it.name, state, tuple(lines), it.hook, ours=shown.only_ours
    )


@dataclass(frozen=True)
class _Shown:
    it: Differing
    backend: Backend
    secrets: Sequence[str]

    @property
    def only_ours(self) -> bool:
        new, same = self.it.new or {}, (self.it.kind, self.it.name)
        return (
            same == (self.backend.kind, self.backend.name)
            and bool(self.it.changed)
            and all(self._ours(at) and new.get(at, "true") == "true" for at in self.it.changed)
        )

    def line(self, place: Place) -> str:
        old, new = self.it.old or {}, self.it.new or {}
        words = ".".join(place)
        if place[-1] == ORDER:
            return f"~ {words}: in another order"
        sign = "-" if place not in new else "~" if place in old else "+"
        if self._private(place):
            return f"{sign} {words} {HIDDEN}"
        values = [self._value(side[place]) for side in (old, new) if place in side]
        return f"{sign} {words}: {' → '.join(values)}"

    def _private(self, place: Place) -> bool:
        """Data, variables other than ours, and keys that sound like a secret."""
        if self.it.kind in ("Secret", "ConfigMap") and place[0] != "metadata":
            return True
        if any(part.startswith("env[") for part in place) and place[-1] == "value":
            return not self._ours(place)
        return is_secret_key(place[-1])

    def _ours(self, place: Place) -> bool:
        at = ("spec", "template", "spec", f"containers[{self.backend.container}]")
        return any(place[:5] == (*at, f"env[{name}]") for name in WANTED)

    def _value(self, value: Any) -> str:
        text = redact(json.dumps(value, ensure_ascii=False, default=str), self.secrets)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
