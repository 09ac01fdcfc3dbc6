"""Asks the API server what it says to a write, without making it (`dryRun=All`).

Admission, quotas and types are checked for real; helm's own server dry run sends no write at all.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from wizard.problems import Problem
from wizard.records.changes import Change
from wizard.records.plan_file import ServerCheck
from wizard.systems.access import Systems
from wizard.variables import WANTED

ACCEPTED, REFUSED, NOT_SIMULATED = "accepted", "refused", "not simulated"
_DENIED = re.compile(r"denied (the )?request|exceeded quota|\(422 ")
"""The words of webhooks, admission policies, quotas and validation; all else says nothing of the
write itself (a right is missing, a webhook takes no dry run, nobody answers)."""


def simulate(systems: Systems, change: Change) -> tuple[ServerCheck, ...]:
    """What the API server says to the change's writes to the backend; none for other steps."""
    if change.step not in ("helm_upgrade", "backend_restart") or not change.exact:
        return ()
    backend = systems.installation.backend
    what = f"{backend.kind} {backend.name} with "
    what += " and ".join(WANTED) if change.step == "helm_upgrade" else "the restart"
    try:
        if change.step == "helm_upgrade":
            systems.workload.try_variables(dict.fromkeys(WANTED, "true"))
        else:
            systems.workload.try_restart(at=datetime.now(UTC))
    except Problem as problem:
        words = (f"{problem.what} ({problem.id})", *problem.detail)
        if _DENIED.search("; ".join(words)):
            return (ServerCheck(what, REFUSED, "; ".join(problem.detail) or words[0]),)
        return (ServerCheck(what, NOT_SIMULATED, "; ".join(words)),)
    return (ServerCheck(what, ACCEPTED),)
