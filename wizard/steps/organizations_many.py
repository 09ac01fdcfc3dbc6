"""Step 4 for more organizations than are told one by one: counted, fingerprinted, streamed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.records.changes import Done
from wizard.records.journal import IN_DOUBT
from wizard.records.rows import INLINE, RowsFile

if TYPE_CHECKING:
    from wizard.steps.base import Watch
    from wizard.systems.access import Systems
    from wizard.systems.database import Organization
    from wizard.systems.database.shown import Shown

STORED, NEEDY, WRONG = "stored", "needy", "wrong"
"""Kinds of organizations, as `Database.show` takes them."""


def new_file() -> str:
    """Where undo will find the prior states, beside the journal; a run may try more than once."""
    return f"organizations-{secrets.token_hex(3)}.ndjson"


def kind(systems: Systems, *, by_default: bool) -> str:
    """Which shared organizations --all or --only-off mean."""
    told = systems.target.selection
    return STORED if by_default or (told.only_off and not told.all) else NEEDY


def counted(systems: Systems, *, by_default: bool) -> tuple[int, int, int, int]:
    """How many shared organizations are chosen by --all or --only-off, on, needy, and unfit."""
    counts = {str(state): n for state, n in systems.database.organization_counts().shared.items()}
    on, off, default, wrong = (counts[name] for name in ("on", "off", "default", "wrong shape"))
    told = systems.target.selection
    if told.only_off and not told.all:
        return off, 0, off, 0
    return on + off + default + wrong, on, off + default * (not by_default), wrong


def first(systems: Systems, which: str, limit: int) -> list[Organization]:
    """The first organizations of a kind."""
    return held(systems, systems.database.show(which, limit=limit))


def held(systems: Systems, shown: Shown) -> list[Organization]:
    """The shown organizations, one by one."""
    from wizard.systems.database.shown import ids

    wanted = [id for marks in shown.batches() for id in ids(marks)]
    return systems.database.organizations_by_id(wanted)


def few_or_many(systems: Systems, shown: Shown) -> Sequence[Organization] | Shown:
    """The organizations themselves while they are few enough for the journal."""
    if shown.count > INLINE:
        return shown
    return sorted(held(systems, shown), key=lambda it: (it.display_name, it.id))


def apply(
    systems: Systems,
    shown: Shown,
    register: Mapping[str, Any],
    watch: Watch,
    pods: Callable[[], list[str]],
) -> Done:
    """Run the transaction; what undo needs is on disk, beside the journal, before its commit."""
    path = watch.beside(register["rows"]["file"])
    file = RowsFile(path)
    try:
        done = systems.database.enable_shown(shown, file, lock_limit=systems.target.lock_limit)
    except Problem as problem:
        if problem.id != IN_DOUBT:
            path.unlink()
        raise
    finally:
        file.close()
    at = f"committed {done.committed_at:%Y-%m-%d %H:%M:%S} UTC"
    proved = at if done.notes else f"{at}, then read back on a second connection"
    return Done(
        f"{done.count} organizations have audit logs stored as on",
        (f"their prior states: {path}", *done.notes, proved),
        {
            **register,
            "rows": file.told,
            "committed_at": done.committed_at.isoformat(),
            "pods": sorted({*register["pods"], *pods()}),
        },
    )
