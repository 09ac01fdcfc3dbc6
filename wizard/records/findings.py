"""Findings: what was looked at, and what was seen.

Evidence is what was seen right after a change failed, before anything else is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from wizard.aim import aimed
from wizard.problems import Problem, next_step_of
from wizard.record import dataclass
from wizard.safe import tame


class State(StrEnum):
    """The seven states of a finding; only `pass` is green."""

    PASS = "pass"  # noqa: S105 - a state, not a password
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIP = "skip"
    NOT_RUN = "not-run"


@dataclass(frozen=True)
class Suppressed:
    """Why a finding does not count, and until which day (`2026-12-31`; empty: for good)."""

    reason: str
    until: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        id: the catalogue entry of what was seen, never reused (`LSA102`).
        state: one of the seven states.
        subject: the object that was looked at (`organization 6f1e… (Acme)`).
        message: what was seen, one line.
        evidence: what the message rests on, a line each, no secret in it.
        next_step: what to type or do next; empty where nothing is to be done.
        check: the id of the health check that saw it, the same whatever it sees (`LSA101`); empty
            outside of one.
        duration_s: seconds that the check took.
        since: when it was seen in this state first (ISO 8601, UTC); empty where that is not known.
        suppressed: why it does not count; None where it does.
        because: of what was not looked at, the id of the finding that stands in the way.
    """

    id: str
    state: State
    subject: str
    message: str
    evidence: tuple[str, ...] = ()
    next_step: str = ""
    check: str = ""
    duration_s: float = 0.0
    since: str = ""
    suppressed: Suppressed | None = None
    because: str = ""

    def __post_init__(self) -> None:
        """Its commands meet the cluster that it is about; what others said is tamed."""
        object.__setattr__(self, "next_step", aimed(self.next_step))
        object.__setattr__(self, "message", tame(self.message))
        object.__setattr__(self, "evidence", tuple(map(tame, self.evidence)))

    def as_json(self) -> dict[str, Any]:
        """The finding as plans and the journal hold it; a check's report has more of it."""
        return {
            "id": self.id,
            "state": self.state.value,
            "subject": self.subject,
            "message": self.message,
            "evidence": list(self.evidence),
            "next_step": self.next_step,
        }


def from_problem(problem: Problem, state: State) -> Finding:
    """The finding that a problem becomes when a walk goes on after it."""
    return Finding(problem.id, state, problem.on, problem.what, problem.detail, problem.next_step)


def passed(id: str, subject: str, message: str, *evidence: str) -> Finding:
    """A finding that is right."""
    return Finding(id, State.PASS, subject, message, evidence)


def failed(id: str, subject: str, message: str, *evidence: str, next_step: str = "") -> Finding:
    """A finding that is wrong, with what to do next: the catalogue's where nothing is given."""
    told = next_step or next_step_of(id)
    return Finding(id, State.FAIL, subject, message, evidence, told)


@dataclass(frozen=True)
class Evidence:
    """What a failure looked like; no secret in it.

    Attributes:
        summary: what a person must see at once, a line each.
        sections: everything that was read, by title; a run's folder keeps it.
    """

    summary: tuple[str, ...]
    sections: Mapping[str, str]

    def __post_init__(self) -> None:
        """What pods and others said is tamed."""
        object.__setattr__(self, "summary", tuple(map(tame, self.summary)))
        told = {tame(title): tame(text) for title, text in self.sections.items()}
        object.__setattr__(self, "sections", told)

    @property
    def text(self) -> str:
        """The whole of it, as the file in the run's folder has it."""
        return "\n".join(
            f"== {title} ==\n{text.rstrip()}\n" for title, text in self.sections.items()
        )
