"""The marks of an applied plan: in the journal, and on the backend's workload.

An annotation of the workload needs no right that the change does not need anyway (a ConfigMap or
a Lease would need `create`), replaces no pod, and is left alone by helm.
"""

from __future__ import annotations

from datetime import UTC, datetime

from wizard.problems import Problem
from wizard.records.journal import runs
from wizard.systems.access import Systems

MARK = "langsmith-audit/applied-plan"
NO_RIGHT = "LSA207"


def applied_before(systems: Systems, id: str, besides: str = "") -> str:
    """When and where the plan was applied, begun at least; empty when it was not.

    `besides` is the run that is asking.
    """
    for run in reversed(runs()):
        for entry in run.entries:
            if run.id != besides and entry["event"] == "begin" and entry.get("plan") == id:
                return f"by run {run.id} of this machine, at {entry['at']}"
    about = systems.workload.live()["metadata"]
    mark = str((about.get("annotations") or {}).get(MARK, ""))
    found, _, when = mark.partition(" ")
    if besides and when.endswith(f" run {besides}"):
        return ""
    return f"as the annotation {MARK} of {systems.workload.on} says: {when}" if found == id else ""


def mark(systems: Systems, id: str, run: str) -> str:
    """Mark the plan as applied in the cluster; why that could not be done, else empty."""
    text = f"{id} {datetime.now(UTC).isoformat(timespec='seconds')} run {run}"
    try:
        systems.workload.annotate(MARK, text)
    except Problem as problem:
        if problem.id != NO_RIGHT:
            raise
        return problem.what
    return ""
