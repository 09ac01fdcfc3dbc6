"""Step 1: the deployed chart must be 0.12.33 or later (`helm list -n NAMESPACE`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from wizard.article import OLDEST, new_enough
from wizard.records.changes import Observation
from wizard.records.findings import Finding, State, failed, from_problem, passed
from wizard.steps.rights import DISCOVERY, RELEASE, RELEASES, STATE
from wizard.steps.step import Access, Step
from wizard.steps.upgrade.release_state import may_go_on, raises, state_finding
from wizard.systems.release.discovery import CHART_LABEL, NO_RELEASE, NOT_READABLE

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm.records import Release


class ChartVersion(Step):
    """Reads the CHART column, never APP VERSION: app 0.12.35 is chart 0.12.8, which is too old."""

    name: ClassVar[str] = "chart_version"
    title: ClassVar[str] = "The chart version"
    access: ClassVar[tuple[Access, ...]] = (RELEASES, RELEASE, *DISCOVERY, *STATE)

    def observe(self, systems: Systems) -> Observation:
        """The release, its status and its chart."""
        release = systems.release
        subject = f"release {release.name} in namespace {release.namespace}"
        evidence = (
            f"CHART {release.chart}, APP VERSION {release.app_version}, "
            f"revision {release.revision}, status {release.status}",
        )
        if release.status == NOT_READABLE:  # the chart as the live objects tell it, and no more
            label = f"label {CHART_LABEL}: {release.chart}, on live Deployments"
            told, unread = self._finding(release, subject, (label,)), systems.unread
            unknown = (from_problem(unread, State.UNKNOWN),) if unread else ()
            return Observation((told, *unknown), right=False)
        finding = self._finding(release, subject, evidence)
        right = finding.id == "LSA101"
        goes_on = right or (finding.id == "LSA102" and raises(systems))
        if goes_on and release.status not in ("deployed", NO_RELEASE):
            found = (state_finding(systems), finding)
            return Observation(found, right=False, blocked=not may_go_on(systems))
        return Observation((finding,), right=right, blocked=not goes_on)

    def _finding(self, release: Release, subject: str, evidence: tuple[str, ...]) -> Finding:
        if release.chart_name != "langsmith":
            return failed(
                "LSA103",
                subject,
                f"The release is of chart {release.chart_name}, not langsmith",
                *evidence,
                next_step="name the LangSmith release: --release NAME, -n NAMESPACE",
            )
        if not new_enough(release.chart_version):
            return failed(
                "LSA102",
                subject,
                f"Chart {release.chart_version} is older than {OLDEST}, the first with audit logs",
                *evidence,
                next_step=f"upgrade LangSmith to chart {OLDEST} or later first, or in the same "
                f"upgrade: langsmith-audit run --chart-version {OLDEST}",
            )
        message = f"Chart {release.chart_version} can record audit logs ({OLDEST} or later)"
        return passed("LSA101", subject, message, *evidence)
