"""Step 3: `helm upgrade RELEASE CHART -n NAMESPACE -f values.yaml --wait`, version pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from wizard.aim import aimed
from wizard.article import WANTED, new_enough
from wizard.problems import Problem
from wizard.records.changes import (
    Change,
    Done,
    Exact,
    FactKind,
    Facts,
    Observation,
    Reversible,
    facts,
)
from wizard.records.findings import Evidence, Finding, State, failed, passed
from wizard.records.runs import Made
from wizard.steps.preconditions import Basis, content_of, fingerprint, fingerprint_of, of_workload
from wizard.steps.rights import (
    BACKEND,
    FOLLOW,
    HAZARDS,
    HELM,
    OWNERS,
    RELEASE,
    RELEASES,
    REVIEW,
    ROLL,
    SEEN,
)
from wizard.steps.server_default import cannot_be_told, does_without
from wizard.steps.step import Access, Step, Watch, cannot, pending
from wizard.steps.step1_chart_version import raises
from wizard.steps.upgrade import back, server_check
from wizard.steps.upgrade.ahead import Hazards, hazards, refuse_unserved
from wizard.steps.upgrade.beyond import Beyond, fingerprint_of_values, look_beyond
from wizard.steps.upgrade.chart import chart_consents, chart_of, chart_reference
from wizard.steps.upgrade.failed import aftermath
from wizard.steps.upgrade.live import EDITS, live_drift
from wizard.steps.upgrade.owner import await_sync, owner_consents, owner_findings, sync_change
from wizard.steps.upgrade.release_state import state_consents
from wizard.steps.upgrade.run_helm import upgrade as make_upgrade
from wizard.systems.helm.client import typed

if TYPE_CHECKING:
    from wizard.records.plan import ServerCheck
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Upgrade


OF_RELEASE = ("release revision", "deployed chart", "deployed values", "deployed manifest", EDITS)
"""Preconditions that the upgrade itself moves."""


class HelmUpgrade(Step):
    """Brings the variables of the values file to the backend."""

    name: ClassVar[str] = "helm_upgrade"
    title: ClassVar[str] = "The Helm release"
    access: ClassVar[tuple[Access, ...]] = (
        RELEASES,
        RELEASE,
        *BACKEND,
        *HAZARDS,
        *SEEN,
        *OWNERS,
        REVIEW,
        *ROLL,
        *FOLLOW,
        *HELM,
    )
    ahead: ClassVar[tuple[str, ...]] = ("workload",)
    by_helm: ClassVar[bool] = True
    rolls: ClassVar[bool] = True
    offers_way_back: ClassVar[bool] = True
    registers: ClassVar[tuple[str, ...]] = ("revision",)
    stays: ClassVar[str] = "hook Jobs and database migrations that the upgrade ran"
    goes_on: ClassVar[str] = "helm upgrade goes on by itself; helm list shows when it is deployed"
    cannot_be_known: ClassVar[tuple[str, ...]] = (
        "how long the chart's hook Jobs take, and whether each of them succeeds",
        "whether the new pods find a node, and become ready",
        "whether the API server takes what could not be tried: hook Jobs, and what is removed",
    )

    def observe(self, systems: Systems) -> Observation:
        """Whether the live backend has both variables, and the release too."""
        backend = systems.installation.backend
        subject = f"{backend.kind} {backend.name}"
        live, lacking = systems.live_env, systems.lacking_live
        evidence = tuple(f"{name}={_shown(live, name)}" for name in WANTED)
        if does_without(systems):
            message = f"The server has audit logs without {' and '.join(lacking)}"
            return Observation(
                (Finding("LSA403", State.INFO, subject, message, evidence),), right=True
            )
        if lacking:
            lack = _lacking(systems, subject, evidence)
            ahead = owner_findings(systems)
            if not systems.target.gitops and not systems.unread:
                ahead += (*live_drift(systems).findings(subject), *hazards(systems).findings)
            return Observation((lack, *ahead), right=False)
        if systems.lacking and not systems.target.gitops:
            return Observation((_only_live(subject, systems.lacking),), right=False)
        message = "The backend runs with both variables"
        unread = systems.unread
        if unread:
            live_only = passed("LSA401", subject, message, *evidence)
            return Observation((live_only, _not_told(subject, unread)), right=False)
        revision = f"release revision {systems.release.revision}"
        return Observation((passed("LSA401", subject, message, *evidence, revision),), right=True)

    def propose(self, systems: Systems, pending_: Sequence[Change]) -> Change | None:
        """The upgrade, pinned to the deployed chart version; with --gitops only a wait."""
        edit = pending(pending_, "values_file")
        if systems.target.gitops:
            return sync_change(systems, after="values_file" if edit else "")
        release = systems.release
        settled = (
            release.status == "deployed"
            and (new_enough(release.chart_version) or not raises(systems))
            and self.observe(systems).right
        )
        if not systems.target.values or (not edit and settled):
            return None
        systems.workload.must_roll()
        refuse_unserved(systems)
        ahead = hazards(systems)
        upgrade = self._upgrade(systems, wait=ahead.wait)
        chart = chart_of(systems, upgrade)
        basis = of_workload(systems)
        beyond = look_beyond(systems, upgrade, edit)
        upgrade = replace(upgrade, force_conflicts=beyond.forced and systems.target.accept_drift)
        return Change(
            step=self.name,
            items=(_item(release.name, release.chart_version, upgrade.version),),
            exact=(Exact("argv", typed(systems.helm.upgrade_argv(upgrade))),),
            preconditions=self._preconditions(systems, basis, beyond),
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

    def tried(self, systems: Systems, change: Change) -> tuple[ServerCheck, ...]:
        """The backend with its variables, and every other object as the chart renders it."""
        return tuple(server_check.of_upgrade(systems, change)) if change.exact else ()

    def tried_at_once(self, systems: Systems, change: Change) -> tuple[ServerCheck, ...]:
        """The Secret in which helm records the new revision."""
        return tuple(server_check.of_record(systems)) if change.exact else ()

    def tried_back(self, systems: Systems, change: Change | None) -> tuple[ServerCheck, ...]:
        """Each object that helm would put back, and the Secret in which it records that."""
        if change is None:
            return ()
        return (*server_check.of_way_back(systems, change), *server_check.of_record(systems))

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Run helm, show what happens meanwhile, and wait for the whole rollout."""
        if change.register.get("gitops"):
            return await_sync(systems, change, watch)
        return make_upgrade(systems, change, watch)

    def evidence(self, systems: Systems, problem: Problem) -> Evidence:
        """Release, pods, hook Jobs, events and logs as they are right after the failure."""
        return aftermath(systems, problem)

    def begun(self, systems: Systems, change: Change) -> bool:
        """Not where helm has refused before it recorded a revision."""
        try:
            systems.forget()
            return systems.release.revision != change.register.get("revision")
        except Problem:
            return True

    def way_back(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:
        """A rollback, where the newest revision is the one that the run made."""
        if made[-1].register.get("gitops"):
            step = "take the edit back in git, and let that bring it to the cluster"
            return cannot(systems.workload.on, "it came through git", next_step=step)
        return back.way_back(systems, made, watch)

    def undo(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Run helm, and show the backend's rollout meanwhile."""
        return back.undo(systems, change, watch)

    def _upgrade(self, systems: Systems, *, wait: bool) -> Upgrade:
        from wizard.systems.helm.records import Upgrade

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

    def _preconditions(self, systems: Systems, basis: Basis, beyond: Beyond) -> Facts:
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


def _lacking(systems: Systems, subject: str, evidence: tuple[str, ...]) -> Finding:
    """Wrong, or unknown where a newer server might do without and cannot be asked."""
    message = f"The backend runs without {' and '.join(systems.lacking_live)}"
    step = "langsmith-audit plan shows the upgrade; langsmith-audit run does it"
    if cannot_be_told(systems):
        message += "; whether the server needs it cannot be told"
        return Finding("LSA402", State.UNKNOWN, subject, message, evidence, step)
    return failed("LSA402", subject, message, *evidence, next_step=step)


def _item(release: str, deployed: str, version: str) -> str:
    if version == deployed:
        return f"helm upgrade {release}, chart {version} as it is deployed now"
    return f"helm upgrade {release}, and its chart from {deployed} to {version}"


def _only_live(subject: str, lacking: Sequence[str]) -> Finding:
    message = f"{' and '.join(lacking)} is live but not in the release: an upgrade would drop it"
    return Finding(
        "LSA404",
        State.WARN,
        subject,
        message,
        next_step="add it to the values file and upgrade: langsmith-audit run",
    )


def _not_told(subject: str, unread: Problem) -> Finding:
    message = "Whether the release has the variables as well cannot be told"
    return Finding("LSA404", State.UNKNOWN, subject, message, (unread.what,), unread.next_step)


def _shown(live: Mapping[str, str | None], name: str) -> str:
    if name not in live:
        return "(not set)"
    return live[name] or "(not a plain value)"


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
