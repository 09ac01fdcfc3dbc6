"""The whole practice cluster: brought up by the real helm, used by real clients, put back."""

import base64
import json
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import requests
from api_requests import session
from practice_cluster import practice

from wizard.practice.chart_repository import APP_VERSIONS
from wizard.practice.cluster import PracticeCluster
from wizard.problems import Problem

LIMIT = 60
WITH_BOTH = """
backend:
  deployment:
    extraEnv:
      - name: AUDIT_LOGS_ENABLED
        value: "true"
      - name: DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS
        value: "true"
"""

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl on PATH")


def call(cluster, *argv):
    return subprocess.run(
        argv, env=cluster.environment(), capture_output=True, text=True, timeout=LIMIT
    )


def audit_logs(cluster, name, *, limit=10):
    now = datetime.now(UTC)
    return requests.get(
        f"{cluster.url}/api/v1/audit-logs",
        params={
            "start_time": (now - timedelta(days=1)).isoformat(),
            "end_time": (now + timedelta(minutes=1)).isoformat(),
            "limit": limit,
        },
        headers={
            "X-API-Key": cluster.api_key,
            "X-Organization-Id": str(cluster.organizations[name]),
        },
        timeout=LIMIT,
    )


def upgrade(cluster, tmp_path, *more):
    extra = tmp_path / "extra.yaml"
    extra.write_text(WITH_BOTH)
    return cluster.run_helm(
        *("upgrade", "langsmith", "langchain/langsmith", "--version", "0.12.33"),
        *("-n", "langsmith", "-f", str(cluster.values), "-f", str(extra), "--wait", *more),
    )


def backend_pods(cluster):
    wanted = {"app.kubernetes.io/component": "langsmith-backend"}
    pods = cluster.kubernetes.list("Pod", "langsmith", wanted)
    return {
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
        and "deletionTimestamp" not in pod["metadata"]
    }


def test_an_older_release_is_there(cluster):
    listed = json.loads(cluster.run_helm("list", "-n", "langsmith", "-o", "json").stdout)
    assert [(one["name"], one["chart"], one["app_version"]) for one in listed] == [
        ("langsmith", "langsmith-0.12.33", "0.12.72")
    ]
    assert "AUDIT_LOGS" not in cluster.values.read_text()
    assert stat.S_IMODE(cluster.values.stat().st_mode) == 0o600
    with cluster.connect() as connection:
        assert connection.execute("SELECT to_regclass('audit_logs')").fetchone() == ("audit_logs",)


def test_the_repository_has_all_versions(cluster):
    answer = cluster.run_helm("search", "repo", "langchain/langsmith", "-l", "-o", "json")
    found = {one["version"]: one["app_version"] for one in json.loads(answer.stdout)}
    assert found == APP_VERSIONS


def test_the_secret_holds_the_url_as_langsmith_writes_it(cluster):
    secret = cluster.kubernetes.get("Secret", "langsmith", "langsmith-postgres")
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    host = "langsmith-postgres.langsmith.svc.cluster.local:5432"
    assert data["connection_url"] == f"postgres:{cluster.postgres.password}@{host}/postgres"
    assert "@" in cluster.postgres.password and "/" in cluster.postgres.password


