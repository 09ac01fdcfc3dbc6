"""Everything that the upgrade would do beyond the two variables, and the yes for each of it.

That is drift (what the values files would change in the deployed values besides our two variables)
and what the rendered objects would have besides.

The recorded manifest and hooks are held against two renderings at once. The edited values reach
helm through a pipe, so that they lie on no disk. Objects that change because values or the version
do are asked about with these, not a second time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard.article import PLACE, WANTED
from wizard.problems import Exit, Problem
from wizard.record import dataclass, field, replace
from wizard.records.changes import Change, Consent, DiffState, ObjectDiff, beyond, fingerprint_of
from wizard.safe import cut
from wizard.steps.server_default import does_without
from wizard.steps.upgrade.live_drift import LiveDrift, live_drift, live_objects
from wizard.systems.redact import is_secret_key, redact, secret_literals
from wizard.systems.release.manifest import (
    BACKEND,
    containers_of,
    literal_env,
    parsed,
    wanted_objects,
)
from wizard.systems.release.rendering import ORDER, Differing, Renderings, differing
from wizard.systems.release.rendering import Path as Place

if TYPE_CHECKING:
    from wizard.settings import Target
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Upgrade
    from wizard.systems.release.installation import Backend


Consents = tuple[Consent, ...]


@dataclass(frozen=True)
class Beyond:
    """What differs in the values, and in the objects that the chart renders from them."""

    drift: Drift
    rendered: Rendered
    live: LiveDrift

    def consents(self, target: Target, *, raised: bool, chart: Consents) -> Consents:
        """One question for one cause: other objects follow from another chart, or other values.

        `chart` is the question about another chart version, if that is `raised`.
        """
        drifted = self.drift.consents(accepted=target.accept_drift)
        drifted = _with(drifted, self.live.lines) or self.live.consents(
            accepted=target.accept_drift
        )
        if raised:
            return (*_with(chart, self.rendered.told), *drifted)
        if self.drift.keys:
            return _with(drifted, self.rendered.told)
        return (*drifted, *self.rendered.consents(accepted=target.accept_render))

    @property
    def forced(self) -> bool:
        """Whether helm 4 has to be forced to set what somebody else has set."""
        return bool(self.live.refused)

    @property
    def effects(self) -> tuple[str, ...]:
        """Words for the change's effect."""
        undone = f"undoes what was changed beside helm (needs --accept-drift): {self.live.told}"
        return (
            *((self.drift.summary,) if self.drift.keys else ()),
            *((undone,) if self.live.lines else ()),
            *(f"not compared with what is live: {line}" for line in self.live.unread),
        )


def look_beyond(systems: Systems, upgrade: Upgrade, edit: Change | None) -> Beyond:
    """Compare values and rendered objects; `edit` is the file's change that comes first.

    Raises:
        Problem: the files would lose what nobody can bring back, or the chart cannot be rendered
            with these values.
    """
    drifted = drift(systems.deployed_values, systems.given_values)
    drifted.refuse_losses()
    layered = systems.values_edit if edit else None
    edited = (layered.path, layered.edit.data) if layered else None
    found = rendered(systems, upgrade, edited)
    live = live_drift(systems, found.manifest) + live_objects(systems, found.manifest)
    return Beyond(drifted, found, live)


def _with(consents: Consents, lines: tuple[str, ...]) -> Consents:
    """The questions with more that is at stake."""
    told = ((it, it.refusal.but(detail=(*it.refusal.detail, *lines))) for it in consents)
    return tuple(replace(consent, refusal=refusal) for consent, refusal in told)


SHOWN = 10
_KEPT = re.compile(
    r"(?:dropped|changed): (?:config\.(?:apiKeySalt|langsmithLicenseKey|existingSecretName)"
    r"|(?:.+\.)?(?:jwt\w*secret|encryptionKey))$",
    re.IGNORECASE,
)
"""Every API key is hashed with the salt, sessions are signed with the jwt secret, stored things are
encrypted with the encryption keys; an existing Secret holds them."""


