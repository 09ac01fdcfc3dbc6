"""The rights that each command needs, and those that changes need.

The latter are asked for before the first change is made: all that lack are told at once. They are
the steps' own, the command's, and helm's.

A plan by somebody who may not change anything is complete: what its maker lacks is in it, and
another one applies it. What whoever applies it lacks is refused by `apply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wizard.checks.areas import ACCESS
from wizard.problems import Problem
from wizard.record import replace
from wizard.records.changes import Change
from wizard.steps.procedure import STEPS, the_step
from wizard.steps.rights import HELM, IDENTITY, LEASE, LOG, PROOF, TRIED
from wizard.steps.step import Access
from wizard.systems.access import Systems
from wizard.systems.helm.records import Rollback
from wizard.systems.kubernetes.errors import Call, Forbidden
from wizard.systems.kubernetes.rbac import Right, roles_text
from wizard.systems.release.helm_rights import HelmAtWork, helm_rights, most_kept
from wizard.systems.release.manifest import UNSCOPED, Key, all_objects, resource_of
from wizard.systems.release.owners import applied_by_helm

AT_ONCE = 8
"""Rights that are asked for at the same time."""
ROLE = "langsmith-audit"
"""What a Role with what lacks is called."""

Objects = dict[Key, Mapping[str, Any]]


def declared(systems: Systems, step: str) -> list[Right]:
    """Each right to write that a step declares for itself; helm's are told from the release."""
    found = [
        it
        for it in the_step(step).access
        if it.system == "kubernetes" and it.changes and "review" not in it.what
        if not (it.way or it.optional)
    ]
    if not found:
        return []
    here = systems.installation
    return [
        Right(it.verb, it.what, it.group, here.namespace)
        for it in found
        if it.kind in ("", here.backend.kind)
    ]


def needed(
    systems: Systems, changes: Iterable[Change], *, then: Iterable[str] = ()
) -> tuple[Right, ...]:
    """Every right that the changes need, by this tool and by helm; `then` are steps after them."""
    found = dict.fromkeys(right for step in then for right in declared(systems, step))
    for change in changes:
        if not change.register.get("gitops") and not change.by_hand:
            found |= dict.fromkeys(declared(systems, change.step))
            if the_step(change.step).by_helm:
                found |= dict.fromkeys(of_helm(systems, change))
    return tuple(found)


def asked(systems: Systems, rights: Sequence[Right]) -> dict[Right, bool | None]:
    """What the API server says to each right: whether it is granted; None where it does not say."""

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(rights, threads.map(systems.may, rights), strict=True))


def lacking(
    systems: Systems, changes: Iterable[Change], *, then: Iterable[str] = ()
) -> tuple[Right, ...]:
    """Those that the API server does not grant; one that cannot be asked for is believed."""
    told = asked(systems, needed(systems, changes, then=then))
    return tuple(right for right, granted in told.items() if granted is False)


def make_sure(systems: Systems, changes: Iterable[Change], *, then: Iterable[str] = ()) -> None:
    """Make sure of every right that the changes need, and that the steps `then` need after them.

    Raises:
        Problem: rights are missing; all of them are named, as the Role that grants them.
    """
    found = lacking(systems, changes, then=then)
    if found:
        raise missing(found)


def all_lacking(systems: Systems, problem: Problem) -> Problem:
    """A missing right with all others that lack on the same resource, so that they are asked once.

    Those are meant that a look asks for; one that cannot be asked about is not among them.
    """
    if not isinstance(problem, Forbidden):
        return problem
    call = problem.call
    wanted = [
        Right(it.verb, it.what, it.group, call.namespace or "")
        for it in dict.fromkeys((*_LOOKING, *_CHECKING))
        if (it.system, it.what, it.group) == ("kubernetes", call.resource, call.group)
        if it.verb != call.verb
    ]
    try:
        told = asked(systems, tuple(dict.fromkeys(wanted)))
    except Problem:
        return problem
    verbs = (call.verb, *(it.verb for it, granted in told.items() if granted is False))
    return Forbidden(call, problem.detail, verbs)


def missing(found: Sequence[Right]) -> Problem:
    """The problem of rights that are missing, with the Role that grants them."""
    kinds = " and ".join(
        word
        for word, those in (
            ("Role", [it for it in found if it.namespace]),
            ("ClusterRole", [it for it in found if not it.namespace]),
        )
        if those
    )
    ask = f"ask for the {kinds} above (kubectl apply -f -), bound to you"
    if len(found) == 1:
        (it,) = found
        call = Call(it.verb, it.what, it.group, "", it.namespace or None)
        problem = Forbidden(call).but(next_step=ask)
    else:
        problem = Problem(
            "LSA143",
            f"You lack {len(found)} rights that the changes need",
            on="the Kubernetes API",
            next_step=f"{ask}; langsmith-audit rbac prints all that a walk needs",
        )
    return problem.but(paste=roles_text(found, ROLE))


