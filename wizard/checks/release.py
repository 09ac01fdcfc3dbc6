"""The release as helm has recorded it."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding
from wizard.steps.procedure import the_step

CHART = the_step("chart_version")


def chart(sight: Sight) -> Iterator[Finding]:
    """The chart's version, and the state of a release that is not deployed."""
    yield from sight.observed(CHART).findings


CHECKS = (
    Check(
        "LSA101",
        "the chart is new enough, and the release deployed",
        chart,
        CHART.access,
        step=CHART.name,
    ),
)
