"""`langsmith-audit run`: the wizard. Look, ask, register, change, confirm."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from wizard.console import report, screen
from wizard.console.progress import Progress
from wizard.console.signals import Interrupted, Stopped, StopSwitch
from wizard.exits import Exit
from wizard.problems import Problem
from wizard.procedure import NUMBERS, STEPS
from wizard.records.changes import Change, Observation
from wizard.records.journal import Journal, unfinished
from wizard.records.lock import locked
from wizard.steps.base import Step
from wizard.systems.access import Systems
from wizard.walks.answers import Answers, Declined
from wizard.walks.look import Look, all_findings, look, verdict
from wizard.walks.plan import ask_for_missing, stops
from wizard.walks.where import where


def main(args: argparse.Namespace) -> Exit:
    """Run the wizard, and tell how it ended."""
    console = screen.talk()
    switch = StopSwitch(lambda text: console.print(text, style="yellow"))
    with switch.installed():
        return Onboarding(Answers(args.settings), switch).run()


class Onboarding:
    """One run of the wizard over the list of steps."""

    def __init__(self, answers: Answers, switch: StopSwitch) -> None:
        self._answers = answers
        self._switch = switch
        self._console = screen.talk()
        self._made: list[str] = []
        self._begun = ""

    def run(self) -> Exit:
        """The whole run; whatever ends it early is told with what was changed."""
        try:
            with Systems(self._answers.locate()) as systems:
                return self._walk(systems)
        except Declined:
            return self._left("You left before the next change", Exit.DECLINED)
        except Stopped:
            return self._left("Stopped at a safe point, as you asked", Exit.INTERRUPTED)
        except KeyboardInterrupt as interrupt:
            exit = interrupt.exit if isinstance(interrupt, Interrupted) else Exit.INTERRUPTED
            return self._left("Interrupted", exit)
        except Problem as problem:
            self._console.print(screen.problem_block(problem, self._changed))
            return Exit.STOPPED if self._touched else problem.exit

    def _walk(self, systems: Systems) -> Exit:
        ask_for_key(systems, self._answers)
        self._console.print(screen.facts_table(report.where_rows(where(systems))))
        self._tell_unfinished(systems)
        ask_for_missing(systems, self._answers)
        seen = self._look(systems)
        if stops(seen):
            return self._blocked(seen)
        if all(observation.right for observation in seen.values()):
            return self._end("Nothing to do: everything is right already.", Exit.OK)
        with locked(systems.place):
            journal = Journal.begin(systems.place)
            exit = self._change_all(systems, journal)
            journal.end(exit)
        return exit

    def _look(self, systems: Systems) -> Mapping[str, Observation]:
        self._console.print(screen.part_head("What is there"))
        with self._console.status("Looking …"):
            seen = look(systems, STEPS)
        for number, step in enumerate(STEPS, 1):
            self._show(number, step, seen[step.name])
        return seen

    def _change_all(self, systems: Systems, journal: Journal) -> Exit:
        self._console.print(screen.part_head("Changes"))
        progress = Progress(self._console, self._switch, journal)
        for number, step in enumerate(STEPS, 1):
            if step.name in systems.target.skip:
                continue
            systems.forget()
            change = step.propose(systems, ())
            if change:
                self._console.print(screen.step_head(number, step.title))
                self._change(systems, step, change, journal, progress)
                self._switch.check()
        return self._confirm_all(systems, progress)

    def _change(
        self, systems: Systems, step: Step, change: Change, journal: Journal, progress: Progress
    ) -> None:
        self._console.print(screen.change_block(change, NUMBERS))
        target = systems.target
        where = f"{target.release} in {target.namespace}, context {systems.cluster.context}"
        if not self._answers.agree(f"Do this now? ({where})"):
            raise Declined
        journal.intent(change)
        self._begun = "" if step.atomic else step.title
        try:
            with self._switch.guarded(), progress.running():
                done = step.apply(systems, change, progress)
        except Problem as problem:
            journal.failed(step.name, problem)
            raise
        journal.done(step.name, done)
        self._begun = ""
        self._made.append(done.summary)
        self._console.print(screen.done_block(done))

    def _confirm_all(self, systems: Systems, progress: Progress) -> Exit:
        self._console.print(screen.part_head("Confirmed"))
        systems.forget()
        looking = Look(systems)
        seen: dict[str, Observation] = {}
        for number, step in enumerate(STEPS, 1):
            with progress.running():
                seen[step.name] = looking.at(step, confirming=progress)
            self._show(number, step, seen[step.name])
        exit = verdict(all_findings(seen))
        if exit == Exit.OK:
            return self._end("Done: audit logs are on, and confirmed.", exit)
        meaning = report.MEANING[exit]
        return self._end(f"The changes were made, but {meaning}; see above.", exit)

    def _blocked(self, seen: Mapping[str, Observation]) -> Exit:
        blocked = [f for observation in seen.values() if observation.blocked
                   for f in observation.findings]  # fmt: skip
        return self._end("Nothing was changed: see what stands in the way above.", verdict(blocked))

    def _tell_unfinished(self, systems: Systems) -> None:
        run = unfinished(systems.place)
        if run:
            text = f"Run {run.id} was left unfinished; this one goes on from what is there."
            self._console.print(f"\n    {text}", style="yellow", markup=False)

    def _show(self, number: int, step: Step, observation: Observation) -> None:
        note = "already right" if observation.right else ""
        self._console.print(screen.step_head(number, step.title, note))
        self._console.print(screen.findings_block(observation.findings))

    @property
    def _touched(self) -> bool:
        return bool(self._made or self._begun)

    @property
    def _changed(self) -> str:
        made = "; ".join(self._made) or "nothing"
        return f"{made}; begun: {self._begun}" if self._begun else made

    def _left(self, why: str, exit: Exit) -> Exit:
        self._console.print(f"\n{why}.", style="yellow", markup=False)
        self._console.print(f"  changed: {self._changed}", markup=False)
        if self._touched:
            self._console.print("  next: langsmith-audit run goes on from here", markup=False)
            return Exit.STOPPED
        return exit

    def _end(self, text: str, exit: Exit) -> Exit:
        style = "bold green" if exit == Exit.OK else "bold red"
        self._console.print(f"\n{text}", style=style, markup=False)
        return exit


def ask_for_key(systems: Systems, answers: Answers) -> None:
    """The API key comes first: with it the server itself can say what is already right."""
    if answers.may_ask and not systems.target.api_key and "audit_api" not in systems.target.skip:
        answers.complete(("api_key",), systems)
