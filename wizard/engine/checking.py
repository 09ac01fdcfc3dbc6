"""The walk of the health check: every check in its order, each within its time.

A check that does not come back is told as the culprit, and the rest goes on without it. Whatever
ends the walk early, what was found until then stays, with what was not run.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from wizard.checks.check import Area, Besides, Check, Sight
from wizard.engine.activity import activity, measured
from wizard.engine.look import where
from wizard.engine.rights import all_lacking
from wizard.problems import Exit, Problem
from wizard.record import replace
from wizard.records import report
from wizard.records.activity import Activity
from wizard.records.findings import Finding, State, from_problem
from wizard.records.report import ORDER, Report, verdict
from wizard.records.suppressions import Suppression, suppressed
from wizard.settings import Target
from wizard.systems.access import Systems
from wizard.systems.calls import under_way

if TYPE_CHECKING:
    from wizard.engine.prove import Proof

STOPS = frozenset({State.FAIL, State.UNKNOWN, State.NOT_RUN, State.SKIP})
"""States after which what rests on a check has nothing to look at."""
DAY = 86_400.0
"""Seconds that a check may take where nobody says less."""


def _silent(_title: str) -> None:
    """Tell nobody."""


class Wish(NamedTuple):
    """That a proof is wanted.

    Attributes:
        workspace: where; the first one where none is named.
        within: seconds within which each event has to be found.
    """

    workspace: UUID | None = None
    within: float = 60.0


class Terms(NamedTuple):
    """How a check is made and judged.

    Attributes:
        areas: what is looked at; `whole` whether that is everything.
        limit: seconds for all of it.
        fail_on_warn: whether warnings alone are exit code 4.
        suppressions: what does not count.
        proof: whether an operation is made and looked for as well.
        pictures: whether the events of the last day are counted.
        besides: what is looked at where it is asked for alone.
    """

    areas: Sequence[Area]
    whole: bool = True
    limit: float = DAY
    fail_on_warn: bool = False
    suppressions: tuple[Suppression, ...] = ()
    proof: Wish | None = None
    pictures: bool = False
    besides: Besides = Besides()


class Checked(NamedTuple):
    """A report, the problem that there was with the invocation or the way to the target, and the
    events of the last day."""

    report: Report
    problem: Problem | None = None
    day: Activity | None = None


def checked(
    locate: Callable[[], Target], terms: Terms, say: Callable[[str], None] = _silent
) -> Checked:
    """Check one target. There is a report whatever ends it: a problem, a signal, its limit."""
    began, at, walk = time.monotonic(), datetime.now(UTC), Walk(terms.areas)
    facts: dict[str, str] = {}
    proof: Proof | None = None
    day: Activity | None = None
    problem: Problem | None = None
    exit: Exit | None = None
    try:
        target = locate()
        facts = {"namespace": target.namespace, "release": target.release}
        with Systems(target, by_labels=True) as systems:
            walk.run(Sight(systems, terms.besides), terms.limit, say)
            walk.measures.update(measured(systems))
            if terms.pictures and not walk.ended:
                say("the events of the last day are counted")
                day = activity(systems)
            if terms.proof and not walk.ended:
                from wizard.engine.prove import Proof

                proof = Proof(systems, *terms.proof)
                proof.make(say)
            facts = where(systems, at_once=bool(walk.ended))
    except Problem as caught:
        problem, exit = caught, caught.exit
        walk.stop(caught)
    except KeyboardInterrupt as interrupt:
        exit = getattr(interrupt, "exit", Exit.INTERRUPTED)
        walk.ended = "terminated" if exit == Exit.TERMINATED else "interrupted"
    seen = (*walk.areas(), *((proof.area,) if proof else ()))
    areas = suppressed(seen, terms.suppressions, at.date(), whole=terms.whole)
    if exit is None:
        found = (finding for area in areas for finding in area.findings)
        exit = verdict(found, fail_on_warn=terms.fail_on_warn)
    took = time.monotonic() - began
    told = Report(
        facts,
        areas,
        exit,
        at,
        took,
        tuple(walk.remarks),
        walk.ended,
        walk.measures,
        fail_on_warn=terms.fail_on_warn,
    )
    return Checked(told, problem, day)


class Walk:
    """One walk over the checks of some areas.

    Attributes:
        ended: why it did not come to its end; empty when it did.
        remarks: what the last line must say, a part of a sentence each.
        measures: what was measured, see `wizard.checks.check.Sight`.
    """

    def __init__(self, areas: Sequence[Area]) -> None:
        self.ended = ""
        self.remarks: list[str] = []
        self.measures: dict[str, float] = {}
        self._areas = areas
        self._checks = [check for area in areas for check in area.checks]
        self._found: dict[str, tuple[Finding, ...]] = {}
        self._told: set[int] = set()
        self._worker: threading.Thread | None = None

    def run(self, sight: Sight, limit: float, say: Callable[[str], None] = _silent) -> None:
        """Look at all of it within `limit` seconds; `say` hears what comes next.

        Raises:
            Problem: the invocation itself is wrong (exit code 2).
        """
        end = time.monotonic() + limit
        self.remarks, self.measures = sight.remarks, sight.measures
        ahead = partial(_read_ahead, sight.systems, self._areas)
        threading.Thread(target=ahead, name="ahead", daemon=True).start()
        left = list(self._checks)
        while left and not self.ended:
            answers = self._begin(tuple(left), sight)
            while left and self._worker:
                check = left.pop(0)
                say(check.title)
                rest = end - time.monotonic()
                try:
                    defect = answers.get(timeout=max(0.0, min(check.limit, rest)))
                except queue.Empty:
                    self._worker = None  # whatever it still finds does not count
                    self._found[check.id] = (_late(check, min(check.limit, limit)),)
                    if rest < check.limit:
                        self.ended = f"the time limit of {limit:g} s is over"
                else:
                    if defect:
                        raise defect

    def stop(self, problem: Problem) -> None:
        """Take the problem that ended it for what the first check found that was not run."""
        self.ended = problem.what
        first = next(it for it in self._checks if it.id not in self._found)
        self._found[first.id] = (replace(_of(problem), check=first.id),)

    def areas(self) -> tuple[report.Area, ...]:
        """What was found, area by area; what was not come to is not run."""
        return tuple(
            report.Area(
                area.name,
                area.title,
                tuple(
                    it
                    for check in area.checks
                    for it in self._found.get(check.id) or (_not_run(check, self.ended),)
                ),
            )
            for area in self._areas
        )

    def _begin(self, checks: Sequence[Check], sight: Sight) -> queue.SimpleQueue[Exception | None]:
        """Have these looked at by a thread of their own, one after another."""
        answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def work() -> None:
            for check in checks:
                try:
                    found = self._look(check, sight)
                except Exception as error:  # noqa: BLE001 - raised where it is waited for
                    answers.put(error)
                    return
                if self._worker is not threading.current_thread():
                    return
                self._found[check.id] = found
                answers.put(None)

        self._worker = threading.Thread(target=work, name="checks", daemon=True)
        self._worker.start()
        return answers

    def _look(self, check: Check, sight: Sight) -> tuple[Finding, ...]:
        began = time.monotonic()
        try:
            found = self._before(check, sight.systems.target.skip) or check.look(sight)
            several = (found,) if isinstance(found, Finding) else tuple(found)
        except Problem as problem:
            if problem.exit == Exit.USAGE:
                raise
            if id(problem) in self._told:  # the same one is only named
                several = (_not_run(check, "", because=problem.id),)
            else:
                self._told.add(id(problem))
                several = (_of(all_lacking(sight.systems, problem)),)
        took = time.monotonic() - began
        return tuple(replace(it, check=check.id, duration_s=took) for it in several)

    def _before(self, check: Check, skip: frozenset[str]) -> Finding | None:
        """Why there is nothing to look at, if there is not."""
        if check.step in skip:
            return Finding("LSA907", State.SKIP, check.title, "Left out, as --skip asks")
        for id in check.needs:
            worst = min(self._found.get(id, ()), key=lambda it: ORDER.index(it.state), default=None)
            if worst and worst.state in STOPS:
                state = State.SKIP if worst.state is State.SKIP else State.NOT_RUN
                return _not_run(check, "", state, worst.because or worst.id)
        return None


def _read_ahead(systems: Systems, areas: Sequence[Area]) -> None:
    """Have read side by side what the areas will need."""
    skip = systems.target.skip
    wanted = dict.fromkeys(
        it
        for area in areas
        if any(check.step not in skip for check in area.checks)
        for it in area.ahead
    )
    if systems.target.database == "manual":
        wanted.pop("database", None)
    systems.read_ahead(wanted)


def _of(problem: Problem) -> Finding:
    return from_problem(problem, State.FAIL if problem.exit == Exit.FAILED else State.UNKNOWN)


def _not_run(check: Check, why: str, state: State = State.NOT_RUN, because: str = "") -> Finding:
    told = f"Not looked at: {why or f'because of {because}'}"
    return Finding("LSA908", state, check.title, told, check=check.id, because=because)


def _late(check: Check, limit: float) -> Finding:
    return Finding(
        "LSA960",
        State.UNKNOWN,
        check.title,
        f"Not known: it did not come to an end within {limit:g} seconds",
        tuple(f"waited for: {it}" for it in under_way()),
        "look at the system that does not answer, then check again",
        check=check.id,
    )
