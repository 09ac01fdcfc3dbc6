"""Changes rows of organizations: one way for few, for many, and back.

The rows come batch by batch, in one transaction. Each batch is locked, compared with what was
shown, kept for undo, written and proved; then all of them are committed, and proved again on the
second connection. Few rows, and those that are put back, are held one by one, each before and
after; of many there are marks and proofs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
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
    OrganizationState,
    RowChange,
)
from wizard.systems.postgres.organizations import MARK, Shown, array, array_of, ids
from wizard.systems.postgres.row_changes import RowChanges, blocks
from wizard.systems.postgres.session import Row, Session
from wizard.systems.postgres.statements import Statement, statement
from wizard.systems.postgres.transaction import Bench, Work, carry_out

_SHOWN = 10
TOLD = 20
"""Rows that are named of those that somebody changed; the others are counted."""


@dataclass(frozen=True)
class Batch:
    """Rows that are locked, compared, written and proved together.

    Attributes:
        ids: theirs, as PostgreSQL reads an array of them.
        changes, marks: what is known of each; one of the two.
    """

    ids: str
    count: int
    changes: Sequence[RowChange] = ()
    marks: str = ""


class Rows(Work):
    """Rows that are changed; the kinds differ in what they hold of each.

    Attributes:
        count: how many rows were written.

    Raises:
        Problem: LSA540 changed since shown, or another table; LSA546 other rows or values written
            than expected; LSA588 more of them moved. Nothing was changed then.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.table = bench.table
        self.count = 0

    def do(self, session: Session) -> bool:
        """Change the rows, batch by batch; whether anything was written at all."""
        for number, batch in enumerate(self._batches()):
            self.at_work = batch.ids
            session.run(statement("organizations_lock", schema=self.table.schema), ids=batch.ids)
            if not number:  # under the lock nobody can put another table in its place
                _check_table(session, self.bench)
            fit = self._compared(session, batch)
            if not fit.count:
                continue
            before = besides(session, self.bench, fit.ids)
            written = self._write(session, fit)
            note_moved(session, self.bench, fit.ids, before)
            odd = self._odd(session, fit)
            if odd or written != fit.count:
                raise _unexpected(self.bench, written, fit.count, odd)
            self.count += written
        return self.count > 0

    @abstractmethod
    def _batches(self) -> Iterator[Batch]:
        """All of the rows."""

    @abstractmethod
    def _compared(self, session: Session, batch: Batch) -> Batch:
        """Those of the locked rows that are to be written, once they are kept for undo."""

    def _write(self, session: Session, batch: Batch) -> int:
        """Run the documented UPDATE, or another; how many rows the server wrote."""
        return session.run(self._sql("organizations_enable"), ids=batch.ids)

    @abstractmethod
    def _odd(self, session: Session, batch: Batch) -> Sequence[UUID]:
        """The written rows that are not as they should be; what they are is kept as a proof."""

    def stands(self, session: Session) -> bool | None:
        """Whether all rows are as they were written; False when all are as before."""
        seen = {*self._stand(session)}
        return seen.pop() if len(seen) == 1 else None

    @abstractmethod
    def _stand(self, session: Session) -> Iterator[bool | None]:
        """The same of each batch that was written."""

    def _sql(self, name: str) -> Statement:
        return statement(name, words=listing.words(self.table), schema=self.table.schema)


