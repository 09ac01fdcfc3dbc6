"""Reads organizations: page by page, by id, and counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.systems.database.model import (
    Organization,
    OrganizationCounts,
    OrganizationsTable,
    OrganizationState,
)
from wizard.systems.database.statements import statement

if TYPE_CHECKING:
    from wizard.systems.database.session import Session

_ID_START = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)
SORTED = 200_000
"""Without a search, more organizations than this are listed by id: for a page by name PostgreSQL
has to look at all of them, since there is no index on the name."""
BY_ID = "in the order of their ids: too many to be sorted by name at each page"
_organization = partial(tuple.__new__, Organization)


def array_of(ids: Iterable[UUID]) -> str:
    """Ids as PostgreSQL reads an array of them: much faster than the driver's own way."""
    return "{" + ",".join([f"{id.int:032x}" for id in ids]) + "}"


def words(table: OrganizationsTable) -> dict[str, str]:
    """The template words for this table: an old schema has no `is_personal`."""
    return {"personal": "is_personal" if table.has_is_personal else "absent"}


def by_name(table: OrganizationsTable, search: str) -> bool:
    """Whether pages are ordered by name and id, or by id alone."""
    return bool(search) or table.estimated_rows <= SORTED


def page(
    session: Session,
    table: OrganizationsTable,
    *,
    search: str,
    after: tuple[str, UUID] | None,
    limit: int,
    only_off: bool,
    include_personal: bool,
) -> list[Organization]:
    """One page, ordered by name (in the database's own collation) and id; see `by_name`."""
    if not _storable(search):
        return []
    named = by_name(table, search)
    told = {**words(table), "sorted_by": "name" if named else "nothing"}
    query = statement("organizations_page", words=told, schema=table.schema)
    rows = session.tuples(
        query,
        pattern=_pattern(search),
        prefix=search.lower() + "%" if _ID_START.fullmatch(search) else "",
        by_id=not named,
        after_name=after[0] if after and named else "",
        after_id=str(after[1]) if after else "",
        with_personal=include_personal,
        only_off=only_off,
        limit=limit,
    )
    return [*map(_organization, rows)]


def by_id(
    session: Session, table: OrganizationsTable, ids: Iterable[UUID]
) -> Mapping[UUID, Organization]:
    """The organizations that have one of these ids."""
    query = statement("organizations_by_id", words=words(table), schema=table.schema)
    rows = session.tuples(query, ids=array_of(ids))
    return {found.id: found for found in map(_organization, rows)}


def in_order(found: Mapping[UUID, Organization], ids: Sequence[UUID]) -> list[Organization]:
    """The found organizations in the order in which they were asked for, each once."""
    return [found[id] for id in dict.fromkeys(ids) if id in found]


def counts(session: Session, table: OrganizationsTable) -> OrganizationCounts:
    """How many there are, by state; reads the whole table once."""
    query = statement("organizations_count", words=words(table), schema=table.schema)
    shared = dict.fromkeys(OrganizationState, 0)
    personal = 0
    for row in session.rows(query):
        if row["is_personal"]:
            personal += row["number"]
        else:
            shared[OrganizationState(row["state"])] += row["number"]
    return OrganizationCounts(shared, personal)


def _storable(search: str) -> bool:
    """Whether PostgreSQL could hold this text; what it cannot hold is in no name."""
    return "\0" not in search and not any("\ud800" <= c <= "\udfff" for c in search)


def _pattern(search: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", search)
    return f"%{escaped}%" if escaped else "%"
