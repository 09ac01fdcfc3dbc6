"""The way back: what a run changed, newest first, where it is still there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wizard.console import screen
from wizard.console.interrupts import StopSwitch
from wizard.console.progress import Progress
from wizard.engine.answers import Answers, Declined
from wizard.engine.change import Changing, carried_out
from wizard.engine.consents import given_late
from wizard.engine.hold import leased, locked
from wizard.engine.rights import make_sure
from wizard.problems import Exit, Problem
from wizard.records.changes import Change
from wizard.records.findings import Finding, State
from wizard.records.journal import Journal, Run, runs
from wizard.records.runs import Made, last_not_undone, made, undone_by
from wizard.steps.procedure import NUMBERS, STEPS, the_step
from wizard.steps.step import Step
from wizard.steps.upgrade.server_check import refuse_any
from wizard.systems.access import Systems

AGAIN = "langsmith-audit undo goes on; langsmith-audit run makes the changes again"
AFRESH = "langsmith-audit runs lists what was done from here"


class Undoing:
    """One undo, over the changes of one run."""

    def __init__(self, answers: Answers, switch: StopSwitch) -> None:
        self._answers = answers
        self._switch = switch
        self._console = screen.talk()
        self._changing = Changing(switch)
        self._stays: list[str] = []

    def put_back(self, run: Run | None, opened: Systems | None = None) -> Exit:
        """Undo this run, or the last one that was not; whatever ends it early is told.

        `opened` is for a walk that has its systems open already.
        """

        def walk() -> Exit:
            if opened:
                return self.walk(opened, run)
            with Systems(self._answers.locate(_changed_from_here())) as systems:
                return self.walk(systems, run)

        return carried_out(walk, self._changing, again=AGAIN, afresh=AFRESH)

    def walk(self, systems: Systems, run: Run | None) -> Exit:
        """Undo on systems that are open already.

        Raises:
            Problem: the run was made elsewhere or by a later version, or something cannot be
                looked at or put back.
        """
        run = run or last_not_undone(systems.place, runs())
        if run is None:
            return self._end("Nothing to do: no run from here has changed this release.", Exit.OK)
        _refuse_unfit(run, systems)
        self._tell(systems, run)
        changes = _by_step(made(run), systems.target.skip)
        found = self._look(systems, changes)
        if not any(isinstance(each, Change) for each in found.values()):
            return self._nothing(systems, run, found)
        todo = [each for each in found.values() if isinstance(each, Change)]
        after = _following(found)
        make_sure(systems, todo, then=[step.name for step in after])
        checks = [it for each in todo for it in the_step(each.step).tried_back(systems, each)]
        checks += [it for step in after for it in step.tried_back(systems, None)]
        refuse_any(systems, checks)
        with locked(systems) as lock:
            journal = self._journal(systems, run)
            progress = Progress(self._console, self._switch, journal)
            with leased(systems, self._answers, progress, journal.run, lock) as lease:
                self._changing.check = lease.check
                exit = self._undo_all(systems, run, journal, progress, changes)
                journal.end(exit)
        return exit

    def _journal(self, systems: Systems, run: Run) -> Journal:
        way = {"context": systems.cluster.context, "database": systems.target.database}
        return Journal.begin(systems.place, undoes=run.id, skipped=_skipped(systems, run), **way)

    def _tell(self, systems: Systems, run: Run) -> None:
        facts = [("run", run.id), ("context", systems.cluster.context)]
        facts += [("API server", systems.place.server), ("namespace", systems.place.namespace)]
        self._console.print(screen.facts_table([*facts, ("release", systems.place.release)]))
        stays = [the_step(name).stays for name in run.changed if the_step(name).stays]
        if stays:
            self._console.print(screen.note(f"Will not come back: {'; '.join(stays)}."))

    def _look(
        self, systems: Systems, changes: Mapping[str, Sequence[Made]]
    ) -> dict[str, Change | Finding]:
        """What there is to do, told before anything is done."""
        self._console.print(screen.PartHead("What is there"))
        progress = Progress(self._console, self._switch, None)
        found = {}
        for name, records in changes.items():
            step = the_step(name)
            self._console.print(screen.step_head(NUMBERS[name], step.title))
            with progress.running():
                back = step.back_from(systems, records, progress)
            found[name] = back
            if isinstance(back, Finding):
                self._console.print(screen.findings_block([back]))
            else:
                items = [Finding("LSA933", State.INFO, step.title, each) for each in back.items]
                self._console.print(screen.findings_block(items))
        return found

    def _nothing(self, systems: Systems, run: Run, found: Mapping[str, Change | Finding]) -> Exit:
        """There is no change to make; that is kept, so that the next undo is of the run before."""
        before = undone_by(run, runs())
        if _left(found.values()) and not before:
            return self._end("Nothing was put back: see what was left above.", Exit.FAILED)
        skipped = ", ".join(_skipped(systems, run))
        if skipped:
            return self._end(f"Nothing to do but in what was skipped: {skipped}.", Exit.OK)
        if not before:
            with locked(systems):
                self._journal(systems, run).end(Exit.OK)
        return self._end("Nothing to do: everything is as it was before the run.", Exit.OK)

    def _undo_all(
        self,
        systems: Systems,
        run: Run,
        journal: Journal,
        progress: Progress,
        changes: Mapping[str, Sequence[Made]],
    ) -> Exit:
        self._console.print(screen.PartHead("Putting back"))
        found: dict[str, Change | Finding] = {}
        for name, records in changes.items():
            systems.forget()
            found[name] = self._undo(systems, the_step(name), records, journal, progress)
            self._switch.check()
        for step in _following(found):
            systems.forget()
            change = step.after_undo(systems)
            if change:  # the pods that know what was put back as it was are there still
                self._make(systems, step, change, journal, progress, back=False)
        for name in [name for name, it in found.items() if isinstance(it, Change)]:
            if the_step(name).in_part:
                found |= self._rest(systems, the_step(name), changes[name], journal, progress)
        if _left(found.values()):
            return self._end("Put back, but for what was left above.", Exit.FAILED)
        skipped = ", ".join(_skipped(systems, run))
        if skipped:
            return self._end(f"Put back, but for what was skipped: {skipped}.", Exit.OK)
        besides = "".join(f", but for {each}" for each in self._stays)
        return self._end(f"Done: everything is as it was before the run{besides}.", Exit.OK)

    def _undo(
        self,
        systems: Systems,
        step: Step,
        records: Sequence[Made],
        journal: Journal,
        progress: Progress,
    ) -> Change | Finding:
        with progress.running():
            back = step.back_from(systems, records, progress)
        if isinstance(back, Finding):
            journal.left(step.name, back.id, back.message)
            return back
        try:
            self._make(systems, step, back, journal, progress, back=True)
        except Problem as problem:
            if not given_late(systems, self._answers, problem):
                raise
            return self._undo(systems, step, records, journal, progress)
        return back

    def _rest(
        self,
        systems: Systems,
        step: Step,
        records: Sequence[Made],
        journal: Journal,
        progress: Progress,
    ) -> dict[str, Finding]:
        """What somebody else changed since, which stays while the rest came back."""
        systems.forget()
        with progress.running():
            rest = step.back_from(systems, records, progress)
        if not isinstance(rest, Finding) or not _left([rest]):
            return {}
        journal.left(step.name, rest.id, rest.message)
        self._console.print(screen.findings_block([rest]))
        return {step.name: rest}

    def _make(
        self,
        systems: Systems,
        step: Step,
        change: Change,
        journal: Journal,
        progress: Progress,
        *,
        back: bool,
    ) -> None:
        self._console.print(screen.step_head(NUMBERS[step.name], step.title))
        self._console.print(screen.change_block(change, NUMBERS))
        place, context = systems.place, systems.cluster.context
        where = f"release {place.release} in {place.namespace}, context {context}"
        if not self._answers.agree(f"Do this now? ({where})"):
            raise Declined
        done = self._changing.make(systems, step, change, journal, progress, back=back)
        self._stays += [done.stays] if done.stays else []
        self._console.print(screen.done_block(done))

    def _end(self, text: str, exit: Exit) -> Exit:
        style = "bold green" if exit == Exit.OK else "bold yellow"
        console = self._console if self._answers.tells_in_talk else screen.result()
        console.print(f"\n{text}", style=style, markup=False, soft_wrap=False)
        return exit


def _changed_from_here() -> set[tuple[str, str]]:
    """Namespace and name of each release that a run has changed and no undo has put back."""
    known = runs()
    places = [it.place for it in known if it.changed and not it.undoes and not undone_by(it, known)]
    return {(str(it.get("namespace")), str(it.get("release"))) for it in places}


def _by_step(records: Sequence[Made], skip: frozenset[str]) -> dict[str, list[Made]]:
    """Each step's changes, oldest first; the steps in the order of their newest, newest first."""
    found: dict[str, list[Made]] = {}
    for each in reversed(records):
        if each.step not in skip:
            found.setdefault(each.step, []).insert(0, each)
    return found


