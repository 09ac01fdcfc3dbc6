"""The chart's version: the deployed one, a later one with a yes of its own, never an older one."""

import pytest
from test_hazards import systems as systems

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.steps.pinned import chart_consents, chart_of
from wizard.systems.access import Systems
from wizard.systems.helm import Upgrade


def upgrade_to(systems: Systems, version: str) -> Upgrade:
    files = systems.target.values
    return Upgrade("langsmith", "langsmith", "langchain/langsmith", version, files)


def test_the_deployed_version_needs_no_yes(systems) -> None:
    upgrade = upgrade_to(systems, "0.12.33")
    chart = chart_of(systems, upgrade)
    assert chart.version == "0.12.33"
    assert chart_consents(systems, upgrade, chart) == ()


@pytest.mark.parametrize(
    ("version", "id"),
    [
        ("0.12.32", "LSA417"),
        ("0.12.33-rc.1", "LSA417"),
        ("0.9.0", "LSA417"),
        ("latest", "LSA416"),
        ("^0.13.0", "LSA416"),
        ("0.13", "LSA416"),
    ],
)
def test_an_older_version_or_none_at_all_is_refused(systems, version, id) -> None:
    with pytest.raises(Problem) as refused:
        chart_of(systems, upgrade_to(systems, version))
    assert (refused.value.id, refused.value.exit) == (id, Exit.USAGE)


def test_a_candidate_of_a_later_version_is_no_older_one(systems) -> None:
    with pytest.raises(Problem) as refused:
        chart_of(systems, upgrade_to(systems, "0.13.0-rc.1"))
    assert refused.value.id == "LSA120"  # looked for, and not to be had


def test_what_comes_with_a_later_version(systems) -> None:
    upgrade = upgrade_to(systems, "0.16.5")
    (consent,) = chart_consents(systems, upgrade, chart_of(systems, upgrade))
    assert (consent.option, consent.refusal.id) == ("accept_chart_change", "LSA415")
    told = "\n".join(consent.refusal.detail)
    for line in (
        "app version: 0.12.72 → 0.16.37",
        "0.13.0: autoscaling keys",
        "0.13.37: audit logs are on by default",
        "0.14.0: the migration Jobs run before the upgrade",
        "0.15.1: insights.encryptionKey",
        "Chart 0.16.5 wants keys that were not needed before 0.15.1: insights.encryptionKey",
        "0.16.0-rc.17: a backfill-check",
        "image backendImage: 0.12.72 → 0.16.37",
        "do not come back",
    ):
        assert line in told
    assert "postgresImage" not in told  # the same in both
    near = upgrade_to(systems, "0.13.37")
    (consent,) = chart_consents(systems, near, chart_of(systems, near))
    assert "0.14.0" not in "\n".join(consent.refusal.detail)


def test_a_walk_refuses_to_raise_the_chart_until_it_is_accepted(run, cluster) -> None:
    refused = run("run", "--yes", "--all", "--chart-version", "0.13.37")
    assert refused.returncode == Exit.FAILED, refused.stderr
    assert "LSA415" in refused.stderr
    assert "app version: 0.12.72 → 0.13.37" in refused.stderr
    assert "AUDIT_LOGS" not in cluster.values.read_text()
    more = ("--chart-version", "0.13.37", "--accept-chart-change")
    planned = run("plan", "--all", *more)
    assert planned.returncode == Exit.OK, planned.stderr
    assert "--version 0.13.37" in planned.stdout
