"""Makes changes: each is registered in the journal before it is made, and recorded after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from wizard.console.progress import Progress
from wizard.console.signals import StopSwitch
from wizard.problems import Problem
from wizard.records.changes import Change, Done
from wizard.records.journal import Journal
from wizard.steps.base import Step
from wizard.systems.access import Systems

GOES_ON = {
    "helm_upgrade": "helm upgrade goes on by itself; helm list shows when it is deployed",
    "backend_restart": "the rollout goes on by itself; kubectl get pods shows it",
}
"""What goes on in the cluster when this process leaves in the middle of a step."""


class HandedOver(Exception):
    """A change was handed to somebody outside; the run ends here, and the next one goes on."""


class Changing:
    """What one run has changed so far, and how it changes more."""

    def __init__(self, switch: StopSwitch) -> None:
        self._switch = switch
        self.check: Callable[[], None] = lambda: None
        """Called before each change; what it raises keeps the change from being made."""
        self._made: list[str] = []
        self._begun: Change | None = None

    def make(
        self,
        systems: Systems,
        step: Step,
        change: Change,
        journal: Journal,
        progress: Progress,
        *,
        back: bool = False,
    ) -> Done:
        """Register, change, and record what was done; the first signal waits for all of it.

        With `back` the change is one that the step's `way_back` gave.

        Raises:
            Problem: the change was refused, or did not come to its end; the journal has it.
        """
        with self._switch.guarded():
            self.check()
            journal.intent(change)
            self._begun = None if step.atomic else change
            try:
                with progress.running():
                    act = step.undo if back else step.apply
                    done = act(systems, change, progress)
            except Problem as problem:
                with contextlib.suppress(Problem):  # a full disk must not hide what happened
                    _keep_evidence(systems, step, problem, journal)
                    journal.failed(step.name, problem)
                raise
            self._begun = None
            if not change.by_hand:
                self._made.append(done.summary)
            journal.done(step.name, done)
            return done

    def take_back(
        self, systems: Systems, step: Step, change: Change, journal: Journal, progress: Progress
    ) -> Done:
        """Put back the change that has just failed, by what the step's `way_back` gave.

        Raises:
            Problem: it did not come to its end; the journal has it.
        """
        with self._switch.guarded():
            self.check()
            journal.undoing(change)
            try:
                with progress.running():
                    done = step.undo(systems, change, progress)
            except Problem as problem:
                with contextlib.suppress(Problem):
                    _keep_evidence(systems, step, problem, journal)
                    journal.failed(step.name, problem)
                raise
            self._begun = None
            journal.undone(step.name, done)
            return done

    @property
    def touched(self) -> bool:
        """Whether anything was changed, or may have been."""
        return bool(self._made or self._begun)

    @property
    def changed(self) -> tuple[str, ...]:
        """What was changed, a line each; `nothing` when nothing was."""
        begun = (f"begun, and not seen to its end: {self._begun.items[0]}",) if self._begun else ()
        return (*self._made, *begun) or ("nothing",)

    @property
    def going_on(self) -> str:
        """What goes on in the cluster when this process has left; empty when nothing does."""
        if self._begun is None or self._begun.register.get("gitops"):
            return ""
        return GOES_ON.get(self._begun.step, "")


def _keep_evidence(systems: Systems, step: Step, problem: Problem, journal: Journal) -> None:
    """What the failure looks like is kept before anything else is done, and told."""
    found = step.evidence(systems, problem)
    if found:
        kept = journal.evidence(step.name, found)
        problem.detail += (*found.summary, f"all of it: {kept}")
