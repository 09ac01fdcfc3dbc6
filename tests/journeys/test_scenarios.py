"""What the wizard makes of each scenario: the finding, the exit code, the cluster's final state.

Also the suite of `pytest --live KUBECONFIG`: there a scenario that only the practice cluster can
stage is skipped, with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from leftovers import kept_texts, secrets_of, told_secrets
from scenario_looks import LOOKS

from wizard.article import WANTED
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage

pytestmark = pytest.mark.live

PLAN = ("plan", "--all", "--detailed-exitcode")
RUN = ("run", "--yes", "--all")
CHECK = ("check",)
HASTY = (*RUN, "--patience", "0.2")


@dataclass(frozen=True)
class Answer:
    """What is expected of one walk over a staged scenario.

    Attributes:
        walk: the command and its options.
        exit: its exit code.
        ids: findings and problems that it must name; "-" before one that it must not.
        says: words that it must say.
        live: whether both variables are live in the backend afterwards; None: not looked at.
        release: revision and status of the release afterwards; "" for no release.
        helms: the major versions of helm that answer so; every one in a test of its own.
    """

    walk: tuple[str, ...]
    exit: int
    ids: tuple[str, ...] = ()
    live: bool | None = False
    release: str = "1 deployed"
    helms: tuple[int, ...] = (3, 4)
    says: str = ""


WELL = {"exit": 0, "live": True, "release": "2 deployed"}
FAILED = {"exit": 9, "live": True, "release": "2 failed"}
TAKEN = "Somebody took back what helm had set: AUDIT_LOGS_ENABLED and DEFAULT"

ANSWERS = [
    ("fullname-override", Answer(PLAN, 6)),
    ("name-override", Answer(PLAN, 6)),
    ("backend-name", Answer(PLAN, 6)),
    ("other-release-name", Answer(PLAN, 6, ("-LSA118",))),
    ("namespace-value", Answer(RUN, **WELL)),
    ("several-releases", Answer(RUN, 2, ("LSA144",))),
    ("repo-missing", Answer(RUN, 2, ("LSA119",))),
    ("repo-stale", Answer(RUN, 3, ("LSA120",))),
    ("version-gone", Answer(RUN, 3, ("LSA120",))),
    ("chart-directory", Answer(PLAN, 6)),
    ("layered-values", Answer(PLAN, 6, ("-LSA410",), release="2 deployed")),
    ("certificate-noise", Answer(PLAN, 6, says="proxy-ca: differs at every rendering (noise)")),
    ("random-job-noise", Answer(PLAN, 6, says="ch-migrations-…: differs at every rendering")),
    ("too-old-chart", Answer(CHECK, 3, ("LSA102",))),
    ("too-old-chart", Answer(RUN, 3, ("LSA102", "LSA415"))),
    ("too-old-chart", Answer((*PLAN, "--accept-chart-change"), 6, says="its chart from 0.12.32")),
    ("too-old-chart", Answer((*RUN, "--accept-chart-change"), ids=("LSA101",), **WELL)),
    ("values-of-another-line", Answer(CHECK, 3, ("LSA176", "LSA179"))),
    ("on-by-default", Answer(RUN, 0, ("LSA403", "LSA891"))),
    ("drift-dropped-key", Answer(RUN, 3, ("LSA410",))),
    ("drift-changed-key", Answer(RUN, 3, ("LSA410",))),
    ("lost-salt", Answer(RUN, 3, ("LSA413",))),
    ("lost-license", Answer(RUN, 3, ("LSA413",))),
    ("lost-jwt-secret", Answer(RUN, 3, ("LSA413",))),
    ("live-edit", Answer(PLAN, 6, ("LSA418", "-LSA414"))),
    ("live-only", Answer(RUN, 0, ("LSA404",), live=True, release="2 deployed")),
    ("edited-elsewhere", Answer(RUN, 3, ("LSA414",))),
    ("live-salt", Answer((*RUN, "--accept-drift"), 3, ("LSA420",))),
    ("pending-install", Answer(RUN, 3, ("LSA150",), release="1 pending-install")),
    ("pending-upgrade", Answer(RUN, 3, ("LSA152",), live=True, release="2 pending-upgrade")),
    ("another-helm", Answer(RUN, 3, ("LSA152",), release="2 pending-upgrade")),
    ("pending-rollback", Answer(RUN, 3, ("LSA153",), release="3 pending-rollback")),
    ("failed-upgrade", Answer(RUN, 3, ("LSA151",), live=True, release="2 failed")),
    ("uninstalling", Answer(RUN, 3, ("LSA154",), live=None, release="1 uninstalling")),
    ("argocd", Answer(RUN, 3, ("LSA160",))),
    ("flux", Answer(RUN, 3, ("LSA161",))),
    ("terraform", Answer(RUN, 3, ("LSA162",))),
    ("edited-by-hand", Answer(CHECK, 3, ("LSA164",))),
    ("owner-reverts", Answer(RUN, 9, ("LSA441",), release="2 deployed", says=TAKEN)),
    ("argocd-without-release", Answer(RUN, 3, ("LSA145",), release="")),
    ("argo-rollout", Answer(RUN, ids=("-LSA171",), helms=(3,), **WELL)),
    ("argo-rollout", Answer(RUN, ids=("LSA171",), helms=(4,), **WELL)),
    ("hpa", Answer(PLAN, 6)),
    ("keda", Answer(PLAN, 6)),
    ("one-replica", Answer(PLAN, 6)),
    ("budget-one-replica", Answer(PLAN, 6, ("LSA173",))),
    ("no-load-balancer", Answer(PLAN, 6, ("LSA170",), helms=(3,))),
    ("no-load-balancer", Answer(PLAN, 6, ("-LSA170",), helms=(4,))),
    ("on-delete", Answer(PLAN, 6)),
    ("admission-refusal", Answer(RUN, 3, ("LSA442",))),
    ("missing-right", Answer(RUN, 5, ("LSA207",))),
    ("secrets-forbidden", Answer(RUN, 5, ("LSA117",))),
    ("crash-loop", Answer(HASTY, ids=("LSA440",), **FAILED)),
    ("image-pull", Answer(HASTY, ids=("LSA440",), **FAILED)),
    ("config-error", Answer(HASTY, ids=("LSA440",), **FAILED)),
    ("unschedulable", Answer(HASTY, ids=("LSA440",), **FAILED)),
    ("quota-exceeded", Answer(HASTY, ids=("LSA440",), **FAILED)),
    ("image-missing", Answer((*HASTY, "--accept-chart-change"), ids=("LSA440",), **FAILED)),
    ("failing-probe", Answer(HASTY, ids=("LSA440",), **FAILED)),
    ("paused", Answer(RUN, 3, ("LSA604",))),
    ("rolling-already", Answer(CHECK, 3, ("LSA694",), live=True, release="2 deployed")),
    ("rolling-already", Answer(PLAN, ids=("LSA694",), **WELL)),
    (
        "rolling-already",
        Answer(RUN, ids=("-LSA692",), says="Nothing to change: this run waits", **WELL),
    ),
    ("slow-pods", Answer(PLAN, 6)),
    (
        "budget-blocks",
        Answer(HASTY, 9, ("LSA173", "LSA602"), live=True, release="2 deployed", says="get pdb -n"),
    ),
    ("budget-blocks", Answer(PLAN, 6, ("LSA173",), says="will not get on, since it evicts")),
    ("migration-fails", Answer(RUN, ids=("LSA130",), says=" logs job/", **FAILED)),
    ("auth-bootstrap-fails", Answer(RUN, ids=("LSA130", "LSA175"), **FAILED)),
    ("e2e-test-fails", Answer(RUN, ids=("LSA130",), **FAILED)),
    ("backfill-blocks", Answer(RUN, 9, ("LSA130", "LSA174"), release="2 failed")),
]


@pytest.fixture
def staged(request, cluster):
    """Bring the cluster into a scenario; skip what cannot be staged on this one."""

    def call(name, helm, ids=()):
        if request.config.getoption("--live"):
            stage_live(cluster, name, helm, ids)
            return
        if helm == 4:
            cluster.use_helm(request.getfixturevalue("helm4"))
        stage(cluster, SCENARIOS[name])

    return call


def stage_live(cluster, name, helm, ids):
    """Stage on any cluster, or skip with the reason."""
    from live_faults import CannotStage

    if any(id.startswith("LSA8") for id in ids) and not cluster.api_key:
        pytest.skip(f"{name}: this answer is the API's, and LANGSMITH_API_KEY is not set")
    if helm != cluster.helm_major:
        pytest.skip(f"{name}: this answer is helm {helm}'s")
    try:
        stage(cluster, SCENARIOS[name])
        cluster.must_fit(name)
    except (CannotStage, TimeoutError) as reason:
        cluster.leave_next()
        pytest.skip(f"{name}: {reason}")
    others = cluster.run_helm("list", "--all-namespaces", "--short").stdout.split()
    if "" in cluster.variables.values() and len(others) > 1 and name == "other-release-name":
        pytest.skip(f"{name}: there is another release on this cluster ({', '.join(others)})")


WORDED = {"LSA119", "LSA120"}
"""Findings that are helm's own words."""


