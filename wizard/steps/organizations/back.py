"""The organizations: the prior state of each row's key, where the row is as the run wrote it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.record import replace
from wizard.records.changes import Change, Done, Exact, FactKind, Reversible, facts
from wizard.records.findings import Finding
from wizard.records.journal import runs
from wizard.records.rows import INLINE, changes
from wizard.records.runs import Made, Outcome, the_run
from wizard.records.runs import made as made_by
from wizard.steps.organizations.rows import MOVED, limits, moved_too, pods
from wizard.steps.step import cannot, not_ours, nothing
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.model import ConfigShape, Organization, PriorState, RowChange
from wizard.systems.postgres.row_changes import RowChanges, blocks

if TYPE_CHECKING:
    from uuid import UUID

    from wizard.systems.access import Systems

STEP = "organizations"
SHOWN = 20


def way_back(systems: Systems, made: Sequence[Made]) -> Change | Finding:
    """The key's prior state in exactly the rows that are still as the run wrote them."""
    subject = "the organizations"
    if any(each.register.get("by_hand") for each in made):
        return cannot(
            subject,
            "their SQL was handed to a DBA, and this tool does not know the prior states",
            next_step="let the DBA set the key back in these rows",
        )
    found = _compared(systems.database, _merged(made))
    if not found.ours.count and found.odd:
        return not_ours(subject, "they were changed since", *found.lines())
    if not found.ours.count:
        return nothing(subject, "the rows have the key's state from before the run")
    systems.database.find_organizations(writing=True)
    told = [each.undo.get(MOVED) for each in made]
    moved = {str(name) for names in told if isinstance(names, list) for name in names}
    return _change(systems, found, made[-1].folder.name, moved)


def undo(systems: Systems, change: Change) -> Done:
    """Run the transaction, and read the rows back on a second connection."""
    found: _Compared = change.payload
    database = systems.database
    if found.turned_on:
        back = database.put_back(found.ours, **limits(systems))
        count, at, notes, moved = back.restored, back.committed_at, back.notes, back.moved
        notes += tuple(f"left as it is: organization {id}, {why}" for id, why in back.left)
        notes += (f"left as they are: {back.more_left} more",) if back.more_left else ()
    else:  # this run puts back what another undo did
        shown = database.show_these(each.id for each in found.ours)
        done = database.enable_shown(shown, _NotKept(), **limits(systems))
        count, at, notes, moved = done.count, done.committed_at, done.notes, done.moved
    told = "organization has" if count == 1 else "organizations have"
    return Done(
        f"{count} {told} the state from before the run",
        (*moved_too(moved), *notes, f"committed {at:%Y-%m-%d %H:%M:%S} UTC"),
        {
            **change.register,
            "committed_at": at.isoformat(),
            "pods": sorted({*change.register["pods"], *pods(systems, afresh=True)}),
            MOVED: list(moved),
        },
        _stays(sorted({*moved, *change.register[MOVED]})),
    )


def _stays(names: Sequence[str]) -> str:
    """What is not as it was before, since the database itself changes it."""
    if not names:
        return ""
    return f"{', '.join(names)} of the organizations, which the database itself changes"


class _NotKept:
    """The prior states are in the journal of the run that is gone back to."""

    def add(self, lines: bytes, count: int) -> None:
        """Keep nothing."""

    def seal(self) -> None:
        """There is nothing to seal."""


class _Compared:
    """The rows that are as the run wrote them, and those that somebody changed since.

    Attributes:
        ours: the former, in the order of their ids.
        turned_on: the run turned all of them on, which is what an undo of an undo has not done.
        odd: how many of the latter; the first of them by name.
    """

    def __init__(self) -> None:
        self.ours = RowChanges()
        self.turned_on = True
        self.odd = 0
        self.named: list[str] = []

    def add(self, wanted: Sequence[RowChange], there: Mapping[UUID, Organization]) -> None:
        """Sort these rows by what is there now."""
        ours = [
            _on_top(each, there[each.id])
            for each in wanted
            if each.id in there and _same_key(there[each.id].prior, each.after)
        ]
        self.turned_on &= all(each.after.value == "true" for each in ours)
        self.ours.add(ours)
        for each in wanted:
            row = there.get(each.id)
            if _known(row, each):
                continue
            self.odd += 1
            if len(self.named) < SHOWN:
                self.named.append(f"{each.id}: {row.prior.told() if row else 'no longer there'}")

    def lines(self) -> tuple[str, ...]:
        """What is there instead, for a person."""
        more = self.odd - len(self.named)
        return (*self.named, *((f"and {more} more",) if more else ()))


