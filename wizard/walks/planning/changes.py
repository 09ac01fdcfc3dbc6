"""A step's change as a plan holds it: with every precondition, and no plain hash of a secret."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from wizard.problems import Problem
from wizard.records.changes import Change, Consent, Part
from wizard.records.durations import expected_seconds
from wizard.records.keyed import Keyed, is_fingerprint
from wizard.records.plan_file import (
    Duration,
    Lacking,
    PlannedChange,
    PlannedPart,
    Precondition,
)
from wizard.systems.access import Systems
from wizard.walks.planning.simulate import simulate

CHEAP = "row "
"""Preconditions that begin with this have nothing secret behind them, and come in thousands."""


def planned_change(
    systems: Systems, change: Change, earlier: Sequence[Change], digest: str, keyed: Keyed
) -> PlannedChange:
    """The change with everything that a reviewer and `apply` need."""
    return PlannedChange(
        items=change.items,
        details=change.details,
        exact=change.exact,
        preconditions=tuple(
            replace(it, parts=() if it.after else planned_parts(change.parts.get(it.name), keyed))
            for it in rests_on(systems, change, earlier, digest, keyed)
        ),
        effect=change.effect,
        risk=change.risk,
        expected=change.expected,
        duration=_duration(systems, change.step),
        reversible=change.reversible,
        because=change.because,
        undo=change.undo,
        after=change.after,
        server_checks=simulate(systems, change),
        by_hand=change.by_hand,
        consents=tuple(_lacking(consent) for consent in change.consents),
        rendered=change.rendered,
    )


def rests_on(
    systems: Systems, change: Change, earlier: Sequence[Change], digest: str, keyed: Keyed
) -> tuple[Precondition, ...]:
    """What the change rests on, as a plan holds it; what `earlier` ones move is after them."""
    found = _facts(systems, change, digest)
    return tuple(_one(name, value, earlier, keyed) for name, value in found.items())


def also_now(change: Change, earlier: Sequence[Change], keyed: Keyed) -> tuple[Precondition, ...]:
    """What the change itself does not rest on any more, and a plan of it may have."""
    known = {name: parts[""].value for name, parts in change.parts.items() if "" in parts}
    return tuple(
        _one(name, value, earlier, keyed)
        for name, value in known.items()
        if name not in change.preconditions
    )


def planned_parts(parts: Mapping[str, Part] | None, keyed: Keyed) -> tuple[PlannedPart, ...]:
    """The parts as a plan holds them: of what may be secret a keyed hash; one alone has none."""
    told = {at: part for at, part in (parts or {}).items() if at}
    with ThreadPoolExecutor() as threads:
        values = threads.map(lambda part: _shown(part, keyed), told.values())
        return tuple(PlannedPart(at, value) for at, value in zip(told, values, strict=True))


def _shown(part: Part, keyed: Keyed) -> str:
    return keyed.of(hashlib.sha256(part.value.encode()).hexdigest()) if part.private else part.value


def _facts(systems: Systems, change: Change, digest: str) -> Mapping[str, str]:
    """What it rests on as it is now: its own, and the chart's digest."""
    found = dict(change.preconditions)
    if not change.exact:  # others make it; this tool only waits
        return found
    if change.step == "helm_upgrade":
        found |= {"helm": f"version {systems.helm.major}"}
        found |= {"chart digest": digest} if digest else {}
    if change.expected is not None:
        found["expected rows"] = str(change.expected)
    return found


def _hashed(name: str, value: str, keyed: Keyed) -> str:
    """The value as a plan holds it: a fingerprint only as a keyed hash."""
    return keyed.of(value, cheap=name.startswith(CHEAP)) if is_fingerprint(value) else value


def _one(name: str, value: str, earlier: Sequence[Change], keyed: Keyed) -> Precondition:
    for before in reversed(earlier):
        if name in before.moves:
            becomes = before.moves[name]
            return Precondition(name, _hashed(name, becomes, keyed) or None, before.step)
    return Precondition(name, _hashed(name, value, keyed))


def _lacking(consent: Consent) -> Lacking:
    told = consent.refusal
    return Lacking(consent.option, told.id, told.what, told.detail, told.next_step)


def _duration(systems: Systems, step: str) -> Duration | None:
    found = expected_seconds(systems.place, step)
    if found:
        seconds, runs = found
        of = f"{runs} earlier run{'s' if runs != 1 else ''}"
        return Duration(seconds, f"the median of {of} from here")
    return _last_deployment(systems) if step == "helm_upgrade" else None


def _last_deployment(systems: Systems) -> Duration | None:
    target = systems.target
    try:
        took = systems.helm.last_took(target.release, target.namespace)
    except Problem:
        return None
    source = f"revision {systems.release.revision} took as long, to the end of its hook Jobs"
    return Duration(math.ceil(took), source) if took else None