class HeldRows(Rows):
    """Rows that are held one by one, each before and after.

    Attributes:
        made: those that were written.
        told: so many are named of those that differ from what was written.
    """

    told = TOLD

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.made = RowChanges()

    def _odd(self, session: Session, batch: Batch) -> Sequence[UUID]:
        found = self._found(session, batch.changes)
        made = [  # what else moved in a config was accepted by now
            replace(c, after=replace(c.after, rest=found[c.id].prior.rest)) if c.id in found else c
            for c in batch.changes
        ]
        self.made.add(made)
        return [c.id for c in made if _again(c, found.get(c.id))]

    def differences(self, session: Session) -> tuple[str, ...]:
        """The rows that are no longer as they were written, the first of them by name."""
        notes: list[str] = []
        more = 0
        for block in blocks(self.made):
            found = self._found(session, block)
            odd = [*filter(None, (_again(c, found.get(c.id)) for c in block))]
            room = max(self.told - len(notes), 0)
            notes += odd[:room]
            more += len(odd[room:])
        return (*notes, *((f"and {more} organizations more",) if more else ()))

    def _stand(self, session: Session) -> Iterator[bool | None]:
        for block in blocks(self.made):
            found = self._found(session, block)
            now = [found[c.id].prior if c.id in found else None for c in block]
            as_before = now == [c.before for c in block]
            yield now == [c.after for c in block] or (False if as_before else None)

    def _found(self, session: Session, changes: Sequence[RowChange]) -> Mapping[UUID, Organization]:
        return listing.by_id(session, self.table, [change.id for change in changes])


def batch_of(changes: Sequence[RowChange]) -> Batch:
    """Rows that are held one by one, as one batch."""
    return Batch(array_of(change.id for change in changes), len(changes), changes)


def _again(change: RowChange, row: Organization | None) -> str:
    """What somebody made of the row just after it was written; or empty."""
    if row is None:
        return f"organization {change.id} was deleted by somebody just after the commit"
    if row.prior != change.after:
        return f"organization {change.id} was changed again just after: {row.prior.told()}"
    return ""


class _Few(HeldRows):
    """The chosen rows as they were shown, in one batch."""

    def __init__(self, bench: Bench, chosen: Sequence[Organization]) -> None:
        super().__init__(bench)
        self.chosen = chosen
        self.told = len(chosen)

    def _batches(self) -> Iterator[Batch]:
        needy = [o for o in self.chosen if o.state is not OrganizationState.ON]
        yield batch_of(
            [RowChange(o.id, o.display_name, o.prior, o.prior.turned_on()) for o in needy]
        )

    def _compared(self, session: Session, batch: Batch) -> Batch:
        found = listing.by_id(session, self.table, [o.id for o in self.chosen])
        odd = [f"{o.id}: {how}" for o in self.chosen if (how := _changed(o, found.get(o.id)))]
        if odd:
            raise _not_as_shown(self.bench, f"{len(odd)} organizations", odd[:_SHOWN])
        return batch


def _changed(shown: Organization, now: Organization | None) -> str:
    """How a row differs from what was shown; or empty."""
    if now is None:
        return "no longer there"
    if now.is_personal != shown.is_personal:
        return "is personal now" if now.is_personal else "is shared now"
    before, after = shown.prior.told(), now.prior.told()
    if before != after:
        return f"{before} was shown, now {after}"
    return "another part of its config was changed" if now.prior != shown.prior else ""


