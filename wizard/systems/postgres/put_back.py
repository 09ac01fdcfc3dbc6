"""Puts the prior state of rows back: block by block, within the one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from wizard.systems.postgres import organizations
from wizard.systems.postgres.change import Rows, check_table, lock, written_as
from wizard.systems.postgres.model import ConfigShape, OrganizationsTable, PutBack, RowChange
from wizard.systems.postgres.row_changes import RowChanges, blocks
from wizard.systems.postgres.session import Session
from wizard.systems.postgres.statements import readable, statement
from wizard.systems.postgres.transaction import Bench, carry_out

_TOLD = 20


def put_back_statement(table: OrganizationsTable) -> str:
    """The UPDATE that puts prior states back, as a person reads it."""
    return readable("organizations_put_back", schema=table.schema)


def put_back(bench: Bench, changes: Iterable[RowChange]) -> PutBack:
    """Put the prior state of each row's key back where the row is still as it was written.

    Rows that somebody has changed since, or deleted, are left alone and named. Memory does not
    grow with the rows; more than one block of them are in the order of their ids, so that two
    runs cannot deadlock.

    Raises:
        Problem: what a transaction can raise. Nothing was changed then.
    """
    at_work: list[UUID] = []
    sorted_out = _SortedOut()

    def work(session: Session) -> Blocks:
        made = Blocks(bench.table)
        for number, block in enumerate(blocks(changes)):
            at_work[:] = [change.id for change in block]
            lock(session, bench, at_work)
            if not number:
                check_table(session, bench)
            ours = sorted_out.ours(session, bench.table, block)
            made.changes.add(_restore(session, bench, ours))
        return made

    done = carry_out(bench, at_work, work)
    return PutBack(
        restored=done.made.changes.count,
        already=sorted_out.already,
        left=tuple(sorted_out.left),
        more_left=sorted_out.more_left,
        committed_at=done.committed_at,
        statement=put_back_statement(bench.table),
        notes=done.notes,
        moved=tuple(sorted(bench.moved)),
    )


class Blocks:
    """What was written, read back block by block; see `transaction.Made`."""

    def __init__(self, table: OrganizationsTable) -> None:
        self._table = table
        self.changes = RowChanges()

    def __bool__(self) -> bool:
        return bool(self.changes.count)

    def differences(self, session: Session) -> tuple[str, ...]:
        """Where the rows are no longer as they were written; the first ones by name."""
        notes: list[str] = []
        more = 0
        for rows in self._rows():
            found = rows.differences(session)
            room = max(_TOLD - len(notes), 0)
            notes += found[:room]
            more += len(found[room:])
        return (*notes, *((f"and {more} organizations more",) if more else ()))

    def stands(self, session: Session) -> bool | None:
        """Whether all rows are as they were written; False when all are as before."""
        seen = {rows.stands(session) for rows in self._rows()}
        return seen.pop() if len(seen) == 1 else None

    def _rows(self) -> Iterator[Rows]:
        for block in blocks(self.changes):
            yield Rows(self._table, tuple(block))


class _SortedOut:
    """Which rows are still as they were written, and what became of the others."""

    def __init__(self) -> None:
        self.already = 0
        self.left: list[tuple[UUID, str]] = []
        self.more_left = 0

    def ours(
        self, session: Session, table: OrganizationsTable, block: Sequence[RowChange]
    ) -> list[RowChange]:
        """Those of the rows that are to be put back."""
        ours = []
        wanted = {change.id: change for change in block}
        found = organizations.by_id(session, table, wanted)
        for id, change in wanted.items():
            row = found.get(id)
            if row is None:
                self._leave(id, "the organization is no longer there")
            elif row.prior == change.before:
                self.already += 1
            elif row.prior == change.after:
                ours.append(change)
            else:
                self._leave(id, f"it was changed since: {row.prior.told()}")
        return ours

    def _leave(self, id: UUID, why: str) -> None:
        if len(self.left) < _TOLD:
            self.left.append((id, why))
        else:
            self.more_left += 1


def _restore(session: Session, bench: Bench, ours: Sequence[RowChange]) -> tuple[RowChange, ...]:
    if not ours:
        return ()
    changes = [RowChange(c.id, c.display_name, c.after, c.before) for c in ours]

    def write() -> int:
        return session.run(
            statement("organizations_put_back", schema=bench.table.schema),
            ids=organizations.array_of(change.id for change in ours),
            nulls=[change.before.shape is ConfigShape.NULL for change in ours],
            values=[change.before.value for change in ours],
        )

    return written_as(session, bench, changes, write)