def test_the_documented_procedure_opens_the_api(cluster, tmp_path, helm):
    cluster.use_helm(helm)
    assert audit_logs(cluster, "off").status_code == 404
    answer = upgrade(cluster, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert audit_logs(cluster, "off").status_code == 403
    before = backend_pods(cluster)
    with cluster.connect() as connection:
        connection.execute(
            """UPDATE organizations SET config = COALESCE(config, '{}'::jsonb)
               || '{"can_use_audit_logs": true}'::jsonb WHERE id = %s""",
            (cluster.organizations["off"],),
        )
    assert audit_logs(cluster, "off").status_code == 403, "the pods are older than the update"
    restart(cluster)
    assert not before & backend_pods(cluster)
    answer = audit_logs(cluster, "off")
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == 10
    assert answer.json()["cursor"]


def restart(cluster):
    backend = cluster.kubernetes.get("Deployment", "langsmith", "langsmith-backend")
    template = backend["spec"]["template"]["metadata"]
    template["annotations"]["kubectl.kubernetes.io/restartedAt"] = datetime.now(UTC).isoformat()
    patch = {"spec": {"template": {"metadata": {"annotations": template["annotations"]}}}}
    url = (
        f"{cluster.kubernetes.url}/apis/apps/v1/namespaces/langsmith/deployments/langsmith-backend"
    )
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    answer = session(cluster.kubernetes).patch(url, json=patch, headers=headers, timeout=LIMIT)
    answer.raise_for_status()
    wait_for_rollout(cluster, url, headers, answer.json()["metadata"]["generation"])


def wait_for_rollout(cluster, url, headers, generation):
    watch_url = url.rpartition("/")[0]
    name = {"fieldSelector": "metadata.name=langsmith-backend", "watch": "true"}
    with session(cluster.kubernetes).get(
        watch_url, params=name, headers=headers, stream=True, timeout=LIMIT
    ) as watch:
        for line in watch.iter_lines():
            status = json.loads(line)["object"].get("status", {})
            replicas = [status.get(key) for key in ("replicas", "updatedReplicas", "readyReplicas")]
            if status.get("observedGeneration", 0) >= generation and replicas == [2, 2, 2]:
                return


@needs_kubectl
def test_the_articles_psql_command_works(cluster):
    answer = call(
        *(cluster, "kubectl", "exec", "langsmith-postgres-0", "-n", "langsmith", "--"),
        *("psql", "-U", "postgres", "-d", "postgres", "-c", r"\dt audit_logs"),
    )
    assert answer.returncode == 0, answer.stderr
    assert "audit_logs" in answer.stdout


@needs_kubectl
def test_exec_sees_the_pods_own_variables_and_no_other_pod_runs_anything(cluster):
    inside = 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -Atc "SELECT current_user"'
    argv = ("kubectl", "exec", "langsmith-postgres-0", "-n", "langsmith", "--", "sh", "-c", inside)
    assert call(cluster, *argv).stdout == "postgres\n"
    other = ("kubectl", "exec", "deploy/langsmith-backend", "-n", "langsmith", "--", "true")
    assert call(cluster, *other).returncode != 0


def pod_of(cluster, component):
    wanted = {"app.kubernetes.io/component": f"langsmith-{component}"}
    return cluster.kubernetes.list("Pod", "langsmith", wanted)[0]


def test_a_port_of_a_pod_is_the_real_parts_port(cluster):
    reach = cluster.kubernetes.port_handler
    assert reach(pod_of(cluster, "postgres"), 5432) == ("127.0.0.1", cluster.postgres.port)
    assert reach(pod_of(cluster, "frontend"), 8080) == ("127.0.0.1", cluster.langsmith.port)
    assert reach(pod_of(cluster, "redis"), 6379) is None
    assert reach(pod_of(cluster, "postgres"), 1984) is None
    backend = cluster.kubernetes.get("Pod", "langsmith", sorted(backend_pods(cluster))[0])
    host, port = reach(backend, 1984)
    answer = requests.get(f"http://{host}:{port}/api/v1/info", timeout=LIMIT)
    assert answer.json()["version"] == "0.12.72"


@needs_kubectl
def test_a_pods_log_names_it(cluster):
    answer = call(cluster, "kubectl", "logs", "langsmith-postgres-0", "-n", "langsmith")
    assert "langsmith-postgres-0" in answer.stdout


def test_an_older_chart_has_no_audit_table(helm3):
    with practice(helm3, takes=0.02, chart_version="0.12.32") as cluster:
        with cluster.connect() as connection:
            row = connection.execute("SELECT to_regclass('audit_logs')").fetchone()
        assert row == (None,)
        assert "0.12.70" in cluster.run_helm("list", "-n", "langsmith").stdout


def test_a_newer_chart_has_audit_logs_on_by_default(newer_cluster):
    cluster, snapshot = newer_cluster
    cluster.restore(snapshot)
    statuses = [audit_logs(cluster, name).status_code for name in ("off", "null", "on")]
    assert statuses == [403, 200, 200]


def test_restore_puts_everything_back(cluster, shared_cluster, tmp_path):
    _, snapshot = shared_cluster
    pods = backend_pods(cluster)
    values = cluster.values.read_text()
    assert upgrade(cluster, tmp_path).returncode == 0
    with cluster.connect() as connection:
        connection.execute("DELETE FROM api_keys")
        connection.execute("DROP TABLE audit_logs")
    cluster.values.write_text("changed: true\n")
    cluster.langsmith.delay = 1
    cluster.restore(snapshot)
    assert cluster.values.read_text() == values
    assert backend_pods(cluster) == pods
    assert audit_logs(cluster, "on").status_code == 404
    history = json.loads(
        cluster.run_helm("history", "langsmith", "-n", "langsmith", "-o", "json").stdout
    )
    assert [one["revision"] for one in history] == [1]


def test_a_lost_salt_makes_every_key_unknown(cluster, tmp_path):
    answer = upgrade(cluster, tmp_path, "--set", "config.apiKeySalt=another")
    assert answer.returncode == 0, answer.stderr
    assert audit_logs(cluster, "on").status_code == 401


def test_the_chart_refuses_what_the_real_one_refuses(cluster, tmp_path):
    twice = tmp_path / "twice.yaml"
    twice.write_text("commonEnv:\n  - name: ASYNCPG_POOL_MAX_SIZE\n    value: '1'\n")
    empty = tmp_path / "empty.yaml"
    empty.write_text("backend:\n  deployment:\n    extraEnv:\n")
    base = ("template", "langsmith", "langchain/langsmith", "--version", "0.12.33")
    base += ("-f", str(cluster.values))
    assert "Duplicate keys detected: [ASYNCPG_POOL_MAX_SIZE]" in (
        cluster.run_helm(*base, "-f", str(twice)).stderr
    )
    assert "nil pointer" in cluster.run_helm(*base, "-f", str(empty)).stderr


def test_a_pod_does_not_start_without_its_database(cluster):
    cluster.postgres.stop()
    pod = cluster.kubernetes.get("Pod", "langsmith", sorted(backend_pods(cluster))[0])
    cluster.langsmith.pod_gone(pod)
    with pytest.raises(psycopg.OperationalError):
        cluster.langsmith.pod_ready(pod)


def test_restore_mends_what_a_test_broke(cluster, shared_cluster):
    _, snapshot = shared_cluster
    cluster.postgres.stop()
    cluster.kubernetes.stop()
    cluster.kubeconfig.write_text("no yaml: [")
    cluster.values.chmod(0o000)
    (cluster.home / "values.yaml.bak").touch()
    (cluster.home / "state").mkdir()
    cluster.restore(snapshot)
    assert cluster.run_helm("status", "langsmith", "-n", "langsmith").returncode == 0
    assert audit_logs(cluster, "on").status_code == 404
    assert stat.S_IMODE(cluster.values.stat().st_mode) == 0o600
    assert not list(cluster.home.glob("values.yaml.*"))
    assert not (cluster.home / "state").exists()


def test_the_environment_is_the_clusters_own(cluster, monkeypatch):
    for name in ("HELM_NAMESPACE", "KUBECONFIG", "PGHOST", "LANGSMITH_AUDIT_ORG", "HELM_DEBUG"):
        monkeypatch.setenv(name, "foreign")
    environment = cluster.environment()
    assert "foreign" not in environment.values()
    assert environment["KUBECONFIG"] == str(cluster.kubeconfig)
    assert shutil.which("helm", path=environment["PATH"]) == str(cluster.home / "bin" / "helm")


def test_a_helm_that_fails_is_told_and_nothing_stays(open_folder):
    broken = open_folder / "helm"
    broken.write_text("#!/bin/sh\necho 'no luck' >&2\nexit 1\n")
    broken.chmod(0o755)
    cluster = PracticeCluster(open_folder / "c", helm=broken)
    with pytest.raises(Problem) as caught:
        cluster.up()
    assert caught.value.id == "LSA956"
    assert caught.value.detail == ("no luck",)
    assert not (cluster.postgres.data / "postmaster.pid").exists()
    cluster.down()


def test_run_reaches_the_command_line(run):
    answer = run("--version")
    assert answer.returncode == 0
    assert answer.stdout.startswith("langsmith-audit ")


def test_only_the_owner_can_read_the_kubeconfig(cluster):
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600
