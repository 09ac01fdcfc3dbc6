"""What somebody changed on live objects by hand, and what the upgrade would make of it.

helm 3 (and helm 4 on a release that helm 3 made) patches: what the chart sets and somebody changed
is put back; a variable that the chart does not know stays. helm 4 applies on the server's side and
refuses what another field manager has set, unless it is forced. The list of containers of an Argo
Rollout is replaced as a whole by either.

The backend comes first; then each other object of the release is read once. Where one differs, the
API server is asked what an apply of the rendered one would give (`dryRun=All`): what it fills in,
rounds or drops is nobody's change.

What is compared is what the chart sets: everywhere else the API server fills in. `check` compares
the backend alone, and there what was added too (variables, resources). Jobs are left out, since
done ones vanish, and so are custom kinds that helm patches: it compares the manifests alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wizard.article import WANTED
from wizard.problems import Exit, Problem
from wizard.record import dataclass, field
from wizard.records.changes import Consent
from wizard.records.findings import Finding, State
from wizard.systems.release.manifest import (
    BACKEND,
    UNSCOPED,
    Key,
    as_map,
    documents,
    is_custom,
    key_of,
    parsed,
    resource_of,
    wanted_objects,
)
from wizard.systems.release.owners import HELM, applied_by_helm, managers_of, setter_of
from wizard.systems.release.rendering import HOOK, ORDER, Leaves, Path, leaves_of

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Release
    from wizard.systems.kubernetes.cluster import Cluster, Resource


EDITS, NONE = "edits beside helm", "none"
"""The precondition that the upgrade rests on, and what it is where nobody edited anything."""
POD = ("spec", "template", "spec")
ADDED = ("env[", "resources", "nodeSelector", "tolerations", "affinity")
"""Where an entry that the chart does not set was added by somebody; elsewhere it is a default."""


@dataclass(frozen=True)
class Sides:
    """One object's places with their values: as deployed, as it would become, as it is now."""

    old: Leaves = field(repr=False)
    new: Leaves = field(repr=False)
    now: Leaves = field(repr=False)


@dataclass(frozen=True)
class LiveDrift:
    """Places of live objects that are not as the release has them; places only, no values.

    Attributes:
        reverted: what the upgrade would put back, each with who set it where that can be told.
        kept: what it would leave, although it is in no values file.
        refused: what helm 4 would refuse to set, each with the field manager that set it.
        unread: objects that could not be read, each with the reason.
    """

    reverted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def __add__(self, other: LiveDrift) -> LiveDrift:
        return LiveDrift(
            self.reverted + other.reverted,
            self.kept + other.kept,
            self.refused + other.refused,
            self.unread + other.unread,
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """What the upgrade would undo, a line each."""
        return (
            *(f"live, would be put back: {place}" for place in self.reverted),
            *(f"live, set by {place}" for place in self.refused),
        )

    @property
    def told(self) -> str:
        """What the upgrade would undo, in one line."""
        return ", ".join((*self.reverted, *self.refused)) or NONE

    def consents(self, *, accepted: bool) -> tuple[Consent, ...]:
        """The yes for undoing what somebody changed by hand."""
        if not self.lines or accepted:
            return ()
        refusal = Problem(
            "LSA414",
            "What is live was changed beside helm, and the upgrade would undo that",
            on="the release's manifest and the live objects",
            next_step=_way(self, "or undo it with --accept-drift"),
            exit=Exit.FAILED,
            detail=self.lines,
        )
        return (Consent("accept_drift", refusal),)

    def findings(self, subject: str) -> tuple[Finding, ...]:
        """The same as findings, with what stays."""
        found = []
        if self.lines:
            message = "It was changed beside helm, and the next helm upgrade would undo that"
            step = _way(self, "or let the upgrade undo it: --accept-drift")
            found.append(Finding("LSA414", State.WARN, subject, message, self.lines, step))
        if self.kept:
            message = (
                "Something was added beside helm; the upgrade leaves it, no values file has it"
            )
            step = "bring it into the values file, so that it is not lost with the object"
            found.append(Finding("LSA418", State.INFO, subject, message, self.kept, step))
        return tuple(found)


def live_drift(systems: Systems, rendered: str | None = None) -> LiveDrift:
    """Compare the live backend with the release's manifest, and with the new rendering.

    Without a rendering it is taken that the upgrade changes nothing else.
    """
    live, backend = systems.workload.live(), systems.installation.backend
    old = _backend(systems, systems.manifest)
    new = old if rendered is None else _backend(systems, rendered)
    sides = Sides(_leaves(old), _leaves(new), _leaves(live))

    def applied() -> Leaves:
        resource = resource_of(backend.kind, str(new.get("apiVersion", "")))
        namespace = systems.installation.namespace
        return _leaves(systems.cluster.try_apply(resource, backend.name, namespace, new))

    drift = compared(
        sides,
        live,
        cluster=systems.cluster,
        by_server=_by_server(systems, live),
        applied=None if rendered is None else applied,
    )
    known = {_entry(place) for place in (*sides.old, *sides.new)}
    entries = dict.fromkeys(map(_entry, sorted(sides.now)))
    added = tuple(
        _words(at)
        for at in entries
        if not (at in known or at[-1] == ORDER or _ours(at))
        if at[:3] == POD and any(part.startswith(ADDED) for part in at)
    )
    patched = backend.kind == "Deployment"
    return drift + (LiveDrift(kept=added) if patched else LiveDrift(reverted=added))


def _by_server(systems: Systems, live: Mapping[str, Any]) -> bool:
    """Whether the next upgrade lets the server apply it: helm 4's, also where no helm is here."""
    if not applied_by_helm(live):
        return False
    try:
        return systems.helm.major >= 4
    except Problem as problem:
        if problem.id != "LSA111":
            raise
        return True


def compared(
    sides: Sides,
    live: Mapping[str, Any],
    title: str = "",
    *,
    cluster: Cluster | None = None,
    by_server: bool,
    applied: Callable[[], Leaves] | None = None,
) -> LiveDrift:
    """What the upgrade would put back of one object, or helm 4 refuse to.

    Args:
        live: the object itself, with its `metadata.managedFields`.
        title: stands before each place.
        cluster: is asked for the autoscaler where one has set the replicas.
        by_server: whether helm applies it on the server's side.
        applied: asks the API server what would become of it: what the server fills in, rounds,
            drops or has a webhook change is nobody's edit. Where it raises a Problem, it is done
            without.
    """
    places = [at for at in sides.new if at[-1] != ORDER and not _same(at, sides.new, sides.now)]
    if applied and any(not _ours(at) for at in places):
        with suppress(Problem):
            kept = applied()
            places = [at for at in places if at in kept and not _same(at, kept, sides.now)]
    reverted, refused = [], []
    for place in sorted(places):
        others = [it for it in managers_of(live, place) if it != HELM]
        words = f"{title}{_words(place)}"
        who = setter_of(cluster, live, place, others[0]) if others else ""
        if by_server and who:
            refused.append(f"{who}, which helm 4 refuses to change: {words}")
        elif _edited(place, sides) and not _ours(place):
            reverted.append(f"{words} (set by {who})" if who else words)
    return LiveDrift(tuple(reverted), refused=tuple(refused))


def _edited(place: Path, sides: Sides) -> bool:
    """Whether somebody set it; where only the new rendering has it, the server's default is."""
    if _same(place, sides.old, sides.new):
        return True
    return place in sides.old and not _same(place, sides.old, sides.now)


def _way(drift: LiveDrift, otherwise: str) -> str:
    forced = " (helm then gets --force-conflicts)" if drift.refused else ""
    return f"bring it into the values files if it is to stay, {otherwise}{forced}"


def _backend(systems: Systems, manifest: str) -> Mapping[str, Any]:
    return wanted_objects(manifest, systems.release).get(BACKEND, {})


def _leaves(document: Mapping[str, Any]) -> Leaves:
    """What is in `spec`; the rest is the cluster's own."""
    return dict(leaves_of({"spec": document.get("spec")}))


def _same(place: Path, one: Leaves, other: Leaves) -> bool:
    """Whether a place has the same value; one that is empty or false may be left out."""
    before, after = one.get(place), other.get(place)
    if not before and not after:
        return True
    if "resources" in place:
        return bool(quantity(before) == quantity(after))
    return repr(before) == repr(after)


_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))"
    r"(?:[eE](?P<exponent>[+-]?\d+)|(?P<binary>[KMGTPE])i|(?P<decimal>[numkMGTPE]))?"
)


