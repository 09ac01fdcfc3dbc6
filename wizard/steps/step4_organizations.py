"""Step 4: `can_use_audit_logs` in the stored config of organizations that existed before.

There is no default in a run that asks nobody: which organizations get audit logs must be said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.records.changes import (
    Change,
    Done,
    Exact,
    FactKind,
    Facts,
    Observation,
    Reversible,
    facts,
    fingerprint_of,
)
from wizard.records.findings import Finding, State, failed, passed
from wizard.records.rows import INLINE
from wizard.records.runs import Made
from wizard.steps.organizations import by_hand
from wizard.steps.organizations import rows as many
from wizard.steps.organizations.rows import (
    MOVED,
    SHOWN,
    finding_of,
    is_unfit,
    label,
    moved_too,
    needs_it,
    sum_of,
    summed,
    with_way,
)
from wizard.steps.rights import BACKEND, DATABASE
from wizard.steps.server_default import on_by_default
from wizard.steps.step import Access, Step, Watch

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.postgres.model import Organization, OrganizationsTable
    from wizard.systems.postgres.organizations import Shown

PAGE = 20_000
"""Without an index on the name each page costs a look at the whole table, so there are few."""


class Organizations(Step):
    """A stored false wins over the variable, so the chosen rows get a stored true."""

    name: ClassVar[str] = "organizations"
    title: ClassVar[str] = "The organizations"
    access: ClassVar[tuple[Access, ...]] = (
        *DATABASE,
        *BACKEND,
        Access("sql", "select", "organizations"),
        Access("sql", "update", "organizations", changes=True),
    )
    ahead: ClassVar[tuple[str, ...]] = ("database",)
    asks: ClassVar[tuple[str, ...]] = ("org",)
    atomic: ClassVar[bool] = True
    in_part: ClassVar[bool] = True
    stays: ClassVar[str] = "what was written to audit_logs meanwhile"
    cannot_be_known: ClassVar[tuple[str, ...]] = (
        "whether another session holds a lock on a row at that time",
    )

    def missing(self, systems: Systems) -> tuple[str, ...]:
        """Which organizations, unless every shared one has audit logs, whoever's the key is."""
        if by_hand.asked(systems):
            return by_hand.missing(systems)
        if systems.target.selection.made:
            return ()
        shared = systems.organization_counts.shared
        fine = ("on", "default") if on_by_default(systems) else ("on",)
        return ("org",) if any(n for state, n in shared.items() if state not in fine) else ()

    def observe(self, systems: Systems) -> Observation:
        """The state of the chosen organizations, or of all when none was chosen."""
        if by_hand.asked(systems):
            return by_hand.observe(systems)
        if not systems.target.selection.made:
            return self._overview(systems)
        by_default = on_by_default(systems)
        remark = _stored_false(systems)
        if not systems.target.selection.ids:
            number, on, needy, unfit = many.counted(systems, by_default=by_default)
            if not number:
                return self._none_chosen(systems)
            if number > SHOWN:
                seen = _counted(systems, number, on, needy, unfit, by_default=by_default)
                return replace(seen, remark=remark)
        chosen = self.chosen(systems)
        findings = tuple(finding_of(it, by_default=by_default) for it in chosen)
        right = not any(needs_it(it, by_default=by_default) for it in chosen)
        blocked = any(is_unfit(organization) for organization in chosen)
        if len(chosen) > SHOWN:
            findings = summed(findings)
        findings = with_way(findings, systems)
        right = right and not blocked
        return Observation(findings, right=right, blocked=blocked, remark=remark)

    def propose(self, systems: Systems, pending: Sequence[Change]) -> Change | None:  # noqa: ARG002
        """One UPDATE in one transaction, for exactly the rows that need it."""
        if by_hand.asked(systems):
            return by_hand.propose(systems, many.pods(systems))
        if not systems.target.selection.made:
            return None
        needy = self._to_change(systems)
        if not needy:
            return None
        return _change(systems, needy)

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Run the transaction, and read the rows back on a second connection."""
        if change.by_hand:
            return by_hand.apply(change, watch)
        watch.waiting("updating the organizations", 0.0)
        if isinstance(change.payload, tuple):
            done = systems.database.enable(change.payload, **many.limits(systems))
            told: dict[str, Any] = {"changes": [row.as_json() for row in done.changes]}
            evidence = tuple(
                f"{row.display_name} ({row.id}): {row.before.told()} → {row.after.value}"
                for row in done.changes[:SHOWN]
            )
        else:
            path = watch.beside(change.register["rows"]["file"])
            done, rows = many.enable_many(systems, change.payload, path)
            told, evidence = {"rows": rows}, (f"their prior states: {path}",)
        at = f"committed {done.committed_at:%Y-%m-%d %H:%M:%S} UTC"
        proved = at if done.notes else f"{at}, then read back on a second connection"
        return Done(
            f"{done.count} organization{'s have' if done.count != 1 else ' has'} audit logs "
            "stored as on",
            (*evidence, *moved_too(done.moved), *done.notes, proved),
            {
                **change.register,
                **told,
                MOVED: list(done.moved),
                "committed_at": done.committed_at.isoformat(),
                "pods": sorted({*change.register["pods"], *many.pods(systems, afresh=True)}),
            },
        )

    def way_back(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:  # noqa: ARG002
        """The prior state of the key, in the rows that are as the run wrote them."""
        from wizard.steps.organizations import back

        return back.way_back(systems, made)

    def undo(self, systems: Systems, change: Change, watch: Watch) -> Done:  # noqa: ARG002
        """Run the transaction, and read the rows back on a second connection."""
        from wizard.steps.organizations import back

        return back.undo(systems, change)

    def chosen(self, systems: Systems) -> list[Organization]:
        """The organizations of the selection.

        Raises:
            Problem: an id that is malformed, that no organization has, or of a personal one.
        """
        selection = systems.target.selection
        if not selection.ids:
            return list(_shared(systems, only_off=selection.only_off))
        ids = selection.organization_ids()
        found = systems.database.organizations_by_id(ids)
        there = {organization.id for organization in found}
        for id in ids:
            if id not in there:
                raise Problem(
                    "LSA597",
                    f"No organization has the id {id}; nothing was changed",
                    on=f"organization {id}",
                    next_step="langsmith-audit orgs lists them",
                    exit=Exit.FAILED,
                )
        return found

    def _to_change(self, systems: Systems) -> Sequence[Organization] | Shown:
        """The rows to be changed; none while one of the chosen is unfit."""
        by_default = on_by_default(systems)
        if not systems.target.selection.ids:
            *_, unfit = many.counted(systems, by_default=by_default)
            if unfit:
                return ()
            which = many.kind(systems, by_default=by_default)
            return many.few_or_many(systems, systems.database.show(which))
        chosen = self.chosen(systems)
        needy = [o for o in chosen if needs_it(o, by_default=by_default)]
        if any(is_unfit(o) for o in chosen):
            return ()
        if len(needy) <= INLINE:
            return needy
        return systems.database.show_these(sorted(o.id for o in needy))

    def _overview(self, systems: Systems) -> Observation:
        counts = systems.organization_counts.shared
        total = sum(counts.values())
        on = sum(n for state, n in counts.items() if state == "on")
        subject = f"organizations of {systems.release.name}"
        evidence = tuple(f"{state}: {n}" for state, n in counts.items() if n)
        evidence = (*evidence, systems.database.login.evidence)
        message = f"{on} of {total} shared organizations have audit logs stored as on"
        if on == total and total:
            return Observation((passed("LSA591", subject, message, *evidence),), right=True)
        hint = "choose: --org ID, --all or --only-off"
        if not total:
            return _nobody(subject, systems)
        served = systems.already_served and not systems.target.force
        remark = _stored_false(systems)
        if remark:
            message += "; a stored false is off, whatever the server has for others"
        if not on and not served:
            finding = failed("LSA593", subject, message, *evidence, next_step=hint)
        elif remark:
            finding = Finding("LSA587", State.WARN, subject, message, evidence, hint)
        else:
            finding = Finding("LSA592", State.INFO, subject, message, evidence, hint)
        return Observation((finding,), right=served and not remark, remark=remark)

    def _none_chosen(self, systems: Systems) -> Observation:
        """Nothing was chosen by --all or --only-off: nobody is there, or nobody is off."""
        shared = systems.organization_counts.shared
        subject = f"organizations of {systems.release.name}"
        if not sum(shared.values()):
            return _nobody(subject, systems)
        message = "No shared organization has a stored false"
        evidence = tuple(f"{state}: {n}" for state, n in shared.items() if n)
        return Observation((passed("LSA599", subject, message, *evidence),), right=True)


def _stored_false(systems: Systems) -> str:
    """How many shared organizations are off by a stored false, chosen or not; or empty."""
    shared = systems.organization_counts.shared
    off = sum(number for state, number in shared.items() if state == "off")
    if not off:
        return ""
    return f"{off} shared organization{' has' if off == 1 else 's have'} a stored false"


def _nobody(subject: str, systems: Systems) -> Observation:
    """There is no shared organization, so nothing can be right or made right."""
    personal = systems.organization_counts.personal
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


def _counted(
    systems: Systems, number: int, on: int, needy: int, unfit: int, *, by_default: bool
) -> Observation:
    """Many organizations: the first wrong ones by name, and one finding that counts them all."""
    named = many.first(systems, many.WRONG, SHOWN) if unfit else []
    if needy and len(named) < SHOWN:
        which = many.kind(systems, by_default=by_default)
        named += many.first(systems, which, SHOWN - len(named))
    findings = [finding_of(it, by_default=by_default) for it in named]
    summed = sum_of(on, number, right=not needy + unfit)
    found = with_way((*findings, summed), systems)
    return Observation(found, right=not needy + unfit, blocked=bool(unfit))


def _change(systems: Systems, needy: Sequence[Organization] | Shown) -> Change:
    database = systems.database
    table = database.find_organizations(writing=True)
    identity = database.identity()
    payload: Any = needy
    if isinstance(needy, Sequence):
        count, payload, told = len(needy), tuple(needy), _told_one_by_one(needy)
    else:
        count, told = needy.count, _told_by_count(needy)
    rows = f"{count} row{'s' if count != 1 else ''}"
    return Change(
        step=Organizations.name,
        items=(f"UPDATE organizations: can_use_audit_logs true in {rows}",),
        details=told.details,
        exact=(Exact("sql", database.enable_statement(), told.parameters),),
        preconditions={
            **facts(
                FactKind.DATABASE,
                {
                    "database": f"{identity.database} on {identity.system_identifier or 'unknown'}",
                    "table": f"{table.schema}.organizations, oid {table.oid}",
                },
            ),
            **told.preconditions,
        },
        moves=dict.fromkeys(told.preconditions, ""),
        expected=count,
        risk="none to other rows: exactly these are written, or none is; each keeps the rest "
        "of its config" + _watched(table),
        effect=f"{rows} of organizations, in one transaction; the running backend "
        "pods keep what they knew until they are restarted; " + database.login.evidence,
        reversible=Reversible.YES,
        because="the prior state of each row's key is in the journal",
        undo="put the prior state of the key back in exactly these rows",
        register={"rows": told.register, "pods": many.pods(systems)},
        payload=payload,
    )


@dataclass(frozen=True)
class _Told:
    """How the rows are told: by a person's eyes, to the server, to a plan, and to undo."""

    details: tuple[str, ...]
    parameters: tuple[str, ...]
    preconditions: Facts
    register: Any


