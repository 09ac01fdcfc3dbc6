"""The plan as a document: what was seen, and every change that would be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wizard import __version__
from wizard.exits import Exit

if TYPE_CHECKING:
    from wizard.records.changes import Change, Consent, Observation

SCHEMA_VERSION = "1.0"
ROLLOUTS = ("helm_upgrade", "backend_restart")


@dataclass(frozen=True)
class Plan:
    """What would be done to one target.

    Attributes:
        where: the target's names and values, as shown.
        seen: each step's observation.
        changes: in the order in which they would be made.
        exit: 0, or why the plan is not complete.
    """

    where: Mapping[str, str]
    seen: Mapping[str, Observation]
    changes: tuple[Change, ...]
    exit: Exit
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def consents(self) -> tuple[Consent, ...]:
        """What needs a yes of its own before the plan can be carried out."""
        return tuple(consent for change in self.changes for consent in change.consents)

    @property
    def items(self) -> int:
        """The number of single changes."""
        return sum(len(change.items) for change in self.changes)

    @property
    def rollouts(self) -> int:
        """How often the backend's pods are replaced."""
        return sum(change.step in ROLLOUTS for change in self.changes)

    def as_json(self) -> str:
        """The plan as one JSON document."""
        return json.dumps(self._document(), indent=2, ensure_ascii=False) + "\n"

    def _document(self) -> dict[str, Any]:
        by_step = {change.step: change for change in self.changes}
        return {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "langsmith-audit", "version": __version__},
            "created_at": self.created_at,
            "target": dict(self.where),
            "no_changes": not self.changes and self.exit == Exit.OK,
            "changes": self.items,
            "rollouts": self.rollouts,
            "exit_code": int(self.exit),
            "steps": [
                {
                    "number": number,
                    "name": name,
                    "right": observation.right,
                    "findings": [finding.as_json() for finding in observation.findings],
                    "change": _change(by_step.get(name)),
                }
                for number, (name, observation) in enumerate(self.seen.items(), 1)
            ],
        }


def _change(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "items": list(change.items),
        "details": list(change.details),
        "exact": [exact.as_json() for exact in change.exact],
        "preconditions": dict(change.preconditions),
        "effect": change.effect,
        "reversible": change.reversible.value,
        "because": change.because,
        "undo": change.undo,
        "after": change.after,
        "consents": [consent.as_json() for consent in change.consents],
    }
