"""Organization ids as people give them: a UUID, or a LangSmith UI URL with one in its path."""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import urlsplit
from uuid import UUID

from wizard.exits import Exit
from wizard.problems import Problem

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_SHOWN = 80


def organization_id(text: str) -> UUID:
    """The organization's id in a UUID or a UI URL (`https://host/o/<uuid>/settings`).

    In a URL the UUID after `/o/` counts, else the only one in the path.

    Raises:
        Problem: LSA506 (usage) when there is none, or more than one that could be meant.
    """
    text = text.strip()
    if _UUID.fullmatch(text):
        return UUID(text)
    if "/" in text:
        found = _in_path(text)
        if found is not None:
            return found
    raise Problem(
        "LSA506",
        f"not an organization id: {_shown(text)}",
        on="organization id",
        next_step="give the UUID, or the address of the organization's page in LangSmith; "
        "langsmith-audit orgs lists the ids",
        exit=Exit.USAGE,
    )


def _in_path(text: str) -> UUID | None:
    try:
        path = urlsplit(text).path
    except ValueError:
        return None
    parts = path.split("/")
    ids = [part for part in parts if _UUID.fullmatch(part)]
    marked = [b for a, b in pairwise(parts) if a == "o" and b in ids]
    chosen = marked or ids
    return UUID(chosen[0]) if len(set(chosen)) == 1 else None


def _shown(text: str) -> str:
    """The text, shortened, on one line, and without what a URL may hold besides its path."""
    if "//" in text:
        text = text.split("?")[0].split("#")[0]
        text = re.sub(r"//[^/@]*@", "//", text)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
