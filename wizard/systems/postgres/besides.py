"""What a change of rows moves besides the one key: a trigger or a generated column may be at work.

The whole row is compared before and after, inside the transaction, by hashes: no content of it
leaves the server. A time that moves is only named; anything else is rolled back, until accepted.

The hashes are summed over the batch by PostgreSQL: the second connection may lead to a replica.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wizard.problems import Exit, Problem
from wizard.systems.postgres.errors import NOTHING
from wizard.systems.postgres.statements import statement

if TYPE_CHECKING:
    from wizard.systems.postgres.session import Session
    from wizard.systems.postgres.transaction import Bench


def besides(session: Session, bench: Bench, ids: str) -> Mapping[str, str]:
    """A hash for each column and each key of `config` but ours, over the rows with these ids."""
    words = {"row": "known_columns" if bench.table.unread else "whole_row"}
    query = statement("organizations_besides", words=words, schema=bench.table.schema)
    return {row["name"]: row["hash"] for row in session.rows(query, ids=ids)}


def note_moved(session: Session, bench: Bench, ids: str, before: Mapping[str, str]) -> None:
    """Compare with what was there before, and keep in the bench what moved.

    Raises:
        Problem: LSA588, more than times moved, and that is not accepted.
    """
    now = besides(session, bench, ids)
    names = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    bench.moved.update(names)
    odd = sorted(names - bench.table.times)
    if odd and not bench.accept_moved:
        raise Problem(
            "LSA588",
            f"the database itself changed more of these rows than the key: {', '.join(odd)}; it "
            f"was rolled back and {NOTHING}",
            on=bench.login.subject,
            next_step="ask the DBA what acts on this table; --accept-trigger (for apply: in a new "
            "plan) makes the change with all that comes with it, which undo does not take back",
            exit=Exit.FAILED,
            detail=tuple(f"trigger: {name}" for name in bench.table.triggers),
        )
