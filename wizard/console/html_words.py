"""Foreign text in HTML: escaped, and its control characters shown."""

from __future__ import annotations

import html
from collections.abc import Iterable

from wizard.console.safe import safe


def words(raw: str, *, lines: bool = False) -> str:
    """Text for between tags or in an attribute; with `lines`, line feeds stay."""
    return html.escape(safe(raw, lines=lines))


def element(tag: str, inner: str, kind: str = "") -> str:
    """An element around HTML; `kind` is its class, one of ours."""
    return f'<{tag} class="{kind}">{inner}</{tag}>' if kind else f"<{tag}>{inner}</{tag}>"


def listed(lines: Iterable[str], kind: str = "") -> str:
    """A list of texts; nothing where there are none."""
    items = "".join(element("li", words(line)) for line in lines)
    return element("ul", items, kind) if items else ""


def facts(rows: Iterable[tuple[str, str]], kind: str = "facts") -> str:
    """Names and values; nothing where there are none."""
    inner = "".join(
        f"<div>{element('dt', words(name))}{element('dd', words(value))}</div>"
        for name, value in rows
    )
    return element("dl", inner, kind) if inner else ""
