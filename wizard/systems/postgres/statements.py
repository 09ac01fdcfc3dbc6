"""SQL from templates/sql, in psql's own notation, made into statements of the driver.

`:'name'` is a value and becomes a parameter, `:"name"` an identifier, `:name` one of a few known
words. So a file runs in psql (`-v name=…`) as it does here, and no value is ever spliced in. The
grants that this tool needs are text from templates/sql/grants.sql.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from functools import cache

from psycopg import sql

from wizard.record import dataclass
from wizard.resources import template

_MARK = re.compile(r"(?<!:):(?:'(?P<value>\w+)'|\"(?P<identifier>\w+)\"|(?P<word>[a-z]\w*))")
_WORDS = {
    "is_personal": sql.SQL("is_personal"),
    "absent": sql.SQL("false"),
    "name": sql.SQL("COALESCE(display_name, '')"),
    "nothing": sql.SQL("''::text"),
    "whole_row": sql.SQL("to_jsonb(o)"),
    "known_columns": sql.SQL("jsonb_build_object('display_name', display_name, 'config', config)"),
}


@cache
def _source(name: str) -> str:
    """The file without its comment lines and without the last semicolon."""
    lines = template(f"sql/{name}.sql").splitlines()
    kept = [line for line in lines if not line.lstrip().startswith("--")]
    return "\n".join(kept).strip().removesuffix(";")


@dataclass(frozen=True)
class Statement:
    """A template with everything but its values.

    Attributes:
        name: the template's name; empty for a bare text.
        identifiers: what stands for `:"name"`.
        words: what stands for `:name`, by its name in the list of known words.
        literals: values that become literals in the text: SET and BEGIN take no parameters.
    """

    name: str
    identifiers: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    literals: Mapping[str, str] | None = None
    text: str = ""

    @property
    def label(self) -> str:
        """What logs call it: the template's name, or the one word that it is."""
        return self.name or self.text

    @property
    def source(self) -> str:
        """The SQL in psql's notation, without the last semicolon."""
        return self.text or _source(self.name)

    @property
    def variables(self) -> dict[str, str]:
        """What psql must know besides the values."""
        words = {name: _WORDS[word].as_string(None) for name, word in self.words.items()}
        return {**self.identifiers, **words, **(self.literals or {})}

    def composed(self) -> sql.Composed:
        """The statement for the driver: values as parameters, `%` doubled, or no parameters."""
        text, at = self.source, 0
        parts: list[sql.Composable] = []
        for mark in _MARK.finditer(text):
            parts.append(_plain(text[at : mark.start()], doubled=self.literals is None))
            parts.append(_part(mark, self))
            at = mark.end()
        parts.append(_plain(text[at:], doubled=self.literals is None))
        return sql.Composed(parts)


COMMIT = Statement("", literals={}, text="COMMIT")
ROLLBACK = Statement("", literals={}, text="ROLLBACK")


def statement(name: str, *, words: dict[str, str] | None = None, **identifiers: str) -> Statement:
    """A statement whose values are parameters."""
    return Statement(name, identifiers, words or {})


def script(name: str, **values: str) -> Statement:
    """Statements that take no parameters (SET, BEGIN): values become quoted literals."""
    return Statement(name, literals=values)


def readable(name: str, *, words: dict[str, str] | None = None, **identifiers: str) -> str:
    """The statement as a person reads it: identifiers filled in, values as `:'name'`."""

    def fill(mark: re.Match[str]) -> str:
        if mark["identifier"]:
            identifier = identifiers[mark["identifier"]]
            plain = re.fullmatch(r"[a-z_][a-z0-9_]*", identifier)
            return identifier if plain else '"' + identifier.replace('"', '""') + '"'
        if mark["word"]:
            return _WORDS[(words or {})[mark["word"]]].as_string(None)
        return mark[0]

    return _MARK.sub(fill, _source(name))


def _part(mark: re.Match[str], query: Statement) -> sql.Composable:
    if mark["identifier"]:
        return sql.Identifier(query.identifiers[mark["identifier"]])
    if mark["word"]:
        return _WORDS[query.words[mark["word"]]]
    if query.literals is None:
        return sql.Placeholder(mark["value"])
    return sql.Literal(query.literals[mark["value"]])


def _plain(text: str, *, doubled: bool) -> sql.SQL:
    # The text is the template's own, never a user's.
    return sql.SQL(text.replace("%", "%%") if doubled else text)


def grants(schema: str, role: str, *, personal: bool = True) -> tuple[str, ...]:
    """The GRANT statements, one a line, for a role and LangSmith's schema."""
    text = readable("grants", schema=schema, role=role) + ";"
    if not personal:
        text = text.replace(", is_personal", "")
    return tuple(text.splitlines())
