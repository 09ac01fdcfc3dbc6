"""The rendered difference: object by object, noise labelled, secrets left out, more asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from leftovers import secrets_of

from wizard.article import WANTED
from wizard.engine.propose import foresee
from wizard.practice.chart_repository import packaged
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.practice.scenarios.tools import edit_values, reinstall
from wizard.problems import Problem
from wizard.records.changes import Change, DiffState, beyond
from wizard.settings import settings_from, target_from
from wizard.systems.access import Systems
from wizard.systems.release.rendering import Renderings, differing

BACKEND = "langsmith-backend"
LINES = tuple(
    f'+ spec.template.spec.containers[backend].env[{name}].value: "true"' for name in WANTED
)


@pytest.fixture
def systems(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    """The practice cluster as the steps see it, all organizations chosen."""
    for name, text in cluster.environment().items():
        monkeypatch.setenv(name, text)
    with Systems(target_from(settings_from({"all": True}, cluster.environment()))) as found:
        yield found


def upgrade_of(systems: Systems) -> Change:
    """The upgrade that is foreseen, with all changes before it."""
    systems.forget()
    (change,) = [it for it in foresee(systems) if it.step == "helm_upgrade"]
    return change


@pytest.fixture
def republished(cluster: PracticeCluster) -> Iterator[None]:
    """The deployed version again, under the same number with other content."""
    path = cluster.repository.folder / "langsmith-0.12.33.tgz"
    before = path.read_bytes()
    path.write_bytes(packaged("0.12.33", "0.12.72", changed=(b"Seconds: 30", b"Seconds: 77")))
    yield
    path.write_bytes(before)


def test_exactly_two_entries_in_one_object(cluster, systems, helm: Path) -> None:
    cluster.use_helm(helm)
    before = cluster.values.read_bytes()
    (only,) = upgrade_of(systems).rendered
    assert (only.kind, only.namespace, only.name) == ("Deployment", "langsmith", BACKEND)
    assert (only.state, only.ours, only.lines) == (DiffState.CHANGED, True, LINES)
    assert cluster.values.read_bytes() == before


@pytest.mark.parametrize("scenario", ["certificate-noise", "random-job-noise"])
def test_what_differs_at_every_rendering_is_noise(cluster, systems, helm, scenario) -> None:
    cluster.use_helm(helm)
    stage(cluster, SCENARIOS[scenario])
    change = upgrade_of(systems)
    assert change.consents == ()
    ours, *noise = change.rendered
    assert (ours.name, ours.ours, ours.lines) == (BACKEND, True, LINES)
    assert {it.state for it in noise} == {DiffState.NOISE}
    assert all("differs at every rendering" in line for it in noise for line in it.lines)
    if scenario == "certificate-noise":
        assert [it.kind for it in noise] == ["Secret"]
        assert "BEGIN" not in repr(noise)
    else:
        assert {it.name for it in noise} == {
            f"langsmith-backend-{job}-…"
            for job in ("migrations", "ch-migrations", "auth-bootstrap")
        }
        assert all(it.hook for it in noise)


@pytest.mark.usefixtures("republished")
def test_a_version_that_was_published_again_is_shown_and_asked_about(systems, run) -> None:
    line = "~ spec.template.spec.terminationGracePeriodSeconds: 30 → 77"
    change = upgrade_of(systems)
    others = beyond(change.rendered)
    assert {it.kind for it in others} == {"Deployment"}
    assert all(line in it.lines for it in others)
    (lacking,) = change.consents
    assert (lacking.option, lacking.refusal.id) == ("accept_render", "LSA411")
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 3
    assert "LSA411" in answer.stderr
    assert line in answer.stderr
    answer = run("plan", "--all", "--accept-render", "--format", "json")
    assert answer.returncode == 0, answer.stderr
    (step,) = [it for it in json.loads(answer.stdout)["steps"] if it["name"] == "helm_upgrade"]
    assert [it["name"] for it in step["change"]["rendered"]] == [it.name for it in change.rendered]


def test_secrets_and_other_peoples_values_are_never_shown(cluster, systems, run) -> None:
    new = "an-entirely-new-passphrase"
    secrets = secrets_of(cluster) | {"new": new}
    edit_values(
        cluster,
        {
            "config": {"basicAuth": {"initialOrgAdminPassword": new}},
            "backend": {
                "deployment": {
                    "replicas": 3,
                    "command": ["./entrypoint.sh", f"--password={new}"],
                    "extraEnv": [{"name": "ASYNCPG_POOL_MAX_SIZE", "value": "of-somebody"}],
                }
            },
        },
    )
    answer = run("plan", "--all", "--format", "json")
    assert answer.returncode == 3
    told = answer.stdout + answer.stderr
    assert not [name for name, text in secrets.items() if text in told]
    (step,) = [it for it in json.loads(answer.stdout)["steps"] if it["name"] == "helm_upgrade"]
    assert "of-somebody" not in json.dumps(step)
    found = {it["name"]: it for it in step["change"]["rendered"]}
    assert found["langsmith-secrets"]["lines"] == ["~ data.initial_org_admin_password (not shown)"]
    backend = "\n".join(found[BACKEND]["lines"])
    assert "~ spec.replicas: 2 → 3" in backend
    assert "env[ASYNCPG_POOL_MAX_SIZE].value (not shown)" in backend
    assert not found[BACKEND]["ours"]
    (lacking,) = step["change"]["consents"]
    assert lacking["option"] == "accept_drift"
    assert "  ~ spec.replicas: 2 → 3" in lacking["detail"]


def test_another_chart_version_is_one_question_with_the_objects_that_change(systems) -> None:
    target = replace(systems.target, chart_version="0.13.37")
    systems.answer(target)
    change = upgrade_of(systems)
    assert len(beyond(change.rendered)) > 10
    (lacking,) = change.consents
    assert lacking.option == "accept_chart_change"
    assert "Deployment langsmith-backend: changed" in lacking.refusal.detail
    systems.answer(replace(target, accept_chart_change=True))
    assert upgrade_of(systems).consents == ()


def test_values_that_cannot_be_rendered_are_refused_before_anything(cluster, systems) -> None:
    reinstall(cluster, {"backend": {"autoscaling": {"enabled": True}}})
    cluster.variables["LANGSMITH_AUDIT_CHART_VERSION"] = "0.13.37"
    target = target_from(settings_from({"all": True}, cluster.environment()))
    cluster.variables.pop("LANGSMITH_AUDIT_CHART_VERSION")
    with Systems(target) as found, pytest.raises(Problem) as refused:
        foresee(found)
    assert refused.value.id == "LSA125"
    assert any("autoscaling.enabled" in line for line in refused.value.detail)


def test_an_upgrade_that_would_bring_nothing_is_refused(run) -> None:
    answer = run("run", "--yes", "--all", "--skip", "values_file")
    assert answer.returncode == 3
    assert "LSA412" in answer.stderr


def compared(old: dict, new: dict, again: dict | None = None) -> dict[str, list[str]]:
    """Object names with the places that differ, `?` before noise."""
    texts = (yaml.safe_dump(it) for it in (old, new, again or new))
    found = differing(Renderings(*texts, "here"), yaml.safe_load)
    return {
        it.name: [".".join(at) for at in it.changed] + ["?" + ".".join(at) for at in it.noise]
        for it in found
    }


def thing(**spec: object) -> dict:
    return {"kind": "Thing", "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        (thing(a=1, b=2), thing(b=2, a=1), None),
        (thing(a=None, b={}, c={"d": None}), thing(), None),
        (thing(a=1), thing(a=True), ["spec.a"]),
        (thing(a="1"), thing(a=1), ["spec.a"]),
        (thing(l=[{"name": "a", "v": 1}]), thing(l=[{"name": "a", "v": 2}]), ["spec.l[a].v"]),
        (
            thing(l=[{"name": "a", "v": 1}, {"name": "b", "v": 1}]),
            thing(l=[{"name": "b", "v": 1}, {"name": "c", "v": 1}, {"name": "a", "v": 1}]),
            ["spec.l.(order)", "spec.l[c].v"],
        ),
        (thing(l=[{"p": 1}, {"p": 2}]), thing(l=[{"p": 1}, {"p": 3}]), ["spec.l[1].p"]),
        (thing(l=["a", "b"]), thing(l=["b", "a"]), ["spec.l"]),
        (thing(l=[{"name": "a"}]), thing(l=[]), ["spec.l"]),
    ],
)
def test_what_is_a_difference(old: dict, new: dict, places: list | None) -> None:
    found = compared(old, new)
    assert found == ({} if places is None else {"x": places})


def test_a_place_that_differs_by_itself_beside_one_that_always_does() -> None:
    found = compared(thing(a=1, r="p"), thing(a=2, r="q"), thing(a=2, r="s"))
    assert found == {"x": ["spec.a", "?spec.r"]}
