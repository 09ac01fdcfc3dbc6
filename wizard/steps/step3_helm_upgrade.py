"""Step 3: `helm upgrade RELEASE CHART -n NAMESPACE -f values.yaml --wait`, version pinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from wizard.article import WANTED
from wizard.problems import Problem
from wizard.records.changes import (
    Change,
    Done,
    Observation,
)
from wizard.records.findings import Evidence, Finding, State, failed, passed
from wizard.records.runs import Made
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
from wizard.steps.step import Access, Step, Watch, cannot

if TYPE_CHECKING:
    from wizard.records.plan import ServerCheck
    from wizard.systems.access import Systems


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
    ahead: ClassVar[tuple[str, ...]] = ("workload", "chart", "rendering")
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
        shown = {name: live.get(name, "(not set)") or "(not a plain value)" for name in WANTED}
        evidence = tuple(f"{name}={value}" for name, value in shown.items())
        if does_without(systems):
            message = f"The server has audit logs without {' and '.join(lacking)}"
            return Observation(
                (Finding("LSA403", State.INFO, subject, message, evidence),), right=True
            )
        if lacking:
            lack = _lacking(systems, subject, evidence)
            return Observation((lack, *_in_the_way(systems, subject)), right=False)
        if systems.lacking and not systems.target.gitops:
            return Observation((_only_live(subject, systems.lacking),), right=False)
        message = "The backend runs with both variables"
        unread = systems.unread
        if unread:
            live_only = passed("LSA401", subject, message, *evidence)
            told, step = (unread.what,), unread.next_step
            message = "Whether the release has the variables as well cannot be told"
            unknown = Finding("LSA404", State.UNKNOWN, subject, message, told, step)
            return Observation((live_only, unknown), right=False)
        revision = f"release revision {systems.release.revision}"
        return Observation((passed("LSA401", subject, message, *evidence, revision),), right=True)

    def propose(self, systems: Systems, pending_: Sequence[Change]) -> Change | None:
        """The upgrade, pinned to the deployed chart version; with --gitops only a wait."""
        from wizard.steps.upgrade.proposal import propose

        return propose(self, systems, pending_)

    def tried(self, systems: Systems, change: Change) -> tuple[ServerCheck, ...]:
        """The backend with its variables, and every other object as the chart renders it."""
        from wizard.steps.upgrade import server_check

        return tuple(server_check.of_upgrade(systems, change)) if change.exact else ()

    def tried_at_once(self, systems: Systems, change: Change) -> tuple[ServerCheck, ...]:
        """The Secret in which helm records the new revision."""
        from wizard.steps.upgrade import server_check

        return tuple(server_check.of_record(systems)) if change.exact else ()

    def tried_back(self, systems: Systems, change: Change | None) -> tuple[ServerCheck, ...]:
        """Each object that helm would put back, and the Secret in which it records that."""
        from wizard.steps.upgrade import server_check

        if change is None:
            return ()
        return (*server_check.of_way_back(systems, change), *server_check.of_record(systems))

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Run helm, show what happens meanwhile, and wait for the whole rollout."""
        if change.register.get("gitops"):
            from wizard.steps.upgrade.owner import await_sync

            return await_sync(systems, change, watch)
        from wizard.steps.upgrade.run_helm import upgrade

        return upgrade(systems, change, watch)

    def evidence(self, systems: Systems, problem: Problem) -> Evidence:
        """Release, pods, hook Jobs, events and logs as they are right after the failure."""
        from wizard.steps.upgrade.failed import aftermath

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
        from wizard.steps.upgrade import back

        return back.way_back(systems, made, watch)

    def undo(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Run helm, and show the backend's rollout meanwhile."""
        from wizard.steps.upgrade import back

        return back.undo(systems, change, watch)


def _in_the_way(systems: Systems, subject: str) -> tuple[Finding, ...]:
    """What will meet the upgrade: an owner, edits by hand, hazards of the rollout."""
    from wizard.steps.upgrade.ahead import hazards
    from wizard.steps.upgrade.live_drift import live_drift
    from wizard.steps.upgrade.owner import owner_findings

    found = tuple(owner_findings(systems))
    if systems.target.gitops or systems.unread:
        return found
    return (*found, *live_drift(systems).findings(subject), *hazards(systems).findings)


def _lacking(systems: Systems, subject: str, evidence: tuple[str, ...]) -> Finding:
    """Wrong, or unknown where a newer server might do without and cannot be asked."""
    message = f"The backend runs without {' and '.join(systems.lacking_live)}"
    step = "langsmith-audit plan shows the upgrade; langsmith-audit run does it"
    if cannot_be_told(systems):
        message += "; whether the server needs it cannot be told"
        return Finding("LSA402", State.UNKNOWN, subject, message, evidence, step)
    return failed("LSA402", subject, message, *evidence, next_step=step)


def _only_live(subject: str, lacking: Sequence[str]) -> Finding:
    are, them = ("are", "them") if len(lacking) > 1 else ("is", "it")
    message = (
        f"{' and '.join(lacking)} {are} live but not in the release: an upgrade would drop {them}"
    )
    return Finding(
        "LSA404",
        State.WARN,
        subject,
        message,
        next_step="add it to the values file and upgrade: langsmith-audit run",
    )
