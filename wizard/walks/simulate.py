"""Asks the API server what it says to a write, without making it (`dryRun=All`).

Admission, quotas and types are checked for real; helm's own server dry run sends no write at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.records.changes import Change
from wizard.records.plan_file import ServerCheck
from wizard.systems.access import Systems
from wizard.variables import WANTED

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPTED, NOT_SIMULATED = "accepted", "not simulated"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def simulate(systems: Systems, change: Change) -> tuple[ServerCheck, ...]:
    """What the API server says to the change's writes to the backend; none for other steps."""
    if change.step not in ("helm_upgrade", "backend_restart") or not change.exact:
        return ()
    backend = systems.installation.backend
    name = f"{backend.kind} {backend.name}"
    if change.step == "helm_upgrade":
        what = f"{name} with {' and '.join(WANTED)}"
        template: dict[str, Any] = {"spec": {"containers": [_container(backend.container)]}}
    else:
        what = f"{name} with the restart's annotation"
        template = {"metadata": {"annotations": {RESTARTED_AT: "2000-01-01T00:00:00+00:00"}}}
    if backend.kind != "Deployment":
        why = f"{name} is a custom resource: a part of its list of containers cannot be patched"
        return (ServerCheck(what, NOT_SIMULATED, why),)
    return (_asked(systems, what, {"spec": {"template": template}}),)


def _container(name: str) -> dict[str, Any]:
    return {"name": name, "env": [{"name": it, "value": "true"} for it in WANTED]}


def _asked(systems: Systems, what: str, body: Mapping[str, Any]) -> ServerCheck:
    from wizard.systems.cluster import DEPLOYMENTS

    place = systems.installation
    try:
        systems.cluster.patch(DEPLOYMENTS, place.backend.name, place.namespace, body, dry_run=True)
    except Problem as problem:
        because = "; ".join((f"{problem.what} ({problem.id})", *problem.detail))
        return ServerCheck(what, NOT_SIMULATED, because)
    return ServerCheck(what, ACCEPTED)
