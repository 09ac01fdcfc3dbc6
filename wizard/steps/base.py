"""What a step is: observe, propose, apply, confirm. A step never prints, asks or builds a client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from wizard.records.findings import Finding, State

if TYPE_CHECKING:
    from wizard.systems.access import Systems


class Reversible(StrEnum):
    """Whether a change can be put back."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True)
class Observation:
    """What a step saw.

    Attributes:
        findings: the same ones that `check` reports.
        right: nothing is left to do for this step.
        blocked: the step cannot be made right by this tool; nothing after it may be changed.
    """

    findings: tuple[Finding, ...]
    right: bool
    blocked: bool = False


@dataclass(frozen=True)
class Exact:
    """Exactly what will be done: an argv, an SQL statement with its parameters, or a diff."""

    kind: str
    text: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """A change that a step proposes.

    Attributes:
        step: the step's name.
        items: the single changes in it, a line each; a plan counts these.
        exact: what will be run or written.
        preconditions: named fingerprints that the change rests on.
        effect: what it does to the running system.
        reversible, because, undo: whether, why, and how it is put back.
        register: what undo will need and is known beforehand (plain JSON, no secret); it is in
            the journal before the change is made.
        after: the step that has to happen first, when it has not happened yet.
        payload: what `apply` needs, in memory only.
    """

    step: str
    items: tuple[str, ...]
    exact: tuple[Exact, ...]
    preconditions: Mapping[str, str]
    effect: str
    reversible: Reversible
    because: str
    undo: str
    register: Mapping[str, Any] = field(default_factory=dict)
    after: str = ""
    payload: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Done:
    """What a change did, its evidence, and what undo will need (plain JSON, no secret)."""

    summary: str
    evidence: tuple[str, ...] = ()
    undo: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """Something that a step touches: a Kubernetes resource, an SQL table, a URL or a file."""

    system: str
    verb: str
    what: str
    group: str = ""


class Watch(Protocol):
    """Where a step under way says what it waits for."""

    def waiting(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress; raises when the person wants to stop and it is safe here."""

    def finishing(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress of what must not be left half-done; never raises."""

    def backup(self, name: str) -> Path:
        """A path beside the journal for a copy that undo will need."""


class Step(ABC):
    """One step of the documented procedure.

    Attributes:
        name: how flags, plans and journals call it.
        title: how a person calls it.
        access: everything that it reads and writes.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    access: ClassVar[tuple[Access, ...]]

    def missing(self, systems: Systems) -> tuple[str, ...]:  # noqa: ARG002
        """Names of the options that this step still needs answered."""
        return ()

    @abstractmethod
    def observe(self, systems: Systems) -> Observation:
        """Look, and change nothing."""

    def propose(self, systems: Systems, pending: Sequence[Change]) -> Change | None:  # noqa: ARG002
        """The change that is needed, given the changes proposed before it; or none."""
        return None

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Make exactly that change."""
        raise NotImplementedError(f"{self.name} changes nothing")

    def confirm(self, systems: Systems, watch: Watch) -> Observation:  # noqa: ARG002
        """Look again after the change."""
        return self.observe(systems)


def passed(id: str, subject: str, message: str, *evidence: str) -> Finding:
    """A finding that is right."""
    return Finding(id, State.PASS, subject, message, evidence)


def failed(id: str, subject: str, message: str, *evidence: str, next_step: str) -> Finding:
    """A finding that is wrong, with what to do next."""
    return Finding(id, State.FAIL, subject, message, evidence, next_step)


def pending(changes: Sequence[Change], *steps: str) -> Change | None:
    """The first proposed change of any of these steps."""
    return next((change for change in changes if change.step in steps), None)
