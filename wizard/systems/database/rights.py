"""The SQL grants that this tool needs, as text from templates/sql/grants.sql."""

from __future__ import annotations

from wizard.systems.database.statements import readable


def grants(schema: str, role: str, *, personal: bool = True) -> tuple[str, ...]:
    """The GRANT statements, one a line, for a role and LangSmith's schema."""
    text = readable("grants", schema=schema, role=role) + ";"
    if not personal:
        text = text.replace(", is_personal", "")
    return tuple(text.splitlines())
