"""Turns audit logs on for chosen organizations: few at once, many in batches of one transaction.

Each batch is locked, compared with what was shown, kept for undo, written and proved; then all of
them are committed, and proved again on the second connection. Few rows are held one by one, each
before and after; see `transaction.Made`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.systems.postgres import organizations as listing
from wizard.systems.postgres import tables
from wizard.systems.postgres.besides import besides, note_moved
from wizard.systems.postgres.errors import NOTHING
from wizard.systems.postgres.model import (
    Enabled,
    Kept,
    Organization,
    OrganizationsTable,
    OrganizationState,
    RowChange,
)
from wizard.systems.postgres.organizations import MARK, Shown, array, ids
from wizard.systems.postgres.session import Session
from wizard.systems.postgres.statements import readable, statement
from wizard.systems.postgres.transaction import Bench, Outcome, carry_out, unexpected

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
    enabled = _enabled(bench, done, len(needy))
    return replace(enabled, changes=done.made.changes, unchanged=unchanged)


def _enabled(bench: Bench, done: Outcome[Any], count: int) -> Enabled:
    words, moved = enable_statement(bench.table), tuple(sorted(bench.moved))
    return Enabled(count, done.committed_at, words, done.notes, moved)


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
    changes = [RowChange(o.id, o.display_name, o.prior, o.prior.turned_on()) for o in needy]
    wanted = listing.array_of(o.id for o in needy)
    return written_as(session, bench, changes, lambda: session.run(query, ids=wanted))


def written_as(
    session: Session, bench: Bench, changes: list[RowChange], write: Callable[[], int]
) -> tuple[RowChange, ...]:
    """Write, and give the changes: the server wrote exactly these rows, and they are as expected.

    Raises:
        Problem: LSA546 they are not, LSA588 more of them moved.
    """
    ids = listing.array_of(change.id for change in changes)
    before = besides(session, bench, ids)
    written = write()
    note_moved(session, bench, ids, before)
    found = listing.by_id(session, bench.table, [change.id for change in changes])
    made = [_with_rest(c, found[c.id]) if c.id in found else c for c in changes]
    odd = [c for c in made if c.id not in found or found[c.id].prior != c.after]
    if written == len(changes) and not odd:
        return tuple(made)
    lines = tuple(f"not as expected: organization {c.id}" for c in odd[:_SHOWN])
    raise unexpected(bench, written, len(changes), lines)


def _with_rest(change: RowChange, row: Organization) -> RowChange:
    """The same change; what else moved in the config was accepted by now."""
    return replace(change, after=replace(change.after, rest=row.prior.rest))


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
    now = tables.find_organizations(session, writing=True)
    if now.oid != bench.table.oid or now.schema != bench.table.schema:
        raise Problem(
            "LSA540",
            f"the table {bench.table.schema}.organizations is another one than before",
            on=bench.login.subject,
            next_step="start again; a migration may be under way",
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
        raise _changed(bench, f"{len(lines)} organizations", lines[:_SHOWN])


def _difference(before: Organization, now: Organization) -> str:
    if before.prior.told() != now.prior.told():
        return f"{before.prior.told()} was shown, now {now.prior.told()}"
    return "another part of its config was changed"


def _named(organizations: Sequence[Organization]) -> tuple[str, ...]:
    return tuple(f"{o.display_name} ({o.id})" for o in organizations[:_SHOWN])


def enable_shown(bench: Bench, shown: Shown, kept: Kept) -> Enabled:
    """Set the key to true in exactly the shown rows, as they were shown: all or nothing.

    `kept` gets what undo needs, and is sealed before the commit.

    Raises:
        Problem: LSA540 changed since shown, LSA546 other rows than expected, and what a
            transaction can raise. Nothing was changed then.
    """
    at_work: list[UUID] = []

    def work(session: Session) -> Batches:
        made = Batches(bench.table, shown)
        for marks in shown.batches():
            at_work[:] = ids(marks[: MARK * _SHOWN])
            made.proofs.append(_turn_on_many(session, bench, marks, kept, first=not made.proofs))
        kept.seal()
        return made

    return _enabled(bench, carry_out(bench, at_work, work), shown.count)


class Batches:
    """What was written, by batches; see `transaction.Made`."""

    def __init__(self, table: OrganizationsTable, shown: Shown) -> None:
        self._table = table
        self._shown = shown
        self.proofs: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.proofs)

    def differences(self, session: Session) -> tuple[str, ...]:
        """Where the rows are no longer as they were written."""
        seen = self._looked(session)
        odd = sum(count - on for count, on, _ in seen)
        notes = []
        if odd:
            notes.append(f"{odd} organizations were changed again by somebody just after")
        if not all(same for *_, same in seen):
            notes.append("other parts of configs were changed by somebody just after")
        return tuple(notes)

    def stands(self, session: Session) -> bool | None:
        """Whether all rows are as they were written; False when all are as before."""
        seen = self._looked(session)
        if all(on == count and same for count, on, same in seen):
            return True
        return False if all(on == 0 and same for _, on, same in seen) else None

    def _looked(self, session: Session) -> list[tuple[int, int, bool]]:
        query = statement("organizations_proof", schema=self._table.schema)
        seen = []
        for marks, rests in zip(self._shown.batches(), self.proofs, strict=True):
            row = session.rows(query, ids=array(marks))[0]
            seen.append((len(marks) // MARK, row["turned_on"], row["rests"] == rests))
        return seen


def _turn_on_many(session: Session, bench: Bench, marks: str, kept: Kept, *, first: bool) -> str:
    """One batch; the hash of what was left as it was."""
    table, words = bench.table, listing.words(bench.table)
    wanted, count = array(marks), len(marks) // MARK
    session.run(statement("organizations_lock", schema=table.schema), ids=wanted)
    if first:
        check_table(session, bench)
    query = statement("organizations_kept", words=words, schema=table.schema)
    now = session.rows(query, ids=wanted)[0]
    if now["marks"] != marks:
        raise _changed_marks(session, bench, marks, now["marks"])
    kept.add(now["lines"].encode() + b"\n", count)
    before = besides(session, bench, wanted)
    query = statement("organizations_enable", words=words, schema=table.schema)
    written = session.run(query, ids=wanted)
    note_moved(session, bench, wanted, before)
    proof = session.rows(statement("organizations_proof", schema=table.schema), ids=wanted)[0]
    if not written == proof["number"] == proof["turned_on"] == count:
        raise unexpected(bench, written, count)
    rests: str = proof["rests"]
    return rests


def _changed_marks(session: Session, bench: Bench, marks: str, now: str) -> Problem:
    """Names rows that are no longer as they were shown."""
    there = {now[at : at + MARK] for at in range(0, len(now), MARK)}
    shown = [marks[at : at + MARK] for at in range(0, len(marks), MARK)]
    odd = ids("".join(mark for mark in shown if mark not in there))
    found = listing.by_id(session, bench.table, odd[:_SHOWN])
    lines = [
        f"{id}: now {'personal, ' * found[id].is_personal}{found[id].prior.told()}"
        if id in found
        else f"{id}: no longer there"
        for id in odd[:_SHOWN]
    ]
    return _changed(bench, f"{len(odd)} organizations or more", lines)


def _changed(bench: Bench, what: str, lines: Sequence[str]) -> Problem:
    return Problem(
        "LSA540",
        f"{what} were changed by somebody since they were shown; {NOTHING}",
        on=bench.login.subject,
        next_step="start again, and look at them as they are now",
        detail=tuple(lines),
    )


@dataclass(frozen=True)
class Rows:
    """Few enough rows to be held one by one."""

    table: OrganizationsTable
    changes: tuple[RowChange, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def differences(self, session: Session) -> tuple[str, ...]:
        """Where the rows are no longer as they were written."""
        found = listing.by_id(session, self.table, [change.id for change in self.changes])
        notes = []
        for change in self.changes:
            row = found.get(change.id)
            if row is None:
                notes.append(
                    f"organization {change.id} was deleted by somebody just after the commit"
                )
            elif row.prior != change.after:
                seen = row.prior.told()
                notes.append(f"organization {change.id} was changed again just after: {seen}")
        return tuple(notes)

    def stands(self, session: Session) -> bool | None:
        """Whether all rows are as they were written; False when all are as before."""
        found = listing.by_id(session, self.table, [change.id for change in self.changes])
        seen = [found[change.id].prior if change.id in found else None for change in self.changes]
        if seen == [change.after for change in self.changes]:
            return True
        return False if seen == [change.before for change in self.changes] else None
