"""Turns audit logs on for many organizations: batches within the one transaction.

Each batch is locked, compared with what was shown, kept for undo, written and proved; then all of
them are committed, and proved again on the second connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.systems.database import listing
from wizard.systems.database.change import check_table, enable_statement
from wizard.systems.database.model import EnabledMany
from wizard.systems.database.shown import MARK, Shown, array, ids
from wizard.systems.database.statement_errors import NOTHING
from wizard.systems.database.statements import statement
from wizard.systems.database.transaction import Bench, carry_out, unexpected

if TYPE_CHECKING:
    from wizard.systems.database.model import Kept, OrganizationsTable
    from wizard.systems.database.session import Session

_NAMED = 10


def enable_shown(bench: Bench, shown: Shown, kept: Kept) -> EnabledMany:
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
            at_work[:] = ids(marks[: MARK * _NAMED])
            made.proofs.append(_turn_on(session, bench, marks, kept, first=not made.proofs))
        kept.seal()
        return made

    done = carry_out(bench, at_work, work)
    return EnabledMany(shown.count, done.committed_at, enable_statement(bench.table), done.notes)


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


def _turn_on(session: Session, bench: Bench, marks: str, kept: Kept, *, first: bool) -> str:
    """One batch; the hash of what was left as it was."""
    table, words = bench.table, listing.words(bench.table)
    wanted, count = array(marks), len(marks) // MARK
    session.run(statement("organizations_lock", schema=table.schema), ids=wanted)
    if first:
        check_table(session, bench)
    query = statement("organizations_kept", words=words, schema=table.schema)
    now = session.rows(query, ids=wanted)[0]
    if now["marks"] != marks:
        raise _changed(session, bench, marks, now["marks"])
    kept.add(now["lines"].encode() + b"\n", count)
    query = statement("organizations_enable", words=words, schema=table.schema)
    written = session.run(query, ids=wanted)
    proof = session.rows(statement("organizations_proof", schema=table.schema), ids=wanted)[0]
    right = written == proof["number"] == proof["turned_on"] == count
    if not right or proof["rests"] != now["rests"]:
        raise unexpected(bench, written, count)
    rests: str = now["rests"]
    return rests


def _changed(session: Session, bench: Bench, marks: str, now: str) -> Problem:
    """Names rows that are no longer as they were shown."""
    there = {now[at : at + MARK] for at in range(0, len(now), MARK)}
    shown = [marks[at : at + MARK] for at in range(0, len(marks), MARK)]
    odd = ids("".join(mark for mark in shown if mark not in there))
    found = listing.by_id(session, bench.table, odd[:_NAMED])
    lines = [
        f"{id}: now {'personal, ' * found[id].is_personal}{found[id].prior.told()}"
        if id in found
        else f"{id}: no longer there"
        for id in odd[:_NAMED]
    ]
    return Problem(
        "LSA540",
        f"{len(odd)} organizations or more were changed by somebody since they were shown; "
        f"{NOTHING}",
        on=bench.login.subject,
        next_step="start again, and look at them as they are now",
        exit=Exit.UNKNOWN,
        detail=tuple(lines),
    )
