"""Databases of their own for tests, in the worker's PostgreSQL server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from local_psql import local_psql
from psycopg import sql

from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.model import Login, Organization
from wizard.systems.postgres.session import Session
from wizard.systems.postgres.statements import Statement

TABLE = """
CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    display_name text,
    is_personal boolean NOT NULL DEFAULT false,
    config jsonb
)
"""


class World:
    """A fresh database, and hands in it that are not the tool's."""

    def __init__(self, server: Any, name: str) -> None:
        self.server = server
        self.name = name
        self.via = "libpq"

    @property
    def commit(self) -> bytes:
        """The commit as the tool puts it on the wire."""
        return b"COMMIT;\0" if self.via == "psql" else b"COMMIT\0"

    def connect(self) -> psycopg.Connection[Any]:
        """A superuser's connection."""
        return psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.server.user,
            password=self.server.password,
            dbname=self.name,
            options="-c default_transaction_read_only=off",
            autocommit=True,
        )

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run something as the superuser."""
        with self.connect() as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def login(self, **changed: Any) -> Login:
        """The tool's login, the superuser's unless told otherwise."""
        told: dict[str, Any] = {
            "host": self.server.host,
            "port": self.server.port,
            "user": self.server.user,
            "password": self.server.password,
            "dbname": self.name,
        }
        told |= changed
        if self.via == "psql":
            told["psql"] = local_psql(self.server.bin_dir, told)
        return Login(**told)

    def open(self, **changed: Any) -> Database:
        """The tool, logged in."""
        return Database.open(self.login(**changed), connect_limit=5)

    def table(self, schema: str = "public") -> None:
        """LangSmith's table, empty."""
        self.sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        self.sql(TABLE.replace("organizations", f'"{schema}".organizations'))

    def add(
        self,
        config: str | None,
        name: str = "Acme",
        *,
        personal: bool = False,
        schema: str = "public",
    ) -> UUID:
        """An organization with this config (JSON text, or None for SQL NULL)."""
        id = uuid4()
        query = f'INSERT INTO "{schema}".organizations VALUES (%s, %s, %s, %s::jsonb)'
        self.sql(query, id, name, personal, config)
        return id

    def config(self, id: UUID) -> str | None:
        """The config as PostgreSQL writes it."""
        text: str | None = self.sql("SELECT config::text FROM organizations WHERE id = %s", id)[0][
            0
        ]
        return text

    def configs(self) -> dict[UUID, str | None]:
        """All configs."""
        return dict(self.sql("SELECT id, config::text FROM organizations"))

    def versions(self) -> dict[UUID, str]:
        """Each row's xmin: it changes with every write."""
        return dict(self.sql("SELECT id, xmin::text FROM organizations"))

    def role(self, *grants: str) -> Login:
        """The login of a new role with these rights alone; `{}` is the role's name."""
        name = f"role_{uuid4().hex[:12]}"
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'secret word'")
        for grant in grants:
            self.sql(grant.replace("{}", name))
        return self.login(user=name, password="secret word")

    @contextlib.contextmanager
    def elsewhere(self, *statements: str) -> Iterator[psycopg.Connection[Any]]:
        """Another session in the middle of a transaction."""
        with self.connect() as connection:
            connection.execute("SET application_name = 'the other one'")
            connection.execute("BEGIN")
            for statement in statements:
                connection.execute(statement.encode())
            yield connection
            connection.execute("ROLLBACK")

    def trap(self, timing: str, body: str) -> None:
        """A trigger on the table: what the server does at that moment."""
        self.sql(
            f"CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
        )
        kind = "CONSTRAINT TRIGGER" if "DEFERRED" in timing else "TRIGGER"
        self.sql(f"CREATE {kind} trap {timing} FOR EACH ROW EXECUTE FUNCTION trap()")


@contextlib.contextmanager
def fresh(server: PracticePostgres) -> Iterator[World]:
    """A new database in this server, dropped afterwards with whoever is still in it."""
    name = f"langsmith_{uuid4().hex[:12]}"
    admin = World(server, "postgres")
    admin.sql(f"CREATE DATABASE {name}")
    world = World(server, name)
    yield world
    roles = [row[0] for row in admin.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '^role_'")]
    with world.connect() as connection:
        for role in roles:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
    admin.sql(f"DROP DATABASE {name} WITH (FORCE)")
    for role in roles:
        admin.sql(f"DROP ROLE {role}")


def process_of(session: Session) -> int:
    """The server process of a session."""
    pid: int = session.rows(Statement("", text="SELECT pg_backend_pid() AS pid"))[0]["pid"]
    return pid


def refused(*ids: str) -> Any:
    """The block raises a Problem with one of these ids."""
    return pytest.raises(Problem, check=lambda problem: problem.id in ids)


def told(problem: Problem) -> str:
    """Everything that a person would read of a problem."""
    return "\n".join((problem.what, problem.on, problem.next_step, *problem.detail))


def every(database: Database, **how: Any) -> list[Organization]:
    """All organizations, page by page."""
    found: list[Organization] = []
    after = None
    while page := database.organizations(after=after, **how):
        found += page
        after = (page[-1].display_name, page[-1].id)
    return found


@contextlib.contextmanager
def beside(work: Any) -> Iterator[threading.Thread]:
    """Something that happens in a thread during the block; its error is raised at the end."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]
