"""The connection URL as LangSmith's chart stores it: mostly without scheme, encoded or not.

The chart encodes nothing; LangChain's page on external PostgreSQL has people encode what is special
in a password, and the backend decodes it. So without a scheme there may be two readings.
Source: chart values `postgres.external.connectionUrl` and the Secret `<fullname>-postgres`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote

from wizard.exits import Exit
from wizard.problems import Problem

_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)
_PLACE = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:/(?P<dbname>[^/?#@]*))?"
    r"(?:\?(?P<query>(?:[A-Za-z_]+=[^&]*(?:&|$))*))?"
)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
DECODED, LITERAL = "URL-decoded", "as it is stored"
_LIBPQ = re.compile(
    r"channel_binding|gssencmode|hostaddr|krbsrvname|passfile|require_auth|ssl[a-z]+"
    r"|ssl_m(?:ax|in)_protocol_version|target_session_attrs"
)
_ON = "Secret with LangSmith's PostgreSQL URL"


@dataclass(frozen=True)
class StoredUrl:
    """The parts of a stored connection URL.

    Attributes:
        before, after: the text around the password, as it is stored.
        reading: how user and password are read, `DECODED` or `LITERAL`.
        otherwise: the other reading, where there are two.
    """

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    dbname: str
    parameters: Mapping[str, str] = field(repr=False)
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)
    reading: str = LITERAL
    otherwise: StoredUrl | None = field(default=None, repr=False)


def parse_stored_url(text: str) -> StoredUrl:
    """Take a stored URL apart; user and password are decoded where there is something to decode.

    That is how the backend reads them. Without a scheme they may also be meant literally
    (`otherwise`): `ls:p%40ss@…` is `p@ss`, or rarely that text itself.

    The host is what follows the last `@` after which only host, port, database and parameters
    come, so that a password may hold `@ / ? # % :`. The text itself is never in a message.

    Raises:
        Problem: LSA520 when it is not understood, LSA521 when it has no password.
    """
    text = text.strip()
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    login, place = _split(rest)
    user, _, password = login.partition(":")
    if not user:
        raise _not_understood()
    if not password:
        raise _no_password()
    before, after = (
        text[: len(text) - len(rest)] + login.partition(":")[0] + ":",
        rest[len(login) :],
    )
    port = int(place["port"] or 5432)
    if not 0 < port < 65536:
        raise _not_understood()
    literal = StoredUrl(
        user=user,
        password=password,
        host=(place["host"] or "").strip("[]"),
        port=port,
        dbname=place["dbname"] or user,
        parameters=dict(parse_qsl(place["query"] or "", keep_blank_values=True)),
        before=before,
        after=after,
    )
    if not scheme and not _ESCAPE.search(login):
        return literal
    return replace(
        literal,
        user=unquote(user),
        password=unquote(password),
        dbname=place["dbname"] or unquote(user),
        reading=DECODED,
        otherwise=None if scheme else literal,
    )


def libpq_options(parameters: Mapping[str, str]) -> dict[str, str]:
    """The URL parameters that libpq knows, `ssl=…` of other drivers as `sslmode`.

    Startup options are left out (poolers refuse them), and so are limits: those are our own.
    """
    options = {name: value for name, value in parameters.items() if _LIBPQ.fullmatch(name)}
    ssl = parameters.get("ssl", "").lower()
    if ssl and "sslmode" not in options:
        options["sslmode"] = {"true": "require", "false": "disable"}.get(ssl, ssl)
    return options


def _split(text: str) -> tuple[str, Mapping[str, str | None]]:
    """User and password, and the parts of the place; a place with a database is preferred."""
    bare: tuple[str, Mapping[str, str | None]] | None = None
    at = text.rfind("@")
    while at >= 0:
        place = _PLACE.fullmatch(text, at + 1)
        if place and place["dbname"]:
            return text[:at], place.groupdict()
        if place and bare is None:
            bare = text[:at], place.groupdict()
        at = text.rfind("@", 0, at)
    if bare is None:
        raise _not_understood()
    return bare


def _not_understood() -> Problem:
    return Problem(
        "LSA520",
        "the stored PostgreSQL URL is not understood",
        on=_ON,
        next_step="check that it reads user:password@host:5432/database; "
        "or log in another way with --database direct",
        exit=Exit.FAILED,
    )


def _no_password() -> Problem:
    return Problem(
        "LSA521",
        "the stored PostgreSQL URL has no password: LangSmith logs in with a cloud identity (IAM)",
        on=_ON,
        next_step="log in as a database role of your own with --database direct",
        exit=Exit.UNKNOWN,
    )
