"""`langsmith-audit apply`: exactly what a plan says, or nothing."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from wizard.console import screen
from wizard.console.interrupts import StopSwitch
from wizard.console.progress import Progress
from wizard.console.waiting import Waiting
from wizard.engine.answers import Answers, Declined
from wizard.engine.hold import locked, refuse_if_held
from wizard.engine.look import where
from wizard.engine.propose import ask_for_missing
from wizard.engine.run import Onboarding, ask_for_key
from wizard.formats import check
from wizard.formats.plan import header_rows, verdict
from wizard.planning import causes
from wizard.planning.approval import applied_before, mark, refuse_unfit, settings_of
from wizard.planning.differences import (
    Difference,
    all_differences,
    attributed,
    differences_now,
    moved,
)
from wizard.planning.make import plan_where
from wizard.problems import Exit, Problem
from wizard.records import debug_log
from wizard.records.changes import Change
from wizard.records.journal import Journal, Run
from wizard.records.plan_reading import Reading, read_plan
from wizard.records.runs import NOTHING_LEFT, left_of, left_run
from wizard.steps.procedure import STEPS, ordered
from wizard.steps.step import Step
from wizard.systems.access import Systems
from wizard.systems.calls import heard

IDENTITY = ("cluster_uid", "namespace_uid", "database", "system_identifier", "organizations_oid")

BACK = "langsmith-audit undo puts back what was made, and a new plan goes on from there"
OTHER_WAY = "langsmith-audit run"


def main(args: argparse.Namespace) -> Exit:
    """Apply the plan, and tell how it ended.

    Raises:
        Problem: the plan cannot be read, or may not be applied.
    """
    path = Path(args.plan)
    reading = read_plan(path)
    refuse_unfit(reading, path, args.approve)
    _verify(reading, path, args)
    switch = StopSwitch()
    with debug_log.kept() as note, heard(note), switch.installed():
        answers = Answers(settings_of(reading.plan, args.settings, exactly=True))
        return Application(answers, switch, reading, path).run()


def _verify(reading: Reading, path: Path, args: argparse.Namespace) -> None:
    if bool(args.signature) != bool(args.allowed_signers):
        raise Problem(
            "LSA901",
            "--signature and --allowed-signers go together",
            on="this invocation",
            next_step="give both, or neither",
            exit=Exit.USAGE,
        )
    if args.signature:
        from wizard.planning.approval import signer

        name = signer(path, reading.data, Path(args.signature), Path(args.allowed_signers))
        screen.talk().print(f"Signed by {name}.", markup=False)


class Application(Onboarding):
    """One plan, applied."""

    keeps_answers = False
    afresh = "langsmith-audit apply starts again; langsmith-audit show PLAN shows the plan"

    def __init__(self, answers: Answers, switch: StopSwitch, reading: Reading, path: Path) -> None:
        super().__init__(answers, switch)
        self.again = (
            f"langsmith-audit apply {shlex.quote(str(path))} goes on with it; "
            "langsmith-audit undo puts back what was changed"
        )
        self._reading = reading
        self._plan = reading.plan
        self._left = NOTHING_LEFT
        self._done: list[str] = []

    def _walk(self, systems: Systems) -> Exit:
        rows = header_rows(self._plan, self._reading.id)
        self._console.print(screen.facts_table([*rows, *check.where_rows(where(systems))]))
        self._refuse_other_target(systems)
        refuse_if_held(systems)
        if not self._plan.planned:
            return self._end("Nothing to do: the plan has no changes.", Exit.OK)
        run = left_run(systems.place, self._reading.id)
        how = self._unfinished(systems, run) if run else ""
        if run and how == "undo":
            return self._undo(systems, run)
        run = run if how == "resume" else None
        self._left = left_of(run) if run else NOTHING_LEFT
        self._refuse_applied(systems, run.id if run else "")
        ask_for_key(systems, self._answers)
        ask_for_missing(systems, self._answers)
        with Waiting("looking at everything that the plan rests on"):
            found = all_differences(systems, self._plan, self._left)
        self._refuse_moved(systems, found)
        for step in STEPS:
            if step.name not in systems.target.skip:
                step.require(systems)
        self._agree()
        with locked(systems) as lock:
            return self._hold(systems, self._journal(systems, run, plan=self._reading.id), lock)

    def _unfinished(self, systems: Systems, run: Run) -> str:
        """What becomes of the unfinished run of this plan; its helm is waited for."""
        steps = ", ".join(run.changed) or "nothing"
        text = f"Run {run.id} of this plan was left unfinished (changed: {steps})."
        self._console.print(screen.note(text))
        how = self._answers.of_unfinished(run, self._reading.id)
        if how == "resume":
            self._settle(systems, run)
        return how

    def _agree(self) -> None:
        self._console.print(f"\n{verdict(self._plan)}", style="bold", markup=False)
        for step, change in self._plan.planned:
            if step.name in self._left.done:
                continue
            self._console.print(screen.step_head(step.number, step.title))
            self._console.print(screen.items_block(change.items))
        if not self._answers.agree(f"Apply plan {self._reading.id[:12]} now?"):
            raise Declined

    def _change_all(self, systems: Systems, journal: Journal, progress: Progress) -> Exit:
        systems.forget()
        self._refuse_applied(
            systems, journal.run
        )  # whoever was faster has let go of the lock by now
        if why := mark(systems, self._reading.id, journal.run):
            text = f"Only the journal here tells that the plan was applied: {why}"
            self._console.print(screen.note(text))
        self._planned = tuple(step.name for step, _ in self._plan.planned)
        planned = {step.name for step, _ in self._plan.planned}
        systems.forget()
        for step in ordered(one_rollout=systems.target.one_rollout):
            if step.name not in planned:
                continue
            change = self._proposed(systems, step)
            if change is None:
                self._done += [step.name] if step.name in self._left.begun else []
                continue
            self._head(step, progress)
            self._change(systems, step, change, journal, progress)
            self._look_again(systems, step)
            self._done.append(step.name)
            self._switch.check()
        return self._confirm_all(systems, progress)

    def _proposed(self, systems: Systems, step: Step) -> Change | None:
        """The step's change, when it is the planned one still; none where others have made it."""
        change = step.propose(systems, ())
        if change is None and step.name in self._left.begun:
            return None
        self._refuse_moved(systems, differences_now(systems, self._plan, step, change, self._done))
        return change

    def _change(
        self, systems: Systems, step: Step, change: Change, journal: Journal, progress: Progress
    ) -> None:
        """As any run; but what goes on after a failure is no run with options of its own."""
        try:
            super()._change(systems, step, change, journal, progress)
        except Problem as problem:
            if OTHER_WAY not in problem.next_step:
                raise
            raise problem.but(next_step=f"mend the cause; {BACK}") from problem

    def _accepted(self, systems: Systems, problem: Problem) -> bool:  # noqa: ARG002
        """What the plan does not say is not done, whoever says yes."""
        return False

    def _agreed(self, question: str, more: Callable[[], None] | None) -> bool:  # noqa: ARG002
        """The plan as a whole was agreed to."""
        return True

    def _refuse_moved(self, systems: Systems, found: tuple[Difference, ...]) -> None:
        if found:
            whose = attributed(systems, self._plan, found)
            why = causes.cause(self._plan, whose)
            table = causes.told(self._plan, whose)
            refusal = moved(table, "LSA920", why, systems.release.on)
            way = f"{BACK}; plan --compare shows what differs"
            raise refusal.but(next_step=way) if self._left.begun else refusal

    def _refuse_other_target(self, systems: Systems) -> None:
        now, planned = plan_where(systems), self._plan.target
        names = [name for name in IDENTITY if getattr(planned, name)]
        if not {"cluster_uid", "namespace_uid"} & set(names):
            names.append("api_server")
        if now.namespace_uid and not now.cluster_uid:  # a Role of one namespace sees its uid alone
            names = [name for name in names if name != "cluster_uid"]
        found = [
            Difference(name.replace("_", " "), str(getattr(planned, name)),
                       str(getattr(now, name)) or "not read: " + "; ".join(now.unread),
                       unread=not getattr(now, name))
            for name in names
            if getattr(planned, name) != getattr(now, name)
        ]  # fmt: skip
        if found:
            raise moved(found, "LSA918", "The plan is for another target", "this target")

    def _refuse_applied(self, systems: Systems, besides: str = "") -> None:
        before = applied_before(systems, self._reading.id, besides)
        if before:
            raise Problem(
                "LSA917",
                f"The plan was applied already, or begun: {before}",
                on=f"plan {self._reading.id[:12]}",
                next_step="langsmith-audit plan shows what is left to do, if anything",
                exit=Exit.REFUSED,
            )
