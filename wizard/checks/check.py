"""What a check is, and what it is given to look with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from wizard.problems import Problem
from wizard.record import dataclass, field
from wizard.records.changes import Observation
from wizard.records.findings import Finding
from wizard.steps.step import Access, Step
from wizard.systems.access import Systems

LIMIT = 60.0
"""Seconds that a check may take: what it reads has shorter limits of its own, several together
may not."""


class Export(NamedTuple):
    """An export of the log: the file that it keeps its place in, and how old that may be."""

    state: Path
    within: timedelta


class Besides(NamedTuple):
    """What is looked at where it is asked for alone: an export, and the helm on PATH."""

    export: Export | None = None
    helm: bool = False


class Sight:
    """What one health check looks with; what was read is kept for all of its checks.

    Attributes:
        now: when it began (UTC).
        remarks: what its last line must say, a part of a sentence each.
        measures: what was measured, in base units, by the names in `wizard.records.report`.
        besides: what is asked for besides.
    """

    def __init__(self, systems: Systems, besides: Besides | None = None) -> None:
        self.systems = systems
        self.besides = besides or Besides()
        self.now = datetime.now(UTC)
        self.remarks: list[str] = []
        self.measures: dict[str, float] = {}
        self._observed: dict[str, Observation | Problem] = {}

    def observed(self, step: Step) -> Observation:
        """What a step of the procedure sees, looked at once.

        Raises:
            Problem: it cannot be looked at.
        """
        if step.name not in self._observed:
            try:
                self._observed[step.name] = step.observe(self.systems)
            except Problem as problem:
                self._observed[step.name] = problem
        found = self._observed[step.name]
        if isinstance(found, Problem):
            raise found
        if found.remark and found.remark not in self.remarks:
            self.remarks.append(found.remark)
        return found


@dataclass(frozen=True)
class Check:
    """One thing that the health check looks at.

    Attributes:
        id: a catalogue entry, by which machines know it whatever it finds.
        title: what it makes sure of, as `--list` tells it.
        look: what is found: one finding, or one a subject.
        access: what it reads, beyond what `needs` read; `rbac` is made from it.
        needs: earlier checks without which this one has nothing to look at.
        step: the step of the procedure that it belongs to, with which it is left out (`--skip`).
        limit: seconds that it may take.
        besides: what of `Besides` has to be asked for; without, it is none of a check's.
    """

    id: str
    title: str
    look: Callable[[Sight], Finding | Iterable[Finding]]
    access: tuple[Access, ...] = ()
    needs: tuple[str, ...] = ()
    step: str = ""
    limit: float = LIMIT
    besides: str = ""


@dataclass(frozen=True)
class Area:
    """What a person sees as one thing.

    Attributes:
        name: how `--only` calls it.
        title: how a person calls it.
        ahead: what its checks read that can be read ahead, see `wizard.systems.access`.
    """

    name: str
    title: str
    checks: tuple[Check, ...] = field(repr=False)
    ahead: tuple[str, ...] = ()
