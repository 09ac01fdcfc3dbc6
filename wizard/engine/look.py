"""One look at every step, reading only, and the target as every command shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wizard.engine.rights import all_lacking
from wizard.problems import Exit, Problem
from wizard.record import replace
from wizard.records.changes import Observation
from wizard.records.findings import Finding, State, from_problem
from wizard.records.journal import runs
from wizard.records.report import MEANING
from wizard.steps.step import Step, Watch
from wizard.systems.access import Systems
from wizard.systems.release.discovery import NOT_READABLE

_WARNS = {"LSA219": State.WARN}
"""What is more than a piece of news."""


class Look:
    """Observes steps one after another; a problem that was told once is not told again."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self._told: set[int] = set()
        self._remarks = 0

    def at(self, step: Step, *, confirming: Watch | None = None) -> Observation:
        """What a step sees, or confirms after changes; a problem becomes a finding.

        Raises:
            Problem: the invocation itself is wrong (exit code 2).
        """
        if step.name in self._systems.target.skip:
            skipped = Finding("LSA907", State.SKIP, step.title, "Left out, as --skip asks")
            return Observation((skipped,), right=True)
        try:
            if confirming:
                seen = step.confirm(self._systems, confirming)
            else:
                seen = step.observe(self._systems)
        except Problem as problem:
            if problem.exit == Exit.USAGE:
                raise
            seen = Observation((self._finding(step, problem),), right=False, blocked=True)
        # What is to be said of the login to the cluster, once.
        new = self._systems.remarks[self._remarks :]
        self._remarks += len(new)
        remarks = (from_problem(it, _WARNS.get(it.id, State.INFO)) for it in new)
        return replace(seen, findings=(*remarks, *seen.findings))

    def _finding(self, step: Step, problem: Problem) -> Finding:
        if id(problem) in self._told:
            message = f"Not looked at, because of {problem.id} above"
            return Finding("LSA908", State.NOT_RUN, step.title, message)
        self._told.add(id(problem))
        state = State.FAIL if problem.exit == Exit.FAILED else State.UNKNOWN
        return from_problem(all_lacking(self._systems, problem), state)


def look(
    systems: Systems, steps: Sequence[Step], say: Callable[[Step], None] = lambda _step: None
) -> dict[str, Observation]:
    """Every step's observation, by its name, in order; `say` hears which one comes next."""
    say(steps[0])
    read_ahead(systems, steps)
    looking = Look(systems)
    seen = {}
    for step in steps:
        say(step)
        seen[step.name] = looking.at(step)
    return seen


def read_ahead(systems: Systems, steps: Sequence[Step]) -> None:
    """Read side by side what the looks of these steps will need."""
    wanted = dict.fromkeys(it for step in steps if step.name not in systems.target.skip
                           for it in step.ahead)  # fmt: skip
    if systems.target.database == "manual":
        wanted.pop("database", None)
    systems.read_ahead(wanted)


def nothing_to_do(seen: Mapping[str, Observation]) -> str:
    """The words for a look that found all of it right, without what was left out."""
    left = _left_out(seen)
    if not left:
        return f"Nothing to do: everything is right already.{_remarks(seen)}"
    done = "Nothing to do: what was looked at is right already."
    return f"{done}{_remarks(seen)} Not looked at: {left}."


def closing(seen: Mapping[str, Observation], exit: Exit, *, changed: bool) -> str:
    """The words after the last look of a run: they claim only what it has measured."""
    if exit != Exit.OK:
        what = "The changes were made" if changed else "Nothing was left to change"
        return f"{what}, but {MEANING[exit]}."
    left = _left_out(seen)
    if not left:
        return f"Done: audit logs are on, and confirmed.{_remarks(seen)}"
    done = f"Done: what was looked at is right.{_remarks(seen)}"
    return f"{done} Not looked at, and so not confirmed: {left}."


def _remarks(seen: Mapping[str, Observation]) -> str:
    return "".join(f" {it.remark}." for it in seen.values() if it.remark)


def _left_out(seen: Mapping[str, Observation]) -> str:
    return ", ".join(name for name, observation in seen.items() if observation.left_out)


def all_findings(seen: dict[str, Observation]) -> list[Finding]:
    """The findings of all steps, in order."""
    return [finding for observation in seen.values() for finding in observation.findings]


def tell_unread_history() -> None:
    """Say where earlier runs are not known to what only looks, which goes on without them."""
    try:
        runs()
    except Problem as problem:
        text = f"Earlier runs are not known here: {problem.what} ({problem.on})"
        from wizard.console import screen

        screen.talk().print(screen.info(text, problem.id))


def tell_remarks(systems: Systems) -> None:
    """Say what is to be said of the login to the cluster, where no findings are shown."""
    for it in systems.remarks:
        from wizard.console import screen

        screen.talk().print(screen.info(f"{it.what} ({it.on})", it.id))


def where(systems: Systems, *, at_once: bool = False) -> dict[str, str]:
    """The target as a person must see it; what cannot be read, or not `at_once`, is left out."""
    target, cluster = systems.target, systems.cluster
    facts = {"context": cluster.context, "api_server": cluster.server}
    facts |= {"namespace": target.namespace, "release": target.release}
    if target.found:
        facts["found"] = target.found.removeprefix("found ")
    if at_once:
        return facts
    try:
        release = systems.release
    except Problem:
        return facts
    none = NOT_READABLE if release.status == NOT_READABLE else "none"
    return facts | {"revision": str(release.revision or none), "chart": release.chart}
