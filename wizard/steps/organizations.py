"""Step 4: `can_use_audit_logs` in the stored config of organizations that existed before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact, Observation, Reversible
from wizard.records.findings import Finding, State, failed, passed
from wizard.records.run_states import Made
from wizard.steps import organizations_by_hand as by_hand
from wizard.steps.back import rows as back
from wizard.steps.base import Access, Step, Watch
from wizard.steps.fingerprint import fingerprint_of
from wizard.steps.rights import BACKEND, DATABASE
from wizard.steps.server_default import on_by_default

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.database import Enabled, Organization

PAGE = 20_000
"""Without an index on the name each page costs a look at the whole table, so there are few."""
SHOWN = 20
"""More organizations than this are counted, not listed."""


class Organizations(Step):
    """A stored false wins over the variable, so the chosen rows get a stored true."""

    name: ClassVar[str] = "organizations"
    title: ClassVar[str] = "The organizations"
    atomic: ClassVar[bool] = True
    stays: ClassVar[str] = "what was written to audit_logs meanwhile"
    access: ClassVar[tuple[Access, ...]] = (
        *DATABASE,
        *BACKEND,
        Access("sql", "select", "organizations"),
        Access("sql", "update", "organizations", changes=True),
    )

    def missing(self, systems: Systems) -> tuple[str, ...]:
        """Which organizations, unless every shared one is on, or the server's own word is yes."""
        if by_hand.asked(systems):
            return by_hand.missing(systems)
        if systems.target.selection.made:
            return ()
        if systems.already_served and not systems.target.force:
            return ()
        shared = systems.database.organization_counts().shared
        fine = ("on", "default") if on_by_default(systems) else ("on",)
        return ("org",) if any(n for state, n in shared.items() if state not in fine) else ()

    def observe(self, systems: Systems) -> Observation:
        """The state of the chosen organizations, or of all when none was chosen."""
        if by_hand.asked(systems):
            return by_hand.observe(systems)
        if not systems.target.selection.made:
            return self._overview(systems)
        chosen = self.chosen(systems)
        if not chosen:
            return self._none_chosen(systems)
        by_default = on_by_default(systems)
        findings = tuple(_finding(it, by_default=by_default) for it in chosen)
        right = not any(_needy(it, by_default=by_default) for it in chosen)
        blocked = any(_unfit(organization) for organization in chosen)
        if len(chosen) > SHOWN:
            findings = _summed(findings)
        findings = _by_way(findings, systems)
        return Observation(findings, right=right and not blocked, blocked=blocked)

    def propose(self, systems: Systems, pending: Sequence[Change]) -> Change | None:  # noqa: ARG002
        """One UPDATE in one transaction, for exactly the rows that need it."""
        if by_hand.asked(systems):
            return by_hand.propose(systems, _pods(systems))
        if not systems.target.selection.made:
            return None
        by_default = on_by_default(systems)
        needy = [o for o in self.chosen(systems) if _needy(o, by_default=by_default)]
        if not needy or any(_unfit(o) for o in needy):
            return None
        database = systems.database
        table = database.find_organizations(writing=True)
        identity = database.identity()
        return Change(
            step=self.name,
            items=(f"UPDATE organizations: can_use_audit_logs true in {_rows(needy)}",),
            details=tuple(f"{_label(o)}: {o.prior.told()}" for o in needy),
            exact=(Exact("sql", database.enable_statement(), tuple(str(o.id) for o in needy)),),
            preconditions={
                "database": f"{identity.database} on {identity.system_identifier or 'unknown'}",
                "table": f"{table.schema}.organizations, oid {table.oid}",
                **{f"row {o.id}": fingerprint_of(_stored(o)) for o in needy},
            },
            moves={f"row {o.id}": "" for o in needy},
            expected=len(needy),
            risk="none to other rows: exactly these are written, or none is; each keeps the rest "
            "of its config",
            effect=f"{_rows(needy)} of organizations, in one transaction; the running backend "
            "pods keep what they knew until they are restarted; " + systems.database.login.evidence,
            reversible=Reversible.YES,
            because="the prior state of each row's key is in the journal",
            undo="put the prior state of the key back in exactly these rows",
            register={"rows": [_row(o) for o in needy], "pods": _pods(systems)},
            payload=tuple(needy),
        )

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Run the transaction, and read the rows back on a second connection."""
        if change.by_hand:
            return by_hand.apply(change, watch)
        chosen: tuple[Organization, ...] = change.payload
        watch.waiting("updating the organizations", 0.0)
        done = systems.database.enable(chosen, lock_limit=systems.target.lock_limit)
        evidence = tuple(
            f"{row.display_name} ({row.id}): {row.before.told()} → {row.after.value}"
            for row in done.changes[:SHOWN]
        )
        count = len(done.changes)
        return Done(
            f"{count} organization{'s have' if count != 1 else ' has'} audit logs stored as on",
            (*evidence, *done.notes, _committed(done)),
            {
                **change.register,
                "changes": [row.as_json() for row in done.changes],
                "committed_at": done.committed_at.isoformat(),
                "pods": sorted({*change.register["pods"], *_pods(systems)}),
            },
        )

    def way_back(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:  # noqa: ARG002
        """The prior state of the key, in the rows that are as the run wrote them."""
        return back.way_back(systems, made)

    def undo(self, systems: Systems, change: Change, watch: Watch) -> Done:  # noqa: ARG002
        """Run the transaction, and read the rows back on a second connection."""
        return back.undo(systems, change)

    def chosen(self, systems: Systems) -> list[Organization]:
        """The organizations of the selection.

        Raises:
            Problem: an id that is malformed, that no organization has, or of a personal one.
        """
        selection = systems.target.selection
        if not selection.ids:
            return list(_shared(systems, only_off=selection.only_off and not selection.all))
        from wizard.systems.database import organization_id

        ids = list(dict.fromkeys(organization_id(text) for text in selection.ids))
        found = systems.database.organizations_by_id(ids)
        there = {organization.id for organization in found}
        for id in ids:
            if id not in there:
                raise _none_found(id)
        return found

    def _overview(self, systems: Systems) -> Observation:
        counts = systems.database.organization_counts().shared
        total = sum(counts.values())
        on = sum(n for state, n in counts.items() if state == "on")
        subject = f"organizations of {systems.release.name}"
        evidence = tuple(f"{state}: {n}" for state, n in counts.items() if n)
        evidence = (*evidence, systems.database.login.evidence)
        message = f"{on} of {total} shared organizations have audit logs stored as on"
        if on == total and total:
            return Observation((passed("LSA591", subject, message, *evidence),), right=True)
        hint = "choose: --org ID, --all or --only-off"
        if on or (systems.already_served and not systems.target.force):
            info = Finding("LSA592", State.INFO, subject, message, evidence, hint)
            return Observation((info,), right=systems.already_served)
        if not total:
            return _nobody(subject, systems)
        return Observation(
            (failed("LSA593", subject, message, *evidence, next_step=hint),), right=False
        )

    def _none_chosen(self, systems: Systems) -> Observation:
        """Nothing was chosen by --all or --only-off: nobody is there, or nobody is off."""
        shared = systems.database.organization_counts().shared
        subject = f"organizations of {systems.release.name}"
        if not sum(shared.values()):
            return _nobody(subject, systems)
        message = "No shared organization has a stored false"
        evidence = tuple(f"{state}: {n}" for state, n in shared.items() if n)
        return Observation((passed("LSA599", subject, message, *evidence),), right=True)


def _nobody(subject: str, systems: Systems) -> Observation:
    """There is no shared organization, so nothing can be right or made right."""
    personal = systems.database.organization_counts().personal
    finding = failed(
        "LSA593",
        subject,
        "There is no shared organization",
        f"personal: {personal}",
        next_step="create an organization in LangSmith first; see also whether this is the right "
        "database and schema",
    )
    return Observation((finding,), right=False, blocked=True)


def _shared(systems: Systems, *, only_off: bool) -> Iterator[Organization]:
    """All shared organizations, page by page."""
    after: tuple[str, UUID] | None = None
    while True:
        page = systems.database.organizations(
            after=after, limit=PAGE, only_off=only_off, include_personal=False
        )
        yield from page
        if len(page) < PAGE:
            return
        after = (page[-1].display_name, page[-1].id)


def _finding(organization: Organization, *, by_default: bool) -> Finding:
    subject = f"organization {_label(organization)}"
    if organization.is_personal:
        return failed(
            "LSA594",
            subject,
            "A personal organization: audit logs are for shared ones, so it is left alone",
            next_step="leave it out of --org",
        )
    if organization.state == "wrong shape":
        return failed(
            "LSA595",
            subject,
            "Its config is no JSON object; the documented UPDATE would destroy it",
            next_step="mend the config by hand first, with LangChain's support",
        )
    if organization.state == "on":
        return passed("LSA591", subject, "Audit logs are stored as on")
    if not _needy(organization, by_default=by_default):
        message = f"{organization.prior.told()}; the server's default is on"
        return Finding("LSA598", State.INFO, subject, message)
    return failed(
        "LSA596",
        subject,
        f"Audit logs are not on: {organization.prior.told()}",
        next_step="langsmith-audit plan shows the UPDATE; langsmith-audit run does it",
    )


def _summed(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The wrong ones by name up to a limit, and one finding that counts them all."""
    wrong = [it for it in findings if it.state is State.FAIL]
    on = sum(it.state is State.PASS for it in findings)
    message = f"{on} of {len(findings)} chosen organizations have audit logs stored as on"
    if not wrong:
        return (passed("LSA591", "the chosen organizations", message),)
    sum_ = failed(
        "LSA596", "the chosen organizations", message, next_step="langsmith-audit run changes them"
    )
    return (*wrong[:SHOWN], sum_)