def quantity(value: Any) -> Any:
    """An amount as a number, however it is written. Source: Kubernetes API, Quantity."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        return repr(value)
    number = Decimal(found["number"]) * Decimal(10) ** int(found["exponent"] or 0)
    if found["binary"]:
        return number * 1024 ** ("KMGTPE".index(found["binary"]) + 1)
    power = "num kMGTPE".index(found["decimal"] or " ") - 3
    return number * Decimal(1000) ** power


def _entry(place: Path) -> Path:
    """A variable as a whole: what the API server fills in below one is nobody's change."""
    at = next((at for at, part in enumerate(place, 1) if part.startswith("env[")), None)
    return place[:at]


def _ours(place: Path) -> bool:
    return any(part in {f"env[{name}]" for name in WANTED} for part in place)


def _words(place: Path) -> str:
    return ".".join(place[len(POD) :] if place[: len(POD)] == POD else place)


AT_ONCE = 8
"""Objects that are asked for at the same time."""
COMPARED = frozenset({"labels", "annotations"})
"""What is compared of `metadata`; the rest is the cluster's own."""
NOT_COMPARED = frozenset({"apiVersion", "kind", "status"})
_KEPT = re.compile(
    r"\bSecret \S+: .*(?:api_?key_?salt|license_?key|jwt_?secret|encryption_?key)", re.IGNORECASE
)
"""A place that holds what no yes makes good; see `steps.upgrade.drift`."""

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
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = threads.map(lambda it: _drifted(systems, it), _others(systems, rendered))
        drift = sum(found, start=LiveDrift())
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
    by_server = _by_server(systems, live)
    if it.custom and not by_server:
        return LiveDrift()  # helm compares the manifests alone, and leaves what is live
    return compared(
        Sides(_object_leaves(it.old), _object_leaves(it.new), _object_leaves(live)),
        live,
        f"{it.title}: ",
        cluster=systems.cluster,
        by_server=by_server,
        applied=lambda: _object_leaves(
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


def _object_leaves(document: Mapping[str, Any]) -> Leaves:
    """What is compared; a Secret's `stringData` as what becomes of it, base64 under `data`."""
    from base64 import b64encode

    about = as_map(document.get("metadata"))
    rest = {key: value for key, value in document.items() if key not in NOT_COMPARED}
    rest["metadata"] = {key: about[key] for key in COMPARED if key in about}
    texts = as_map(rest.pop("stringData", None))
    if texts:
        data = {key: b64encode(str(text).encode()).decode() for key, text in texts.items()}
        rest["data"] = {**as_map(rest.get("data")), **data}
    return dict(leaves_of(rest))
