"""The real helm CLI, 3 and 4, against the in-process Kubernetes API."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from api_requests import session

from wizard.practice.kubernetes import PracticeKubernetes

LIMIT = 90
CHART = """\
apiVersion: v2
name: small
version: 0.1.0
appVersion: "1.0"
"""
VALUES = """\
value: one
balanced: false
"""
WORKLOADS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}-backend"}
spec:
  replicas: 2
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      containers:
        - name: backend
          image: example/backend:1
          env:
            - {name: VALUE, value: {{ .Values.value }}}
            - {name: EMPTY, value: ""}
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: "{{ .Release.Name }}-secrets", key: password}}
          ports: [{name: http, containerPort: 1984}]
          resources: {limits: {cpu: 1000m, memory: 1024Mi}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: "{{ .Release.Name }}-postgres"}
spec:
  serviceName: postgres
  selector: {matchLabels: {app: postgres}}
  template:
    metadata: {labels: {app: postgres}}
    spec:
      containers: [{name: postgres, image: "postgres:14"}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-frontend"}
spec:
  type: {{ if .Values.balanced }}LoadBalancer{{ else }}ClusterIP{{ end }}
  selector: {app: backend}
  ports: [{name: http, port: 80, targetPort: 1984}]
---
apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}-secrets"}
stringData: {password: x}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-config"}
data: {VALUE: {{ .Values.value | quote }}}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: "{{{{ .Release.Name }}}}-{when}"
  annotations:
    helm.sh/hook: {when}-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: run, image: "example/run:1", command: ["true"]}}]
"""


