"""What a step is: observe, propose, apply, confirm; and what a way back says without a change.

A step never prints, never asks and never builds a client.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from wizard.problems import Problem
from wizard.record import dataclass
from wizard.records.changes import Change, Done, Observation
from wizard.records.findings import Evidence, Finding, State
from wizard.records.runs import Made

if TYPE_CHECKING:
    from wizard.records.plan import ServerCheck
    from wizard.systems.access import Systems
    from wizard.systems.workload import RolloutStatus


@dataclass(frozen=True)
class Access:
    """Something that a step touches: a Kubernetes resource, an SQL table, a URL or a file.

    Attributes:
        system: `kubernetes`, `sql`, `url`, `file`, or `helm` for what helm does by itself.
        what: the resource with its subresource, the table, the path.
        group: the API group; empty for the core.
        changes: needed only to make the step's change, never to look.
        way: the way to the database (`--database`) that alone needs it; empty for any.
        optional: looked at before an upgrade; done without where the right is missing.
        kind: the kind of backend that alone needs it (`Rollout`); empty for any.
    """

    system: str
    verb: str
    what: str
    group: str = ""
    changes: bool = False
    way: str = ""
    optional: bool = False
    kind: str = ""


class Watch(Protocol):
    """Where a step under way says what it waits for."""

    def waiting(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress; raises when the person wants to stop and it is safe here."""

    def finishing(self, what: str, seconds: float, lines: Sequence[str] = ()) -> None:
        """Show progress of what must not be left half-done; never raises."""

    def note(self, **facts: str | int) -> None:
        """Keep facts of what is under way in the journal, plain and no secret."""

    def backup(self, name: str) -> Path:
        """A path beside the journal for a copy that undo will need."""

    def beside(self, name: str) -> Path:
        """The path beside the journal of a file that the change has registered by this name."""


