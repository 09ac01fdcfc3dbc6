"""What libpq and PostgreSQL say, turned into a Problem.

A login that does not work is told from libpq's words, a statement that fails from its SQLSTATE.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.redact import redact

if TYPE_CHECKING:
    import psycopg

    from wizard.systems.postgres.model import Login


SYSTEM_CERTIFICATES = 160000
"""The libpq that first knew sslrootcert=system."""

INSIDE = (
    "what the cluster alone reaches: --database port-forward for its own PostgreSQL, "
    "--database pod for an external one"
)

_LOOK_THERE = "check the Secret that the backend reads its PostgreSQL URL from"


def connection_problem(error: psycopg.Error, login: Login, limit: int) -> Problem:
    """The problem that a failed login is.

    libpq gives no SQLSTATE for it, so its English words decide; a server that speaks another
    language is quoted.
    """
    from psycopg import errors

    if isinstance(error, errors.ConnectionTimeout):
        return timed_out(login, limit)
    return refused_login(str(error), login)


def refused_login(text: str, login: Login) -> Problem:
    """The problem behind libpq's own words."""
    lines = [line.strip() for line in redact(text, _secrets(login)).splitlines()]
    words = tuple(line for line in lines if line)[:8]
    text = " ".join(words)
    build = next(it for pattern, it in _KNOWN if re.search(pattern, text, re.IGNORECASE))
    return build(login, words)


def too_old(login: Login, version: str, wanted: int) -> Problem:
    """The server is older than what this tool's SQL runs on."""
    return Problem(
        "LSA530",
        f"the server is PostgreSQL {version}; PostgreSQL {wanted} or newer is needed",
        on=login.subject,
        next_step=f"upgrade PostgreSQL to {wanted} or newer, as LangSmith itself requires",
        exit=Exit.FAILED,
    )


def bad_option(login: Login) -> Problem:
    """An option that this machine's libpq does not know, or cannot read."""
    return Problem(
        "LSA529",
        "the connection options are not understood by this machine's PostgreSQL client library",
        on=login.subject,
        next_step="check the parameters of the stored URL or the connection settings: "
        + (", ".join(sorted(login.options)) or "PG… environment variables"),
        exit=Exit.USAGE,
    )


def _named(what: str, known: str, words: tuple[str, ...], without: str) -> str:
    """`what` with its name, as the login or else the server's words have it; or `without` one."""
    found = re.search(rf'\b{what} (?:name )?"([^"]+)"', " ".join(words))
    name = known or (found[1] if found else "")
    return f"{what} {name}" if name else without


def _secrets(login: Login) -> tuple[str, ...]:
    return login.password, login.options.get("sslpassword", "")


def timed_out(login: Login, limit: float) -> Problem:
    """No login came about in time; the limit is in seconds."""
    return Problem(
        "LSA523",
        f"the server did not answer the login within {limit:g} seconds",
        on=login.subject,
        next_step="check that host and port are PostgreSQL's and that no firewall is between; "
        "--connect-limit gives it more time",
    )


def _user(login: Login, words: tuple[str, ...]) -> str:
    return _named("user", login.user, words, "the user of this way in")


def _password(login: Login, words: tuple[str, ...]) -> Problem:
    next_step = "check the user and the password of this way in"
    if login.by_variables:
        next_step = "check PGUSER and PGPASSWORD, or the passfile"
    elif login.reading:
        next_step = f"{_LOOK_THERE}: the password is taken {login.reading}"
    return Problem(
        "LSA524",
        f"PostgreSQL does not accept {_user(login, words)} with this password",
        on=login.subject,
        next_step=next_step,
        detail=words,
    )


def refused_twice(login: Login, second: Problem) -> Problem:
    """Neither reading of the stored password is accepted; `login` is the one with the first."""
    other = login.otherwise.reading if login.otherwise else ""
    user = _user(login, second.detail)
    return Problem(
        "LSA524",
        f"PostgreSQL does not accept {user} with the stored password, neither {login.reading} "
        f"nor {other}",
        on=login.subject,
        next_step=f"{_LOOK_THERE}. Two logins failed: where a policy locks accounts, both count",
        detail=second.detail,
    )


def _dbname(login: Login, words: tuple[str, ...]) -> Problem:
    return Problem(
        "LSA525",
        f"there is no {_named('database', login.dbname, words, 'such database')} on this server",
        on=login.subject,
        next_step="check the database name in LangSmith's PostgreSQL URL",
        exit=Exit.FAILED,
        detail=words,
    )


def _tls(login: Login, words: tuple[str, ...]) -> Problem:
    mode = login.options.get("sslmode", "prefer")
    return Problem(
        "LSA526",
        f"no TLS connection comes about (sslmode {mode})",
        on=login.subject,
        next_step="check sslmode, sslrootcert and the client certificate (sslcert, sslkey); "
        "sslrootcert=system needs libpq 16",
        detail=words,
    )


def _role(login: Login, words: tuple[str, ...]) -> Problem:
    wanted = login.options.get("target_session_attrs", "any")
    return Problem(
        "LSA538",
        f"no server of the kind target_session_attrs={wanted} answers",
        on=login.subject,
        next_step="name the primary's host",
        detail=words,
    )


def _name(login: Login, words: tuple[str, ...]) -> Problem:
    host = _named("host", login.host, words, "the server")
    return Problem(
        "LSA522",
        f"the name of {host} cannot be resolved from here",
        on=login.subject,
        next_step=f"check the host; {INSIDE}",
        detail=words,
    )