class _Many(Rows):
    """Rows by their marks; of what was left as it was there is a hash a batch."""

    def __init__(self, bench: Bench, shown: Shown, kept: Kept) -> None:
        super().__init__(bench)
        self.shown = shown
        self.kept = kept
        self.proofs: list[str] = []

    def do(self, session: Session) -> bool:
        """Change the rows; what undo needs of them is on the disk then."""
        wrote = super().do(session)
        self.kept.seal()
        return wrote

    def _batches(self) -> Iterator[Batch]:
        for marks in self.shown.batches():
            yield Batch(array(marks), len(marks) // MARK, marks=marks)

    def _compared(self, session: Session, batch: Batch) -> Batch:
        now = session.rows(self._sql("organizations_kept"), ids=batch.ids)[0]
        if now["marks"] != batch.marks:
            raise self._odd_marks(session, batch.marks, now["marks"])
        self.kept.add(now["lines"].encode() + b"\n", batch.count)
        return batch

    def _odd(self, session: Session, batch: Batch) -> Sequence[UUID]:
        proof = self._proof(session, batch)
        self.proofs.append(proof["rests"])
        if proof["number"] == proof["turned_on"] == batch.count:
            return ()
        found = listing.by_id(session, self.table, wanted := ids(batch.marks))
        on = OrganizationState.ON
        return [id for id in wanted if id not in found or found[id].state is not on]

    def differences(self, session: Session) -> tuple[str, ...]:
        """How many rows are no longer as they were written."""
        seen = [*self._looked(session)]
        notes = []
        if odd := sum(count - on for count, on, _ in seen):
            notes.append(f"{odd} organizations were changed again by somebody just after")
        if not all(same for *_, same in seen):
            notes.append("other parts of configs were changed by somebody just after")
        return tuple(notes)

    def _stand(self, session: Session) -> Iterator[bool | None]:
        for count, on, same in self._looked(session):
            yield on == count if same and on in (0, count) else None

    def _looked(self, session: Session) -> Iterator[tuple[int, int, bool]]:
        """Of each batch: how many rows, how many are on, and whether all else is as it was."""
        for batch, rests in zip(self._batches(), self.proofs, strict=True):
            proof = self._proof(session, batch)
            yield batch.count, proof["turned_on"], proof["rests"] == rests

    def _proof(self, session: Session, batch: Batch) -> Row:
        query = statement("organizations_proof", schema=self.table.schema)
        return session.rows(query, ids=batch.ids)[0]

    def _odd_marks(self, session: Session, marks: str, now: str) -> Problem:
        there = {now[at : at + MARK] for at in range(0, len(now), MARK)}
        shown = [marks[at : at + MARK] for at in range(0, len(marks), MARK)]
        odd = ids("".join(mark for mark in shown if mark not in there))
        found = listing.by_id(session, self.table, odd[:_SHOWN])
        lines = [
            f"{id}: now {'personal, ' * found[id].is_personal}{found[id].prior.told()}"
            if id in found
            else f"{id}: no longer there"
            for id in odd[:_SHOWN]
        ]
        return _not_as_shown(self.bench, f"{len(odd)} organizations or more", lines)


def enable(bench: Bench, chosen: Sequence[Organization]) -> Enabled:
    """Set the key to true where it is not, in exactly the chosen rows, as they were shown.

    Raises:
        Problem: LSA502 personal, LSA503 wrong shape, and what `Rows` and a transaction can
            raise. Nothing was changed then.
    """
    chosen = list({organization.id: organization for organization in chosen}.values())
    _refuse_unfit(chosen, bench)
    few = _Few(bench, chosen)
    done = carry_out(bench, few)
    return Enabled(few.count, *done, tuple(few.made))


def enable_shown(bench: Bench, shown: Shown, kept: Kept) -> Enabled:
    """Set the key to true in exactly the shown rows, as they were shown: all or nothing.

    `kept` gets what undo needs, and is sealed before the commit.

    Raises:
        Problem: what `Rows`, a transaction and `kept` can raise. Nothing was changed then.
    """
    return Enabled(shown.count, *carry_out(bench, _Many(bench, shown, kept)))


def _refuse_unfit(chosen: Sequence[Organization], bench: Bench) -> None:
    personal = [o for o in chosen if o.is_personal]
    if personal:
        raise Problem(
            "LSA502",
            f"personal organizations are left alone; {NOTHING}",
            on=bench.login.subject,
            next_step="leave them out of the selection",
            exit=Exit.FAILED,
            detail=tuple(f"{o.display_name} ({o.id})" for o in personal[:_SHOWN]),
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


def _check_table(session: Session, bench: Bench) -> None:
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


def _not_as_shown(bench: Bench, what: str, lines: Sequence[str]) -> Problem:
    return Problem(
        "LSA540",
        f"{what} were changed by somebody since they were shown; {NOTHING}",
        on=bench.login.subject,
        next_step="start again, and look at them as they are now",
        detail=tuple(lines),
    )


def _unexpected(bench: Bench, written: int, count: int, odd: Sequence[UUID]) -> Problem:
    return Problem(
        "LSA546",
        f"the UPDATE wrote {written} rows where {count} were expected, or other values (a "
        f"trigger, a rule or a policy may be at work); it was rolled back and {NOTHING}",
        on=bench.login.subject,
        next_step="ask the DBA what else acts on this table",
        detail=tuple(f"not as expected: organization {id}" for id in odd[:_SHOWN]),
    )
