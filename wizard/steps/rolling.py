"""A rollout under way, in lines for the watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.rollout import Pod, RolloutStatus


def rollout_lines(systems: Systems) -> tuple[str, ...]:
    """The backend's pods now, a line each; a cluster that does not answer is one line."""
    try:
        return status_lines(systems.workload.status())
    except Problem as problem:
        return (f"the pods cannot be read now: {problem.what}",)


def status_lines(status: RolloutStatus) -> tuple[str, ...]:
    """The counters, then a line a pod."""
    head = f"{status.updated} of {status.desired} updated, {status.ready} ready, {status.old} old"
    return (head, *(_pod_line(pod) for pod in status.pods))


def _pod_line(pod: Pod) -> str:
    state = "leaving" if pod.terminating else "ready" if pod.ready else pod.reason or pod.phase
    return f"{pod.name}  {state}"
