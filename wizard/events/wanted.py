"""What is asked for: the range, and the filters of the server and of our own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from wizard.events.range import Range
from wizard.problems import Exit, Problem
from wizard.record import dataclass

if TYPE_CHECKING:
    from uuid import UUID

LIMITS = range(1, 101)
"""What the API takes as `limit`."""
STATUSES = ("success", "failure", "unknown")
CATEGORIES: Mapping[str, str] = {
    "api_keys": "API key management",
    "users": "User and role management",
    "sso": "SSO configuration",
    "workspaces": "Workspace operations",
    "resources": "Resource management",
    "tags": "Tag operations",
    "others": "Not named by the article",
}
"""The article's six categories ("What Gets Logged"), and what it does not name."""


@dataclass(frozen=True)
class Wanted:
    """Which events.

    Attributes:
        operations: names as in `api.operation`; empty for all.
        actor: the id of a user, or of the key that was used.
    """

    range: Range
    operations: tuple[str, ...] = ()
    workspace: UUID | None = None
    actor: str = ""
    resource: str = ""
    status: str = ""

    @property
    def sifts(self) -> bool:
        """Whether events are left out here that the server gives."""
        return bool(self.actor or self.resource or self.status)

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set, as text: what tells this query from another."""
        told = {
            "operation": " ".join(sorted(self.operations)),
            "workspace": str(self.workspace or ""),
            "actor": self.actor,
            "resource": self.resource,
            "status": self.status,
        }
        return {name: text for name, text in told.items() if text}

    def takes(self, data: Mapping[str, Any]) -> bool:
        """Whether an event passes, whatever the server has filtered already."""
        from wizard.records.event import at, resources_of

        if self.operations and at(data, "api", "operation") not in self.operations:
            return False
        if self.status and str(data.get("status", "")).lower() != self.status:
            return False
        if self.resource and self.resource not in resources_of(data):
            return False
        return not self.actor or self.actor in _actors(data)


def _actors(data: Mapping[str, Any]) -> set[Any]:
    from wizard.records.event import at

    user = at(data, "actor", "user")
    original = at(data, "unmapped", "original_audit_log")
    names = ("user_id", "ls_user_id", "api_key_id")
    told = {at(user, "uid"), at(user, "credential_uid"), *(at(original, it) for it in names)}
    return told - {None}


def workspace_id(text: str) -> UUID:
    """The id of `--workspace`.

    Raises:
        Problem: LSA830, it is none.
    """
    from uuid import UUID

    try:
        return UUID(text.strip())
    except ValueError:
        raise Problem(
            "LSA830",
            f"{text!r} is no workspace's id",
            on="option --workspace",
            next_step="give the workspace's UUID, which is in its address in LangSmith",
            exit=Exit.USAGE,
        ) from None


def refuse_unknown(operations: Collection[str], known: Collection[str]) -> None:
    """Refuse an operation that the server's own list lacks.

    Raises:
        Problem: LSA831, with what is close.
    """
    unknown = [name for name in operations if known and name not in known]
    if not unknown:
        return
    raise Problem(
        "LSA831",
        f"LangSmith has no operation {unknown[0]!r}",
        on="option --operation",
        next_step=_meant(unknown[0], known),
        exit=Exit.USAGE,
    )


def doubt(operations: Collection[str]) -> str:
    """What is said of operations that no documentation names, where the server has no list."""
    unknown = [name for name in operations if name not in documented()]
    if not unknown:
        return ""
    return (
        f"No documentation names the operation {unknown[0]!r}: {_meant(unknown[0], documented())}"
    )


def _meant(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=4, cutoff=0.5)
    if close:
        return "did you mean " + ", ".join(close) + "?"
    return "langsmith-audit explain operations lists the documented ones"


@cache
def documented() -> dict[str, tuple[str, str]]:
    """The documented operations: name to the chart version it came with, and its category."""
    import tomllib

    from wizard.resources import template

    listed = tomllib.loads(template("operations.toml"))
    return {
        name: (version, category)
        for version, categories in listed.items()
        for category, names in categories.items()
        for name in names.split()
    }


def category_of(operation: str) -> str:
    """The article's category of an operation, as a key of CATEGORIES."""
    return documented().get(operation, ("", "others"))[1]
