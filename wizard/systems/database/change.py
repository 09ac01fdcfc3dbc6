"""Turns audit logs on for chosen organizations, and puts their prior state back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.database import catalogue, listing
from wizard.systems.database.model import (
    ConfigShape,
    Enabled,
    Organization,
    OrganizationState,
    PutBack,
    RowChange,
)
from wizard.systems.database.rows import Rows
from wizard.systems.database.statement_errors import NOTHING
from wizard.systems.database.statements import readable, statement
from wizard.systems.database.transaction import Bench, carry_out, unexpected

if TYPE_CHECKING:
    from wizard.systems.database.model import OrganizationsTable
    from wizard.systems.database.session import Session

_SHOWN = 10


def enable_statement(table: OrganizationsTable) -> str:
    """The UPDATE as a person reads it, `:'ids'` standing for the chosen ids."""
    return readable("organizations_enable", words=listing.words(table), schema=table.schema)


def put_back_statement(table: OrganizationsTable) -> str:
    """The UPDATE that puts prior states back, as a person reads it."""
    return readable("organizations_put_back", schema=table.schema)


def enable(bench: Bench, chosen: Sequence[Organization]) -> Enabled:
    """Set the key to true where it is not, in exactly the chosen rows, as they were shown.

    Raises:
        Problem: LSA502 personal, LSA503 wrong shape, LSA540 changed since shown, LSA546 other
            rows than expected, and what a transaction can raise. Nothing was changed then.
    """
    chosen = list({organization.id: organization for organization in chosen}.values())
    _refuse_unfit(chosen, bench)
    unchanged = tuple(o.id for o in chosen if o.state is OrganizationState.ON)
    needy = [o for o in chosen if o.state is not OrganizationState.ON]

    def work(session: Session) -> Rows:
        return Rows(bench.table, _turn_on(session, bench, chosen, needy))

    done = carry_out(bench, [o.id for o in needy], work)
    return Enabled(
        done.made.changes, unchanged, done.committed_at, enable_statement(bench.table), done.notes
    )


def put_back(bench: Bench, changes: Sequence[RowChange]) -> PutBack:
    """Put the prior state of each row's key back where the row is still as it was written.

    Rows that somebody has changed since, or deleted, are left alone and named.

    Raises:
        Problem: what a transaction can raise. Nothing was changed then.
    """
    wanted = {change.id: change for change in changes}
    already: list[UUID] = []
    left: list[tuple[UUID, str]] = []

    def work(session: Session) -> Rows:
        ours = _still_ours(_locked(session, bench, list(wanted)), wanted, already, left)
        return Rows(bench.table, _restore(session, bench, ours))

    done = carry_out(bench, list(wanted), work)
    return PutBack(
        restored=tuple(change.id for change in done.made.changes),
        already=tuple(already),
        left=tuple(left),
        committed_at=done.committed_at,
        statement=put_back_statement(bench.table),
        notes=done.notes,
    )


def _turn_on(
    session: Session, bench: Bench, chosen: Sequence[Organization], needy: Sequence[Organization]
) -> tuple[RowChange, ...]:
    if needy:
        _lock(session, bench, [o.id for o in needy])
    found = listing.by_id(session, bench.table, [o.id for o in chosen])
    _refuse_changed(chosen, found, bench)
    if not needy:
        return ()
    query = statement(
        "organizations_enable", words=listing.words(bench.table), schema=bench.table.schema
    )
    written = session.run(query, ids=listing.array_of(o.id for o in needy))
    changes = [RowChange(o.id, o.display_name, o.prior, o.prior.turned_on()) for o in needy]
    return _proved(session, bench, changes, written)


def _restore(session: Session, bench: Bench, ours: Sequence[RowChange]) -> tuple[RowChange, ...]:
    if not ours:
        return ()
    written = session.run(
        statement("organizations_put_back", schema=bench.table.schema),
        ids=listing.array_of(change.id for change in ours),
        nulls=[change.before.shape is ConfigShape.NULL for change in ours],
        values=[change.before.value for change in ours],
    )
    changes = [RowChange(c.id, c.display_name, c.after, c.before) for c in ours]
    return _proved(session, bench, changes, written)


def _proved(
    session: Session, bench: Bench, changes: list[RowChange], written: int
) -> tuple[RowChange, ...]:
    """The changes, when the server wrote exactly these rows and they are as expected."""
    found = listing.by_id(session, bench.table, [change.id for change in changes])
    odd = [c for c in changes if c.id not in found or found[c.id].prior != c.after]
    if written == len(changes) and not odd:
        return tuple(changes)
    lines = tuple(f"not as expected: organization {c.id}" for c in odd[:_SHOWN])
    raise unexpected(bench, written, len(changes), lines)


def _locked(session: Session, bench: Bench, ids: Sequence[UUID]) -> Mapping[UUID, Organization]:
    _lock(session, bench, ids)
    return listing.by_id(session, bench.table, ids)


def _lock(session: Session, bench: Bench, ids: Sequence[UUID]) -> None:
    """Lock the rows, then make sure that the table is still the one that was looked at.

    The lock comes first: from then on nobody can put another table in its place.
    """
    session.run(
        statement("organizations_lock", schema=bench.table.schema), ids=listing.array_of(ids)
    )
    check_table(session, bench)


def check_table(session: Session, bench: Bench) -> None:
    """Make sure that the table is still the one that was looked at, and may be written.

    Raises:
        Problem: LSA540, and LSA531 to LSA538.
    """
    now = catalogue.find_organizations(session, writing=True)
    if now.oid != bench.table.oid or now.schema != bench.table.schema:
        raise Problem(
            "LSA540",
            f"the table {bench.table.schema}.organizations is another one than before",
            on=bench.login.subject,
            next_step="start again; a migration may be under way",
            exit=Exit.UNKNOWN,
        )


def _still_ours(
    found: Mapping[UUID, Organization],
    wanted: Mapping[UUID, RowChange],
    already: list[UUID],
    left: list[tuple[UUID, str]],
) -> list[RowChange]:
    ours = []
    for id, change in wanted.items():
        row = found.get(id)
        if row is None:
            left.append((id, "the organization is no longer there"))
        elif row.prior == change.before:
            already.append(id)
        elif row.prior == change.after:
            ours.append(change)
        else:
            left.append((id, f"it was changed since: {row.prior.told()}"))
    return ours


def _refuse_unfit(chosen: Sequence[Organization], bench: Bench) -> None:
    personal = [o for o in chosen if o.is_personal]
    if personal:
        raise Problem(
            "LSA502",
            f"personal organizations are left alone; {NOTHING}",
            on=bench.login.subject,
            next_step="leave them out of the selection",
            exit=Exit.FAILED,
            detail=_named(personal),
        )
    wrong = [o for o in chosen if o.state is OrganizationState.WRONG]
    if wrong:
        raise Problem(
            "LSA503",
            f"the config of {len(wrong)} organizations is no JSON object, and the documented "
            f"UPDATE would destroy it; {NOTHING}",
            on=bench.login.subject,
            next_step="leave them out of the selection, and mend them with LangChain's support",
            exit=Exit.FAILED,
            detail=tuple(f"{o.id}: {o.prior.told()}" for o in wrong[:_SHOWN]),
        )


def _refuse_changed(
    chosen: Sequence[Organization], found: Mapping[UUID, Organization], bench: Bench
) -> None:
    lines = []
    for o in chosen:
        now = found.get(o.id)
        if now is None:
            lines.append(f"{o.id}: no longer there")
        elif now.is_personal != o.is_personal:
            lines.append(
                f"{o.id}: is personal now" if now.is_personal else f"{o.id}: is shared now"
            )
        elif now.prior != o.prior:
            lines.append(f"{o.id}: {_difference(o, now)}")
    if lines:
        raise Problem(
            "LSA540",
            f"{len(lines)} organizations were changed by somebody since they were shown; {NOTHING}",
            on=bench.login.subject,
            next_step="start again, and look at them as they are now",
            exit=Exit.UNKNOWN,
            detail=tuple(lines[:_SHOWN]),
        )


def _difference(before: Organization, now: Organization) -> str:
    if before.prior.told() != now.prior.told():
        return f"{before.prior.told()} was shown, now {now.prior.told()}"
    return "another part of its config was changed"


def _named(organizations: Sequence[Organization]) -> tuple[str, ...]:
    return tuple(f"{o.display_name} ({o.id})" for o in organizations[:_SHOWN])