def _compared(database: Database, wanted: Iterable[RowChange]) -> _Compared:
    found = _Compared()
    for block in blocks(wanted):
        there = database.organizations_by_id([each.id for each in block])
        found.add(block, {row.id: row for row in there})
    return found


def _merged(made: Sequence[Made]) -> Iterator[RowChange]:
    """Each row's state before all of these changes, and after the last; in the ids' order."""
    made = [each for each in made if each.outcome is not Outcome.FAILED]  # that was rolled back
    by_id = attrgetter("id")
    streams = [_row_changes(each) for each in made]
    for _, of_one in groupby(heapq.merge(*streams, key=by_id), key=by_id):
        yield reduce(_followed, of_one)


def _followed(one: RowChange, then: RowChange) -> RowChange:
    """Two changes of a row as one; the latter alone when somebody else wrote in between."""
    return replace(then, before=one.before) if one.after == then.before else then


def _row_changes(made: Made) -> Iterator[RowChange]:
    """The rows of one change in the order of their ids, as a file has them."""
    if "reverses" in made.register:  # too many rows to tell twice
        run = the_run(made.register["reverses"], runs())
        for each in _merged([it for it in made_by(run) if it.step == STEP]):
            yield RowChange(each.id, each.display_name, each.after, each.before)
        return
    in_file = isinstance(made.undo.get("rows"), Mapping)
    yield from _told_rows(made) if in_file else sorted(_told_rows(made), key=attrgetter("id"))


def _told_rows(made: Made) -> Iterator[RowChange]:
    try:
        yield from map(RowChange.from_json, changes(made.folder, made.undo))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Problem(
            "LSA548",
            f"The rows' prior states cannot be read: one is no row ({type(error).__name__})",
            on=str(made.folder),
            next_step="look at the organizations as they are: langsmith-audit orgs",
        ) from None


def _same_key(one: PriorState, other: PriorState) -> bool:
    """Whether the key is stored alike; what else is in the config does not count."""
    fit = {ConfigShape.NULL, ConfigShape.OBJECT}
    alike = (one.present, one.value) == (other.present, other.value)
    return alike and {one.shape, other.shape} <= fit


def _known(row: Organization | None, change: RowChange) -> bool:
    return row is not None and any(
        _same_key(row.prior, each) for each in (change.before, change.after)
    )


def _on_top(change: RowChange, row: Organization) -> RowChange:
    """The same change of the key in the config as it is now, whatever else was put into it."""
    before = replace(change.before, rest=row.prior.rest)
    if before.shape is ConfigShape.NULL and change.before.rest != row.prior.rest:
        before = replace(before, shape=ConfigShape.OBJECT)
    return RowChange(change.id, row.display_name, before, row.prior)


def _change(systems: Systems, found: _Compared, run: str, moved: Iterable[str]) -> Change:
    ours = found.ours
    count = f"{ours.count} row{'s' if ours.count != 1 else ''}"
    told: dict[str, Any] = {"reverses": run}
    ids: tuple[str, ...] = ()
    if ours.count <= INLINE:
        back = [RowChange(it.id, it.display_name, it.after, it.before) for it in ours]
        told, ids = {"changes": [it.as_json() for it in back]}, tuple(str(it.id) for it in back)
    database = systems.database
    statement = database.put_back_statement() if found.turned_on else database.enable_statement()
    skipped = (f"{found.odd} more were changed since, and are left alone",) if found.odd else ()
    return Change(
        step=STEP,
        items=(f"UPDATE organizations: the key's state from before the run in {count}", *skipped),
        details=tuple(map(_told, islice(ours, SHOWN))),
        exact=(Exact("sql", statement, ids),),
        preconditions=facts(FactKind.ROWS, {"rows": f"{count}, each as the run wrote it"}),
        effect=f"{count} of organizations, in one transaction; the running backend pods keep "
        "what they knew until they are replaced",
        reversible=Reversible.YES,
        because="what is there now is in this run's journal",
        undo="langsmith-audit undo of this run",
        register={**told, "pods": pods(systems), MOVED: sorted(moved)},
        payload=found,
    )


def _told(change: RowChange) -> str:
    return f"{change.display_name} ({change.id}): {change.after.told()} → {change.before.told()}"
