"""The wizard: look, ask, register, change, confirm; `apply` goes the same way by a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from wizard.aim import aimed
from wizard.console import screen, stages
from wizard.console.interrupts import Back, StopSwitch
from wizard.console.progress import Progress
from wizard.console.waiting import Waiting
from wizard.engine import answer_file
from wizard.engine.answers import Answers, Declined
from wizard.engine.change import Changing, HandedOver, TakenBack, carried_out, offer
from wizard.engine.consents import given_late, obtain, with_chart
from wizard.engine.hold import leased, locked, refuse_if_held
from wizard.engine.look import (
    Look,
    all_findings,
    closing,
    look,
    nothing_to_do,
    where,
)
from wizard.engine.overview import goes_on, in_the_way, outlook, to_do
from wizard.engine.overview import stages as lines_of
from wizard.engine.propose import ask_for_missing, foresee, stops
from wizard.engine.undo import Undoing
from wizard.formats import check
from wizard.problems import Exit, Problem
from wizard.records.changes import Change, Observation
from wizard.records.findings import Finding, State
from wizard.records.journal import Journal, Run, runs, unfinished
from wizard.records.report import verdict
from wizard.records.runs import the_run
from wizard.records.state import Lock
from wizard.steps.procedure import NUMBERS, STEPS, ordered, the_step
from wizard.steps.step import Step
from wizard.steps.upgrade.run_helm import settle
from wizard.systems.access import Systems

AGAIN = (
    "langsmith-audit run looks again and goes on from what is there; "
    "langsmith-audit undo puts back what was changed"
)
AFRESH = "langsmith-audit run starts again; langsmith-audit plan shows every change and makes none"

WAITS = "Nothing to change: this run waits for what is under way, and confirms all of it."

CHOICES = ("org",)
"""What is chosen from what a look has shown."""
WARN = State.WARN
FINE = (State.PASS, State.INFO, State.SKIP)

BEFORE = "? at a question explains it, {back} goes back to the one before, Ctrl-C leaves."
ABOUT = (
    "y makes the change above, exactly as it is shown; it is in the journal before it is made. "
    "N or Ctrl-C leaves, with nothing more changed. b goes back to the question before, v shows "
    "all of a change that was cut. The whole plan without any change: "
    "langsmith-audit plan."
)


class Onboarding:
    """One run of the wizard over the list of steps."""

    again, afresh = AGAIN, AFRESH
    keeps_answers = True

    def __init__(self, answers: Answers, switch: StopSwitch) -> None:
        self._answers = answers
        self._switch = switch
        self._console = screen.nowhere() if answers.quiet else screen.talk()
        self._changing = Changing(switch)
        self._planned: tuple[str, ...] = ()
        self._done_steps: list[str] = []
        self._began = time.monotonic()
        self._run = ""

    def run(self) -> Exit:
        """The whole run; whatever ends it early is told with what was changed."""

        def walk() -> Exit:
            if self.keeps_answers:
                self._answers.offer_kept()
            while True:
                try:
                    with Systems(self._answers.locate()) as systems:
                        return self._walk(systems)
                except Back:
                    self._answers.back()
                except (Declined, KeyboardInterrupt):
                    if self.keeps_answers and answer_file.keep(self._answers.settings):
                        self._console.print("\nYour answers are kept; the next run offers them.")
                    raise

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
        asks = self._answers.may_ask
        if asks:
            keys = BEFORE.format(back="<" if self._console.is_dumb_terminal else "Esc")
            self._console.print(Text(f"\n{keys}", "dim"), soft_wrap=False)
        if not asks or not Look(systems).at(STEPS[0]).blocked:
            ask_for_key(systems, self._answers)
            self._ask(systems, later=CHOICES if asks else ())
        seen = self._look(systems)
        if not stops(seen) and asks and self._ask(systems):
            seen |= self._look_at_choices(systems)
        if stops(seen):
            return self._blocked(seen)
        if all(observation.right for observation in seen.values()):
            return self._nothing_to_do(systems, left, seen)
        changes = with_chart(systems, self._answers, lambda: self._foresee(systems))
        obtain(systems, self._answers, changes)
        self._answers.save()
        self._planned = tuple(change.step for change in changes)
        with locked(systems) as lock:
            return self._hold(systems, self._journal(systems, left), lock)

    def _ask(self, systems: Systems, later: tuple[str, ...] = ()) -> tuple[str, ...]:
        return ask_for_missing(systems, self._answers, later=later)

    def _foresee(self, systems: Systems) -> tuple[Change, ...]:
        with Waiting("trying every change on the API server, making none"):
            return foresee(systems)

    def _settle(self, systems: Systems, left: Run) -> None:
        progress = Progress(self._console, self._switch, None)
        with progress.running():
            settle(systems, left.folder, progress)

    def _undo(self, systems: Systems, left: Run) -> Exit:
        """Put a run that was left back; of an undo that was left, go on with it."""
        run = the_run(left.undoes, runs()) if left.undoes else left
        return Undoing(self._answers, self._switch).put_back(run, systems)

    def _look(self, systems: Systems) -> dict[str, Observation]:
        """What is there, told step by step, and what there is to do."""
        limit = f"each system has {systems.target.connect_limit:.0f} s to answer"
        with Waiting() as waiting:
            seen = look(systems, STEPS, lambda it: waiting.on(f"{it.title}: looking ({limit})"))
        todo = () if stops(seen) else to_do(seen, one_rollout=systems.target.one_rollout)
        if self._in_full:
            self._console.print(screen.PartHead("What is there"))
        self._show(seen, todo, "already right", next_steps=stops(seen))
        comes = outlook(systems, todo) if todo else WAITS if goes_on(seen) else ""
        if comes and not stops(seen):
            self._console.print(f"\n{comes}", style="bold", soft_wrap=False)
        return seen

    def _look_at_choices(self, systems: Systems) -> dict[str, Observation]:
        """What was chosen, as it is; told where it cannot be changed."""
        looking = Look(systems)
        found = {it.name: looking.at(it) for it in STEPS if set(it.asks) & set(CHOICES)}
        told = [f for it in found.values() for f in it.findings if it.blocked or f.state is WARN]
        self._console.print(screen.findings_block(told))
        return found

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
        self._run, self._began = journal.run, time.monotonic()
        if self._in_full:
            self._console.print(screen.PartHead("Changes"))
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
        systems.forget()
        for step in ordered(one_rollout=systems.target.one_rollout):
            if step.name in systems.target.skip:
                continue
            change = step.propose(systems, ())
            if change:
                self._head(step, progress)
                self._change(systems, step, change, journal, progress)
                self._look_again(systems, step)
                self._switch.check()
        return self._confirm_all(systems, progress)

    def _head(self, step: Step, progress: Progress) -> None:
        """Where the run is, and the step that comes now."""
        steps = [(NUMBERS[name], the_step(name).title) for name in self._planned]
        done = {NUMBERS[name] for name in self._done_steps}
        progress.trail = stages.Trail(steps, done, NUMBERS[step.name])
        self._console.print("", progress.trail)
        self._console.print(screen.step_head(NUMBERS[step.name], step.title))
        self._done_steps.append(step.name)

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
        whole = screen.change_block(change, NUMBERS)
        shown, cut = screen.fitted(self._console, change, NUMBERS)
        self._console.print(shown if self._answers.confirms else whole)
        more = (lambda: self._console.print(whole)) if cut else None
        target = systems.target
        where = f"release {target.release} in {target.namespace}, context {systems.cluster.context}"
        if not self._agreed(f"Do this now? ({where})", more):
            raise Declined(f"You declined step {NUMBERS[step.name]}, {step.title.lower()}")
        self._answers.settle()
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

    def _agreed(self, question: str, more: Callable[[], None] | None) -> bool:
        return self._answers.agree(question, ABOUT, more)

    def _confirm_all(self, systems: Systems, progress: Progress) -> Exit:
        self._console.print(screen.PartHead("Confirmation"))
        systems.forget()
        progress.trail = None
        looking = Look(systems)
        seen: dict[str, Observation] = {}
        for step in STEPS:
            with progress.running():
                seen[step.name] = looking.at(step, confirming=progress)
        self._show(seen, (), "confirmed", next_steps=True)
        exit = verdict(all_findings(seen))
        if exit != Exit.OK:
            self._repeat(it for it in all_findings(seen) if it.state not in FINE)
        text = closing(seen, exit, changed=self._changing.touched)
        self._end(text, exit, self._what_remains())
        if exit == Exit.OK:
            answer_file.forget()
        return exit

    def _what_remains(self) -> list[tuple[str, str]]:
        """What was changed, and what a person types next for each purpose."""
        if not self._changing.touched:
            return []
        rows = [("changed", line) for line in self._changing.changed]
        rows.append(("took", stages.in_words(time.monotonic() - self._began)))
        rows += [("to do", line) for line in self._changing.advice]
        rows.append(("undo it", aimed(f"langsmith-audit undo {self._run}")))
        rows.append(("again, without questions", aimed("langsmith-audit run --yes --no-input")))
        rows.append(("see whether it still holds", aimed("langsmith-audit check")))
        return rows

    def _blocked(self, seen: Mapping[str, Observation]) -> Exit:
        findings, waits = in_the_way(seen)
        self._repeat(findings)
        exit = verdict(f for it in seen.values() if it.blocked for f in it.findings)
        return self._end(f"Nothing was changed: this stands in the way. {waits}".rstrip(), exit)

    def _repeat(self, wrong: Iterable[Finding]) -> None:
        """What is wrong, before the last words; without evidence that was told already."""
        told = [replace(it, evidence=()) if self._in_full else it for it in wrong]
        self._console.print("", screen.findings_block(told))

    @property
    def _in_full(self) -> bool:
        """With all evidence: where it is asked for, and where nobody looks but in a log."""
        return bool(self._answers.settings.get("verbose")) or not self._answers.may_ask

    def _show(
        self, seen: Mapping[str, Observation], todo: Sequence[str], right: str, *, next_steps: bool
    ) -> None:
        """Each step, a line each or with its evidence; `right` says that one is."""
        if not self._in_full:
            self._console.print(stages.overview(lines_of(seen, todo)))
            return
        for step in STEPS:
            it = seen[step.name]
            note = right if it.right and not it.left_out else ""
            self._console.print(screen.step_head(NUMBERS[step.name], step.title, note))
            # What this run is about to do need not be told as the next thing to type.
            told = next_steps or it.right
            self._console.print(screen.findings_block(it.findings, next_steps=told))

    def _end(self, text: str, exit: Exit, rows: Sequence[tuple[str, str]] = ()) -> Exit:
        """The last words: the result, so on standard output where nobody is asked."""
        console = self._console if self._answers.tells_in_talk else screen.result()
        style = "bold green" if exit == Exit.OK else "bold red"
        console.print(f"\n{text}", style=style, markup=False, soft_wrap=False)
        if rows:
            console.print(screen.end_block(rows))
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
    while True:
        answers.complete(("api_key",), systems)
        try:
            _ = systems.served
            return
        except Problem as problem:
            if problem.id != "LSA811":  # any other one is reported by the look that follows
                return
            screen.talk().print(screen.note(problem.what))
