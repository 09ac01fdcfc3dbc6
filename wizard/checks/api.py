"""What the audit-logs API answers."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding
from wizard.steps.procedure import the_step

API = the_step("audit_api")


def answers(sight: Sight) -> Iterator[Finding]:
    """The API answers with events."""
    yield from sight.observed(API).findings


CHECKS = (
    Check(
        "LSA891", "the audit-logs API answers with OCSF events", answers, API.access, step=API.name
    ),
)
