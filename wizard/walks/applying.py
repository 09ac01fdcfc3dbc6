"""What has to hold before a plan is applied; all of it is looked at before the first write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wizard.exits import Exit
from wizard.options import STEP_NAMES
from wizard.problems import Problem
from wizard.records.plan_reading import Reading
from wizard.systems.rbac import roles_text
from wizard.walks.differences import Difference
from wizard.walks.rights import ROLE

EARLIER = "generation of "
"""A precondition of plans before schema version 1.1."""
WIDEST = (90, 60, 60)
"""Characters that the columns of the table of what moved are aligned to."""
SHORTEST = 12
"""Characters of the id that are enough to approve it."""


def refuse_unfit(reading: Reading, path: Path, approved: str | None) -> None:
    """Refuse what can be told without the cluster.

    Raises:
        Problem: LSA912 altered or not of this version, LSA913 expired, LSA914 not complete,
            LSA915 not approved; all of exit 7.
    """
    plan = reading.plan
    if reading.altered:
        raise _refused("LSA912", "The plan was altered: its id does not match its content", path,
                       "use the file as it was made, or make a new plan")  # fmt: skip
    if reading.newer or [step.name for step in plan.steps] != list(STEP_NAMES):
        raise _refused("LSA912", f"The plan is of version {plan.tool.version}, which knows more "
                       "than this one; it can be shown, not applied", path,
                       f"apply it with langsmith-audit {plan.tool.version}")  # fmt: skip
    rests_on = [it.name for _, change in plan.planned for it in change.preconditions]
    if any(name.startswith(EARLIER) for name in rests_on):
        raise _refused("LSA912", f"The plan is of version {plan.tool.version}, an earlier one: it "
                       "rests on a generation, which the mark of an apply itself raises", path,
                       "make a new plan; plan --compare shows what differs")  # fmt: skip
    if plan.expired(datetime.now(UTC)):
        raise _refused("LSA913", f"The plan expired at {plan.expires_at}", path,
                       "make a new plan; plan --compare shows what differs")  # fmt: skip
    if plan.exit_code != Exit.OK or plan.consents:
        raise _refused("LSA914", "The plan is not complete", path,
                       "langsmith-audit show tells what it lacks; make a new plan")  # fmt: skip
    _refuse_unapproved(reading, path, approved)


def _refuse_unapproved(reading: Reading, path: Path, approved: str | None) -> None:
    if approved is None and not reading.plan.needs_approval:
        return
    wanted = f"--approve {reading.id[:SHORTEST]}"
    if approved is None:
        raise _refused("LSA915", "The plan asks to be approved by its id", path,
                       f"once it is approved: {wanted}")  # fmt: skip
    given = approved.lower()
    if len(given) < SHORTEST or not reading.id.startswith(given):
        raise _refused("LSA915", f"This is plan {reading.id[:SHORTEST]}, not the approved one",
                       path, f"get this plan approved, then {wanted}")  # fmt: skip


def moved(differences: Sequence[Difference], id: str, title: str, subject: str) -> Problem:
    """The refusal that shows what is not as planned, as a table."""
    rows = [("what", "planned", "now", "changed by")]
    rows += [(it.what, it.planned, it.now, it.who or "(not told)") for it in differences]
    widths = [min(max(len(row[at]) for row in rows), most) for at, most in enumerate(WIDEST)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row[:3], widths, strict=True)), row[3]])
        for row in rows
    ]
    rights = [it.right for it in differences if it.right]
    step = "langsmith-audit plan makes a new plan; plan --compare shows what differs"
    if len(rights) == len(differences):
        step = "apply the same plan again, once you have the Role above (kubectl apply -f -)"
    return Problem(
        id,
        title,
        on=subject,
        next_step=step,
        exit=Exit.REFUSED,
        detail=tuple(lines),
        paste=roles_text(rights, ROLE) if rights else "",
    )


def _refused(id: str, what: str, path: Path, next_step: str) -> Problem:
    return Problem(id, what, on=f"file {path}", next_step=next_step, exit=Exit.REFUSED)