def helms_of(number, answer):
    """Both where helm writes, or words an error; elsewhere one of them, in turn."""
    writes = answer.walk[0] == "run" and answer.exit in (0, 9)
    if writes or WORDED.intersection(answer.ids):
        return answer.helms
    return answer.helms[number % len(answer.helms) :][:1]


def pytest_generate_tests(metafunc):
    if "answer" not in metafunc.fixturenames:
        return
    live = metafunc.config.getoption("--live")
    each = [
        (name, answer, major)
        for number, (name, answer) in enumerate(ANSWERS)
        for major in (answer.helms if live else helms_of(number, answer))
    ]
    first = {name: (answer, major) for name, answer, major in reversed(each)}
    metafunc.parametrize(
        ("name", "answer", "major", "look"),
        [pytest.param(*it, LOOKS.get(it[0]) if first[it[0]] == it[1:] else None) for it in each],
        ids=[f"{name}-helm{major}" for name, _, major in each],
    )


def test_each_scenario_has_an_answer():
    assert {name for name, _ in ANSWERS} == set(SCENARIOS)


def test_the_answer(cluster, run, staged, name, answer, major, look):
    staged(name, major, answer.ids)
    practice = isinstance(cluster, PracticeCluster)
    if practice and look:
        look(cluster)
    secrets = secrets_of(cluster) if practice else {}
    told = run(*answer.walk)
    kept = kept_texts(cluster) if practice else []
    assert not told_secrets(secrets, [told.stdout, told.stderr, *kept])
    assert told.returncode == answer.exit, told.stderr
    seen = set(re.findall(r"LSA\d{3}", told.stdout + told.stderr))
    assert {id for id in answer.ids if not id.startswith("-")} <= seen, told.stderr
    assert not {id[1:] for id in answer.ids if id.startswith("-")} & seen, told.stderr
    assert answer.says in told.stdout + told.stderr
    assert release(cluster) == answer.release
    if answer.live is not None:
        assert lives(cluster) == answer.live