class Step(ABC):
    """One step of the documented procedure.

    Attributes:
        name: how flags, plans and journals call it.
        title: how a person calls it.
        access: everything that it reads and writes.
        ahead: what its look reads that can be read ahead, see `wizard.systems.access`.
        asks: the options that it may need answered, see `missing`.
        proof: it changes nothing, and only shows that what the others changed has come true.
        atomic: its change is made as a whole or not at all.
        files_alone: its change is made of the values files, and moves nothing else.
        by_helm: its change is made by helm, from the chart.
        rolls: its change replaces the backend's pods.
        follows: the steps after whose way back pods are older than what was put back.
        in_part: its way back may leave a part, which is told once the rest is put back.
        offers_way_back: the way back is offered at once where its change fails.
        stays: what of its change no undo brings back; empty when all of it comes back.
        goes_on: what goes on in the cluster when this process leaves in the middle of its change.
        cannot_be_known: what no look at the systems tells of its change beforehand.
        registers: the facts that the journal has of each of its changes, without which none of them
            can be put back.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    access: ClassVar[tuple[Access, ...]]
    ahead: ClassVar[tuple[str, ...]] = ()
    asks: ClassVar[tuple[str, ...]] = ()
    proof: ClassVar[bool] = False
    atomic: ClassVar[bool] = False
    files_alone: ClassVar[bool] = False
    by_helm: ClassVar[bool] = False
    rolls: ClassVar[bool] = False
    follows: ClassVar[tuple[str, ...]] = ()
    in_part: ClassVar[bool] = False
    offers_way_back: ClassVar[bool] = False
    stays: ClassVar[str] = ""
    goes_on: ClassVar[str] = ""
    cannot_be_known: ClassVar[tuple[str, ...]] = ()
    registers: ClassVar[tuple[str, ...]] = ()

    def missing(self, systems: Systems) -> tuple[str, ...]:  # noqa: ARG002
        """Names of the options that this step still needs answered."""
        return ()

    def require(self, systems: Systems) -> None:  # noqa: B027
        """Make sure of what this step needs at the end, before any step changes anything.

        Raises:
            Problem: it cannot come to a good end, whatever is changed.
        """

    @abstractmethod
    def observe(self, systems: Systems) -> Observation:
        """Look, and change nothing."""

    def propose(self, systems: Systems, pending: Sequence[Change]) -> Change | None:  # noqa: ARG002
        """The change that is needed, given the changes proposed before it; or none."""
        return None

    def tried(self, systems: Systems, change: Change) -> tuple[ServerCheck, ...]:  # noqa: ARG002
        """What the API server says to each object that the change would write (`dryRun=All`)."""
        return ()

    def tried_at_once(
        self,
        systems: Systems,  # noqa: ARG002
        change: Change,  # noqa: ARG002
    ) -> tuple[ServerCheck, ...]:
        """The same of what can be tried only where the change is made right after it."""
        return ()

    def tried_back(
        self,
        systems: Systems,  # noqa: ARG002
        change: Change | None,  # noqa: ARG002
    ) -> tuple[ServerCheck, ...]:
        """The same of a way back; without a change of the one that `follows` another's."""
        return ()

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Make exactly that change."""
        raise NotImplementedError(f"{self.name} changes nothing")

    def begun(self, systems: Systems, change: Change) -> bool:  # noqa: ARG002
        """Whether anything of a change that has failed may be there; never raises a Problem."""
        return not self.atomic

    def way_back(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:
        """What puts back these changes of one run (oldest first), or why nothing does.

        Reads only. A change is given only where what is there is still what the run wrote.
        """
        raise NotImplementedError(f"{self.name} changes nothing")

    def back_from(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:
        """The same, where the journal has what it takes."""
        lacking = [name for name in self.registers if any(name not in it.register for it in made)]
        if lacking:
            return cannot(
                self.title,
                f"the journal does not tell its {' and '.join(lacking)}",
                next_step=f"put it back by hand; what was kept of it is in {made[-1].folder}",
            )
        return self.way_back(systems, made, watch)

    def undo(self, systems: Systems, change: Change, watch: Watch) -> Done:
        """Make exactly the change that `way_back` gave; it can itself be put back."""
        raise NotImplementedError(f"{self.name} changes nothing")

    def after_undo(self, systems: Systems) -> Change | None:  # noqa: ARG002
        """The change that is needed once a step that it `follows` was put back; or none."""
        return None

    def evidence(self, systems: Systems, problem: Problem) -> Evidence | None:  # noqa: ARG002
        """What is there right after `apply` or `undo` failed; never raises a Problem."""
        return None

    def confirm(self, systems: Systems, watch: Watch) -> Observation:  # noqa: ARG002
        """Look again after the change."""
        return self.observe(systems)


def pending(changes: Sequence[Change], *steps: str) -> Change | None:
    """The first proposed change of any of these steps."""
    return next((change for change in changes if change.step in steps), None)


T = TypeVar("T")


def before_all(moves: Iterable[tuple[T, T]], now: T) -> T | None:
    """What there was before moves from one thing to another, the newest of them first.

    None where what is there `now` is none of theirs.
    """
    for before, after in moves:
        if now == after:
            now = before
        elif now != before:
            return None
    return now


def await_rollout(
    systems: Systems, watch: Watch, what: str = "the backend is rolling"
) -> RolloutStatus:
    """Wait until every pod is new and ready; `what` says meanwhile what is waited for.

    Raises:
        Problem: it gets stuck, or has not ended within `--rollout-limit` seconds.
    """
    from wizard.systems.workload.status import status_lines

    limit = systems.target.rollout_limit
    return systems.workload.wait(
        limit=limit,
        patience=systems.target.patience,
        tick=lambda status, seconds: watch.waiting(
            f"{what} (limit {limit:.0f} s)", seconds, status_lines(status)
        ),
    )


def nothing(subject: str, why: str) -> Finding:
    """It is as it was before the run."""
    return Finding("LSA931", State.PASS, subject, f"Nothing to put back: {why}")


def not_ours(subject: str, why: str, *evidence: str, next_step: str = "") -> Finding:
    """Somebody changed it since, so it is left as it is."""
    message = f"Left as it is: {why}"
    step = next_step or "look at it, and put it back by hand where that is wanted"
    return Finding("LSA932", State.WARN, subject, message, evidence, step)


def cannot(subject: str, why: str, *evidence: str, next_step: str) -> Finding:
    """It is ours, and this tool has no means to put it back."""
    return Finding("LSA934", State.FAIL, subject, f"Cannot be put back: {why}", evidence, next_step)
