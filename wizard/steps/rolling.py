"""Waits for the backend's rollout, and shows it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.systems.workload.status import status_lines

if TYPE_CHECKING:
    from wizard.steps.step import Watch
    from wizard.systems.access import Systems
    from wizard.systems.workload import RolloutStatus


def await_rollout(
    systems: Systems, watch: Watch, what: str = "the backend is rolling"
) -> RolloutStatus:
    """Wait until every pod is new and ready; `what` says meanwhile what is waited for.

    Raises:
        Problem: it gets stuck, or has not ended within `--rollout-limit` seconds.
    """
    limit = systems.target.rollout_limit
    return systems.workload.wait(
        limit=limit,
        patience=systems.target.patience,
        tick=lambda status, seconds: watch.waiting(
            f"{what} (limit {limit:.0f} s)", seconds, status_lines(status)
        ),
    )
