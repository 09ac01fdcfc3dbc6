"""A rollout under way, in lines for the watch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.steps.base import Watch
    from wizard.systems.access import Systems
    from wizard.systems.workload import RolloutStatus


def rollout_lines(systems: Systems) -> tuple[str, ...]:
    """The backend's pods now, a line each; a cluster that does not answer is one line."""
    try:
        return status_lines(systems.workload.afresh().status())
    except Problem as problem:
        return (f"the pods cannot be read now: {problem.what}",)


def helm_ticker(systems: Systems, watch: Watch, what: str) -> Callable[[float], None]:
    """A tick for helm that reads the pods every other second, and never fails for it."""
    last = -2.0
    lines: tuple[str, ...] = ()

    def tick(seconds: float) -> None:
        nonlocal last, lines
        if seconds - last >= 2.0:
            last, lines = seconds, rollout_lines(systems)
        watch.finishing(what, seconds, lines)

    return tick


def status_lines(status: RolloutStatus) -> tuple[str, ...]:
    """The counters, what keeps it, then a line a pod."""
    counts = f"{status.updated} of {status.desired} updated, {status.ready} ready"
    head = f"{counts}, {status.old} old{status.ending}"
    held = (status.held.why,) if status.held else ()
    stuck = (f"stuck: {status.stuck}",) if status.stuck else ()
    return (head, *stuck, *held, *(f"{pod.name}  {pod.words}" for pod in status.pods))