def of_helm(systems: Systems, change: Change) -> tuple[Right, ...]:
    """What helm needs for this upgrade or rollback, from what it will work on."""
    way = change.payload
    old = objects(systems, systems.manifest)
    if isinstance(way, Rollback):
        manifest, hooks = systems.rendered_at(way.revision)
        new = objects(systems, manifest) | objects(systems, hooks)
    elif change.manifest:
        new = objects(systems, change.manifest)
    else:  # an upgrade that puts a revision back: the chart is not rendered for it
        new = old | objects(systems, systems.hooks)
    work = at_work(systems, "rollback" if isinstance(way, Rollback) else "upgrade")
    return helm_rights(replace(work, wait=way.wait), old, new, _gone(systems, old, new))


def at_work(systems: Systems, operation: str) -> HelmAtWork:
    """This helm on this release."""
    release, major = systems.release, systems.helm.major
    by_server = major >= 4 and applied_by_helm(systems.workload.live())
    # Whether the oldest revision has to go; an upgrade is to leave room to be undone as well.
    kept = most_kept()
    most = kept - (operation == "upgrade")
    full = kept > 0 and release.revision >= most and len(systems.revisions()) >= most
    return HelmAtWork(major, operation, release.namespace, by_server=by_server, full=full)


def objects(systems: Systems, manifest: str) -> Objects:
    """The objects of a manifest."""
    return all_objects(manifest, systems.release)


def _gone(systems: Systems, old: Objects, new: Objects) -> tuple[Key, ...]:
    """The objects that helm will have to make again; what may not be read is named as such."""
    from concurrent.futures import ThreadPoolExecutor

    both = [key for key in new if key in old and key[0] != "Job"]

    def is_gone(key: Key) -> bool:
        kind, namespace, name = key
        resource = resource_of(kind, str(new[key].get("apiVersion") or ""))
        try:
            where = None if kind in UNSCOPED else namespace
            return systems.live_object(resource, name, where) is None
        except Problem as problem:
            if problem.id != "LSA207":
                raise
            return False

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = dict(zip(both, threads.map(is_gone, both), strict=True))
    return tuple(key for key, gone in found.items() if gone)


_STEPS = tuple(dict.fromkeys(it for step in STEPS for it in step.access))
_LOOKING = tuple(it for it in _STEPS if not it.changes)
_CHECKING = tuple(it for it in ACCESS if not it.changes)
_ASKING = tuple(it for it in _STEPS if "review" in it.what)
_COMPARED = tuple(
    replace(it, system="kubernetes", changes=False, optional=True)
    for it in HELM
    if it.verb == "get" and it.what != "jobs"
)
"""The objects that helm will read are read before, and compared with what the release has; but not
Jobs, which are gone when they are done."""

NEEDS: Mapping[str, tuple[Access, ...]] = {
    "check": (*_CHECKING, *PROOF),
    "events": LOG,
    "plan": (*_LOOKING, *_ASKING, *_COMPARED, *TRIED, *IDENTITY),
    "run": (*_STEPS, *LEASE, *IDENTITY),
    "apply": (*_STEPS, *LEASE, *IDENTITY),
    "undo": (*_STEPS, *LEASE, *IDENTITY),
}
"""Everything that a walk asks of the systems, by the walk's name.

Where `system` is `helm`, it is what helm does by itself to a release of the usual kinds.
"""

LOOKS = ("check", "events")
"""The walks that look at the release, and compare nothing of it with what is live."""
READING = ("get", "list", "watch")
NOT_OF_A_ROLE = (("create", "selfsubjectaccessreviews"), ("list", "namespaces"))
"""Every user of a cluster may ask for rights already (`system:basic-user`); and no Role of one
namespace grants a list of all, which only looking for the release needs."""
WAYS = {"auto": "port-forward", "direct": "", "manual": ""}
"""The way to the database that each `--database` takes, where it is called otherwise."""


def rights_of(
    walk: str, namespace: str, *, database: str, kind: str, helm: bool = True
) -> Iterator[Right]:
    """The rights of a walk in one namespace; `kind` is the backend's.

    Rights to read that a walk goes without are among them, rights to write are not, but for the
    Lease. Without `helm` what helm does by itself is left out.
    """
    way = WAYS.get(database, database)
    for it in NEEDS[walk]:
        ours = it.system == "kubernetes" or (helm and it.system == "helm")
        if not ours or it.kind not in ("", kind) or (it.verb, it.what) in NOT_OF_A_ROLE:
            continue
        # A server that has no hostname is reached by a port-forward, however its database is.
        if it.way and it.way not in (way, "port-forward"):
            continue
        if it.optional and it.verb not in READING and it not in LEASE:
            continue
        yield Right(it.verb, it.what, it.group, namespace)
