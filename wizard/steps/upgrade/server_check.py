"""Asks the API server what it says to a write, without making it (`dryRun=All`).

Admission, quotas and types are checked for real; helm's own server dry run sends no write at all.

Objects besides the backend are tried by a forced server-side apply, as the chart renders them;
hooks are not, since helm deletes them first. A refused write makes a plan incomplete; one that
cannot be tried (a missing right, a webhook without dry run) is only said to be so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wizard.article import WANTED
from wizard.problems import Exit, Problem
from wizard.record import replace
from wizard.records.changes import Change, DiffState, ObjectDiff
from wizard.records.plan import ServerCheck
from wizard.systems.helm.records import Rollback
from wizard.systems.kubernetes.cluster import FIELD_MANAGER, SECRETS
from wizard.systems.kubernetes.errors import refuses
from wizard.systems.redact import redact, secret_literals
from wizard.systems.release.manifest import (
    UNSCOPED,
    Key,
    all_objects,
    containers_of,
    key_of,
    objects_of,
    resource_of,
)
from wizard.systems.release.owners import HELM, applied_by_helm
from wizard.systems.release.records import kept_in, name_of

if TYPE_CHECKING:
    from wizard.systems.access import Systems

Body = Mapping[str, Any]

ACCEPTED, REFUSED, NOT_SIMULATED = "accepted", "refused", "not simulated"


def of_restart(systems: Systems) -> ServerCheck:
    """The backend's workload with the restart."""
    at = datetime.now(UTC)
    return _checked(
        f"{_backend(systems)} with the restart", lambda: systems.workload.try_restart(at=at)
    )


def of_upgrade(systems: Systems, change: Change) -> Iterator[ServerCheck]:
    """The backend with its variables, and every other object that the upgrade changes or adds.

    They are tried as the chart renders them. What differs at every rendering is not tried.
    """
    what = f"{_backend(systems)} with {' and '.join(WANTED)}"
    variables = dict.fromkeys(WANTED, "true")
    yield _checked(what, lambda: systems.workload.try_variables(variables))
    wanted = {it.kind for it in change.rendered if not it.ours and not it.hook}
    found = objects_of(change.manifest, wanted, systems.release) if wanted else []
    bodies = {key: it for it in found if (key := key_of(it, systems.release.namespace))}
    secrets = tuple(secret_literals(systems.deployed_values) | secret_literals(systems.file_values))
    for it in change.rendered:
        if not it.ours and it.state is not DiffState.NOISE:
            yield _of_object(systems, it, bodies, secrets)


def of_way_back(systems: Systems, change: Change) -> Iterator[ServerCheck]:
    """Each object that a rollback, or an upgrade back, changes; hooks are made anew."""
    way, release = change.payload, systems.release
    if isinstance(way, Rollback):
        manifest, _ = systems.rendered_at(way.revision)
    else:
        manifest = systems.helm.template(way)
    now, then, hooks = (
        all_objects(text, release) for text in (systems.manifest, manifest, systems.hooks)
    )
    secrets = tuple(secret_literals(systems.deployed_values))
    for key, body in then.items():
        if now.get(key) != body and key not in hooks:
            state = DiffState.CHANGED if key in now else DiffState.ADDED
            yield _of_object(systems, ObjectDiff(*key, state), then, secrets)


def refuse_any(systems: Systems, checks: Iterable[ServerCheck]) -> None:
    """Refuse what the API server would refuse; what cannot be tried stands in nobody's way.

    Raises:
        Problem: LSA442.
    """
    refused = [check for check in checks if check.outcome == REFUSED]
    if refused:
        raise Problem(
            "LSA442",
            "The API server would refuse the change; it was tried before anything was changed",
            on=systems.release.on,
            next_step="meet the policy, webhook or quota that it names, or mend the value; then "
            "start again",
            exit=Exit.FAILED,
            detail=tuple(f"{check.what}: {check.because}" for check in refused),
        )


def of_record(systems: Systems) -> Iterator[ServerCheck]:
    """The Secret (or ConfigMap) in which helm records the new revision before anything else.

    A quota may have no room for it.
    """
    resource, release = kept_in(), systems.release
    if resource is None:
        return
    name = name_of(release.name, release.revision + 1)
    labels = {"owner": "helm", "name": release.name, "version": str(release.revision + 1)}
    body = {
        "apiVersion": "v1",
        "kind": resource.kind,
        "metadata": {"name": name, "labels": labels},
    }
    if resource is SECRETS:
        body["type"] = "helm.sh/release.v1"
    yield _checked(
        f"{resource.kind} {name}, helm's record",
        lambda: systems.cluster.create(resource, release.namespace, body, dry_run=True),
    )


def _of_object(
    systems: Systems, it: ObjectDiff, bodies: Mapping[Key, Body], secrets: Sequence[str]
) -> ServerCheck:
    """One object as the chart renders it; what the API server repeats of it holds no secret."""
    what = f"{it.kind} {it.name} as rendered"
    body = bodies.get((it.kind, it.namespace, it.name))
    if it.state is DiffState.REMOVED:
        return ServerCheck(f"{it.kind} {it.name}", NOT_SIMULATED, "it is removed")
    if it.hook:
        return ServerCheck(what, NOT_SIMULATED, "a hook is deleted and made anew")
    if body is None:
        return ServerCheck(what, NOT_SIMULATED, "its name is another one at every rendering")
    resource = resource_of(it.kind, str(body.get("apiVersion", "")))
    namespace = None if it.kind in UNSCOPED else it.namespace
    applies = systems.helm.major >= 4 and applied_by_helm(systems.workload.live())
    manager = HELM if applies else FIELD_MANAGER
    check = _checked(
        what,
        lambda: systems.cluster.try_apply(resource, it.name, namespace, body, manager=manager),
        exact=applies or it.state is DiffState.ADDED,
    )
    return replace(check, because=redact(check.because, (*secrets, *_private(body))))


def _private(body: Body) -> Iterator[str]:
    """What a Secret or ConfigMap holds, and what variables hold: none of it is told."""
    for part in ("data", "stringData"):
        yield from map(str, (body.get(part) or {}).values())
    for container in containers_of(body):
        yield from (str(it["value"]) for it in container.get("env") or [] if it.get("value"))


def _backend(systems: Systems) -> str:
    return f"{systems.installation.backend.kind} {systems.installation.backend.name}"


def _checked(what: str, attempt: Callable[[], object], *, exact: bool = True) -> ServerCheck:
    """What became of the attempt; `exact` says whether helm would send the same."""
    try:
        attempt()
    except Problem as problem:
        words = (f"{problem.what} ({problem.id})", *problem.detail)
        if refuses(problem, exact=exact):
            return ServerCheck(what, REFUSED, "; ".join(problem.detail) or words[0])
        return ServerCheck(what, NOT_SIMULATED, "; ".join(words))
    return ServerCheck(what, ACCEPTED)
