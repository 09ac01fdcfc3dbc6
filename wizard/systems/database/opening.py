"""The session of a login: a connection of our own, or a psql elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.systems.database.model import Login
    from wizard.systems.database.session import Session


def open_session(login: Login, connect_limit: int) -> Session:
    """Log in.

    Raises:
        Problem: unreachable, refused, no such database, TLS, out of time, too old.
    """
    if login.psql is not None:
        from wizard.systems.database.psql_session import PsqlSession

        return PsqlSession.open(login, login.psql, connect_limit)
    from wizard.systems.database.libpq_session import LibpqSession

    return LibpqSession.open(login, connect_limit)
