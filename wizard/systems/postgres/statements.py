"""SQL from templates/sql, in psql's own notation, made into statements.

`:'name'` is a value and becomes a parameter, `:"name"` an identifier, `:name` one of a few known
words. So a file runs in psql (`-v name=…`) as it does here, and no value is ever spliced in. The
grants that this tool needs are text from templates/sql/grants.sql.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from wizard.record import dataclass, field
from wizard.resources import template

T = TypeVar("T")
MARK = re.compile(r"(?<!:):(?:'(?P<value>\w+)'|\"(?P<identifier>\w+)\"|(?P<word>[a-z]\w*))")
WORDS = {
    "is_personal": "is_personal",
    "absent": "false",
    "name": "COALESCE(display_name, '')",
    "nothing": "''::text",
    "whole_row": "to_jsonb(o)",
    "after": ">",
    "before": "<",
    "oldest": "ASC",
    "newest": "DESC",
    "known_columns": "jsonb_build_object('display_name', display_name, 'config', config)",
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
        words = {name: WORDS[word] for name, word in self.words.items()}
        return {**self.identifiers, **words, **(self.literals or {})}


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
            return WORDS[(words or {})[mark["word"]]]
        return mark[0]

    return MARK.sub(fill, _source(name))


def copying(source: T) -> tuple[str, T, str]:
    """What makes of a query one that gives its rows as lines; see `Session.lines`."""
    return "COPY (", source, ") TO STDOUT (NULL '')"


def grants(schema: str, role: str, *, personal: bool = True) -> tuple[str, ...]:
    """The GRANT statements, one a line, for a role and LangSmith's schema."""
    text = readable("grants", schema=schema, role=role) + ";"
    if not personal:
        text = text.replace(", is_personal", "")
    return tuple(text.splitlines())
