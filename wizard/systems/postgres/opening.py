"""The session of a login: a connection of our own, or a psql elsewhere."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from wizard.problems import Problem
from wizard.record import replace
from wizard.systems.postgres.errors import refused_twice

if TYPE_CHECKING:
    from wizard.systems.postgres.model import Login
    from wizard.systems.postgres.session import Session


REFUSED = "LSA524"


def open_session(login: Login, connect_limit: int) -> Session:
    """Log in; where a password can be read in two ways and the first is refused, by the other.

    Raises:
        Problem: unreachable, refused, no such database, TLS, out of time, too old.
    """
    other = login.otherwise
    try:
        told = _told(login, "as the backend reads it") if other else login
        return _open(told, connect_limit)
    except Problem as problem:
        if other is None or problem.id != REFUSED:
            raise
    how = f"since {login.reading} the server refuses it: a failed login, which a policy may count"
    try:
        return _open(_told(replace(other, otherwise=None), how), connect_limit)
    except Problem as problem:
        if problem.id != REFUSED:
            raise
        raise refused_twice(login, problem) from None


def _told(login: Login, how: str) -> Login:
    taken = f"the stored password is taken {login.reading}, {how}"
    return replace(login, why=f"{login.why}; {taken}" if login.why else taken, otherwise=None)


def _open(login: Login, connect_limit: int) -> Session:
    if login.psql is not None:
        from wizard.systems.postgres.psql import PsqlSession

        return PsqlSession.open(login, login.psql, connect_limit)
    from wizard.systems.postgres import driver

    if its := driver.taken():
        from wizard.systems.postgres.apart import ApartSession

        with contextlib.suppress(EOFError):
            return ApartSession.open(login, its, connect_limit)
    from wizard.systems.postgres.libpq import LibpqSession

    return LibpqSession.open(login, connect_limit)
