"""An owner of the backend besides helm: told, consented to, or gone through git with.

The git way (`--gitops`): the values file is edited, whoever drives the cluster brings it there,
and this tool waits until the variables are live. No helm is run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wizard.article import WANTED
from wizard.problems import Exit, Problem
from wizard.record import replace
from wizard.records.changes import Change, Consent, Done, Reversible
from wizard.records.findings import Finding, State
from wizard.steps.step import await_rollout
from wizard.systems.calls import poll
from wizard.systems.release.owners import Owner, owner_of, owner_says, writers

if TYPE_CHECKING:
    from wizard.steps.step import Watch
    from wizard.systems.access import Systems

IDS = {"Argo CD": "LSA160", "Flux": "LSA161", "Terraform": "LSA162"}
OTHER = "LSA163"
SILENCE_LIMIT = 60.0
"""Seconds that an API server may be away while the sync is waited for."""

GIT_WAY = "--gitops edits the values file and waits until it is brought to the cluster"
HELM_WAY = "--accept-owner upgrades with helm all the same, and the owner may take it back"


def owner(systems: Systems) -> Owner | None:
    """Who besides helm keeps the backend as their own source says."""
    live = systems.workload.live()
    found = owner_of(live, systems.installation.backend.container)
    if found is None:
        return None
    return replace(found, marks=(*found.marks, *owner_says(systems.cluster, found, live)))


def owner_findings(systems: Systems) -> tuple[Finding, ...]:
    """The owner, and whoever set one of our variables by hand."""
    backend = systems.installation.backend
    subject = f"{backend.kind} {backend.name}"
    found = owner(systems)
    if found:
        message = f"{found.words} owns it, and would take a helm upgrade back at its next sync"
        step = f"{GIT_WAY}; {HELM_WAY}"
        id = IDS.get(found.tool, OTHER)
        return (Finding(id, State.WARN, subject, message, found.marks, step),)
    by = writers(systems.workload.live(), backend.container, WANTED)
    if not by:
        return ()
    lines = tuple(f"{name} is set by field manager {manager}" for name, manager in by.items())
    step = "helm 4 refuses what another manager has set on a release that it applies on the "
    step += "server's side: take it away first (kubectl set env NAME-), or let helm 3 upgrade"
    message = "Somebody other than helm has set a variable on the live object"
    return (Finding("LSA164", State.WARN, subject, message, lines, step),)


def owner_consents(systems: Systems) -> tuple[Consent, ...]:
    """The yes that is needed to upgrade what somebody else owns; the git way is offered first."""
    found = owner(systems)
    if found is None or systems.target.accept_owner:
        return ()
    refusal = Problem(
        IDS.get(found.tool, OTHER),
        f"{found.words} owns the backend, and would take a helm upgrade back",
        on=systems.workload.on,
        next_step=f"{GIT_WAY}; {HELM_WAY}",
        exit=Exit.FAILED,
        detail=found.marks,
    )
    return (Consent("accept_owner", refusal, instead="gitops"),)


def sync_change(systems: Systems, *, after: str) -> Change | None:
    """Waiting for the variables to be brought from git; nothing where they are live."""
    from wizard.steps.preconditions import of_workload

    if not systems.lacking_live:
        return None
    found = owner(systems)
    who = found.words if found else "whoever drives the cluster"
    files = ", ".join(str(path) for path in systems.target.values) or "your values file"
    basis = of_workload(systems)
    return Change(
        step="helm_upgrade",
        items=(f"wait until {who} has brought the variables to the backend",),
        details=(f"commit and push {files} now, and merge it to where {who} reads it",)
        if systems.target.values
        else (),
        exact=(),
        preconditions=basis.preconditions,
        besides=basis.besides,
        moves=basis.moved(whole=True),
        risk="the sync brings whatever else was merged since the last one",
        effect=f"none by this tool, which runs no helm; {who} rolls the backend's pods",
        reversible=Reversible.YES,
        because="nothing is changed but through git",
        undo="take the edit back in git",
        register={"revision": systems.release.revision, "gitops": who},
        after=after,
    )


def await_sync(systems: Systems, change: Change, watch: Watch) -> Done:
    """Wait until the variables are live, and then for the rollout.

    Raises:
        Problem: they are not there within `--upgrade-limit`, or the rollout does not end.
    """
    who, limit = str(change.register["gitops"]), systems.target.upgrade_limit
    began = time.monotonic()
    _live_by(systems, watch, who, limit)
    took = time.monotonic() - began
    systems.forget()
    status = await_rollout(systems, watch)
    return Done(
        f"{who} has brought the variables to the backend",
        (f"live after {took:.0f} s", f"{status.ready} pods are ready"),
        dict(change.register),
    )


def _live_by(systems: Systems, watch: Watch, who: str, limit: float) -> None:
    answered = 0.0
    what = f"waiting for {who} to bring the variables (limit {limit:.0f} s, --upgrade-limit)"
    lacking: tuple[str, ...] = WANTED
    for waited in poll(limit):
        try:
            live = systems.workload.afresh().live_env()
            lacking, answered = tuple(it for it in WANTED if live.get(it) != "true"), waited
        except Problem:
            if waited - answered > SILENCE_LIMIT:
                raise
        if not lacking:
            return
        watch.waiting(what, waited, tuple(f"not live yet: {name}" for name in lacking))
    raise Problem(
        "LSA165",
        f"{who} has not brought the variables to the backend within {limit:g} seconds",
        on=systems.workload.on,
        next_step="see whether the edit is pushed and synced, then langsmith-audit run --gitops "
        "again; --upgrade-limit waits longer",
        detail=tuple(f"not live: {name}" for name in lacking),
    )
