"""What is stored for the organizations."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding
from wizard.steps.procedure import the_step

ROWS = the_step("organizations")


def stored(sight: Sight) -> Iterator[Finding]:
    """The chosen organizations, or all, are stored as on."""
    yield from sight.observed(ROWS).findings


CHECKS = (Check("LSA591", "audit logs are stored as on", stored, ROWS.access, step=ROWS.name),)
