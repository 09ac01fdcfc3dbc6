"""The whole practice cluster: a LangSmith release to rehearse on, up and down as one thing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from uuid import UUID

import psycopg

from wizard.practice.behaviour import Behaviour
from wizard.practice.chart_repository import ChartRepository, HelmHome, led_to
from wizard.practice.kubernetes import PracticeKubernetes
from wizard.practice.kubernetes import Snapshot as KubernetesSnapshot
from wizard.practice.kubernetes.controllers.base import is_ready
from wizard.practice.langsmith import LangSmith
from wizard.practice.langsmith_store import ORGANIZATIONS, Keys, Store, plant
from wizard.practice.pods import PodView
from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem
from wizard.resources import template

NAMESPACE = "langsmith"
RELEASE = "langsmith"
DATABASE = "postgres"
"""The application's database, as in the chart's default values."""

KEPT = "practice_snapshot"
"""The database that holds what `restore` puts back, unless another name is given."""

HELM_LIMIT = 120.0
"""Seconds that helm may take for the first installation."""

SETTLE_LIMIT = 30.0
"""Seconds until all pods of the first installation are ready."""

AT_ONCE = 0.02
"""Seconds until a pod is ready, or a Job done, while the older release is put in place."""


@dataclass(frozen=True)
class Snapshot:
    """A state of the cluster; its database part is kept in the server, as `database`."""

    kubernetes: KubernetesSnapshot
    views: tuple[PodView, ...]
    values: str
    helm: Path
    files: frozenset[str]
    named: tuple[str, str]
    variables: Mapping[str, str]
    charts: frozenset[str]
    helm_files: Mapping[Path, bytes]
    database: str


class PracticeCluster:
    """A Kubernetes API, PostgreSQL, helm repository and LangSmith on loopback, in this process.

    Nothing is written outside the folder `home`. `variables` go before the settings for who works
    on this cluster; `organizations` are by what the config holds: off, null, empty, personal, on.
    """

    def __init__(
        self,
        home: Path,
        *,
        helm: Path,
        pod_ready_after: float = 1.0,
        job_takes: float = 0.5,
        chart_version: str = "0.12.33",
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.home = home
        self.helm = helm
        self.chart = "langchain/langsmith"
        self.namespace = NAMESPACE
        self.release = RELEASE
        self.variables: dict[str, str] = {}
        self.chart_version = chart_version
        self.kubeconfig = home / "kubeconfig"
        self.values = home / "values.yaml"
        self.organizations: Mapping[str, UUID] = ORGANIZATIONS
        self.keys = Keys()
        # As on a real cluster, the password is not made of letters only.
        self.postgres = PracticePostgres(
            home / "postgres", password=f"{secrets.token_hex(6)}@/{secrets.token_hex(6)}?"
        )
        self.repository = ChartRepository(home / "charts")
        self.helm_home = HelmHome(home / "helm")
        self._salt = secrets.token_hex(16)
        self.say = say or (lambda _text: None)
        self.kubernetes = PracticeKubernetes(pod_ready_after=pod_ready_after, job_takes=job_takes)
        self.langsmith = LangSmith(
            Store(lambda: self.postgres.dsn(DATABASE)),
            self.kubernetes.get,
            serves=lambda view: view.release == self.release,
        )

    @property
    def url(self) -> str:
        """LangSmith's URL; the same as the release's `config.hostname`."""
        return self.langsmith.url

    @property
    def api_key(self) -> str:
        """A personal access token of an organization admin."""
        return self.keys.admin

    @property
    def viewer_key(self) -> str:
        """A personal access token of a member who may not read audit logs."""
        return self.keys.viewer

    def up(self) -> None:
        """Bring everything up, with a deployed release of the older LangSmith."""
        try:
            self._up()
        except BaseException:
            self.down()
            raise

    def _up(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(2) as pool:
            database = pool.submit(self._start_database)
            charts = pool.submit(self._start_repository)
            behaviour = Behaviour(self.postgres, self.langsmith, self.kubernetes.get, DATABASE)
            behaviour.attach(self.kubernetes)
            self.kubernetes.start()
            self.kubernetes.write_kubeconfig(self.kubeconfig, namespace=NAMESPACE)
            self.langsmith.start()
            database.result()
            charts.result()
        self._write_values()
        self.say(f"LangSmith's chart {self.chart_version} is being installed with helm")
        self._nothing = self.kubernetes.snapshot()
        with self.at_once():
            self.install()
        self.say(f"LangSmith answers at {self.url}")

    def down(self) -> None:
        """End everything that was started; idempotent. The folder stays, for its owner."""
        self.langsmith.stop()
        self.kubernetes.stop()
        self.repository.stop()
        self.postgres.stop()

    def environment(self) -> dict[str, str]:
        """The environment in which helm, kubectl and langsmith-audit see this cluster only."""
        return led_to(self.settings())

    def settings(self) -> dict[str, str]:
        """The variables of `environment()` that are not inherited. They hold the API key."""
        search = os.pathsep.join((str(self.home / "bin"), os.environ.get("PATH", os.defpath)))
        return {
            "PATH": search,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.home / "kubecache"),
            **self.helm_home.settings(),
            "LANGSMITH_API_KEY": self.api_key,
            "LANGSMITH_AUDIT_NAMESPACE": self.namespace,
            "LANGSMITH_AUDIT_RELEASE": self.release,
            "LANGSMITH_AUDIT_VALUES": str(self.values),
            "LANGSMITH_AUDIT_REPO_URL": self.repository.url,
            "LANGSMITH_AUDIT_STATE_DIR": str(self.home / "state"),
            **self.variables,
        }

    def use_helm(self, helm: Path) -> None:
        """Make this the `helm` that the environment's PATH leads to."""
        self.helm = helm
        link = self.home / "bin" / "helm"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(helm.resolve())

    def connect(self) -> psycopg.Connection:
        """A connection to the application's database, each statement its own transaction."""
        return psycopg.connect(self.postgres.dsn(DATABASE), autocommit=True, connect_timeout=10)

    def run_helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the cluster's helm, and give what it said."""
        return subprocess.run(
            [str(self.helm), *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HELM_LIMIT,
            check=False,
        )

    def install(
        self, *, namespace: str = NAMESPACE, release: str = RELEASE, chart_version: str = ""
    ) -> None:
        """Install the release from the values file as it is, and wait until its pods are ready."""
        self.namespace, self.release = namespace, release
        self.kubernetes.write_kubeconfig(self.kubeconfig, namespace=namespace)
        answer = self.run_helm(
            *("install", release, self.chart),
            *("--version", chart_version or self.chart_version),
            *("--namespace", namespace, "--create-namespace", "--values", str(self.values)),
        )
        self.must(answer, "helm install")
        self.settle()

    def bare(self) -> None:
        """Take everything off the cluster that was installed; the database stays."""
        self.kubernetes.restore(self._nothing)

    def settle(self) -> None:
        """Wait until every pod is ready."""
        try:
            self.kubernetes.until(self._all_ready, timeout=SETTLE_LIMIT)
        except TimeoutError as late:
            raise self._problem(f"the pods are not ready: {late}", "pods") from None

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Meanwhile pods are ready, and Jobs done, after AT_ONCE seconds."""
        times = self.kubernetes.times
        self.kubernetes.times = replace(times, pod_ready=AT_ONCE, job=AT_ONCE)
        try:
            yield
        finally:
            self.kubernetes.times = times

    def snapshot(self, name: str = KEPT) -> Snapshot:
        """Keep the present state, the database included; a later one of that name replaces it."""
        self._copy_database(DATABASE, name)
        return Snapshot(
            self.kubernetes.snapshot(),
            self.langsmith.views(),
            self.values.read_text(encoding="utf-8"),
            self.helm,
            frozenset(path.name for path in self.home.iterdir()),
            (self.namespace, self.release),
            dict(self.variables),
            self.repository.offered,
            self.helm_home.keep(),
            name,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Put a kept state back, whatever was done to the cluster since.

        Open connections to the database are cut, faults taken back, stopped servers started, and
        files that are new in the folder removed.
        """
        self.kubernetes.others.close()
        if not self.postgres.running:
            self.postgres.start()
        self.kubernetes.faults.clear()
        self._copy_database(snapshot.database, DATABASE)
        self.kubernetes.restore(snapshot.kubernetes)
        self.kubernetes.start()
        self.langsmith.restore(snapshot.views)
        self.kubernetes.requests.clear()
        self.namespace, self.release = snapshot.named
        self.variables = dict(snapshot.variables)
        self.repository.offer(snapshot.charts)
        self.helm_home.put_back(snapshot.helm_files)
        for path in self.home.iterdir():
            if path.name not in snapshot.files:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.write_private(self.values, snapshot.values)
        self.kubernetes.write_kubeconfig(self.kubeconfig, namespace=self.namespace)
        self.use_helm(snapshot.helm)

    def _start_database(self) -> None:
        self.postgres.start()
        with self.connect() as connection:
            plant(connection, self.keys, self._salt)
        self.say(f"PostgreSQL listens on {self.postgres.host}:{self.postgres.port}")

    def _start_repository(self) -> None:
        self.repository.start()
        self.use_helm(self.helm)
        answer = self.run_helm("repo", "add", "langchain", self.repository.url)
        self.must(answer, "helm repo add")

    def _write_values(self) -> None:
        text = Template(template("practice/values.yaml")).substitute(
            namespace=NAMESPACE,
            hostname=self.url,
            license_key=f"lsv1_{secrets.token_hex(20)}",
            api_key_salt=self._salt,
            admin_password=f"Aa1!{secrets.token_urlsafe(12)}",
            jwt_secret=secrets.token_hex(24),
            database_password=self.postgres.password,
        )
        self.write_private(self.values, text)

    def write_private(self, file: Path, text: str) -> None:
        """Write a file anew, readable by its owner alone."""
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")

    def _all_ready(self) -> bool:
        pods = self.kubernetes.list("Pod")
        return all(
            pod.get("status", {}).get("phase") == "Succeeded" or is_ready(pod) for pod in pods
        )

    def _copy_database(self, source: str, target: str) -> None:
        with psycopg.connect(self.postgres.dsn("template1"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (%s, %s)",
                (source, target),
            )
            connection.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {target} TEMPLATE {source}".encode())

    def must(self, answer: subprocess.CompletedProcess[str], what: str) -> None:
        """Make sure that helm did it."""
        if answer.returncode != 0:
            words = tuple(answer.stderr.strip().splitlines()[-8:])
            raise self._problem(f"{what} ended with exit code {answer.returncode}", what, words)

    def _problem(self, what: str, on: str, detail: tuple[str, ...] = ()) -> Problem:
        return Problem(
            "LSA956",
            f"the practice cluster does not come up: {what}",
            on=on,
            next_step="start again; if it stays so, report it with the lines above",
            detail=detail,
        )
