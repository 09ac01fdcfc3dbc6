"""A release on any cluster that a kubeconfig names, for the tests that are marked `live`.

It has the part of PracticeCluster's interface that scenarios and those tests use; what only the
practice cluster can stage raises CannotStage. Each change gets a namespace of its own, so that a
release in whatever state is left behind by leaving its namespace.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template

from live_faults import CannotStage, staging
from live_kubernetes import SLOWER, LiveKubernetes

from wizard.practice.chart_repository import ChartRepository, HelmHome, led_to
from wizard.practice.langsmith_store import ORGANIZATIONS
from wizard.practice.scenarios.tools import edit_values
from wizard.resources import template

COMMAND_LIMIT = 900
OF_CHARTS = {"certificate-noise": "proxy-ca"}
"""What a chart must render for a scenario."""
STORED = {"off": '{"can_use_audit_logs": false}', "null": None, "empty": "{}"}
"""The organizations that a release is given: what the config of each holds."""


@dataclass(frozen=True)
class LiveOptions:
    """What `pytest --live…` was told.

    Attributes:
        base: the namespaces begin with it.
        chart: a chart reference of helm; "" for the practice chart.
        values: the values file to install from; None for the practice cluster's.
        settle: seconds until the pods of a release must be ready.
    """

    kubeconfig: Path
    base: str
    helm: Path
    chart: str = ""
    chart_version: str = "0.12.33"
    values: Path | None = None
    settle: float = 600.0


class LiveCluster:
    """Installs, stages and cleans up through helm, kubectl and the API alone."""

    release = "langsmith"

    def __init__(self, options, home):
        self._options = options
        self._turn = 0
        self._trace = None
        self.home = home
        self.helm = options.helm
        self.kubeconfig = home / "kubeconfig"
        self.values = home / "values.yaml"
        self.variables = {}
        self.namespace = ""
        self.organizations = ORGANIZATIONS
        self.chart = options.chart or "langchain/langsmith"
        self.chart_version = options.chart_version
        self.own_chart = not options.chart
        self._helm_home = HelmHome(home / "helm")
        self._repository = ChartRepository(home / "charts")
        self.kubernetes = LiveKubernetes(options.kubeconfig)

    @property
    def repository(self):
        """The chart repository, where it is ours."""
        if not self.own_chart:
            raise CannotStage("the chart was given, and so is its repository")
        return self._repository

    @property
    def helm_home(self):
        """Where helm keeps its repositories, where the chart comes from ours."""
        if not self.own_chart:
            raise CannotStage("the chart was given, and so is its repository")
        return self._helm_home

    @property
    def api_key(self):
        """The key for the proof through the API, or ""."""
        return os.environ.get("LANGSMITH_API_KEY", "")

    def up(self):
        """Serve the practice chart when no other was given; install for the first time."""
        (self.home / "bin").mkdir()
        (self.home / "bin" / "helm").symlink_to(self.helm.resolve())
        if self.own_chart:
            self._repository.start()
        self.fresh()

    def connect(self):
        """The database is a pod's there; no scenario writes into it."""
        raise CannotStage("the database is reached through the practice cluster alone")

    def down(self):
        """Take every namespace and fault away again."""
        self.kubernetes.others.close()
        self.kubernetes.faults.allow()
        self._leave()
        self._repository.stop()

    def fresh(self):
        """A release as it was installed; the present one, when nothing was done to it."""
        self.kubernetes.others.close()
        if self.own_chart:
            self._repository.offer(self._repository.known)
            again = ("repo", "add", "--force-update", "langchain", self._repository.url)
            self.must(self.run_helm(*again), "helm repo add")
        self.variables = {}
        self.kubernetes.faults.allow()
        kept = self._trace is not None and self._trace == self._look()
        if not kept:
            self.bare()
        self._write_values()
        if not kept:
            self.install()
            self._trace = self._look()
        self.kubernetes.write_kubeconfig(self.kubeconfig, namespace=self.namespace)

    def leave_next(self):
        """Take another namespace for the next test, whatever this one looks like."""
        self._trace = None

    def bare(self):
        """Go to a namespace with nothing in it."""
        self._leave()
        self._turn += 1
        self._trace = None
        self.namespace = f"{self._options.base}-{self._turn}"
        self.release = type(self).release
        self.kubernetes.write_kubeconfig(self.kubeconfig, namespace=self.namespace)

    def _leave(self):
        if self.namespace:
            self.kubernetes.made.append(("Namespace", self.namespace))
        for kind, name in self.kubernetes.made:
            self.kubernetes.delete(kind, None, name)
        self.kubernetes.made.clear()

    def install(self, *, namespace="", release="", chart_version=""):
        """Install the release from the values file as it is, and wait until its pods are ready.

        It has the organizations then.
        """
        if namespace and namespace != self.namespace:
            self.kubernetes.made.append(("Namespace", namespace))
        self.namespace = namespace or self.namespace
        self.release = release or self.release
        version = chart_version or self.chart_version
        if version != self.chart_version and Path(self.chart).exists():
            raise CannotStage(f"it needs chart {version}, and {self.chart} was given")
        answer = self.run_helm(
            *("install", self.release, self.chart, "--version", version),
            *("--namespace", self.namespace, "--create-namespace"),
            *("--values", str(self.values), "--timeout", f"{self._options.settle:.0f}s"),
        )
        if "no matches for kind" in answer.stderr:
            raise CannotStage(answer.stderr.strip().splitlines()[-1])
        self.must(answer, "helm install")
        self.kubernetes.faults.begin(self.namespace, f"{self.release}-config")
        self.settle()
        if self._database():
            self._seed()

    def must_fit(self, scenario):
        """Make sure that the chart has what the scenario needs of it."""
        if Path(self.chart).exists() and "LANGSMITH_AUDIT_CHART_VERSION" in self.variables:
            raise CannotStage(f"it raises the chart's version, and {self.chart} was given")
        part = OF_CHARTS.get(scenario, "")
        if part not in self.run_helm("get", "manifest", self.release, "-n", self.namespace).stdout:
            raise CannotStage(f"the chart has no {part}")

    def settle(self):
        """Wait until every pod of our namespaces is ready or at its end."""
        self.kubernetes.until(
            lambda: all(
                _settled(pod)
                for name in self._namespaces()
                for pod in self.kubernetes.list("Pod", name)
            ),
            timeout=self._options.settle / SLOWER,
        )

    def _namespaces(self):
        made = {name for kind, name in self.kubernetes.made if kind == "Namespace"}
        return made | {self.namespace}

    def at_once(self):
        """Pods take the time that they take."""
        return contextlib.nullcontext()

    def say(self, text):
        """Nobody waits."""

    def must(self, answer, what):
        """Fail when helm did not do it."""
        assert answer.returncode == 0, f"{what}: {answer.stderr}"

    def settings(self):
        """The variables that lead helm, kubectl and langsmith-audit to this release."""
        search = os.pathsep.join((str(self.home / "bin"), os.environ.get("PATH", os.defpath)))
        key = self.api_key
        proof = {"LANGSMITH_API_KEY": key} if key else {"LANGSMITH_AUDIT_SKIP": "audit_api"}
        return {
            "PATH": search,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.home / "kubecache"),
            **self._helm_home.settings(),
            **proof,
            **({"LANGSMITH_AUDIT_REPO_URL": self._repository.url} if self.own_chart else {}),
            "LANGSMITH_AUDIT_NAMESPACE": self.namespace,
            "LANGSMITH_AUDIT_RELEASE": self.release,
            "LANGSMITH_AUDIT_CHART": self.chart,
            "LANGSMITH_AUDIT_VALUES": str(self.values),
            "LANGSMITH_AUDIT_STATE_DIR": str(self.home / "state"),
            **self.variables,
        }

    def environment(self):
        """The environment of what works on this release."""
        return led_to(self.settings())

    def run_helm(self, *arguments):
        """Run helm, and give what it said."""
        if arguments[0] in ("repo", "pull") and not self.own_chart:
            raise CannotStage("the chart was given, and so is its repository")
        return self._call(str(self.helm), *arguments)

    @property
    def helm_major(self):
        """helm's major version."""
        return int(self.run_helm("version", "--template", "{{.Version}}").stdout.lstrip("v")[0])

    def write_private(self, file, text):
        """Write a file anew, readable by its owner alone."""
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")

    def stored(self):
        """What the organizations' configs hold, by id, as text."""
        rows = self.psql("SELECT id, config FROM organizations ORDER BY id")
        return dict(row.split("|", 1) for row in rows.splitlines())

    def trace(self):
        """What a walk that is refused must leave as it was; a status goes on by itself."""
        backend = self.kubernetes.get("Deployment", self.namespace, "langsmith-backend")
        releases = self.kubernetes.list("Secret", self.namespace, {"owner": "helm"})
        return (
            self.values.read_bytes(),
            _marks(backend["metadata"]),
            {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in releases},
            self.stored(),
        )

    def psql(self, sql):
        """Run SQL in the bundled PostgreSQL's pod, whoever the tool acts as, and give the rows."""
        namespace, pod = self._database()
        inside = 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v ON_ERROR_STOP=1 -qAt -f -'
        answer = self._call(
            *("kubectl", "--kubeconfig", str(self._options.kubeconfig)),
            *("exec", "-i", pod, "-n", namespace),
            *("--", "sh", "-c", inside),
            text=sql,
        )
        self.must(answer, "psql in the pod")
        return answer.stdout

    def _call(self, *argv, text=""):
        return subprocess.run(
            argv,
            env=self.environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT,
        )

    def _write_values(self):
        given = self._options.values
        text = given.read_text(encoding="utf-8") if given else self._practice_values()
        self.write_private(self.values, text)
        # The wizard forwards a port to the backend: no address is needed, and none may lead astray.
        edit_values(self, {"config": {"hostname": ""}, **staging()})

    def _practice_values(self):
        return Template(template("practice/values.yaml")).substitute(
            namespace=self.namespace, hostname="", **self._private
        )

    @functools.cached_property
    def _private(self):
        """The secrets of all our values: a release that is kept must find its own again."""
        return {
            "license_key": f"lsv1_{secrets.token_hex(20)}",
            "api_key_salt": secrets.token_hex(16),
            "admin_password": f"Aa1!{secrets.token_urlsafe(12)}",
            "jwt_secret": secrets.token_hex(24),
            "database_password": secrets.token_hex(16),
        }

    def _seed(self):
        """The organizations; the tables too, where no migration has made them."""
        if self.psql("SELECT to_regclass('organizations')").strip() == "":
            self.psql(template("practice/sql/schema.sql") + template("practice/sql/audit_logs.sql"))
        for name, config in STORED.items():
            kept = "NULL" if config is None else f"'{config}'"
            self.psql(
                "INSERT INTO organizations (id, display_name, config) "
                f"VALUES ('{ORGANIZATIONS[name]}', 'Practice {name}', {kept}) "
                f"ON CONFLICT (id) DO UPDATE SET config = {kept}"
            )

    def _database(self):
        """Namespace and name of the bundled PostgreSQL's pod, whatever the values call it."""
        mine = {"app.kubernetes.io/instance": self.release}
        for namespace in self._namespaces():
            for pod in self.kubernetes.list("Pod", namespace, mine):
                if pod["metadata"]["name"].endswith("-postgres-0"):
                    return namespace, pod["metadata"]["name"]
        return None

    def _look(self):
        """What every change would show in."""
        backend = self.kubernetes.get("Deployment", self.namespace, "langsmith-backend")
        releases = self.kubernetes.list("Secret", self.namespace, {"owner": "helm"})
        quotas = self.kubernetes.list("ResourceQuota", self.namespace)
        settings = self.kubernetes.get("ConfigMap", self.namespace, "langsmith-config") or {}
        return (
            self.namespace,
            backend and _marks(backend["metadata"]),
            sorted(one["metadata"]["resourceVersion"] for one in releases),
            len(quotas),
            settings.get("data"),
            self.stored() if backend and self._database() else {},
        )


def _marks(meta):
    """What changes of an object by whoever writes it, and not by its controller alone."""
    managers = {entry["manager"] for entry in meta.get("managedFields", ())}
    return meta["generation"], meta.get("labels"), meta.get("annotations"), managers


def _settled(pod):
    if "deletionTimestamp" in pod["metadata"]:  # a kubelet may list it for minutes
        return True
    if pod["status"].get("phase") in ("Succeeded", "Failed"):
        return True
    conditions = pod["status"].get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def problem_of(options):
    """Why tests cannot run on the cluster that was named, or ""."""
    if not options.kubeconfig.is_file():
        return f"--live: there is no kubeconfig {options.kubeconfig}"
    if not shutil.which("kubectl"):
        return "--live needs kubectl on PATH"
    if not shutil.which(options.helm):
        return f"--live needs a helm on PATH, or --live-helm: {options.helm} cannot be run"
    return ""
