"""Makes changes: each is registered in the journal before it is made, and recorded after.

After a failed upgrade the way back is offered, never taken by itself. However a command that
changes things ends early, it ends with what was changed, and what to type next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from wizard.console import screen
from wizard.console.interrupts import Interrupted, Stopped, StopSwitch
from wizard.console.progress import Progress
from wizard.engine.answers import Answers, Declined
from wizard.problems import Exit, Problem
from wizard.records.changes import Change, Done
from wizard.records.findings import Finding
from wizard.records.journal import Journal, runs
from wizard.records.runs import made
from wizard.steps.procedure import NUMBERS, the_step
from wizard.steps.step import Step
from wizard.systems.access import Systems


class HandedOver(Exception):
    """A change was handed to somebody outside; the run ends here, and the next one goes on."""


class Changing:
    """What one run has changed so far, and how it changes more."""

    def __init__(self, switch: StopSwitch) -> None:
        self._switch = switch
        self.check: Callable[[], None] = lambda: None
        """Called before each change; what it raises keeps the change from being made."""
        self._made: list[str] = []
        self.advice: list[str] = []
        """What a person has still to do with what was changed."""
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
                told = _with_evidence(systems, step, problem, journal)
                if not step.begun(systems, change):
                    self._begun = None
                raise told from None
            self._begun = None
            if not change.by_hand:
                self._made.append(done.summary)
            self.advice += [done.advice] if done.advice else []
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
                raise _with_evidence(systems, step, problem, journal) from None
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
        return the_step(self._begun.step).goes_on


def _with_evidence(systems: Systems, step: Step, problem: Problem, journal: Journal) -> Problem:
    """The failure with what it looks like, which is kept before anything else is done."""
    with contextlib.suppress(Problem):  # a full disk must not hide what happened
        found = step.evidence(systems, problem)
        if found:
            kept = f"all of it: {journal.evidence(step.name, found)}"
            problem = problem.but(detail=(*problem.detail, *found.summary, kept))
        journal.failed(step.name, problem)
    return problem


class TakenBack(Exception):
    """A change failed, and was put back; what was changed before it stays."""


def offer(
    systems: Systems,
    step: Step,
    problem: Problem,
    journal: Journal,
    progress: Progress,
    changing: Changing,
    answers: Answers,
) -> None:
    """Show the failure and the way back, and take it where that is the answer.

    Raises:
        TakenBack: it was taken.
        Problem: it was not; the given one, or why the way back itself failed.
    """
    if not step.offers_way_back:
        raise problem
    way = _way(systems, step, journal, progress)
    if not isinstance(way, Change):
        told = (f"no way back: {way.message}",) if way else ()
        raise problem.but(detail=(*problem.detail, *told))
    if not (answers.told_of_failure or answers.confirms):
        raise problem
    talk = screen.talk()
    talk.print(screen.problem_block(problem, changing.changed))
    talk.print(screen.change_block(way, NUMBERS))
    talk.print(screen.note(f"Will not come back: {step.stays}."))
    wanted = False
    with contextlib.suppress(Declined):
        wanted = answers.on_failure() == "rollback"
    if not wanted:
        raise problem.but(detail=())  # they were shown above
    done = changing.take_back(systems, step, way, journal, progress)
    talk.print(screen.done_block(done))
    raise TakenBack("The upgrade failed, and the release was put back")


def _way(
    systems: Systems, step: Step, journal: Journal, progress: Progress
) -> Change | Finding | None:
    records = [
        it for run in runs() if run.id == journal.run for it in made(run) if it.step == step.name
    ]
    if not records:
        return None  # it could not even be registered
    try:
        systems.forget()
        with progress.running():
            return step.back_from(systems, records, progress)
    except (Problem, Stopped):
        return None  # the failure itself is what has to be told


ONCE_RUN = "once the SQL has been run: langsmith-audit run goes on, and asks the server"


def carried_out(walk: Callable[[], Exit], changing: Changing, *, again: str, afresh: str) -> Exit:
    """The walk's exit code; whatever ends it early is told with what was changed.

    `again` is what to type where something was changed, `afresh` where nothing was.
    """

    def left(why: str, exit: Exit, next_step: str = "") -> Exit:
        next_step = next_step or (again if changing.touched else afresh)
        block = screen.left_block(why, changing.changed, changing.going_on, next_step)
        screen.talk().print(block)
        return Exit.STOPPED if changing.touched else exit

    try:
        return walk()
    except Declined as declined:
        return left(str(declined) or "You left before the next change", Exit.DECLINED)
    except HandedOver as handed:
        return left(str(handed), Exit.PENDING, ONCE_RUN)
    except TakenBack as back:
        return left(str(back), Exit.UNDONE)
    except Stopped as stop:
        return left(stop.why, stop.exit)
    except KeyboardInterrupt as interrupt:
        exit = interrupt.exit if isinstance(interrupt, Interrupted) else Exit.INTERRUPTED
        return left("Interrupted", exit)
    except Problem as problem:
        screen.talk().print(screen.problem_block(problem, changing.changed))
        return Exit.STOPPED if changing.touched else problem.exit
    except BrokenPipeError:  # of standard output, where the SQL for a DBA goes
        return Exit.STOPPED if changing.touched else Exit.UNREAD
    except Exception:
        left("An unexpected error", Exit.UNEXPECTED)
        raise
