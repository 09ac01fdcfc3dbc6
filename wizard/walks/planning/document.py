"""Makes the plan's document from a proposal."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wizard import __version__
from wizard.exits import Exit
from wizard.options import Settings
from wizard.procedure import STEPS
from wizard.records.changes import Change
from wizard.records.keyed import Keyed
from wizard.records.plan_file import (
    SCHEMA_VERSION,
    Created,
    Inputs,
    Plan,
    PlannedStep,
    Rights,
    Tool,
)
from wizard.systems.access import Systems
from wizard.systems.rbac import roles_text
from wizard.walks.planning.changes import planned_change
from wizard.walks.planning.inputs import plan_inputs
from wizard.walks.planning.mark import MARK
from wizard.walks.planning.proposals import Proposal
from wizard.walks.planning.simulate import REFUSED
from wizard.walks.planning.where import plan_where
from wizard.walks.rights import ROLE, asked, needed

ROLLOUTS = ("helm_upgrade", "backend_restart")
CANNOT_BE_KNOWN = {
    "helm_upgrade": (
        "how long the chart's hook Jobs take, and whether each of them succeeds",
        "whether the new pods find a node, and become ready",
        "whether the API server takes what could not be tried: hook Jobs, and what is removed",
    ),
    "organizations": ("whether another session holds a lock on a row at that time",),
    "backend_restart": ("how many requests are under way when a pod is replaced",),
}


@dataclass(frozen=True)
class Header:
    """What a person says about a plan."""

    lasts: timedelta
    ticket: str = ""
    reason: str = ""
    needs_approval: bool = False


def plan_document(
    systems: Systems,
    settings: Settings,
    proposal: Proposal,
    header: Header,
    keyed: Keyed | None = None,
) -> Plan:
    """The plan as it is written down and shown; `keyed` is that of a plan to compare with."""
    now = datetime.now(UTC)
    keyed = keyed or Keyed.fresh()
    inputs = plan_inputs(systems, settings, proposal.changes, keyed)
    changes = proposal.changes
    steps = _steps(systems, proposal, inputs, keyed)
    exit = _exit(proposal.exit, steps)
    return Plan(
        schema_version=SCHEMA_VERSION,
        tool=Tool("langsmith-audit", __version__),
        created=Created(_iso(now), _user(), socket.gethostname()),
        expires_at=_iso(now + header.lasts),
        ticket=header.ticket,
        reason=header.reason,
        needs_approval=header.needs_approval,
        target=plan_where(systems),
        inputs=inputs,
        fingerprint_key=keyed.key,
        no_changes=not changes and exit == Exit.OK,
        order=tuple(change.step for change in changes),
        changes=sum(len(change.items) for change in changes),
        rollouts=sum(change.step in ROLLOUTS for change in changes),
        exit_code=int(exit),
        steps=steps,
        mark=_mark(systems) if changes else "",
        cannot_be_known=tuple(
            line for change in changes for line in CANNOT_BE_KNOWN.get(change.step, ())
        ),
        checks=tuple(
            f"step {number}: {step.title}"
            for number, step in enumerate(STEPS, 1)
            if step.name not in systems.target.skip
        ),
        rights=_rights(systems, changes),
    )


def _rights(systems: Systems, changes: Sequence[Change]) -> Rights:
    """What the changes need, as the API server answers whoever makes the plan."""
    told = asked(systems, needed(systems, changes))
    lacks = [right for right, granted in told.items() if granted is False]
    return Rights(
        granted=tuple(right.words for right, granted in told.items() if granted),
        lacking=tuple(right.words for right in lacks),
        not_told=tuple(right.words for right, granted in told.items() if granted is None),
        role=roles_text(lacks, ROLE) if lacks else "",
    )


def _steps(
    systems: Systems, proposal: Proposal, inputs: Inputs, keyed: Keyed
) -> tuple[PlannedStep, ...]:
    changes = proposal.changes
    by_step = {change.step: at for at, change in enumerate(changes)}
    found = []
    for number, step in enumerate(STEPS, 1):
        seen, at = proposal.seen[step.name], by_step.get(step.name)
        change = None
        if at is not None:
            earlier: tuple[Change, ...] = changes[:at]
            change = planned_change(systems, changes[at], earlier, inputs.chart_digest, keyed)
        found.append(PlannedStep(number, step.name, step.title, seen.right, seen.findings, change))
    return tuple(found)


def _exit(exit: Exit, steps: Sequence[PlannedStep]) -> Exit:
    """Whether the plan can be carried out: not with a write that the API server refuses."""
    checks = (check for step in steps if step.change for check in step.change.server_checks)
    refused = any(check.outcome == REFUSED for check in checks)
    return Exit.FAILED if refused and exit == Exit.OK else exit


def _mark(systems: Systems) -> str:
    backend = systems.installation.backend
    mark = f"annotation {MARK} on {backend.kind} {backend.name}"
    return f"{mark}, and a Lease that is gone when it ends"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
