"""Turns audit logs on for chosen organizations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.database import catalogue, listing
from wizard.systems.database.model import (
    Enabled,
    Organization,
    OrganizationState,
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


def _turn_on(
    session: Session, bench: Bench, chosen: Sequence[Organization], needy: Sequence[Organization]
) -> tuple[RowChange, ...]:
    if needy:
        lock(session, bench, [o.id for o in needy])
        check_table(session, bench)
    found = listing.by_id(session, bench.table, [o.id for o in chosen])
    _refuse_changed(chosen, found, bench)
    if not needy:
        return ()
    query = statement(
        "organizations_enable", words=listing.words(bench.table), schema=bench.table.schema
    )
    written = session.run(query, ids=listing.array_of(o.id for o in needy))
    changes = [RowChange(o.id, o.display_name, o.prior, o.prior.turned_on()) for o in needy]
    return proved(session, bench, changes, written)


def proved(
    session: Session, bench: Bench, changes: list[RowChange], written: int
) -> tuple[RowChange, ...]:
    """The changes, when the server wrote exactly these rows and they are as expected.

    Raises:
        Problem: LSA546.
    """
    found = listing.by_id(session, bench.table, [change.id for change in changes])
    odd = [c for c in changes if c.id not in found or found[c.id].prior != c.after]
    if written == len(changes) and not odd:
        return tuple(changes)
    lines = tuple(f"not as expected: organization {c.id}" for c in odd[:_SHOWN])
    raise unexpected(bench, written, len(changes), lines)


def lock(session: Session, bench: Bench, ids: Sequence[UUID]) -> None:
    """Lock the rows. `check_table` comes after it: then nobody can put another in its place."""
    session.run(
        statement("organizations_lock", schema=bench.table.schema), ids=listing.array_of(ids)
    )


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
