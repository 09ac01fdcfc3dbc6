"""The wizard: look, ask, register, change, confirm; `apply` goes the same way by a plan."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from wizard.console import screen
from wizard.console.interrupts import StopSwitch
from wizard.console.progress import Progress
from wizard.engine.answers import Answers, Declined
from wizard.engine.change import Changing, HandedOver, TakenBack, carried_out, offer
from wizard.engine.consents import given_late, obtain, with_chart
from wizard.engine.hold import leased, locked, refuse_if_held
from wizard.engine.look import Look, all_findings, closing, look, nothing_to_do, where
from wizard.engine.propose import ask_for_missing, foresee, stops
from wizard.engine.undo import Undoing
from wizard.formats import check
from wizard.problems import Exit, Problem
from wizard.records.changes import Change, Observation
from wizard.records.journal import Journal, Run, runs, unfinished
from wizard.records.report import verdict
from wizard.records.runs import the_run
from wizard.records.state import Lock
from wizard.steps.procedure import NUMBERS, STEPS, ordered
from wizard.steps.step import Step
from wizard.steps.upgrade.run_helm import settle
from wizard.systems.access import Systems

AGAIN = (
    "langsmith-audit run looks again and goes on from what is there; "
    "langsmith-audit undo puts back what was changed"
)
AFRESH = "langsmith-audit run starts again; langsmith-audit plan shows every change and makes none"

ONE_BY_ONE = Text("Each is shown exactly, and made only when you say yes. Ctrl-C leaves.", "dim")


class Onboarding:
    """One run of the wizard over the list of steps."""

    again, afresh = AGAIN, AFRESH

    def __init__(self, answers: Answers, switch: StopSwitch) -> None:
        self._answers = answers
        self._switch = switch
        self._console = screen.talk()
        self._changing = Changing(switch)

    def run(self) -> Exit:
        """The whole run; whatever ends it early is told with what was changed."""

        def walk() -> Exit:
            with Systems(self._answers.locate()) as systems:
                return self._walk(systems)

        return carried_out(walk, self._changing, again=self.again, afresh=self.afresh)

    def _walk(self, systems: Systems) -> Exit:
        self._console.print(screen.facts_table(check.where_rows(where(systems))))
        refuse_if_held(systems)
        left = unfinished(systems.place)
        if left:
            self._console.print(screen.note(_left(left)))
        how = self._answers.of_unfinished(left) if left else ""
        if left and how == "undo":
            return self._undo(systems, left)
        if left:
            self._settle(systems, left)
        left = left if how == "resume" else None
        if self._answers.may_ask:
            self._console.print()
        if not self._answers.may_ask or not Look(systems).at(STEPS[0]).blocked:
            ask_for_key(systems, self._answers)
            ask_for_missing(systems, self._answers)
        seen = self._look(systems)
        if stops(seen):
            blocked = [f for observation in seen.values() if observation.blocked
                       for f in observation.findings]  # fmt: skip
            return self._end(
                "Nothing was changed: see what stands in the way above.", verdict(blocked)
            )
        if all(observation.right for observation in seen.values()):
            return self._nothing_to_do(systems, left, seen)
        changes = with_chart(systems, self._answers, lambda: foresee(systems))
        obtain(systems, self._answers, changes)
        with locked(systems) as lock:
            return self._hold(systems, self._journal(systems, left), lock)

    def _settle(self, systems: Systems, left: Run) -> None:
        progress = Progress(self._console, self._switch, None)
        with progress.running():
            settle(systems, left.folder, progress)

    def _undo(self, systems: Systems, left: Run) -> Exit:
        """Put a run that was left back; of an undo that was left, go on with it."""
        run = the_run(left.undoes, runs()) if left.undoes else left
        return Undoing(self._answers, self._switch).put_back(run, systems)

    def _look(self, systems: Systems) -> Mapping[str, Observation]:
        self._console.print(screen.PartHead("What is there"))
        limit = f"each system has {systems.target.connect_limit:.0f} s to answer"
        with self._console.status("") as status:
            seen = look(
                systems, STEPS, lambda step: status.update(f"{step.title}: looking ({limit})")
            )
        for number, step in enumerate(STEPS, 1):
            right = seen[step.name].right
            # What this run is about to do need not be told as the next thing to type.
            self._show(
                number,
                step,
                seen[step.name],
                "already right" if right and not seen[step.name].left_out else "",
                next_steps=right or stops(seen),
            )
        return seen

    def _nothing_to_do(
        self, systems: Systems, left: Run | None, seen: Mapping[str, Observation]
    ) -> Exit:
        if left:  # a run that ends after it, so that it is not told of for ever
            with locked(systems):
                self._journal(systems, left).end(Exit.OK)
        return self._end(nothing_to_do(seen), Exit.OK)

    def _journal(self, systems: Systems, left: Run | None = None, **about: str) -> Journal:
        """The journal of the run that is gone on with, or a new one."""
        if left and not left.undoes:
            return Journal.resume(left)
        way = {"context": systems.cluster.context, "database": systems.target.database}
        return Journal.begin(systems.place, **way, **about)

    def _hold(self, systems: Systems, journal: Journal, lock: Lock) -> Exit:
        """Make all changes, while other machines are told of it."""
        progress = Progress(self._console, self._switch, journal)
        with leased(systems, self._answers, progress, journal.run, lock) as lease:
            self._changing.check = lease.check
            try:
                exit = self._change_all(systems, journal, progress)
            except TakenBack:
                if not self._changing.touched:
                    journal.end(Exit.UNDONE)
                raise
            journal.end(exit)
        return exit

    def _change_all(self, systems: Systems, journal: Journal, progress: Progress) -> Exit:
        self._console.print(screen.PartHead("Changes"))
        if self._answers.confirms:
            self._console.print(screen.hanging(ONE_BY_ONE))
        systems.forget()
        for step in ordered(one_rollout=systems.target.one_rollout):
            if step.name in systems.target.skip:
                continue
            change = step.propose(systems, ())
            if change:
                self._console.print(screen.step_head(NUMBERS[step.name], step.title))
                self._change(systems, step, change, journal, progress)
                self._look_again(systems, step)
                self._switch.check()
        return self._confirm_all(systems, progress)

    def _look_again(self, systems: Systems, step: Step) -> None:
        """The next step looks afresh; at the files alone where nothing else can have moved.

        While somebody thought about the question, anything can.
        """
        if step.files_alone and not self._answers.confirms:
            systems.forget_files()
        else:
            systems.forget()

    def _change(
        self, systems: Systems, step: Step, change: Change, journal: Journal, progress: Progress
    ) -> None:
        self._console.print(screen.change_block(change, NUMBERS))
        target = systems.target
        where = f"release {target.release} in {target.namespace}, context {systems.cluster.context}"
        if not self._agreed(f"Do this now? ({where})"):
            raise Declined
        try:
            done = self._changing.make(systems, step, change, journal, progress)
        except Problem as problem:
            again = step.propose(systems, ()) if self._accepted(systems, problem) else None
            if again:
                self._change(systems, step, again, journal, progress)
                return
            offer(systems, step, problem, journal, progress, self._changing, self._answers)
            raise
        self._console.print(screen.done_block(done))
        if change.by_hand:
            check.hand_over(change)
            raise HandedOver(f"The next step is {change.by_hand}'s, and this run ends before it")

    def _accepted(self, systems: Systems, problem: Problem) -> bool:
        return given_late(systems, self._answers, problem)

    def _agreed(self, question: str) -> bool:
        return self._answers.agree(question)

    def _confirm_all(self, systems: Systems, progress: Progress) -> Exit:
        self._console.print(screen.PartHead("Confirmation"))
        systems.forget()
        looking = Look(systems)
        seen: dict[str, Observation] = {}
        for number, step in enumerate(STEPS, 1):
            with progress.running():
                seen[step.name] = looking.at(step, confirming=progress)
            confirmed = seen[step.name].right and not seen[step.name].left_out
            self._show(number, step, seen[step.name], "confirmed" if confirmed else "")
        exit = verdict(all_findings(seen))
        return self._end(closing(seen, exit, changed=self._changing.touched), exit)

    def _show(
        self,
        number: int,
        step: Step,
        observation: Observation,
        note: str,
        *,
        next_steps: bool = True,
    ) -> None:
        self._console.print(screen.step_head(number, step.title, note))
        self._console.print(screen.findings_block(observation.findings, next_steps=next_steps))

    def _end(self, text: str, exit: Exit) -> Exit:
        style = "bold green" if exit == Exit.OK else "bold red"
        self._console.print(f"\n{text}", style=style, markup=False, soft_wrap=False)
        return exit


def _left(run: Run) -> str:
    text = f"Run {run.id} was left unfinished (changed: {', '.join(run.changed)})"
    if run.plan:
        return f"{text}; it applies plan {run.plan[:12]}."
    return f"{text}; this one goes on from what is there."


def ask_for_key(systems: Systems, answers: Answers) -> None:
    """The API key comes first: with it the server itself can say what is already right.

    One that the server does not know is asked for again at once, not found out at the end.
    """
    needed = any("api_key" in step.asks for step in STEPS if step.name not in systems.target.skip)
    if not answers.may_ask or systems.target.api_key or not needed:
        return
    answers.complete(("api_key",), systems)
    while unknown := _unknown_key(systems):
        screen.talk().print(screen.note(unknown))
        answers.complete(("api_key",), systems)


def _unknown_key(systems: Systems) -> str:
    try:
        _ = systems.served
    except Problem as problem:  # any other one is reported by the look that follows
        return problem.what if problem.id == "LSA811" else ""
    return ""
