"""The audit_logs table."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding
from wizard.steps.procedure import the_step

TABLE = the_step("audit_table")


def there(sight: Sight) -> Iterator[Finding]:
    """The table is there."""
    yield from sight.observed(TABLE).findings


CHECKS = (Check("LSA791", "the table audit_logs is there", there, TABLE.access, step=TABLE.name),)
