"""The upgrade that step 3 proposes: what exactly, on which preconditions, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wizard.aim import aimed
from wizard.article import new_enough
from wizard.record import replace
from wizard.records.changes import (
    Change,
    Exact,
    FactKind,
    Facts,
    Reversible,
    content_of,
    facts,
    fingerprint,
    fingerprint_of,
)
from wizard.steps.preconditions import Basis, of_workload
from wizard.steps.step import Step, pending
from wizard.steps.upgrade.ahead import Hazards, hazards, refuse_unserved
from wizard.steps.upgrade.chart import chart_consents, chart_of, chart_reference
from wizard.steps.upgrade.drift import Beyond, fingerprint_of_values, look_beyond
from wizard.steps.upgrade.live_drift import EDITS
from wizard.steps.upgrade.owner import owner_consents, sync_change
from wizard.steps.upgrade.release_state import raises, state_consents
from wizard.systems.access import Systems
from wizard.systems.helm.client import typed
from wizard.systems.helm.records import Upgrade

OF_RELEASE = ("release revision", "deployed chart", "deployed values", "deployed manifest", EDITS)
"""Preconditions that the upgrade itself moves."""


def propose(step: Step, systems: Systems, pending_: Sequence[Change]) -> Change | None:
    """The upgrade, pinned to the deployed chart version; with --gitops only a wait."""
    edit = pending(pending_, "values_file")
    if systems.target.gitops:
        return sync_change(systems, after="values_file" if edit else "")
    release = systems.release
    settled = (
        release.status == "deployed"
        and (new_enough(release.chart_version) or not raises(systems))
        and step.observe(systems).right
    )
    if not systems.target.values or (not edit and settled):
        return None
    systems.workload.must_roll()
    refuse_unserved(systems)
    ahead = hazards(systems)
    upgrade = _upgrade(systems, wait=ahead.wait)
    chart = chart_of(systems, upgrade)
    basis = of_workload(systems)
    beyond = look_beyond(systems, upgrade, edit)
    upgrade = replace(upgrade, force_conflicts=beyond.forced and systems.target.accept_drift)
    return Change(
        step=step.name,
        items=(_item(release.name, release.chart_version, upgrade.version),),
        exact=(Exact("argv", typed(systems.helm.upgrade_argv(upgrade))),),
        preconditions=_preconditions(systems, basis, beyond),
        besides=basis.besides,
        moves=dict.fromkeys(OF_RELEASE, "") | basis.moved(whole=_moves_more(systems, beyond)),
        risk="a failing hook Job or a pod that does not become ready leaves the release "
        "failed; the old pods stay until the new ones are ready",
        effect=_effect(systems, beyond, ahead),
        reversible=Reversible.PARTLY,
        because="hook Jobs and database migrations that ran do not come back",
        undo=aimed(
            f"helm rollback {release.name} {release.revision} -n {release.namespace} --wait"
        ),
        register=_register(systems, upgrade),
        after="values_file" if edit else "",
        consents=(
            *owner_consents(systems),
            *state_consents(systems),
            *beyond.consents(
                systems.target,
                raised=upgrade.version != release.chart_version,
                chart=chart_consents(systems, upgrade, chart),
            ),
        ),
        rendered=beyond.rendered.objects,
        manifest=beyond.rendered.manifest,
        payload=upgrade,
    )


def _upgrade(systems: Systems, *, wait: bool) -> Upgrade:
    target = systems.target
    return Upgrade(
        release=target.release,
        namespace=target.namespace,
        chart=chart_reference(systems),
        version=target.chart_version or systems.release.chart_version,
        values=target.values,
        timeout=int(target.upgrade_limit),
        wait=wait,
    )


def _preconditions(systems: Systems, basis: Basis, beyond: Beyond) -> Facts:
    release = systems.release
    recorded = {
        "release revision": str(release.revision),
        "release status": release.status,
        "deployed chart": release.chart,
        "deployed values": fingerprint_of(systems.deployed_values),
        "deployed manifest": fingerprint(systems.manifest),
    }
    files = {content_of(path): fingerprint(data) for path, data in systems.values_layers}
    return {
        **facts(FactKind.RELEASE, recorded),
        **basis.preconditions,
        **facts(FactKind.FILE, files),
        **facts(FactKind.EDITS, {EDITS: beyond.live.told}),
    }


def _moves_more(systems: Systems, beyond: Beyond) -> bool:
    """Whether the upgrade changes more of the backend than the two variables."""
    backend = systems.installation.backend
    found = (it for it in beyond.rendered.objects if it.kind == backend.kind)
    alike = all(it.ours for it in found if it.name == backend.name)
    return not alike or (bool(beyond.live.lines) and systems.target.accept_drift)


def _item(release: str, deployed: str, version: str) -> str:
    if version == deployed:
        return f"helm upgrade {release}, chart {version} as it is deployed now"
    return f"helm upgrade {release}, and its chart from {deployed} to {version}"


def _effect(systems: Systems, beyond: Beyond, ahead: Hazards) -> str:
    backend = systems.installation.backend
    text = f"rolls the pods of {backend.kind} {backend.name}, and runs the chart's hook Jobs again"
    return "; ".join((text, *ahead.ways, *beyond.effects))


def _register(systems: Systems, upgrade: Upgrade) -> dict[str, Any]:
    """What an undo needs: the revision to go back to, and how to do without it."""
    release = systems.release
    return {
        "revision": release.revision,
        "chart": upgrade.chart,
        "chart_version": release.chart_version,
        "files": [str(path.absolute()) for path in upgrade.values],
        "values_before": fingerprint_of_values(systems.deployed_values),
        "values": fingerprint_of_values(systems.file_values),
        "wait": upgrade.wait,
    }
