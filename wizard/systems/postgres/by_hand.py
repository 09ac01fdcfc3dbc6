"""The change of organizations as a script that a DBA can paste into any client.

It carries the guards of our own transaction. Nothing in it is a psql variable: ids and names are
quoted literals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from wizard.resources import template

MARK = re.compile(r":'(lock_limit|statement_limit|table)'|:\"(schema)\"|:(chosen|tag)\b")
ALL = """SELECT o.id FROM :"schema".organizations AS o
WHERE COALESCE((to_jsonb(o) ->> 'is_personal')::boolean, false) IS NOT TRUE"""
ONLY_OFF = "\n  AND o.config -> 'can_use_audit_logs' <> 'true'::jsonb"
LIST = 'SELECT id, display_name, config FROM :"schema".organizations ORDER BY display_name, id;'


def enable_by_hand(
    schema: str,
    ids: Sequence[UUID],
    *,
    only_off: bool = False,
    lock_limit: float,
    statement_limit: float,
) -> str:
    """The script for these organizations, or without ids for every shared one; limits in s.

    `only_off` leaves, without ids, those with a stored value other than true.
    """
    own = {"schema": _identifier(schema)}
    told = {
        **own,
        "table": _literal(f"{_identifier(schema)}.organizations"),
        "lock_limit": _literal(f"{round(lock_limit * 1000)}ms"),
        "statement_limit": _literal(f"{round(statement_limit * 1000)}ms"),
        "chosen": _values(ids) if ids else _filled(ALL + (ONLY_OFF if only_off else ""), own),
        "tag": _tag(schema),
    }
    return _filled(template("sql/organizations_by_hand.sql"), told)


def list_by_hand(schema: str) -> str:
    """The query that shows a DBA the organizations."""
    return _filled(LIST, {"schema": _identifier(schema)})


def _filled(text: str, told: dict[str, str]) -> str:
    return MARK.sub(lambda mark: told[mark[1] or mark[2] or mark[3]], text)


def _values(ids: Sequence[UUID]) -> str:
    lines = ",\n".join(f"    ('{id}'::uuid)" for id in ids)
    return "\n".join(("SELECT id FROM (VALUES", lines, ") AS chosen (id)"))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """A literal that reads the same whatever standard_conforming_strings is."""
    plain = "'" + text.replace("'", "''") + "'"
    return " E" + plain.replace("\\", "\\\\") if "\\" in text else plain


def _tag(schema: str) -> str:
    """A dollar quote that the schema's name cannot end."""
    number = 0
    while f"$audit{number}$" in schema:
        number += 1
    return f"$audit{number}$"
