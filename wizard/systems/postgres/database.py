"""The database of a LangSmith, as the steps use it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Unpack
from uuid import UUID

from wizard.problems import Problem
from wizard.systems.postgres import audit_log, organizations, tables
from wizard.systems.postgres.audit_event import Entries
from wizard.systems.postgres.audit_log import Asked
from wizard.systems.postgres.audit_state import AuditState, read_state
from wizard.systems.postgres.errors import ConnectionLost
from wizard.systems.postgres.model import (
    AuditTable,
    Enabled,
    Identity,
    Kept,
    Limits,
    Login,
    Organization,
    OrganizationCounts,
    OrganizationsTable,
    PutBack,
    RowChange,
)
from wizard.systems.postgres.opening import open_session
from wizard.systems.postgres.organizations import Shown, show, show_these
from wizard.systems.postgres.session import Session, server_number
from wizard.systems.postgres.statements import readable, statement
from wizard.systems.postgres.tables import find_audit_logs

if TYPE_CHECKING:
    from wizard.systems.postgres.transaction import Bench

CONNECT_LIMIT = 10
IDLE = 5.0
"""Seconds after which a connection is tried before it is used: a firewall may have forgotten it."""


class Database:
    """One open database; use it as a context manager. Limits are in seconds."""

    def __init__(self, session: Session, login: Login, connect_limit: int) -> None:
        self._session = session
        self._login = login
        self._connect_limit = connect_limit
        self._used = time.monotonic()

    @classmethod
    def open(cls, login: Login, *, connect_limit: int = CONNECT_LIMIT) -> Database:
        """Log in.

        Raises:
            Problem: LSA522 to LSA530: unreachable, no answer within the limit, wrong password, no
                such database, TLS, not let in, no connection left, not understood, too old.
        """
        session = open_session(login, connect_limit)
        return cls(session, session.login, connect_limit)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    @property
    def login(self) -> Login:
        """The login that this database was opened with."""
        return self._session.login

    def identity(self) -> Identity:
        """Which server and database this is, asked once."""
        return self._identity

    def find_organizations(self, *, writing: bool = False) -> OrganizationsTable:
        """The organizations table by the catalogue, checked for reading.

        With `writing` also that it may be changed here; `enable` checks that by itself.

        Raises:
            Problem: LSA531 to LSA538, see `tables.find_organizations`.
        """
        with self._live.reading() as session:
            return tables.find_organizations(session, writing=writing)

    @property
    def table(self) -> OrganizationsTable:
        """LangSmith's table of organizations, read once.

        Raises:
            Problem: as `find_organizations`.
        """
        return self._table

    def organizations(
        self,
        *,
        search: str = "",
        after: tuple[str, UUID] | None = None,
        limit: int = 50,
        only_off: bool = False,
        include_personal: bool = True,
    ) -> list[Organization]:
        """One page, by name and id, or as `order` says; `after` is the last one's name and id.

        `search` finds a part of the name in any case, or the beginning of the id. `only_off`
        leaves those with a stored value other than true.
        """
        table = self._table
        with self._live.reading() as session:
            return organizations.page(
                session,
                table,
                search=search,
                after=after,
                limit=limit,
                only_off=only_off,
                include_personal=include_personal,
            )

    def order(self, search: str = "") -> str:
        """How pages are ordered, in words, where that is not by name and id."""
        return "" if organizations.by_name(self._table, search) else organizations.BY_ID

    def organization_counts(self) -> OrganizationCounts:
        """How many organizations there are: shared ones by state, personal ones apart."""
        table = self._table
        with self._live.reading() as session:
            return organizations.counts(session, table)

    def organizations_by_id(self, ids: Sequence[UUID]) -> list[Organization]:
        """Those of the organizations that exist, in the order of the ids."""
        table = self._table
        with self._live.reading() as session:
            return organizations.in_order(organizations.by_id(session, table, ids), ids)

    def enable_statement(self) -> str:
        """The SQL that `enable` runs, `:'ids'` standing for the chosen ids (psql's notation)."""
        table = self._table
        words = organizations.words(table)
        return readable("organizations_enable", words=words, schema=table.schema)

    def enable(
        self,
        chosen: Sequence[Organization],
        **limits: Unpack[Limits],
    ) -> Enabled:
        """Turn audit logs on for exactly these organizations, as they were shown: all or nothing.

        Raises:
            Problem: nothing was changed, and the message says so; only with LSA547 (exit 9) it
                could not be told.
        """
        from wizard.systems.postgres import change

        return change.enable(self._bench(limits), chosen)

    def show(self, which: str, *, limit: int | None = None) -> Shown:
        """Shared organizations of a kind, or the first of them in the order of their ids.

        `needy`: fit, and not on; `stored`: of these, those with a stored value; `wrong`: their
        config is no JSON object.
        """
        table = self._table
        with self._live.reading() as session:
            return show(session, table, which, limit)

    def show_these(self, ids: Iterable[UUID]) -> Shown:
        """The organizations with these ids, as they are shown; the ids in their order."""
        table = self._table
        with self._live.reading() as session:
            return show_these(session, table, ids)

    def enable_shown(
        self,
        shown: Shown,
        kept: Kept,
        **limits: Unpack[Limits],
    ) -> Enabled:
        """`enable` for any number: batches in one transaction, in memory that does not grow.

        Raises:
            Problem: as `enable`; what `kept` raises ends the transaction as well.
        """
        from wizard.systems.postgres import change

        return change.enable_shown(self._bench(limits), shown, kept)

    def put_back(
        self,
        changes: Iterable[RowChange],
        **limits: Unpack[Limits],
    ) -> PutBack:
        """Undo `enable`: the key's prior state, where the row is still what was written.

        Thousands of rows are in the order of their ids; memory does not grow with them.

        Raises:
            Problem: as `enable`.
        """
        from wizard.systems.postgres import put_back

        return put_back.put_back(self._bench(limits), changes)

    def put_back_statement(self) -> str:
        """The SQL that `put_back` runs, values as `:'name'` (psql's notation)."""
        return readable("organizations_put_back", schema=self._table.schema)

    def audit_logs_table(self) -> AuditTable | None:
        """The audit_logs table beside the organizations, or None when there is none."""
        return find_audit_logs(self._live, self._login.schema)

    def audit_state(self, table: AuditTable, organization: UUID | None) -> AuditState:
        """The state of the audit_logs table, and the entries of one organization or of all.

        Raises:
            Problem: its catalogue cannot be read.
        """
        return read_state(self._live, table, organization)

    def audit_log(
        self, asked: Asked, after: tuple[datetime, str] | None = None, *, limit: int = 100
    ) -> Entries:
        """Entries of audit_logs as OCSF events, after the place of the last one that was read.

        Raises:
            Problem: LSA792, LSA794, LSA795, see `audit_log.check_table`; the server refuses it.
        """
        parts = self._audit_log(asked, after, limit)
        return Entries([line for part in parts for line in part.lines])

    def whole_audit_log(self, asked: Asked) -> Iterator[Entries]:
        """All of it in memory that does not grow, some entries at a time as they come.

        Where the connection is lost on the way, or whoever takes them takes longer than a
        statement may, it goes on from the last one.

        Raises:
            Problem: as `audit_log`.
        """
        after: tuple[datetime, str] | None = None
        while True:
            before = after
            try:
                for entries in self._audit_log(asked, after):
                    after = entries.last
                    yield entries
            except Problem:
                if after == before:
                    raise
            else:
                if after == before:
                    return

    def _audit_log(
        self, asked: Asked, after: tuple[datetime, str] | None, limit: int = 0
    ) -> Iterator[Entries]:
        schema = self._audit_table.schema
        with self._live.reading(audit_log.SECONDS) as session:
            yield from audit_log.page(session, schema, asked, after, limit or session.many)

    @cached_property
    def _audit_table(self) -> AuditTable:
        return audit_log.check_table(self.audit_logs_table(), self._login)

    @property
    def _live(self) -> Session:
        """The connection; a new one when the last was lost, also while nobody used it."""
        now = time.monotonic()
        idle, self._used = now - self._used, now
        if self._session.lost or (idle > IDLE and not self._answers()):
            self._session.close()
            self._session = open_session(self._login, self._connect_limit)
        return self._session

    def _answers(self) -> bool:
        """Whether the server still answers on this connection."""
        try:
            with self._session.reading(self._connect_limit) as session:
                session.rows(statement("server_time"))
        except ConnectionLost:
            return False
        return True

    @cached_property
    def _table(self) -> OrganizationsTable:
        _ = self._identity  # of the server that all is read from
        return self.find_organizations()

    @cached_property
    def _identity(self) -> Identity:
        with self._live.reading() as session:
            row = session.rows(statement("identity"))[0]
            number = server_number(session, row)
        return Identity(row["server_version"], number, row["database"], row["user"])

    def _bench(self, limits: Limits) -> Bench:
        from wizard.systems.postgres.transaction import Bench

        way = self._live, self._login, self._connect_limit, self._table
        return Bench(*way, server=self._identity.system_identifier, **limits)
