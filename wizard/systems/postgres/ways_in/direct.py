"""Directly, as any client of PostgreSQL: a file's URL, libpq's own variables, or the stored URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.files import read_file
from wizard.problems import Exit, Problem
from wizard.systems.postgres.model import Login

if TYPE_CHECKING:
    from wizard.systems.postgres.model import Login
    from wizard.systems.release.installation import Installation

LARGEST = 64 * 1024
"""Bytes of the file with a connection string."""
LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR")


def told_by_variables() -> bool:
    """Whether libpq's variables name a server."""
    return any(os.environ.get(name) for name in LIBPQ)


def libpq_login(installation: Installation) -> Login:
    """What the variables say is only repeated for the messages; libpq reads them itself."""
    told = {} if os.environ.get("PGSERVICE") else os.environ
    port = told.get("PGPORT", "")
    return Login(
        host=told.get("PGHOST", ""),
        port=int(port) if port.isdecimal() else 0,
        user=told.get("PGUSER", ""),
        password="",
        dbname=told.get("PGDATABASE", ""),
        schema=installation.database.schema,
        via="direct, as the PG… variables say",
        why="as --database asks",
        by_variables=True,
    )


def file_login(path: Path, installation: Installation) -> Login:
    """The login that a file's libpq URL or connection string says; its text is never shown.

    Raises:
        Problem: LSA554 it cannot be read, LSA555 libpq does not understand it.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        told = conninfo_to_dict(read_file(path, LARGEST).decode().strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _unusable("LSA554", f"cannot be read: {reason}", path) from None
    except ProgrammingError:
        raise _unusable("LSA555", "is no libpq URL or connection string", path) from None
    parts = {name: str(value) for name, value in told.items() if value is not None}
    port = parts.get("port", "")
    own = ("host", "user", "password", "dbname", *(("port",) if port.isdecimal() else ()))
    host, user, password, dbname = (parts.get(name, "") for name in own[:4])
    return Login(
        host=host,
        port=int(port) if port.isdecimal() else 0,
        user=user,
        password=password,
        dbname=dbname,
        options={name: value for name, value in parts.items() if name not in own},
        schema=installation.database.schema,
        via="direct, as the file with the URL says",
        why="as --database-url-file asks",
    )


def _unusable(id: str, what: str, path: Path) -> Problem:
    return Problem(
        id,
        f"The file with the database's URL {what}",
        on=f"file {path}",
        next_step="name a file that holds postgresql://user:password@host/database or "
        "host=… user=…: --database-url-file FILE",
        exit=Exit.USAGE,
    )
