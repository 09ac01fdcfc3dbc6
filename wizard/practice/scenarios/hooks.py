"""Scenarios of the chart's hook Jobs, which run at every upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.practice.scenarios.registry import scenario
from wizard.practice.scenarios.tools import BACKEND, reinstall

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster


@scenario
def migration_fails(cluster: PracticeCluster) -> None:
    """The migrations Job fails in every try: the release ends `failed` although the variables are
    live; the Job's last words are shown, secrets blacked out."""
    cluster.kubernetes.faults.fail_job(f"{BACKEND}-migrations")


@scenario
def auth_bootstrap_fails(cluster: PracticeCluster) -> None:
    """auth-bootstrap fails, which has no second try: the release ends `failed`."""
    cluster.kubernetes.faults.fail_job("auth-bootstrap")


@scenario
def e2e_test_fails(cluster: PracticeCluster) -> None:
    """The end-to-end test fails: the release ends `failed`, and the backend is as it should be."""
    cluster.kubernetes.faults.fail_job("e2e-test")


@scenario
def backfill_blocks(cluster: PracticeCluster) -> None:
    """Chart 0.16.5 checks for running backfills before an upgrade, and one runs: nothing was
    changed; try again when it is through. (--force, as the server has audit logs by default.)"""
    reinstall(cluster, chart_version="0.16.5")
    cluster.variables["LANGSMITH_AUDIT_FORCE"] = "true"
    cluster.kubernetes.faults.fail_job("backfill-check")
