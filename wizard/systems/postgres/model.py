"""What the database system takes and gives: plain values, no connection, no driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypedDict
from uuid import UUID

from wizard.record import dataclass, field


class Wire(Protocol):
    """A program that runs elsewhere, by its streams. An OSError says that it cannot be reached.

    Attributes:
        code: the exit code once it has ended; None when its end was not seen.
    """

    code: int | None

    def send(self, data: bytes) -> None:
        """Bytes for its standard input."""

    def receive(self, limit: float) -> tuple[int, bytes] | None:
        """What it wrote next, and on which stream (1 or 2); None after its end.

        Raises:
            TimeoutError: nothing came within `limit` seconds.
        """

    def close(self) -> None:
        """Let go of it; it ends when its input does."""


@dataclass(frozen=True)
class Login:
    """How to reach one PostgreSQL database.

    Attributes:
        host: name or address; a folder for a Unix socket. Empty fields are left to libpq or psql.
        options: further libpq parameters (`sslmode`, `sslrootcert`, …), never `options`.
        schema: the schema that LangSmith uses (POSTGRES_SCHEMA), or None when nobody said.
        via: the way in, in words ("port-forward to pod langsmith-postgres-0", "direct").
        why: why this way was taken, in words.
        psql: starts a psql that is logged in elsewhere, in place of a connection of our own.
        by_variables: whether libpq's own variables (`PGHOST`, …) say the rest; else none counts.
        forwarded: whether the host is this process's own end of a port-forward, which tells nobody
            anything.
        reading: how the stored password is read (`StoredUrl.reading`); empty for another one.
        otherwise: the same login with the other reading, where there are two.
    """

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    dbname: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    schema: str | None = None
    via: str = "direct"
    why: str = field(default="", compare=False)
    psql: Callable[[], Wire] | None = field(default=None, repr=False, compare=False)
    by_variables: bool = False
    forwarded: bool = False
    reading: str = field(default="", compare=False)
    otherwise: Login | None = field(default=None, repr=False, compare=False)

    @property
    def subject(self) -> str:
        """The database in words, for messages; no secret in it."""
        if self.dbname and (self.forwarded or not self.host):
            return f"database {self.dbname} as {self.user} ({self.via})"
        if not self.host:
            return f"database ({self.via})"
        place = self.host if self.host.startswith("/") else f"{self.host}:{self.port}"
        return f"database {self.dbname} on {place} as {self.user} ({self.via})"

    @property
    def evidence(self) -> str:
        """The way in with its reason, for findings."""
        return f"way in: {self.via}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True)
class Identity:
    """Which server and database this is.

    Attributes:
        server_version: as the server says it ("14.7").
        system_identifier: the cluster's own number; None without the right to read it.
    """

    server_version: str
    system_identifier: str | None
    database: str
    user: str


class ConfigShape(StrEnum):
    """What kind of value a `config` column holds."""

    NULL = "sql null"
    OBJECT = "object"
    ARRAY = "array"
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON_NULL = "null"


class OrganizationState(StrEnum):
    """What an organization's stored config says about audit logs."""

    ON = "on"
    OFF = "off"
    DEFAULT = "default"
    WRONG = "wrong shape"


