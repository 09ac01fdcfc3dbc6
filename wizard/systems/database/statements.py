"""SQL from templates/sql, in psql's own notation, made into statements of the driver.

`:'name'` is a value and becomes a parameter, `:"name"` an identifier, `:name` one of a few known
words. So a file runs in psql (`-v name=…`) as it does here, and no value is ever spliced in.
"""

from __future__ import annotations

import re
from functools import cache

from psycopg import sql

from wizard.resources import template

_MARK = re.compile(r"(?<!:):(?:'(?P<value>\w+)'|\"(?P<identifier>\w+)\"|(?P<word>[a-z]\w*))")
_WORDS = {"is_personal": sql.SQL("is_personal"), "absent": sql.SQL("false")}


@cache
def _source(name: str) -> str:
    """The file without its comment lines and without the last semicolon."""
    lines = template(f"sql/{name}.sql").splitlines()
    kept = [line for line in lines if not line.lstrip().startswith("--")]
    return "\n".join(kept).strip().removesuffix(";")


def statement(
    name: str, *, words: dict[str, str] | None = None, **identifiers: str
) -> sql.Composed:
    """A statement whose values are parameters (`%(name)s`); `%` is doubled for the driver."""
    return _composed(name, identifiers, words or {}, None)


def script(name: str, **values: str) -> sql.Composed:
    """Statements that take no parameters (SET, BEGIN): values become quoted literals."""
    return _composed(name, {}, {}, values)


def readable(name: str, *, words: dict[str, str] | None = None, **identifiers: str) -> str:
    """The statement as a person reads it: identifiers filled in, values as `:'name'`."""

    def fill(mark: re.Match[str]) -> str:
        if mark["identifier"]:
            return _quoted(identifiers[mark["identifier"]])
        if mark["word"]:
            return _WORDS[(words or {})[mark["word"]]].as_string(None)
        return mark[0]

    return _MARK.sub(fill, _source(name))


def _composed(
    name: str,
    identifiers: dict[str, str],
    words: dict[str, str],
    literals: dict[str, str] | None,
) -> sql.Composed:
    text, at = _source(name), 0
    parts: list[sql.Composable] = []
    for mark in _MARK.finditer(text):
        parts.append(_plain(text[at : mark.start()], doubled=literals is None))
        parts.append(_part(mark, identifiers, words, literals))
        at = mark.end()
    parts.append(_plain(text[at:], doubled=literals is None))
    return sql.Composed(parts)


def _part(
    mark: re.Match[str],
    identifiers: dict[str, str],
    words: dict[str, str],
    literals: dict[str, str] | None,
) -> sql.Composable:
    if mark["identifier"]:
        return sql.Identifier(identifiers[mark["identifier"]])
    if mark["word"]:
        return _WORDS[words[mark["word"]]]
    if literals is None:
        return sql.Placeholder(mark["value"])
    return sql.Literal(literals[mark["value"]])


def _plain(text: str, *, doubled: bool) -> sql.SQL:
    # The text is the template's own, never a user's.
    return sql.SQL(text.replace("%", "%%") if doubled else text)


def _quoted(identifier: str) -> str:
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", identifier)
    return identifier if plain else '"' + identifier.replace('"', '""') + '"'