def _told_one_by_one(needy: Sequence[Organization]) -> _Told:
    return _Told(
        tuple(f"{label(o)}: {o.prior.told()}" for o in needy),
        tuple(str(o.id) for o in needy),
        facts(FactKind.ROW, {f"row {o.id}": fingerprint_of(_stored(o)) for o in needy}),
        [{"id": str(o.id), **o.prior.as_json()} for o in needy],
    )


def _told_by_count(shown: Shown) -> _Told:
    """Thousands are not listed: their number and one fingerprint stand for them.

    A plan has no ids of them to go by: it is of the same choice, as long as the fingerprint is.
    """
    return _Told(
        (f"{shown.count} organizations, ids and stored values by their fingerprint",),
        (),
        facts(FactKind.ROWS, {"rows": f"{shown.count}, {shown.fingerprint}"}),
        {"file": many.new_file(), "count": shown.count},
    )


def _watched(table: OrganizationsTable) -> str:
    """What may change more of the rows, and what of that can be seen."""
    if not table.triggers:
        return ""
    unread = ", ".join(table.unread)
    but = f", but for what this login may not read ({unread})" if unread else ""
    names = ", ".join(table.triggers)
    return f"; what the triggers of this table ({names}) change is compared before the commit{but}"


def _stored(organization: Organization) -> dict[str, Any]:
    return {"is_personal": organization.is_personal, **organization.prior.as_json()}
