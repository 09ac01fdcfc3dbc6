"""Reads organizations: page by page, by id, counted, and many as they were shown.

Of many there is a mark each, not an object, and on disk when many. A mark is 32 hexadecimal digits
of the id and 32 of a hash of what is stored, so that under lock each row is compared with what was
shown. Marks come from the server in one text a batch; memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.systems.postgres.model import (
    Organization,
    OrganizationCounts,
    OrganizationsTable,
    OrganizationState,
)
from wizard.systems.postgres.statements import statement

if TYPE_CHECKING:
    from wizard.systems.postgres.session import Session


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
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in search):
        return []  # PostgreSQL cannot hold it, so it is in no name
    named = by_name(table, search)
    told = {**words(table), "sorted_by": "name" if named else "nothing"}
    query = statement("organizations_page", words=told, schema=table.schema)
    escaped = re.sub(r"([\\%_])", r"\\\1", search)
    rows = session.tuples(
        query,
        pattern=f"%{escaped}%" if escaped else "%",
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


BATCH = 10_000
"""Rows that are locked, kept, written and proved together, within the one transaction."""
IN_MEMORY = 1 << 20
"""Bytes of marks above which they are in a temporary file without a name."""
MARK, ID = 64, 32


class Shown:
    """Marks in the order of their ids.

    Attributes:
        count: how many organizations.
        fingerprint: SHA-256 of all marks.
    """

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()
        import tempfile

        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all marks, in hexadecimal."""
        return self._hash.hexdigest()

    def add(self, marks: str) -> None:
        """Add marks that follow those that are there."""
        data = marks.encode("ascii")
        self.count += len(data) // MARK
        self._hash.update(data)
        self._file.write(data)

    def batches(self) -> Iterator[str]:
        """The marks, batch by batch."""
        at = 0
        while True:
            self._file.seek(at)
            data = self._file.read(BATCH * MARK)
            if not data:
                return
            yield data.decode("ascii")
            at += len(data)

    def close(self) -> None:
        """Drop the marks."""
        self._file.close()


def array(marks: str) -> str:
    """The ids of the marks as PostgreSQL reads an array of them."""
    return "{" + ",".join([marks[at : at + ID] for at in range(0, len(marks), MARK)]) + "}"


def ids(marks: str) -> list[UUID]:
    """The ids of the marks."""
    return [UUID(hex=marks[at : at + ID]) for at in range(0, len(marks), MARK)]


def show(session: Session, table: OrganizationsTable, which: str, limit: int | None) -> Shown:
    """The marks of every organization of a kind (`needy`, `stored`, `wrong`), or of the first."""
    query = statement("organizations_marks", words=words(table), schema=table.schema)
    shown, after = Shown(), ""
    size = min(BATCH, limit or BATCH)
    while True:
        marks: str = session.rows(query, which=which, after=after, limit=size)[0]["marks"]
        shown.add(marks)
        if len(marks) < size * MARK or limit:
            return shown
        after = str(UUID(hex=marks[-MARK : ID - MARK]))


def show_these(session: Session, table: OrganizationsTable, wanted: Iterable[UUID]) -> Shown:
    """The marks of the organizations with these ids, which are in order; others are left out."""
    query = statement("organizations_kept", words=words(table), schema=table.schema)
    shown, left = Shown(), iter(wanted)
    while part := list(islice(left, BATCH)):
        shown.add(session.rows(query, ids=array_of(part))[0]["marks"])
    return shown
