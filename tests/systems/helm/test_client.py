"""The helm CLI on the practice cluster, helm 3 and helm 4."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from wizard.article import WANTED
from wizard.practice.cluster import PracticeCluster
from wizard.problems import Exit, Problem
from wizard.systems.helm.client import Helm
from wizard.systems.helm.records import Upgrade, split_chart

NAMESPACE = RELEASE = "langsmith"
CHART = "langchain/langsmith"


@pytest.fixture
def user(cluster: PracticeCluster, helm: Path, monkeypatch: pytest.MonkeyPatch) -> Helm:
    """The helm of someone who works on the practice cluster."""
    cluster.use_helm(helm)
    for name in [name for name in os.environ if name.startswith("HELM_")]:
        monkeypatch.delenv(name)
    for name, text in cluster.environment().items():
        monkeypatch.setenv(name, text)
    return Helm.find(kubeconfig=cluster.kubeconfig, context="practice")


def upgrade_of(cluster: PracticeCluster, **more: object) -> Upgrade:
    given = {"chart": CHART, "version": "0.12.33", "values": (cluster.values,), "timeout": 60}
    return Upgrade(release=RELEASE, namespace=NAMESPACE, **{**given, **more})


def with_variables(cluster: PracticeCluster, value: str = '"true"') -> tuple[Path, ...]:
    extra = cluster.home / "extra.yaml"
    entries = "".join(f"      - name: {name}\n        value: {value}\n" for name in WANTED)
    extra.write_text(f"backend:\n  deployment:\n    extraEnv:\n{entries}")
    return (cluster.values, extra)


def refused(call) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.__cause__ is None
    return caught.value


def nothing(_: float) -> None:
    pass


# Which helm


def test_helm_is_known_by_its_major(user: Helm, helm: Path) -> None:
    words = subprocess.run([helm, "version", "--short"], capture_output=True, text=True).stdout
    assert words.startswith(f"v{user.version}")
    assert user.major == int(user.version.split(".")[0])


def test_no_helm_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    problem = refused(lambda: Helm.find(kubeconfig=None, context=None))
    assert (problem.id, problem.exit) == ("LSA111", Exit.UNKNOWN)
    assert "helm.sh" in problem.next_step


def program(tmp_path: Path, text: str) -> str:
    path = tmp_path / "helm"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("#!/bin/sh\necho v5.0.0\n", "LSA113"),
        ("#!/bin/sh\necho 'Client: v2.17.0+gabc'\n", "LSA113"),
        ("#!/bin/sh\necho what\n", "LSA113"),
        ("#!/bin/sh\nexit 3\n", "LSA112"),
        ("#!/no/such/shell\n", "LSA112"),
    ],
)
def test_helms_that_cannot_be_used(tmp_path: Path, text: str, id: str) -> None:
    binary = program(tmp_path, text)
    problem = refused(lambda: Helm.find(kubeconfig=None, context=None, binary=binary))
    assert (problem.id, problem.exit) == (id, Exit.UNKNOWN)


def test_a_helm_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wizard.systems.helm.reads.VERSION_LIMIT", 0.3)
    binary = program(tmp_path, "#!/bin/sh\nexec sleep 60\n")
    problem = refused(lambda: Helm.find(kubeconfig=None, context=None, binary=binary))
    assert problem.id == "LSA114"
    assert "0.3 seconds" in problem.what


# What helm tells


def test_the_release_and_its_chart(user: Helm) -> None:
    release = user.release(RELEASE, NAMESPACE)
    assert (release.revision, release.status) == (1, "deployed")
    assert (release.chart_name, release.chart_version) == ("langsmith", "0.12.33")
    assert release.app_version == "0.12.72"
    assert [each.revision for each in user.history(RELEASE, NAMESPACE)] == [1]


@pytest.mark.parametrize(
    ("chart", "parts"),
    [
        ("langsmith-0.12.33", ("langsmith", "0.12.33")),
        ("langsmith-0.16.0-rc.1", ("langsmith", "0.16.0-rc.1")),
        ("my-chart-2-v1.2.3+b.4", ("my-chart-2", "v1.2.3+b.4")),
        ("odd", ("odd", "")),
    ],
)
def test_chart_names_and_versions(chart: str, parts: tuple[str, str]) -> None:
    assert split_chart(chart) == parts


def test_a_release_that_is_not_there_names_those_that_are(user: Helm) -> None:
    problem = refused(lambda: user.release("other", NAMESPACE))
    assert (problem.id, problem.exit) == ("LSA118", Exit.FAILED)
    assert "releases there: langsmith" in problem.what
    assert "releases there: none" in refused(lambda: user.release("other", "empty")).what
    assert refused(lambda: user.manifest("other", NAMESPACE)).id == "LSA118"


def test_values_and_manifest(user: Helm) -> None:
    given = user.user_values(RELEASE, NAMESPACE)
    computed = user.computed_values(RELEASE, NAMESPACE)
    assert "name" not in given["backend"]
    assert computed["backend"]["name"] == "backend"
    assert given["config"]["apiKeySalt"] == computed["config"]["apiKeySalt"]
    assert "kind: Deployment" in user.manifest(RELEASE, NAMESPACE)


def test_values_that_were_never_given_are_an_empty_mapping(
    user: Helm, cluster: PracticeCluster, tmp_path: Path
) -> None:
    chart = tmp_path / "small"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 1.0.0\n")
    cluster.run_helm("install", "small", str(chart), "--namespace", NAMESPACE)
    assert user.user_values("small", NAMESPACE) == {}
    assert {each.name for each in user.releases(NAMESPACE)} == {"langsmith", "small"}


# Charts


def test_the_chart_in_exactly_this_version(user: Helm) -> None:
    chart = user.chart_versions(CHART, "0.12.33")
    assert (chart.version, chart.app_version) == ("0.12.33", "0.12.72")


def test_a_version_that_is_not_to_be_had(user: Helm) -> None:
    problem = refused(lambda: user.chart_versions(CHART, "9.9.9"))
    assert (problem.id, problem.exit) == ("LSA120", Exit.FAILED)
    assert "helm repo update langchain" in problem.next_step


def test_an_alias_that_helm_does_not_know(user: Helm) -> None:
    problem = refused(lambda: user.chart_versions("acme/langsmith", "0.12.33"))
    assert (problem.id, problem.exit) == ("LSA119", Exit.USAGE)
    assert "helm repo add acme https://langchain-ai.github.io/helm" in problem.next_step


def test_an_alias_without_its_index(user: Helm, cluster: PracticeCluster) -> None:
    index = cluster.home / "helm" / "cache" / "repository" / "langchain-index.yaml"
    kept = index.read_bytes()
    index.unlink()
    try:
        problem = refused(lambda: user.chart_versions(CHART, "0.12.33"))
    finally:
        index.write_bytes(kept)
    assert problem.id == "LSA120"


def test_a_folder_is_a_chart_of_its_own_version(user: Helm, tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: langsmith\nversion: 0.12.34\n")
    assert user.chart_versions(str(tmp_path), "0.12.34").version == "0.12.34"
    problem = refused(lambda: user.chart_versions(str(tmp_path), "0.12.33"))
    assert problem.id == "LSA120"
    assert "0.12.34, not 0.12.33" in problem.what
    assert refused(lambda: user.chart_versions("./nowhere", "1.0.0")).id == "LSA119"


# No way to the cluster


def test_helm_goes_where_it_is_told_whatever_the_environment_says(
    user: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELM_KUBEAPISERVER", "http://127.0.0.1:1")
    monkeypatch.setenv("HELM_KUBECONTEXT", "elsewhere")
    monkeypatch.setenv("HELM_KUBETOKEN", "other")
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    assert user.release(RELEASE, NAMESPACE).name == RELEASE


def test_an_unreachable_api_server(user: Helm, cluster: PracticeCluster, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        cluster.kubeconfig.read_text().replace(cluster.kubernetes.url, "http://127.0.0.1:1")
    )
    away = Helm(user.binary, user.version, user.major, config)
    problem = refused(lambda: away.releases(NAMESPACE))
    assert (problem.id, problem.exit) == ("LSA115", Exit.UNKNOWN)
    assert "refused" in problem.detail[0]


def test_a_context_and_a_kubeconfig_that_are_not_there(user: Helm, tmp_path: Path) -> None:
    wrong = Helm(user.binary, user.version, user.major, user.kubeconfig, "nope")
    assert refused(lambda: wrong.releases(NAMESPACE)).id == "LSA135"
    missing = Helm(user.binary, user.version, user.major, tmp_path / "nope")
    problem = refused(lambda: missing.releases(NAMESPACE))
    assert (problem.id, problem.exit) == ("LSA135", Exit.USAGE)


def test_refused_credentials(user: Helm, cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.refuse_credentials()
    problem = refused(lambda: user.releases(NAMESPACE))
    assert (problem.id, problem.exit) == ("LSA116", Exit.UNKNOWN)


def test_a_missing_right(user: Helm, cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.forbid("list", "secrets")
    problem = refused(lambda: user.releases(NAMESPACE))
    assert (problem.id, problem.exit) == ("LSA117", Exit.UNKNOWN)
    assert "list secrets in namespace langsmith" in problem.what
    assert 'verbs: ["list"]' in problem.next_step


def test_a_stalled_api_server_is_given_up(user: Helm, cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.stall()
    hasty = Helm(user.binary, user.version, user.major, user.kubeconfig, read_limit=0.5)
    problem = refused(lambda: hasty.releases(NAMESPACE))
    assert (problem.id, problem.exit) == ("LSA114", Exit.UNKNOWN)
    assert "0.5 seconds" in problem.what


# The upgrade


def test_the_command_line_is_pinned_and_never_atomic(user: Helm, cluster: PracticeCluster) -> None:
    argv = user.upgrade_argv(upgrade_of(cluster, values=(Path("a.yaml"), Path("b c.yaml"))))
    assert argv[1:] == [
        *("upgrade", RELEASE, CHART, "--namespace", NAMESPACE, "--version", "0.12.33"),
        *("--values", "a.yaml", "--values", "b c.yaml", "--wait", "--timeout", "60s"),
        *("--kubeconfig", str(cluster.kubeconfig), "--kube-context", "practice"),
    ]
    bare = Helm(user.binary, user.version, user.major)
    argv = bare.upgrade_argv(upgrade_of(cluster, wait=False))
    assert "--wait" not in argv
    assert not any(word.startswith("--kube") for word in argv)


def test_an_upgrade_brings_the_variables(user: Helm, cluster: PracticeCluster) -> None:
    ticks: list[float] = []
    result = user.upgrade(upgrade_of(cluster, values=with_variables(cluster)), tick=ticks.append)
    assert result.revision == 2
    assert user.release(RELEASE, NAMESPACE).revision == 2
    assert ticks == sorted(ticks)
    assert user.running is None
    live = cluster.kubernetes.get("Deployment", NAMESPACE, "langsmith-backend")
    env = live["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": WANTED[0], "value": "true"} in env


def test_the_template_is_what_the_upgrade_would_send(user: Helm, cluster: PracticeCluster) -> None:
    text = user.template(upgrade_of(cluster, values=with_variables(cluster)))
    assert text.count(f"name: {WANTED[0]}") == 1
    assert user.release(RELEASE, NAMESPACE).revision == 1


def test_a_tick_that_raises_leaves_helm_running(user: Helm, cluster: PracticeCluster) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    cluster.kubernetes.faults.delay(0.05)
    with pytest.raises(KeyboardInterrupt):
        user.upgrade(upgrade_of(cluster, values=with_variables(cluster)), tick=stop)
    child = user.running.pid
    assert os.getsid(child) == child  # a Ctrl-C in the terminal does not reach it
    cluster.kubernetes.faults.delay(0)
    assert user.rejoin(tick=nothing).revision == 2
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_killed_helm_leaves_the_release_pending(user: Helm, cluster: PracticeCluster) -> None:
    def kill(_: float) -> None:
        if user.release(RELEASE, NAMESPACE).status == "pending-upgrade":
            os.kill(user.running.pid, signal.SIGKILL)

    cluster.kubernetes.faults.fail_pods({"app.kubernetes.io/component": "langsmith-backend"})
    upgrade = upgrade_of(cluster, values=with_variables(cluster))
    problem = refused(lambda: user.upgrade(upgrade, tick=kill))
    assert problem.exit is Exit.FAILED
    assert "signal 9" in problem.what
    assert "status pending-upgrade" in problem.detail[-1]
    cluster.kubernetes.faults.clear()
    again = refused(lambda: user.upgrade(upgrade, tick=nothing))
    assert (again.id, again.exit) == ("LSA121", Exit.FAILED)


def test_the_wait_is_over(user: Helm, cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.fail_pods({"app.kubernetes.io/component": "langsmith-backend"})
    upgrade = upgrade_of(cluster, values=with_variables(cluster), timeout=2)
    problem = refused(lambda: user.upgrade(upgrade, tick=nothing))
    assert (problem.id, problem.exit) == ("LSA127", Exit.FAILED)
    assert "revision 2, status failed" in problem.detail[-1]


def test_a_failing_hook(user: Helm, cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.fail_job("backend-migrations")
    upgrade = upgrade_of(cluster, values=with_variables(cluster))
    problem = refused(lambda: user.upgrade(upgrade, tick=nothing))
    assert (problem.id, problem.exit) == ("LSA130", Exit.FAILED)
    assert "status failed" in problem.detail[-1]


def test_a_variable_that_is_set_twice(user: Helm, cluster: PracticeCluster) -> None:
    common = cluster.home / "common.yaml"
    common.write_text(f'commonEnv:\n  - name: {WANTED[0]}\n    value: "true"\n')
    upgrade = upgrade_of(cluster, values=(*with_variables(cluster), common))
    problem = refused(lambda: user.upgrade(upgrade, tick=nothing))
    assert (problem.id, problem.exit) == ("LSA126", Exit.FAILED)
    assert WANTED[0] in problem.what
    assert "status deployed" in problem.detail[-1]


def test_an_unquoted_true_is_refused_by_the_server(user: Helm, cluster: PracticeCluster) -> None:
    upgrade = upgrade_of(cluster, values=with_variables(cluster, "true"))
    problem = refused(lambda: user.upgrade(upgrade, tick=nothing))
    assert (problem.id, problem.exit) == ("LSA132", Exit.FAILED)
    assert "status failed" in problem.detail[-1]


def test_values_that_are_not_yaml(user: Helm, cluster: PracticeCluster) -> None:
    broken = cluster.home / "broken.yaml"
    broken.write_text("a: [1\nb: 2\n")
    problem = refused(lambda: user.upgrade(upgrade_of(cluster, values=(broken,)), tick=nothing))
    assert (problem.id, problem.exit) == ("LSA125", Exit.FAILED)


def test_secrets_of_the_values_are_not_repeated(user: Helm, cluster: PracticeCluster) -> None:
    secret = "Zx9-very-secret-salt"
    odd = cluster.home / "odd.yaml"
    odd.write_text(f"config:\n  apiKeySalt: {secret}\n  authType: {secret}\n")
    problem = refused(
        lambda: user.upgrade(upgrade_of(cluster, values=(cluster.values, odd)), tick=nothing)
    )
    assert problem.id == "LSA125"
    assert secret not in " ".join((problem.what, problem.next_step, *problem.detail))


def test_an_upgrade_during_an_upgrade(user: Helm, cluster: PracticeCluster) -> None:
    cluster.kubernetes.faults.fail_pods({"app.kubernetes.io/component": "langsmith-backend"})
    upgrade = upgrade_of(cluster, values=with_variables(cluster), timeout=60)
    first = subprocess.Popen(user.upgrade_argv(upgrade), stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while user.release(RELEASE, NAMESPACE).status != "pending-upgrade":
            assert time.monotonic() < end
        problem = refused(lambda: user.upgrade(upgrade, tick=nothing))
    finally:
        cluster.kubernetes.faults.clear()
        first.wait(60)
    assert problem.id == "LSA121"
    assert "pending-upgrade" in problem.detail[-1]


def answering(tmp_path: Path, command: str) -> Helm:
    """A helm that answers everything by this command."""
    script = f'case "$1" in version) echo v3.19.0;; *) {command};; esac'
    binary = program(tmp_path, f"#!/bin/sh\n{script}\n")
    return Helm.find(kubeconfig=None, context=None, binary=binary)


ROW = {"name": "x", "namespace": "n", "revision": "1", "status": "deployed", "updated": "",
       "chart": "x-1.0.0", "app_version": "1"}  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    ["7", "[null]", "[[1]]", '["a"]', "{}x", json.dumps([{**ROW, "revision": "x"}]),
     json.dumps([{**ROW, "revision": None}]), json.dumps([{"name": "x"}])],
)  # fmt: skip
def test_an_answer_of_helm_that_is_none(tmp_path: Path, answer: str) -> None:
    """What a plugin or a wrapper makes of it."""
    (tmp_path / "answer").write_text(answer)
    script = f'case "$1" in version) echo v3.19.0;; *) cat "{tmp_path}/answer";; esac'
    found = Helm.find(
        kubeconfig=None, context=None, binary=program(tmp_path, f"#!/bin/sh\n{script}\n")
    )
    for ask in (lambda: found.releases(None), lambda: found.history("x", "n")):
        assert refused(ask).id == "LSA129"


def test_no_releases_are_none(tmp_path: Path) -> None:
    script = 'case "$1" in version) echo v3.19.0;; *) echo null;; esac'
    found = Helm.find(
        kubeconfig=None, context=None, binary=program(tmp_path, f"#!/bin/sh\n{script}\n")
    )
    assert found.releases(None) == []
    assert found.last_took("x", "n") is None