def release(cluster):
    """The newest revision and its status; "" for no release."""
    owned = {"owner": "helm", "name": cluster.release}
    secrets = cluster.kubernetes.list("Secret", cluster.namespace, owned)
    labels = [secret["metadata"]["labels"] for secret in secrets]
    newest = max(labels, key=lambda one: int(one["version"]), default=None)
    return f"{newest['version']} {newest['status']}" if newest else ""


def lives(cluster):
    """Whether the backend's pods get both variables."""
    for namespace in (cluster.namespace, "tracing"):
        for kind in ("Deployment", "Rollout"):
            for workload in cluster.kubernetes.list(kind, namespace):
                (container, *_) = workload["spec"]["template"]["spec"]["containers"]
                labels = workload["metadata"]["labels"]
                ports = {port.get("name") for port in container.get("ports", ())}
                if labels["app.kubernetes.io/instance"] == cluster.release and "backend" in ports:
                    env = {one["name"]: one.get("value") for one in container["env"]}
                    return all(env.get(name) == "true" for name in WANTED)
    return None


def test_plan_run_and_check_on_a_release_as_it_was_installed(cluster, run):
    assert run(*PLAN).returncode == 6
    assert (release(cluster), lives(cluster)) == ("1 deployed", False)
    done = run(*RUN)
    assert done.returncode == 0, done.stderr
    assert (release(cluster), lives(cluster)) == ("2 deployed", True)
    again = run(*RUN)
    assert again.returncode == 0, again.stderr
    assert "Nothing to do" in again.stdout
    assert run(*CHECK).returncode == 0
    assert release(cluster) == "2 deployed"