def _by_way(findings: tuple[Finding, ...], systems: Systems) -> tuple[Finding, ...]:
    """The findings, with the way to the database and its reason as evidence of the first."""
    first, *others = findings
    evidence = (*first.evidence, systems.database.login.evidence)
    return (replace(first, evidence=evidence), *others)


def _needy(organization: Organization, *, by_default: bool) -> bool:
    """Whether a stored true is missing that the server's default does not make up for."""
    return organization.state != "on" and not (by_default and organization.state == "default")


def _unfit(organization: Organization) -> bool:
    return organization.is_personal or organization.state == "wrong shape"


def _label(organization: Organization) -> str:
    return f"{organization.display_name} ({organization.id})"


def _rows(organizations: Sequence[Organization]) -> str:
    return f"{len(organizations)} row{'s' if len(organizations) != 1 else ''}"


def _committed(done: Enabled) -> str:
    at = f"committed {done.committed_at:%Y-%m-%d %H:%M:%S} UTC"
    return at if done.notes else f"{at}, then read back on a second connection"


def _row(organization: Organization) -> dict[str, Any]:
    return {"id": str(organization.id), **organization.prior.as_json()}


def _stored(organization: Organization) -> dict[str, Any]:
    return {"is_personal": organization.is_personal, **organization.prior.as_json()}


def _pods(systems: Systems) -> list[str]:
    """Uids of the backend pods that are there now: they know the old config."""
    return [pod.uid for pod in systems.workload.pods()]


def _none_found(id: UUID) -> Problem:
    return Problem(
        "LSA597",
        f"No organization has the id {id}; nothing was changed",
        on=f"organization {id}",
        next_step="langsmith-audit orgs lists them",
        exit=Exit.FAILED,
    )
