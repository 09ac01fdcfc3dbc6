"""Changed rows, each before and after; see `transaction.Made`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.systems.database import listing

if TYPE_CHECKING:
    from wizard.systems.database.model import OrganizationsTable, RowChange
    from wizard.systems.database.session import Session


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
