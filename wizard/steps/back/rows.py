"""The organizations: the prior state of each row's key, where the row is as the run wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wizard.records.changes import Change, Done, Exact, Reversible
from wizard.records.findings import Finding
from wizard.records.journal import runs
from wizard.records.rows import INLINE, changes
from wizard.records.run_choice import the_run
from wizard.records.run_states import Made, Outcome
from wizard.records.run_states import made as made_by
from wizard.steps.back.told import cannot, not_ours, nothing
from wizard.systems.database import ConfigShape, RowChange

if TYPE_CHECKING:
    from uuid import UUID

    from wizard.systems.access import Systems
    from wizard.systems.database import Organization, PriorState

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
    wanted = _merged(made)
    database = systems.database
    there = {row.id: row for row in database.organizations_by_id(list(wanted))}
    ours = [
        _on_top(each, there[id])
        for id, each in wanted.items()
        if id in there and _same_key(there[id].prior, each.after)
    ]
    odd = [each for id, each in wanted.items() if not _known(there.get(id), each)]
    if not ours and odd:
        return not_ours(subject, "they were changed since", *_lines(odd, there))
    if not ours:
        return nothing(subject, "the rows have the key's state from before the run")
    database.find_organizations(writing=True)
    return _change(systems, ours, odd, made[-1].folder.name)


def undo(systems: Systems, change: Change) -> Done:
    """Run the transaction, and read the rows back on a second connection."""
    ours: list[RowChange] = change.payload
    database, lock_limit = systems.database, systems.target.lock_limit
    if _turned_on(ours):
        back = database.put_back(ours, lock_limit=lock_limit)
        count, at, notes = len(back.restored), back.committed_at, back.notes
        notes += tuple(f"left as it is: organization {id}, {why}" for id, why in back.left)
    else:  # this run puts back what another undo did
        there = {row.id: row for row in database.organizations_by_id([it.id for it in ours])}
        done = database.enable([there[it.id] for it in ours], lock_limit=lock_limit)
        count, at, notes = len(done.changes), done.committed_at, done.notes
    told = "organization has" if count == 1 else "organizations have"
    return Done(
        f"{count} {told} the state from before the run",
        (*notes, f"committed {at:%Y-%m-%d %H:%M:%S} UTC"),
        {
            **change.register,
            "committed_at": at.isoformat(),
            "pods": sorted({*change.register["pods"], *_pods(systems)}),
        },
    )


def _turned_on(ours: Sequence[RowChange]) -> bool:
    return all(each.after.value == "true" for each in ours)


def _merged(made: Sequence[Made]) -> dict[UUID, RowChange]:
    """Each row's state before all of these changes, and after the last."""
    found: dict[UUID, RowChange] = {}
    for each in made:
        if each.outcome is Outcome.FAILED:  # the transaction was rolled back
            continue
        for change in _row_changes(each):
            earlier = found.get(change.id)
            if earlier and earlier.after == change.before:
                found[change.id] = replace(change, before=earlier.before)
            else:
                found[change.id] = change
    return found


def _row_changes(made: Made) -> Iterator[RowChange]:
    if "reverses" in made.register:  # too many rows to tell twice
        run = the_run(made.register["reverses"], runs())
        for each in _merged([it for it in made_by(run) if it.step == STEP]).values():
            yield RowChange(each.id, each.display_name, each.after, each.before)
        return
    for data in changes(made.folder, made.undo):
        yield RowChange.from_json(data)


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


def _lines(odd: Sequence[RowChange], there: dict[UUID, Organization]) -> tuple[str, ...]:
    lines = []
    for each in odd[:SHOWN]:
        row = there.get(each.id)
        lines.append(f"{each.id}: {row.prior.told() if row else 'no longer there'}")
    more = len(odd) - SHOWN
    return (*lines, *((f"and {more} more",) if more > 0 else ()))


def _change(
    systems: Systems, ours: Sequence[RowChange], odd: Sequence[RowChange], run: str
) -> Change:
    count = f"{len(ours)} row{'s' if len(ours) != 1 else ''}"
    back = [RowChange(it.id, it.display_name, it.after, it.before) for it in ours]
    told: dict[str, Any] = {"changes": [each.as_json() for each in back]}
    if len(ours) > INLINE:
        told = {"reverses": run}
    database = systems.database
    turned_on = _turned_on(ours)
    statement = database.put_back_statement() if turned_on else database.enable_statement()
    skipped = (f"{len(odd)} more were changed since, and are left alone",) if odd else ()
    return Change(
        step=STEP,
        items=(f"UPDATE organizations: the key's state from before the run in {count}", *skipped),
        details=tuple(map(_told, ours[:SHOWN])),
        exact=(Exact("sql", statement, tuple(str(it.id) for it in ours)),),
        preconditions={"rows": f"{count}, each as the run wrote it"},
        effect=f"{count} of organizations, in one transaction; the running backend pods keep "
        "what they knew until they are replaced",
        reversible=Reversible.YES,
        because="what is there now is in this run's journal",
        undo="langsmith-audit undo of this run",
        register={**told, "pods": _pods(systems)},
        payload=list(ours),
    )


def _told(change: RowChange) -> str:
    return f"{change.display_name} ({change.id}): {change.after.told()} → {change.before.told()}"


def _pods(systems: Systems) -> list[str]:
    """Uids of the backend pods that are there now: they know the config before this."""
    return [pod.uid for pod in systems.workload.pods()]
