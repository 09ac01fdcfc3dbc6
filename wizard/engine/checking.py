"""The walk of the health check: every check in its order, each within its time.

A check that does not come back is told as the culprit, and the rest goes on without it. Whatever
ends the walk early, what was found until then stays, with what was not run.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from wizard.checks.check import Area, Check, Sight
from wizard.engine.rights import all_lacking
from wizard.problems import Exit, Problem
from wizard.records import report
from wizard.records.findings import Finding, State, from_problem
from wizard.records.report import ORDER
from wizard.systems.access import Systems
from wizard.systems.calls import under_way

STOPS = frozenset({State.FAIL, State.UNKNOWN, State.NOT_RUN, State.SKIP})
"""States after which what rests on a check has nothing to look at."""


class Walk:
    """One walk over the checks of some areas.

    Attributes:
        sight: what they look with.
        ended: why it did not come to its end; empty when it did.
    """

    def __init__(self, systems: Systems, areas: Sequence[Area]) -> None:
        self.sight = Sight(systems)
        self.ended = ""
        self._systems = systems
        self._areas = areas
        self._found: dict[str, tuple[Finding, ...]] = {}
        self._told: dict[int, str] = {}
        self._worker: threading.Thread | None = None

    def run(self, say: Callable[[str], None] = lambda _title: None) -> None:
        """Look at all of it; `say` hears what comes next.

        Raises:
            Problem: the invocation itself is wrong (exit code 2).
        """
        self._read_ahead()
        left = [check for area in self._areas for check in area.checks]
        while left:
            answers = self._begin(tuple(left))
            late = False
            while left and not late:
                check = left.pop(0)
                say(check.title)
                try:
                    defect = answers.get(timeout=check.limit)
                except queue.Empty:
                    late = True
                    self._worker = None  # whatever it still finds does not count
                    self._found[check.id] = (_late(check),)
                else:
                    if defect:
                        raise defect

    def areas(self) -> tuple[report.Area, ...]:
        """What was found, area by area; what was not come to is not run."""
        return tuple(
            report.Area(it.name, it.title, tuple(f for check in it.checks for f in self._of(check)))
            for it in self._areas
        )

    def _of(self, check: Check) -> tuple[Finding, ...]:
        found = self._found.get(check.id)
        return (_not_run(check, self.ended or "it was not come to"),) if found is None else found

    def _read_ahead(self) -> None:
        """Have read side by side what the areas will need."""
        skip = self._systems.target.skip
        wanted = dict.fromkeys(
            it
            for area in self._areas
            if any(check.step not in skip for check in area.checks)
            for it in area.ahead
        )
        if self._systems.target.database == "manual":
            wanted.pop("database", None)
        self._systems.read_ahead(wanted)

    def _begin(self, checks: Sequence[Check]) -> queue.SimpleQueue[BaseException | None]:
        """Have these looked at by a thread of their own, one after another."""
        answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            for check in checks:
                try:
                    found = self._look(check)
                except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                    answers.put(error)
                    return
                if self._worker is not threading.current_thread():
                    return
                self._found[check.id] = found
                answers.put(None)

        self._worker = threading.Thread(target=work, name="checks", daemon=True)
        self._worker.start()
        return answers

    def _look(self, check: Check) -> tuple[Finding, ...]:
        began = time.monotonic()
        try:
            found = self._before(check) or check.look(self.sight)
            several = (found,) if isinstance(found, Finding) else tuple(found)
        except Problem as problem:
            if problem.exit == Exit.USAGE:
                raise
            several = (self._once(check, problem),)
        took = time.monotonic() - began
        return tuple(replace(it, check=check.id, duration_s=took) for it in several)

    def _before(self, check: Check) -> Finding | None:
        """Why there is nothing to look at, if there is not."""
        if check.step in self._systems.target.skip:
            return Finding("LSA907", State.SKIP, check.title, "Left out, as --skip asks")
        for id in check.needs:
            worst = min(self._found.get(id, ()), key=lambda it: ORDER.index(it.state), default=None)
            if worst and worst.state in STOPS:
                state = State.SKIP if worst.state is State.SKIP else State.NOT_RUN
                return _not_run(check, f"because of {worst.id} above", state)
        return None

    def _once(self, check: Check, problem: Problem) -> Finding:
        """The finding of a problem; where it was told already, that it is the same one."""
        if id(problem) in self._told:
            return _not_run(check, f"because of {problem.id} above")
        self._told[id(problem)] = check.id
        state = State.FAIL if problem.exit == Exit.FAILED else State.UNKNOWN
        return from_problem(all_lacking(self._systems, problem), state)


def _not_run(check: Check, why: str, state: State = State.NOT_RUN) -> Finding:
    return Finding("LSA908", state, check.title, f"Not looked at, {why}", check=check.id)


def _late(check: Check) -> Finding:
    message = f"Not known: this took longer than {check.limit:g} seconds"
    return Finding(
        "LSA960",
        State.UNKNOWN,
        check.title,
        message,
        tuple(f"waited for: {it}" for it in under_way()),
        "look at the system that does not answer, then check again",
        check=check.id,
    )
