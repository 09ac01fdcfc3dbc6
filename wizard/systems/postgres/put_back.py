"""Puts the prior state of rows back, where they are still as they were written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from wizard.systems.postgres.change import TOLD, Batch, HeldRows, batch_of
from wizard.systems.postgres.model import ConfigShape, PutBack, RowChange
from wizard.systems.postgres.row_changes import blocks
from wizard.systems.postgres.session import Session
from wizard.systems.postgres.statements import statement
from wizard.systems.postgres.transaction import Bench, carry_out


def put_back(bench: Bench, changes: Iterable[RowChange]) -> PutBack:
    """Put the prior state of each row's key back where the row is still as it was written.

    Rows that somebody has changed since, or deleted, are left alone and named. Memory does not
    grow with the rows; more than one block of them are in the order of their ids, so that two
    runs cannot deadlock.

    Raises:
        Problem: what `Rows` and a transaction can raise. Nothing was changed then.
    """
    back = _Back(bench, changes)
    done = carry_out(bench, back)
    return PutBack(back.count, *done, back.already, tuple(back.left), back.more_left)


class _Back(HeldRows):
    """The other way round: each row before is as it was written, and after as it was before that.

    Those that are not as they were written are left, and what became of them is told.
    """

    def __init__(self, bench: Bench, changes: Iterable[RowChange]) -> None:
        super().__init__(bench)
        self.changes = changes
        self.already = 0
        self.left: list[tuple[UUID, str]] = []
        self.more_left = 0

    def _batches(self) -> Iterator[Batch]:
        for block in blocks(self.changes):
            back = {c.id: RowChange(c.id, c.display_name, c.after, c.before) for c in block}
            yield batch_of([*back.values()])

    def _compared(self, session: Session, batch: Batch) -> Batch:
        ours = []
        found = self._found(session, batch.changes)
        for change in batch.changes:
            row = found.get(change.id)
            if row is None:
                self._leave(change.id, "the organization is no longer there")
            elif row.prior == change.after:
                self.already += 1
            elif row.prior == change.before:
                ours.append(change)
            else:
                self._leave(change.id, f"it was changed since: {row.prior.told()}")
        return batch_of(ours)

    def _leave(self, id: UUID, why: str) -> None:
        if len(self.left) < TOLD:
            self.left.append((id, why))
        else:
            self.more_left += 1

    def _write(self, session: Session, batch: Batch) -> int:
        prior = [change.after for change in batch.changes]
        return session.run(
            statement("organizations_put_back", schema=self.table.schema),
            ids=batch.ids,
            nulls=[it.shape is ConfigShape.NULL for it in prior],
            values=[it.value for it in prior],
        )