def _following(found: Mapping[str, Change | Finding]) -> list[Step]:
    """The steps whose own change may be needed after these ways back."""
    return [step for step in STEPS if any(isinstance(found.get(it), Change) for it in step.follows)]


def _skipped(systems: Systems, run: Run) -> list[str]:
    """The steps that the run has changed, and that this undo was told to leave out."""
    return [name for name in run.changed if name in systems.target.skip]


def _left(found: Iterable[Change | Finding]) -> list[Finding]:
    """What somebody else has changed since, or what cannot be put back."""
    return [
        each
        for each in found
        if isinstance(each, Finding) and each.state in (State.WARN, State.FAIL)
    ]


def _refuse_unfit(run: Run, systems: Systems) -> None:
    """Make sure that the run is of this place, and its journal one that can be relied on.

    Raises:
        Problem: LSA935 it is of another place, LSA939 of a later version, LSA941 damaged.
    """
    place, now = run.place, systems.place
    if place != now.as_json():
        raise Problem(
            "LSA935",
            f"Run {run.id} was made on release {place.get('release')} in {place.get('namespace')} "
            f"of {place.get('server')}; this is another place",
            on=f"release {now.release} in {now.namespace} of {now.server}",
            next_step="name the run's own cluster: --context NAME, -n NAMESPACE, --release NAME",
            exit=Exit.USAGE,
        )
    unknown = ", ".join(name for name in run.changed if name not in NUMBERS)
    if run.newer:
        raise _newer(run, "its journal has a form that this version cannot be sure of")
    if unknown:
        raise _newer(run, f"it has steps that this version does not know: {unknown}")
    if run.odd:
        lines, are = ("lines", "are") if run.odd > 1 else ("line", "is")
        raise Problem(
            "LSA941",
            f"{run.odd} {lines} of the journal of run {run.id} {are} no entry, so that what it "
            "did cannot be known",
            on=str(run.folder / "journal.ndjson"),
            next_step="look at the journal, and put back by hand what it tells; copies of files "
            "are beside it",
            exit=Exit.FAILED,
        )


def _newer(run: Run, why: str) -> Problem:
    tool = run.entries[0].get("tool", "?")
    return Problem(
        "LSA939",
        f"Run {run.id} was made by a later langsmith-audit ({tool}): {why}",
        on=str(run.folder),
        next_step="undo it with that version",
        exit=Exit.USAGE,
    )
