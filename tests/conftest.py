"""What the tests share: helm, PostgreSQL, and a practice cluster that is fresh for each test.

With `--live KUBECONFIG` the tests that are marked `live`, and no others, run on that cluster.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import forked
import measured
import plans
import practice_cluster
import pytest
from hypothesis import HealthCheck, settings

from wizard.aim import Aim, aim
from wizard.cli import main
from wizard.practice.cluster import PracticeCluster, Snapshot
from wizard.practice.helm_binary import helm_binary
from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem
from wizard.systems.kubernetes.http import HEARD

if TYPE_CHECKING:
    from live_cluster import LiveCluster, LiveOptions
    from plans import Document

    from wizard.systems.access import Systems

os.environ.setdefault("GOGC", "800")  # helm and kubectl live too short to collect much garbage
if hasattr(signal, "SIGHUP"):  # `nohup` hands on that it is ignored, as a person would want it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # other tests run on the same processors
settings.load_profile("shared")
plans.cheapen()


HERE = Path(__file__).parent
APART = {HERE / "practice", HERE / "test_structure.py"}
"""What says nothing of the product while it runs."""

LENGTHY = {"cluster", "run", "systems", "well_cluster", "newer_cluster"}
"""The fixtures of tests that take long: they stand on a practice cluster."""

RUN = 6
"""So many of them, one after another in their file, are run by one worker."""

LIVE = (
    ("--live", "KUBECONFIG", "run the tests marked live on this cluster; it should be disposable"),
    ("--live-namespace", "NAME", "how their namespaces begin (default: lsa-live-, and a number)"),
    ("--live-helm", "BINARY", "the helm to use (default: the one on PATH)"),
    ("--live-chart", "REF", "the chart to install (default: the practice chart)"),
    ("--live-chart-version", "VERSION", "its version (default: 0.12.33)"),
    ("--live-values", "FILE", "the values file to install from (default: the practice cluster's)"),
    ("--live-settle", "SECONDS", "until the pods of a release must be ready (default: 600)"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `pytest --live KUBECONFIG`."""
    group = parser.getgroup("live", "tests on any cluster")
    for flag, metavar, text in LIVE:
        group.addoption(flag, metavar=metavar, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Tell the marker, and refuse at once what cannot work."""
    # A shell starts what runs in the background with SIGINT ignored, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "live: also runs on any cluster, with --live KUBECONFIG")
    config.addinivalue_line("markers", "live_only: runs with --live KUBECONFIG alone")
    config.addinivalue_line("markers", "repeats: goes over lines that others have measured")
    if config.getoption("--live"):
        from live_cluster import problem_of

        problem = problem_of(_live_options(config))
        if problem:
            raise pytest.UsageError(problem)


def _live_options(config: pytest.Config) -> "LiveOptions":
    from live_cluster import LiveOptions

    told = {flag: config.getoption(flag) for flag, _, _ in LIVE}
    values = told["--live-values"]
    return LiveOptions(
        kubeconfig=Path(told["--live"]),
        base=told["--live-namespace"] or f"lsa-live-{secrets.token_hex(2)}",
        helm=Path(shutil.which(told["--live-helm"] or "helm") or "helm"),
        chart=told["--live-chart"] or "",
        chart_version=told["--live-chart-version"] or "0.12.33",
        values=Path(values) if values else None,
        settle=float(told["--live-settle"] or 600),
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without measuring: the product's modules are measured where `forked` loads them."""
    with measured.measuring(False):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Run a test without measuring pytest itself."""
    with measured.measuring(False):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Iterator[None]:
    """Measure what a test begins with."""
    with measured.measuring(_counts(request._pyfuncitem)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Measure the test."""
    with measured.measuring(_counts(pyfuncitem)):
        return (yield)


def _counts(item: pytest.Function) -> bool:
    """Not the practice cluster, nor what is sent over the same lines again and again."""
    again = getattr(item.function, "is_hypothesis_test", False)
    again = again or item.get_closest_marker("repeats") is not None
    return not again and APART.isdisjoint((item.path, *item.path.parents))


def pytest_sessionfinish() -> None:
    """End the process that the runs are forks of."""
    forked.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a live cluster only what is marked for it runs; elsewhere not what is for it alone."""
    live = bool(config.getoption("--live"))
    wanted = "live" if live else "live_only"
    others = [item for item in items if (item.get_closest_marker(wanted) is None) is live]
    items[:] = _dealt([item for item in items if item not in others])
    config.hook.pytest_deselected(items=others)


def _dealt(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which each worker gets an equal share of them.

    It begins with its part of those that take long, in runs that share what they stand on, and has
    some short ones left when the others come to take over what it has not begun.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    lengthy: list[pytest.Item] = []
    rest: list[pytest.Item] = []
    for item in items:
        (lengthy if _takes_long(item) else rest).append(item)
    lengthy.sort(key=lambda item: item.get_closest_marker("repeats") is None)
    runs = [lengthy[at : at + RUN] for at in range(0, len(lengthy), RUN)]
    found: list[pytest.Item] = []
    for worker in range(workers):
        own = [item for run in runs[worker::workers] for item in run]
        room = max((len(items) - len(found)) // (workers - worker) - len(own), 0)
        found += own + rest[:room]
        rest = rest[room:]
    return found


def _takes_long(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return not LENGTHY.isdisjoint(names) or item.get_closest_marker("repeats") is not None


@pytest.fixture(scope="session")
def live_cluster(request: pytest.FixtureRequest) -> Iterator["LiveCluster"]:
    """The cluster that --live names, with a release on it."""
    from live_cluster import LiveCluster

    folder = Path(tempfile.mkdtemp(prefix="lsa-live-"))
    cluster = LiveCluster(_live_options(request.config), folder)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def helm3() -> Path:
    """A helm 3 binary, fetched once for all tests when PATH has none."""
    return _helm(3)


@pytest.fixture(scope="session")
def helm4() -> Path:
    """A helm 4 binary, fetched once for all tests when PATH has none."""
    return _helm(4)


def _helm(major: int) -> Path:
    try:
        return helm_binary(major)
    except Problem as problem:
        pytest.skip(f"helm {major}: {problem.what}")


@pytest.fixture(autouse=True)
def nowhere() -> None:
    """No run was told of yet, whose cluster would be in every command that is shown."""
    aim(Aim())


@pytest.fixture(autouse=True)
def unheard() -> Iterator[None]:
    """Each test is as a process of its own: nothing was said of any login yet."""
    yield
    HEARD.clear()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not; gone after the test."""
    with practice_cluster.entered() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PracticePostgres]:
    """A PostgreSQL server for this worker; make a database of your own in it."""
    with practice_cluster.entered() as folder:
        server = PracticePostgres(folder / "postgres")
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Path:
    """Each helm in turn: a test that asks for it runs once a major version."""
    return request.getfixturevalue(f"helm{request.param}")


