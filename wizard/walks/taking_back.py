"""After a failed upgrade: the way back is offered, never taken by itself."""

from __future__ import annotations

from wizard.console import screen
from wizard.console.progress import Progress
from wizard.console.signals import Stopped
from wizard.problems import Problem
from wizard.procedure import NUMBERS
from wizard.records.changes import Change
from wizard.records.findings import Finding
from wizard.records.journal import Journal, runs
from wizard.records.run_states import made
from wizard.steps.base import Step
from wizard.systems.access import Systems
from wizard.walks.answers import Answers, Declined
from wizard.walks.changing import Changing

OFFERED = "helm_upgrade"


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
    if step.name != OFFERED:
        raise problem
    way = _way(systems, step, journal, progress)
    if not isinstance(way, Change):
        problem.detail += (f"no way back: {way.message}",) if way else ()
        raise problem
    if not (answers.told_of_failure or answers.confirms):
        raise problem
    talk = screen.talk()
    talk.print(screen.problem_block(problem, changing.changed))
    talk.print(screen.change_block(way, NUMBERS))
    talk.print(screen.note(f"Will not come back: {step.stays}."))
    if not _wanted(answers):
        problem.detail = ()  # they were shown above
        raise problem
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
            return step.way_back(systems, records, progress)
    except (Problem, Stopped):
        return None  # the failure itself is what has to be told


def _wanted(answers: Answers) -> bool:
    try:
        return answers.on_failure() == "rollback"
    except Declined:
        return False
