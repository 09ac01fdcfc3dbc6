"""Step 5: restart the backend pods that still know the organizations' old config.

Whether a pod is older than the update is told by the pods' uids at the time of the commit, from
the journal, not by comparing clocks. Without a journal the server's own word decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from wizard.aim import aimed
from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact, Observation, Reversible
from wizard.records.findings import Evidence, Finding, State, failed, passed
from wizard.records.runs import Made
from wizard.steps.organizations.last_update import last_update
from wizard.steps.rights import AUTOSCALERS, BACKEND, BUDGETS, FOLLOW, REVIEW, ROLL
from wizard.steps.server_default import on_by_default
from wizard.steps.step import Access, Step, Watch, await_rollout, nothing, pending
from wizard.steps.upgrade.release_state import may_go_on

if TYPE_CHECKING:
    from wizard.records.plan import ServerCheck
    from wizard.systems.access import Systems
    from wizard.systems.workload import Pod, RolloutStatus


class BackendRestart(Step):
    """Needed only while a pod is older than the last update of the organizations."""

    name: ClassVar[str] = "backend_restart"
    title: ClassVar[str] = "The backend's pods"
    access: ClassVar[tuple[Access, ...]] = (
        *BACKEND,
        REVIEW,
        BUDGETS,
        AUTOSCALERS,
        *ROLL,
        *FOLLOW,
    )
    ahead: ClassVar[tuple[str, ...]] = ("workload",)
    rolls: ClassVar[bool] = True
    follows: ClassVar[tuple[str, ...]] = ("organizations",)
    goes_on: ClassVar[str] = "the rollout goes on by itself; kubectl get pods shows it"
    cannot_be_known: ClassVar[tuple[str, ...]] = (
        "how many requests are under way when a pod is replaced",
    )

    def observe(self, systems: Systems) -> Observation:
        """Whether every pod is ready and younger than the last update."""
        backend = systems.installation.backend
        subject = f"{backend.kind} {backend.name}"
        status = systems.workload.status()
        evidence = tuple(_pod_line(pod) for pod in status.pods)
        stale = self._stale(systems, status)
        if stale:
            finding = failed(
                "LSA692",
                subject,
                stale,
                *evidence,
                next_step=f"langsmith-audit run, or {systems.workload.restart_command}",
            )
            return Observation((finding,), right=False)
        if not status.done:
            rolling = _rolling(subject, status, evidence)
            blocked = bool(status.stuck or status.held) and not may_go_on(systems)
            return Observation((rolling,), right=False, blocked=blocked, underway=not blocked)
        return Observation((self._fresh(systems, subject, evidence),), right=True)

    def propose(self, systems: Systems, pending_: Sequence[Change]) -> Change | None:
        """A restart, when rows were or will be updated."""
        update = pending(pending_, "organizations")
        status = systems.workload.status()
        names = [change.step for change in pending_]
        upgrade_on = names[names.index("helm_upgrade") :] if "helm_upgrade" in names else []
        if upgrade_on and systems.lacking_live and "organizations" not in upgrade_on:
            return None  # the upgrade replaces every pod, and no update follows it
        if not (update or self._stale(systems, status)):
            return None
        return self._restart(systems, status, after="organizations" if update else "")

    def _restart(self, systems: Systems, status: RolloutStatus, after: str = "") -> Change:
        from wizard.steps.preconditions import of_workload

        backend = systems.installation.backend
        command = systems.workload.restart_command
        pods = f"{status.desired} pods" if status.desired != 1 else "pod"
        effect = "replaces the backend's pods one after another, as its rollout strategy says"
        if status.desired == 1:
            effect += "; there is only one, so there may be a moment without an answer"
        basis = of_workload(systems)
        risk = "a pod that does not become ready stops the rollout; the old pods go on serving"
        budget = systems.workload.unmoved_by()
        if budget:
            risk += f"; it will not get on, since it evicts and {budget}: add a replica or lower "
            risk += "minAvailable first, or take --one-rollout"
        return Change(
            step=self.name,
            items=(f"restart the {pods} of {backend.kind} {backend.name}",),
            exact=(Exact("argv", aimed(command)),),
            preconditions=basis.preconditions,
            besides=basis.besides,
            risk=risk,
            effect=effect,
            reversible=Reversible.NO,
            because="a restart cannot be taken back, and nothing is lost by it",
            undo="nothing to put back",
            register={"pods": [pod.uid for pod in status.pods]},
            after=after,
        )

    def tried(self, systems: Systems, change: Change) -> tuple[ServerCheck, ...]:  # noqa: ARG002
        """The backend's workload with the restart."""
        from wizard.steps.upgrade import server_check

        return (server_check.of_restart(systems),)

    def tried_back(self, systems: Systems, change: Change | None) -> tuple[ServerCheck, ...]:  # noqa: ARG002
        """The same."""
        from wizard.steps.upgrade import server_check

        return (server_check.of_restart(systems),)

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Restart as `kubectl rollout restart` does, and wait for the rollout."""
        prior = systems.workload.restart(at=datetime.now(UTC))
        status = await_rollout(systems, watch)
        return Done(
            f"{status.ready} new pod{'s are' if status.ready != 1 else ' is'} ready",
            tuple(_pod_line(pod) for pod in status.pods),
            {**change.register, "prior_restarted_at": prior},
        )

    def evidence(self, systems: Systems, problem: Problem) -> Evidence:
        """Release, pods, hook Jobs, events and logs as they are right after the failure."""
        from wizard.steps.upgrade.failed import aftermath

        return aftermath(systems, problem)

    def way_back(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Finding:  # noqa: ARG002
        """Nothing: the pods are as good as those before them."""
        return nothing("the backend's pods", "a restart changes nothing that stays")

    def after_undo(self, systems: Systems) -> Change | None:
        """A restart, where pods are older than rows that were put back."""
        status = systems.workload.status()
        return self._restart(systems, status) if self._older(systems, status) else None

    def confirm(self, systems: Systems, watch: Watch) -> Observation:
        """Wait for a rollout that is still under way, and look again."""
        if not systems.workload.status().done:
            await_rollout(systems, watch)
            systems.forget()  # the server's word may be that of a pod that is gone
        return self.observe(systems)

    def _stale(self, systems: Systems, status: RolloutStatus) -> str:
        """Why a restart is needed; empty when nothing says so.

        A pod that is leaving may still answer, by what it knew.
        """
        older = self._older(systems, status)
        answers = status.done and not any(pod.terminating for pod in status.pods)
        return older or (self._server_says_no(systems) if answers else "")

    def _older(self, systems: Systems, status: RolloutStatus) -> str:
        """Which pods are older than the last update, by the journal.

        A pod that a rollout under way replaces anyway needs no restart of its own.
        """
        update = last_update(systems.place)
        known = update.pods if update else frozenset()
        there = [pod for pod in status.pods if not pod.terminating]
        staying = [pod for pod in there if pod.uid not in status.leaving]
        old = [pod for pod in staying if pod.uid in known]
        if not update or not old:
            return ""
        of = f"{len(old)} of {len(staying)} pods"
        return f"{of} are older than the update of {update.at[:19]}"

    def _server_says_no(self, systems: Systems) -> str:
        """The stored config says on, and the server still says off."""
        try:
            if systems.lacking_live and not on_by_default(systems):
                return ""  # that alone explains it
            served = systems.served
            if not served or served.organization.can_use_audit_logs:
                return ""
            stored = systems.database.organizations_by_id([served.organization.id])
        except Problem:
            return ""
        if not stored or stored[0].state != "on":
            return ""
        return f"The server still says off for {stored[0].display_name}, where on is stored"

    def _fresh(self, systems: Systems, subject: str, evidence: tuple[str, ...]) -> Finding:
        served = None
        try:
            served = systems.served
        except Problem:
            served = None
        if served and served.organization.can_use_audit_logs:
            message = "The pods are ready and know that audit logs are on"
            return passed("LSA691", subject, message, *evidence)
        message = "The pods are ready; nothing says that one is older than an update"
        return Finding("LSA693", State.INFO, subject, message, evidence)


def _rolling(subject: str, status: RolloutStatus, evidence: tuple[str, ...]) -> Finding:
    message = f"A rollout is under way: {status.ready} of {status.desired} pods are ready"
    step = "wait for it, or look at the pods' events"
    if status.stuck:
        message = f"The rollout is stuck: {status.stuck}"
    elif status.held:
        message, step = f"The rollout does not go on: {status.held.why}", status.held.command
    return failed("LSA694", subject, message, *evidence, next_step=step)


def _pod_line(pod: Pod) -> str:
    started = f"{pod.started:%Y-%m-%d %H:%M:%S} UTC" if pod.started else "not started"
    return f"pod {pod.name}: {pod.words}, started {started}"
