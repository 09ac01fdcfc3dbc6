"""The backend as it runs."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding
from wizard.steps.procedure import the_step

UPGRADE, RESTART = the_step("helm_upgrade"), the_step("backend_restart")


def template(sight: Sight) -> Iterator[Finding]:
    """The live template has both variables, and the release too."""
    yield from sight.observed(UPGRADE).findings


def pods(sight: Sight) -> Iterator[Finding]:
    """Every pod is ready and younger than the last update of organizations."""
    yield from sight.observed(RESTART).findings


CHECKS = (
    Check("LSA401", "the backend has both variables", template, UPGRADE.access, step=UPGRADE.name),
    Check(
        "LSA691",
        "the pods are ready, and younger than the last update of organizations",
        pods,
        RESTART.access,
        step=RESTART.name,
    ),
)