@dataclass(frozen=True)
class PriorState:
    """The part of a `config` that matters here; never the config itself.

    Attributes:
        shape: the kind of the whole value.
        present: whether an object has the key `can_use_audit_logs`.
        value: the JSON text under that key (`false`, `"true"`, `null`), None when absent.
        rest: SHA-256 (hex) of everything else in the config, as PostgreSQL writes jsonb.
            For SQL NULL it is the hash of `{}`.
    """

    shape: ConfigShape
    present: bool
    value: str | None
    rest: str

    @property
    def state(self) -> OrganizationState:
        """The state that this config amounts to."""
        if self.shape not in (ConfigShape.NULL, ConfigShape.OBJECT):
            return OrganizationState.WRONG
        if not self.present:
            return OrganizationState.DEFAULT
        return OrganizationState.ON if self.value == "true" else OrganizationState.OFF

    def turned_on(self) -> PriorState:
        """The same config with the key set to true."""
        return PriorState(ConfigShape.OBJECT, present=True, value="true", rest=self.rest)

    def told(self) -> str:
        """The state in words, for a person."""
        if self.shape is ConfigShape.NULL:
            return "config is NULL"
        if self.shape is not ConfigShape.OBJECT:
            kind = "JSON null" if self.shape is ConfigShape.JSON_NULL else f"a JSON {self.shape}"
            return f"config is {kind}, not an object"
        if not self.present:
            return "can_use_audit_logs is not stored"
        return f"can_use_audit_logs is {self.value}"

    def as_json(self) -> dict[str, Any]:
        """The state as plans and journals hold it."""
        return {
            "shape": self.shape.value,
            "present": self.present,
            "value": self.value,
            "rest": self.rest,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PriorState:
        """The state that `as_json` wrote; KeyError or ValueError when it is not one."""
        return cls(ConfigShape(data["shape"]), data["present"], data["value"], data["rest"])


class Organization(NamedTuple):
    """One row of `organizations`, as the server gave it; the name is raw, as stored.

    A tuple, whose parts become objects when they are asked for: there may be a million of them.

    Attributes:
        key: the id as PostgreSQL writes it.
        shape, present, value, rest: see `PriorState`.
    """

    key: str
    display_name: str
    is_personal: bool
    shape: str
    present: bool
    value: str | None
    rest: str

    @property
    def id(self) -> UUID:
        """The id."""
        return UUID(self.key)

    @property
    def prior(self) -> PriorState:
        """The part of its config that matters here."""
        return PriorState(ConfigShape(self.shape), self.present, self.value, self.rest)

    @property
    def state(self) -> OrganizationState:
        """Whether audit logs are on, off, left to the default, or the config is broken."""
        return self.prior.state


@dataclass(frozen=True)
class OrganizationCounts:
    """How many organizations there are: shared ones by state, personal ones apart."""

    shared: Mapping[OrganizationState, int]
    personal: int


@dataclass(frozen=True)
class RowChange:
    """One row before and after a change."""

    id: UUID
    display_name: str
    before: PriorState
    after: PriorState

    def as_json(self) -> dict[str, Any]:
        """The change as the journal holds it, for undo."""
        return {
            "id": str(self.id),
            "display_name": self.display_name,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RowChange:
        """The change that `as_json` wrote; KeyError or ValueError when it is not one."""
        return cls(
            UUID(data["id"]),
            data["display_name"],
            PriorState.from_json(data["before"]),
            PriorState.from_json(data["after"]),
        )


class Limits(TypedDict, total=False):
    """What a change is told besides its rows: how long it waits, in seconds.

    With `accept_moved` it goes on where the database itself changes more of the rows (a trigger).
    """

    lock_limit: float
    statement_limit: float
    accept_moved: bool


@dataclass(frozen=True)
class Enabled:
    """What `enable` and `enable_shown` did.

    Attributes:
        count: how many rows were written.
        committed_at: the server's time (UTC) just after the commit.
        notes: what a person should hear about although the change is in (no read-back, …).
        moved: columns, and keys of `config`, that the database itself changed in these rows too.
        changes: of few rows, each one before and after.
    """

    count: int
    committed_at: datetime
    notes: tuple[str, ...]
    moved: tuple[str, ...]
    changes: tuple[RowChange, ...] = ()


class Kept(Protocol):
    """Where the prior states of many rows are kept while they are changed."""

    def add(self, lines: bytes, count: int) -> None:
        """Keep `count` rows, a line of JSON each."""

    def seal(self) -> object:
        """Bring all of it to the disk: the change is committed only then."""


@dataclass(frozen=True)
class PutBack:
    """What `put_back` did.

    Attributes:
        restored: how many rows have their prior state again.
        committed_at, notes, moved: see `Enabled`.
        already: how many had it before this.
        left: rows left alone because they are no longer as this tool wrote them, with why.
        more_left: how many others were left alone, when they are too many to be named.
    """

    restored: int
    committed_at: datetime
    notes: tuple[str, ...]
    moved: tuple[str, ...]
    already: int
    left: tuple[tuple[UUID, str], ...]
    more_left: int


@dataclass(frozen=True)
class OrganizationsTable:
    """Where `organizations` is and what we may do there, by the catalogue.

    Attributes:
        oid: the table's object id; a changed one means another table.
        has_is_personal: old schemas lack the column.
        estimated_rows: the planner's estimate; 0 when it was never analysed.
        times: its columns that hold a date or a time.
        unread: its columns that this login may not read.
        triggers: those of others that an UPDATE of it fires.
    """

    schema: str
    oid: int
    has_is_personal: bool
    estimated_rows: int = 0
    times: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditTable:
    """The `audit_logs` table, without reading it through.

    Attributes:
        estimated_rows: the planner's estimate; None when it was never analysed.
        readable: whether this login may SELECT from it; unread: the columns that it may not.
        newest: time (UTC) of the newest entry; None when there is none, or it is not cheap.
    """

    schema: str
    columns: tuple[str, ...]
    estimated_rows: int | None
    readable: bool
    newest: datetime | None
    oid: int = 0
    unread: tuple[str, ...] = ()
