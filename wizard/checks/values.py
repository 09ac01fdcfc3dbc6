"""What the values files and the release say."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding
from wizard.steps.procedure import the_step

FILES = the_step("values_file")


def files(sight: Sight) -> Iterator[Finding]:
    """The values files give the backend both variables."""
    yield from sight.observed(FILES).findings


CHECKS = (
    Check(
        "LSA391", "the values give the backend both variables", files, FILES.access, step=FILES.name
    ),
)