@dataclass(frozen=True)
class Drift:
    """Keys, never values: values hold secrets.

    Attributes:
        dropped: keys that are deployed and that the files lack.
        changed: keys whose deployed value is another than the files'.
        added: keys of the files that are not deployed.
    """

    dropped: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, each with what would happen to it."""
        return (
            *(f"dropped: {key}" for key in self.dropped),
            *(f"changed: {key}" for key in self.changed),
            *(f"added: {key}" for key in self.added),
        )

    @property
    def lost(self) -> tuple[str, ...]:
        """Keys whose loss or change nobody can take back, each with what would happen to it."""
        return tuple(key for key in self.keys if _KEPT.match(key))

    def refuse_losses(self) -> None:
        """Refuse what no yes makes good.

        Raises:
            Problem: LSA413, such a key would be dropped or changed.
        """
        if self.lost:
            raise Problem(
                "LSA413",
                "The values files would take away what every key, session or licence rests on",
                on="the values files and `helm get values`",
                next_step="put the deployed values of these keys into the files (helm get values "
                "shows them); to change one on purpose, do it by hand and by itself first",
                exit=Exit.FAILED,
                detail=self.lost,
            )

    @property
    def summary(self) -> str:
        """One line for a change's effect."""
        return f"changes {self._others('deployed value')} (needs --accept-drift)"

    def _others(self, what: str) -> str:
        return f"{len(self.keys)} other {what}{'s' * (len(self.keys) != 1)}"

    def consents(self, *, accepted: bool) -> tuple[Consent, ...]:
        """The yes that is needed to change more than our two variables."""
        if not self.keys or accepted:
            return ()
        more = len(self.keys) - SHOWN
        refusal = Problem(
            "LSA410",
            f"The values files differ from what is deployed in {self._others('key')}",
            on="the values files and `helm get values`",
            next_step="compare with `helm get values`; give all files with -f in helm's order, "
            "or accept the changes with --accept-drift",
            exit=Exit.FAILED,
            detail=(*self.keys[:SHOWN], *((f"and {more} more",) if more > 0 else ())),
        )
        return (Consent("accept_drift", refusal),)


def drift(deployed: Mapping[str, Any], files: Mapping[str, Any]) -> Drift:
    """Compare the deployed user values with those of the files, ours left out.

    A null is a value here: it takes the chart's own away.
    """
    old, new = dict(_leaves(deployed, nulls=True)), dict(_leaves(files, nulls=True))
    for side in (old, new):
        for key in [key for key in side if key == PLACE or PLACE.startswith(key + ".")]:
            side.pop(key)
    ours = _without_ours(deployed), _without_ours(files)
    changed = [key for key in old if key in new and _exact(old[key]) != _exact(new[key])]
    if _exact(ours[0]) != _exact(ours[1]):
        changed.append(PLACE)
    return Drift(
        tuple(_told(key, value) for key, value in old.items() if key not in new),
        tuple(changed),
        tuple(_told(key, value) for key, value in new.items() if key not in old),
    )


def fingerprint_of_values(values: Mapping[str, Any]) -> str:
    """A fingerprint of values, the same for what helm tells of them and for the files."""
    return fingerprint_of(sorted((name, _exact(value)) for name, value in _leaves(values)))


def _told(key: str, value: Any) -> str:
    return f"{key} (null)" if value is None else key


def _leaves(
    values: Mapping[str, Any], prefix: str = "", *, nulls: bool = False
) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{name}.", nulls=nulls)
        elif value != {} and (nulls or value is not None):
            yield name, value


def _exact(value: Any) -> str:
    """The value as text: in Python 1 equals True and 1.0, in values.yaml it does not."""
    return json.dumps(value, sort_keys=True, default=str)


def _without_ours(values: Mapping[str, Any]) -> list[Any]:
    entries: Any = values
    for key in PLACE.split("."):
        entries = entries.get(key) if isinstance(entries, Mapping) else None
    if not isinstance(entries, list):
        return []
    return [e for e in entries if not (isinstance(e, Mapping) and e.get("name") in WANTED)]


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
        found = [side[place] for side in (old, new) if place in side]
        texts = [json.dumps(value, ensure_ascii=False, default=str) for value in found]
        values = [cut(redact(text, self.secrets), LONGEST) for text in texts]
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
