"""What leads to the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.problems import Problem
from wizard.records.findings import Finding, State, from_problem, passed
from wizard.steps.rights import DISCOVERY, RELEASES

ANSWERED = frozenset({"LSA117", "LSA118", "LSA119", "LSA129", "LSA145", "LSA146", "LSA207"})
"""What is wrong with the release alone: the API server has answered before."""
WARNS = {"LSA219": State.WARN}
"""What of the login is more than a piece of news."""


def reachable(sight: Sight) -> Finding:
    """The API server answers."""
    cluster = sight.systems.cluster
    try:
        _ = sight.systems.release
    except Problem as problem:
        if problem.id not in ANSWERED:
            raise
    return passed("LSA230", f"API server {cluster.server}", "The API server answers")


def login(sight: Sight) -> Iterator[Finding]:
    """What is to be said of the login."""
    remarks = sight.systems.remarks
    yield from (from_problem(it, WARNS.get(it.id, State.INFO)) for it in remarks)
    if not remarks:
        subject = f"context {sight.systems.cluster.context}".strip()
        yield passed("LSA231", subject, "The API server is verified, and the login is as it was")


CHECKS = (
    Check("LSA230", "the API server answers", reachable, (RELEASES, *DISCOVERY)),
    Check("LSA231", "the API server is verified, the login usable", login, needs=("LSA230",)),
)