def _simple(id: str, what: str, next_step: str) -> _Build:
    return lambda login, words: Problem(
        id, what, on=login.subject, next_step=next_step, detail=words
    )


_Build = Callable[["Login", tuple[str, ...]], Problem]

_KNOWN: tuple[tuple[str, _Build], ...] = (
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        _simple(
            "LSA527",
            "the server's pg_hba.conf does not let this login in from here",
            "connect from where LangSmith does (--database port-forward, or pod to an external "
            "database), with TLS if the server wants it (sslmode=require), or ask the DBA for "
            "an entry",
        ),
    ),
    (
        r"password authentication failed|authentication failed|no password supplied"
        r"|role .* does not exist|not permitted to log in|no such user|wrong password",
        _password,
    ),
    (r"database .* does not exist|no such database", _dbname),
    (
        r"too many (clients|connections)|connection slots|no more connections",
        _simple(
            "LSA528",
            "the server has no connection left for us",
            "try again when fewer sessions are open; this tool needs two",
        ),
    ),
    (
        r"the database system is|not yet accepting connections",
        _simple(
            "LSA528",
            "the server is starting up, shutting down or recovering",
            "wait until it is ready and try again",
        ),
    ),
    (r"failed to resolve host|could not translate host name|not known", _name),
    (r"session is (not )?read-only|is (not )?in hot standby|server is (not )?in", _role),
    (
        r"connection refused|no route to host|network is unreachable|no such file or directory"
        r"|host is down|permission denied",
        _simple(
            "LSA522",
            "the server cannot be reached",
            f"check host and port, and that PostgreSQL is running; {INSIDE}",
        ),
    ),
    (r"ssl|tls|certificate", _tls),
    (
        r"server closed the connection|invalid response|connection reset|unexpected",
        _simple(
            "LSA522",
            "the server ended the connection before the login was done",
            "check that host and port are PostgreSQL's (not a TLS-only proxy's)",
        ),
    ),
    ("", _simple("LSA522", "the server refuses the login", "read the server's own words above")),
)


def check_system_certificates(login: Login, libpq: int) -> None:
    """Refuse `sslrootcert=system` where the client library would take it for a file's name.

    Raises:
        Problem: LSA556; `libpq` is its version number, as in 150007.
    """
    by_variable = os.environ.get("PGSSLROOTCERT", "") if login.by_variables else ""
    wanted = login.options.get("sslrootcert") or by_variable
    if wanted == "system" and libpq < SYSTEM_CERTIFICATES:
        raise Problem(
            "LSA556",
            f"sslrootcert=system needs libpq 16 or newer, and this is {libpq // 10000}",
            on=login.subject,
            next_step="name a file of certificates with sslrootcert, or install a newer psycopg",
            exit=Exit.USAGE,
        )


NOTHING = "nothing was changed"


class ConnectionLost(Problem):
    """The connection ended under a statement; what the server did with it is not known here."""


@dataclass(frozen=True)
class Limits:
    """Seconds that a statement may run, may wait for a lock, and the network may be silent."""

    statement: float
    lock: float
    answer: float


def statement_problem(
    error: psycopg.Error, login: Login, limits: Limits, *, timed_out: bool = False
) -> Problem:
    """The problem that a failed statement is. DETAIL is left out: it may quote a row."""
    message = error.diag.message_primary or str(error)
    return refusal(error.sqlstate, message, login, limits, timed_out=timed_out)


def refusal(
    code: str | None, message: str, login: Login, limits: Limits, *, timed_out: bool = False
) -> Problem:
    """The problem behind an SQLSTATE and the server's words; without a code nothing was heard."""
    on = login.subject
    if timed_out:
        return ConnectionLost(
            "LSA543",
            f"the server did not answer within {limits.answer:g} seconds",
            on=on,
            next_step="check the server and the way to it, and try again",
        )
    prefix = f"{code}: " if code else ""
    lines = [line.strip() for line in redact(message, _secrets(login)).splitlines() if line.strip()]
    words = tuple(prefix + line if not number else line for number, line in enumerate(lines[:6]))
    if code is None or code.startswith(("08", "57P")):
        return ConnectionLost(
            "LSA542",
            "the connection to PostgreSQL was lost",
            on=on,
            next_step="check the server and the way to it, and try again",
            detail=words,
        )
    return _by_code(words, code, on, limits)


def _by_code(words: tuple[str, ...], code: str, on: str, limits: Limits) -> Problem:
    what, next_step, id = {
        "55P03": (
            f"a row or table lock did not come within {limits.lock:g} seconds",
            "wait until the other session is done, or give --lock-limit more seconds",
            "LSA541",
        ),
        "57014": (
            f"a statement was stopped: it took more than {limits.statement:g} seconds, "
            "or somebody cancelled it",
            "try again when the server is less busy",
            "LSA544",
        ),
        "25006": (
            "this database takes no writes: it is a replica or set to read-only",
            "connect to the primary",
            "LSA538",
        ),
        "42501": (
            "this login lacks a right",
            "run the GRANTs that langsmith-audit rbac prints, as the owner of the table",
            "LSA536",
        ),
        "40P01": (
            "another session and this one waited for each other (deadlock)",
            "try again",
            "LSA541",
        ),
    }.get(code, ("PostgreSQL refused a statement", "read the server's own words above", "LSA545"))
    return Problem(id, what, on=on, next_step=next_step, exit=Exit.UNKNOWN, detail=words)
