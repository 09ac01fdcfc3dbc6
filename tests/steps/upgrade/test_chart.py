"""The chart's version: the deployed one, a later one with a yes of its own, never an older one."""

import base64
import gzip
import json
import tempfile
from dataclasses import replace

import pytest

from wizard.practice.scenarios import SCENARIOS, stage
from wizard.problems import Exit, Problem
from wizard.steps.upgrade.chart import chart_consents, chart_of, chart_reference
from wizard.systems.access import Systems
from wizard.systems.helm.records import Upgrade
from wizard.systems.kubernetes.cluster import SECRETS


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


GONE = ("--chart", "stored")


def test_the_chart_of_the_release_itself(run, cluster, helm) -> None:
    cluster.use_helm(helm)
    stage(cluster, SCENARIOS["version-gone"])
    gone = run("plan", "--all")
    assert gone.returncode == Exit.FAILED, gone.stderr
    assert "0.12.33, which is deployed" in gone.stderr
    assert "--chart stored" in gone.stderr
    planned = run("plan", "--all", *GONE, "-o", str(cluster.home / "plan.json"))
    assert planned.returncode == Exit.OK, planned.stderr
    (package,) = (cluster.home / "state" / "charts").iterdir()  # and no values beside it
    assert package.stat().st_mode & 0o77 == 0
    applied = run("apply", str(cluster.home / "plan.json"), "--yes")
    assert applied.returncode == Exit.OK, applied.stderr
    assert str(package) in applied.stderr
    listed = cluster.run_helm("list", "-n", "langsmith", "-o", "json").stdout
    assert '"revision":"2"' in listed
    assert '"chart":"langsmith-0.12.33"' in listed


def test_it_takes_part_in_no_raising_of_the_version(run) -> None:
    answer = run("plan", "--all", *GONE, "--chart-version", "0.13.37")
    assert (answer.returncode, "LSA901" in answer.stderr) == (Exit.USAGE, True)


def test_noise_is_no_difference(systems, cluster) -> None:
    stage(cluster, SCENARIOS["certificate-noise"])
    stage(cluster, SCENARIOS["random-job-noise"])
    systems.answer(replace(systems.target, chart="stored"))
    assert chart_reference(systems).endswith(".tgz")


def edited(systems, cluster, edit) -> None:
    """Another release record, as a hand or another tool would leave it."""
    (secret,) = (
        it
        for it in cluster.kubernetes.list("Secret", "langsmith")
        if it["metadata"]["name"] == "sh.helm.release.v1.langsmith.v1"
    )
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    record = json.loads(gzip.decompress(packed))
    edit(record["chart"])
    text = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    told = {"data": {"release": base64.b64encode(text).decode()}}
    systems.cluster.patch(SECRETS, secret["metadata"]["name"], "langsmith", told)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda chart: chart["values"]["backend"].update(name="other"), "does not render"),
        (lambda chart: chart["metadata"].update(dependencies=[{"name": "redis"}]), "subcharts"),
        (lambda chart: chart["metadata"].update(version="9.9.9"), "not hold the deployed chart"),
        (lambda chart: chart["templates"][0].update(name="../../x"), "lies outside"),
        (lambda chart: chart.pop("templates"), "cannot be read"),
        (lambda chart: chart["templates"].append("x"), "cannot be read"),
    ],
)
def test_a_chart_that_is_not_the_deployed_one_is_refused(
    systems, cluster, tmp_path, monkeypatch, edit, words
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    systems.answer(replace(systems.target, chart="stored"))
    _ = systems.release, systems.manifest, systems.hooks, systems.deployed_values
    edited(systems, cluster, edit)
    with pytest.raises(Problem, match=words) as refused:
        chart_reference(systems)
    assert refused.value.id == "LSA419"
    assert not list(tmp_path.rglob("values.json"))  # the deployed values lay there for helm
