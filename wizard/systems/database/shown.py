"""Many organizations as they were shown: a mark each, not an object, and on disk when many.

A mark is 32 hexadecimal digits of the id and 32 of a hash of what is stored, so that under lock
each row is compared with what was shown. Marks come from the server in one text a batch; memory
does not grow with their number.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.systems.database import listing
from wizard.systems.database.statements import statement

if TYPE_CHECKING:
    from wizard.systems.database.model import OrganizationsTable
    from wizard.systems.database.session import Session

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
    query = statement("organizations_marks", words=listing.words(table), schema=table.schema)
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
    query = statement("organizations_kept", words=listing.words(table), schema=table.schema)
    shown, left = Shown(), iter(wanted)
    while part := list(islice(left, BATCH)):
        shown.add(session.rows(query, ids=listing.array_of(part))[0]["marks"])
    return shown