@pytest.fixture(scope="session")
def shared_cluster(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot]]:
    """The practice cluster of this worker, and its state as it came up."""
    with practice_cluster.practice(helm3) as cluster:
        yield cluster, cluster.snapshot()


@pytest.fixture(scope="session")
def newer_cluster(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot]]:
    """As `shared_cluster`, of chart 0.13.37, which has audit logs on by default."""
    with practice_cluster.practice(helm3, chart_version="0.13.37") as cluster:
        yield cluster, cluster.snapshot()


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> "PracticeCluster | LiveCluster":
    """A practice cluster as it came up: release 0.12.33 deployed, nothing done yet.

    Its helm is helm 3; `cluster.use_helm(helm)` takes another one. With --live it is a release on
    that cluster, as it was installed.
    """
    if request.config.getoption("--live"):
        live = request.getfixturevalue("live_cluster")
        live.fresh()
        return live
    practice, snapshot = request.getfixturevalue("shared_cluster")
    practice.restore(snapshot)
    return practice


@pytest.fixture
def run(
    request: pytest.FixtureRequest, cluster: PracticeCluster
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `langsmith-audit …` on the cluster, without a terminal; `env` adds variables."""
    limit = 1200.0 if request.config.getoption("--live") else 120.0

    def call(
        *arguments: str, env: dict[str, str] | None = None, timeout: float = limit, **more: object
    ) -> subprocess.CompletedProcess[str]:
        whole = cluster.environment() | (env or {})
        if not more:
            return forked.call(arguments, whole, timeout)
        return subprocess.run(
            [sys.executable, "-m", "wizard", *arguments],
            env=whole,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            **more,
        )

    return call


@pytest.fixture
def systems(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator["Systems"]:
    """The practice cluster as the steps see it."""
    from wizard.settings import settings_from, target_from
    from wizard.systems.access import Systems

    for name, text in cluster.environment().items():
        monkeypatch.setenv(name, text)
    with Systems(target_from(settings_from({}, cluster.environment()))) as found:
        yield found


@pytest.fixture(scope="module")
def planned(shared_cluster: tuple[PracticeCluster, Snapshot]) -> "Document":
    """A plan of the practice cluster as it came up."""
    cluster, snapshot = shared_cluster
    cluster.restore(snapshot)
    answer = forked.call(("plan", "--all", "--format", "json"), cluster.environment())
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.fixture
def apply(
    cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`langsmith-audit apply --yes …` in this process, for the many that are refused."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        for name in [name for name in os.environ if name.startswith("HELM_")]:
            monkeypatch.delenv(name)
        for name, value in cluster.environment().items():
            monkeypatch.setenv(name, value)
        code = main(["apply", "--yes", *arguments])
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def well(helm3: Path) -> Iterator[tuple[PracticeCluster, Snapshot]]:
    """A practice cluster of this worker on which audit logs are on."""
    with practice_cluster.practice(helm3) as cluster:
        done = forked.call(("run", "--yes", "--all"), cluster.environment())
        assert done.returncode == 0, done.stderr
        yield cluster, cluster.snapshot()


@pytest.fixture
def well_cluster(well: tuple[PracticeCluster, Snapshot]) -> PracticeCluster:
    """The same, as it was."""
    cluster, snapshot = well
    cluster.restore(snapshot)
    return cluster
