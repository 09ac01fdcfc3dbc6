"""Directly, as any client of PostgreSQL: libpq's own variables, or what the stored URL says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.systems.database import Login
    from wizard.systems.installation import Installation

LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR")


def told_by_variables() -> bool:
    """Whether libpq's variables name a server."""
    return any(os.environ.get(name) for name in LIBPQ)


def libpq_login(installation: Installation) -> Login:
    """What the variables say is only repeated for the messages; libpq reads them itself."""
    from wizard.systems.database import Login

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
    )