class Release:
    """One release of the small chart, driven by one helm."""

    def __init__(self, helm: Path, kube: PracticeKubernetes, folder: Path) -> None:
        self.helm = helm
        self.kube = kube
        self.chart = folder / "small"
        (self.chart / "templates").mkdir(parents=True)
        (self.chart / "Chart.yaml").write_text(CHART)
        (self.chart / "values.yaml").write_text(VALUES)
        (self.chart / "templates" / "workloads.yaml").write_text(WORKLOADS)
        for when in ("pre", "post"):
            (self.chart / "templates" / f"{when}.yaml").write_text(HOOK.format(when=when))
        kube.write_kubeconfig(folder / "kubeconfig", namespace="apps")
        bare = {key: one for key, one in os.environ.items() if not key.startswith("HELM_")}
        self.env = bare | {
            "KUBECONFIG": str(folder / "kubeconfig"),
            "KUBECACHEDIR": str(folder / "kubecache"),
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
        }

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run helm; its output, stderr included when it is expected to fail."""
        done = subprocess.run(
            [str(self.helm), *arguments, "-n", "apps"],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout + (done.stderr if fails else "")

    def install(self, *more: str) -> None:
        """Install as release `r` in a namespace that helm makes."""
        self.run("install", "r", str(self.chart), "--wait", "--create-namespace", *more)

    def upgrade(self, *more: str, fails: bool = False) -> str:
        """`helm upgrade --install --wait`."""
        return self.run("upgrade", "--install", "r", str(self.chart), "--wait", *more, fails=fails)

    def history(self) -> list[tuple[int, str]]:
        """Revisions with their status."""
        listed = json.loads(self.run("history", "r", "-o", "json"))
        return [(one["revision"], one["status"]) for one in listed]

    def env_of_backend(self) -> list[dict[str, object]]:
        """The env list of the live Deployment."""
        deployment = self.kube.get("Deployment", "apps", "r-backend")
        assert deployment is not None
        env: list[dict[str, object]] = deployment["spec"]["template"]["spec"]["containers"][0][
            "env"
        ]
        return env


@pytest.fixture
def kube() -> Iterator[PracticeKubernetes]:
    cluster = PracticeKubernetes(pod_ready_after=0.05, job_takes=0.05)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def release(helm: Path, kube: PracticeKubernetes, tmp_path: Path) -> Release:
    return Release(helm, kube, tmp_path)


def test_install_makes_everything_ready(release: Release) -> None:
    release.install()
    kube = release.kube
    deployment = kube.get("Deployment", "apps", "r-backend")
    assert deployment is not None
    assert deployment["status"]["readyReplicas"] == 2
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert {"name": "EMPTY"} in container["env"]
    pod = kube.get("Pod", "apps", "r-postgres-0")
    assert pod is not None
    assert pod["status"]["containerStatuses"][0]["ready"]
    claim = kube.get("PersistentVolumeClaim", "apps", "data-r-postgres-0")
    assert claim is not None
    assert claim["status"]["phase"] == "Bound"
    assert kube.list("Job", "apps") == []


def test_upgrade_runs_the_hooks_and_rolls_only_the_backend(release: Release) -> None:
    release.install()
    before = release.kube.get("StatefulSet", "apps", "r-postgres")
    ran: list[str] = []

    def handler(job: Mapping[str, Any]) -> bool:
        ran.append(job["metadata"]["name"])
        return True

    release.kube.job_handler = handler
    release.upgrade("--set", "value=two")
    assert ran == ["r-pre", "r-post"]
    assert {"name": "VALUE", "value": "two"} in release.env_of_backend()
    after = release.kube.get("StatefulSet", "apps", "r-postgres")
    assert before is not None
    assert after is not None
    assert before["metadata"]["generation"] == after["metadata"]["generation"] == 1
    sets = release.kube.list("ReplicaSet", "apps")
    assert sorted(one["spec"]["replicas"] for one in sets) == [0, 2]


def test_the_same_upgrade_again_changes_no_object(release: Release) -> None:
    release.install()
    kinds = ("Deployment", "StatefulSet", "Service", "ConfigMap", "Pod")

    def versions() -> list[str]:
        return [
            one["metadata"]["resourceVersion"]
            for kind in kinds
            for one in release.kube.list(kind, "apps")
        ]

    before = versions()
    release.upgrade()
    assert [one for one in before if one not in versions()] == []
    assert len(release.kube.list("ReplicaSet", "apps")) == 1


def test_reading_commands(release: Release) -> None:
    release.install("--set", "value=two")
    listed = json.loads(release.run("list", "-o", "json"))
    assert [(one["name"], one["chart"], one["status"]) for one in listed] == [
        ("r", "small-0.1.0", "deployed")
    ]
    assert json.loads(release.run("get", "values", "r", "-o", "json")) == {"value": "two"}
    assert "r-backend" in release.run("get", "manifest", "r")
    assert "STATUS: deployed" in release.run("status", "r")
    assert "value: one" in release.run("template", "r", str(release.chart))
    writes = [
        one for one in release.kube.requests if one.verb in ("create", "update", "patch", "delete")
    ]
    release.run("list")
    release.run("status", "r")
    after = [
        one for one in release.kube.requests if one.verb in ("create", "update", "patch", "delete")
    ]
    assert writes == after


def test_rollback_and_uninstall(release: Release) -> None:
    release.install()
    release.upgrade("--set", "value=two")
    release.run("rollback", "r", "1", "--wait")
    assert release.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert {"name": "VALUE", "value": "one"} in release.env_of_backend()
    release.run("uninstall", "r", "--wait")
    kube = release.kube
    kube.until(lambda: not kube.list("Pod", "apps", {"app": "backend"}), timeout=LIMIT)
    assert kube.list("ReplicaSet", "apps") == []
    assert kube.list("PersistentVolumeClaim", "apps") != []


def test_an_unquoted_boolean_is_refused_and_leaves_a_failed_revision(release: Release) -> None:
    release.install()
    told = release.upgrade("--set", "value=true", fails=True)
    assert "r-backend" in told
    assert "string" in told
    assert release.history() == [(1, "deployed"), (2, "failed")]
    assert {"name": "VALUE", "value": "one"} in release.env_of_backend()


def test_a_failing_hook_fails_the_release(release: Release) -> None:
    release.install()
    release.kube.faults.fail_job("r-post")
    release.upgrade("--set", "value=two", fails=True)
    assert release.history() == [(1, "deployed"), (2, "failed")]
    assert {"name": "VALUE", "value": "two"} in release.env_of_backend()


def test_pods_that_crash_run_into_the_timeout(release: Release) -> None:
    release.install()
    release.kube.faults.fail_pods({"app": "backend"}, "CrashLoopBackOff")
    release.upgrade("--set", "value=two", "--no-hooks", "--timeout", "3s", fails=True)
    pods = release.kube.list("Pod", "apps", {"app": "backend"})
    reasons = [
        one["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason")
        for one in pods
    ]
    assert sorted(map(str, reasons)) == ["CrashLoopBackOff", "None", "None"]


def test_a_dry_run_on_the_server_writes_nothing(release: Release) -> None:
    release.install()
    version = release.kube.snapshot().version
    release.run("upgrade", "r", str(release.chart), "--dry-run=server", "--set", "value=two")
    secrets = [one["metadata"]["name"] for one in release.kube.list("Secret", "apps")]
    assert secrets == ["r-secrets", "sh.helm.release.v1.r.v1"]
    assert release.kube.snapshot().version == version


def test_a_refused_right_is_told(release: Release) -> None:
    release.install()
    release.kube.faults.forbid("list", "secrets")
    told = release.run("list", fails=True)
    assert 'secrets is forbidden: User "practice" cannot list resource "secrets"' in told


def test_helm3_waits_for_a_load_balancer_that_never_comes(
    helm3: Path, kube: PracticeKubernetes, tmp_path: Path
) -> None:
    release = Release(helm3, kube, tmp_path)
    kube.faults.no_load_balancer()
    release.run(
        "install",
        "r",
        str(release.chart),
        "--create-namespace",
        "--wait",
        "--timeout=3s",
        "--set=balanced=true",
        fails=True,
    )
    kube.faults.clear()
    kube.until(
        lambda: "ingress" in kube.list("Service", "apps")[0]["status"]["loadBalancer"],
        timeout=LIMIT,
    )
    release.upgrade("--set=balanced=true")


def test_helm4_conflicts_with_another_manager(
    helm4: Path, kube: PracticeKubernetes, tmp_path: Path
) -> None:
    release = Release(helm4, kube, tmp_path)
    release.install()
    container = {"name": "backend", "env": [{"name": "VALUE", "value": "by hand"}]}
    answer = session(kube).patch(
        f"{kube.url}/apis/apps/v1/namespaces/apps/deployments/r-backend",
        params={"fieldManager": "kubectl-set"},
        headers={"Content-Type": "application/strategic-merge-patch+json"},
        data=json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}}),
        timeout=LIMIT,
    )
    assert answer.status_code == 200
    told = release.upgrade("--set", "value=two", fails=True)
    assert 'conflict with "kubectl-set" using apps/v1' in told
    assert '.spec.template.spec.containers[name="backend"].env[name="VALUE"].value' in told
    release.upgrade("--set", "value=two", "--force-conflicts")
    assert {"name": "VALUE", "value": "two"} in release.env_of_backend()
