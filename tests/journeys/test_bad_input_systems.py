"""Bad input: the database and LangSmith's API, and every time limit.

Each with a clear message, the documented exit code, and nothing lost or told that is secret.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import CompletedProcess

import pytest
from leftovers import (
    NOTHING,
    Staged,
    backend_pods,
    entries,
    in_background,
    refused,
    revisions,
    row_locked,
    rows,
    trace,
    wait_for,
    waiting_for_a_lock,
    writes,
)
from reports import areas_of, ids_by
from tcp_faults import Wire

from wizard.practice.cluster import PracticeCluster
from wizard.practice.listening import self_signed

ALL = ("run", "--yes", "--all")


@pytest.fixture
def staged(cluster: PracticeCluster) -> Staged:
    return Staged(cluster)


def direct(cluster: PracticeCluster, **other: str) -> dict[str, str]:
    """libpq's variables for the practice database."""
    return {
        "PGHOST": cluster.postgres.host,
        "PGPORT": str(cluster.postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": cluster.postgres.password,
        "PGDATABASE": "postgres",
        **other,
    }


class TestTheDatabase:
    def test_its_pod_is_not_ready(self, cluster) -> None:
        labels = {"app.kubernetes.io/component": "langsmith-postgres"}
        (pod,) = cluster.kubernetes.list("Pod", "langsmith", labels)
        cluster.kubernetes.faults.fail_pods(labels, "CrashLoopBackOff")
        for condition in pod["status"]["conditions"]:
            condition["status"] = "False"
        cluster.kubernetes.apply(pod)
        Staged(cluster).refuses(
            5, "LSA582", "Service langsmith-postgres", "kubectl --context practice get pods"
        )

    def test_neither_the_port_forward_nor_psql_in_the_pod_is_allowed(self, staged) -> None:
        for way in ("portforward", "exec"):
            staged.cluster.kubernetes.faults.forbid("get", "pods", way)
        staged.refuses(
            5, "LSA207", "pods/portforward in namespace langsmith", "langsmith-postgres-0"
        )

    def test_nothing_listens_in_its_pod(self, staged) -> None:
        staged.cluster.postgres.stop()
        answer = staged.run(*ALL)
        staged.cluster.postgres.start()
        words = ("does not take connections on port 5432", "langsmith-postgres-0")
        refused(staged.cluster, answer, 5, "LSA215", *words, NOTHING)
        staged.unchanged()

    def test_the_secret_has_a_wrong_password(self, staged) -> None:
        kubernetes = staged.cluster.kubernetes
        secret = kubernetes.get("Secret", "langsmith", "langsmith-postgres")
        url = base64.b64decode(secret["data"]["connection_url"]).decode()
        wrong = url.replace(staged.cluster.postgres.password, "quite@wrong/word")
        secret["data"]["connection_url"] = base64.b64encode(wrong.encode()).decode()
        kubernetes.apply(secret)
        staged.refuses(5, "LSA524", "user postgres", "Secret")
        assert "quite@wrong" not in json.dumps(entries(staged.cluster))

    def test_the_secret_is_not_there(self, staged) -> None:
        secret = staged.cluster.kubernetes.get("Secret", "langsmith", "langsmith-postgres")
        del secret["data"]["connection_url"]
        staged.cluster.kubernetes.apply(secret)
        staged.refuses(3, "LSA580", "langsmith-postgres has no key connection_url")

    def test_there_is_no_table_organizations(self, staged) -> None:
        with staged.cluster.connect() as connection:
            connection.execute("ALTER TABLE organizations RENAME TO elsewhere")
        answer = staged.run(*ALL)
        refused(staged.cluster, answer, 3, "LSA531", "organizations", NOTHING)
        assert writes(staged.cluster) == []

    def test_there_is_no_table_audit_logs(self, cluster, run) -> None:
        with cluster.connect() as connection:
            connection.execute("DROP TABLE audit_logs")
        refused(cluster, run("check"), 3, "LSA792", "kubectl --context practice logs job/")

    def test_the_right_to_update_is_missing(self, cluster) -> None:
        with cluster.connect() as connection:
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-password'")
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        try:
            login = direct(cluster, PGUSER="reader", PGPASSWORD="reader-password")
            Staged(cluster).refuses(
                5, "LSA537", "organizations", options=("--database", "direct"), **login
            )
        finally:
            with cluster.connect() as connection:
                connection.execute("DROP OWNED BY reader; DROP ROLE reader")

    def test_asked_for_directly(self, cluster, run) -> None:
        answer = run("plan", "--all", "--database", "direct", env=direct(cluster))
        assert answer.returncode == 0, answer.stderr
        ours = {one.subresource for one in cluster.kubernetes.requests}
        assert "portforward" not in ours

    @pytest.mark.parametrize(
        ("wrong", "exit", "id", "word"),
        [
            ({"PGPORT": "1"}, 5, "LSA522", "cannot be reached"),
            ({"PGPASSWORD": "wrong-password"}, 5, "LSA524", "user postgres"),
            ({"PGDATABASE": "nowhere"}, 3, "LSA525", "no database nowhere"),
            ({"PGSSLMODE": "require"}, 5, "LSA526", "TLS"),
            ({"PGHOST": ""}, 5, "LSA522", "langsmith-postgres.*cannot be resolved"),
        ],
        ids=["port", "password", "database", "TLS", "the cluster's own name"],
    )
    def test_asked_for_directly_and_wrong(self, staged, wrong, exit, id, word) -> None:
        login = direct(staged.cluster, **wrong)
        staged.refuses(exit, id, word, options=("--database", "direct"), **login)


@pytest.mark.parametrize("driver", ["configmap", "sql"])
def test_helm_looks_elsewhere_than_the_release_is(cluster, run, driver) -> None:
    answer = run("run", "--yes", "--all", env={"HELM_DRIVER": driver})
    assert answer.returncode in (3, 5), answer.stderr
    refused(cluster, answer, answer.returncode, "LSA1", f"HELM_DRIVER={driver}", NOTHING)


class TestTheApi:
    @pytest.fixture
    def cluster(self, newer_cluster) -> PracticeCluster:
        cluster, snapshot = newer_cluster
        cluster.restore(snapshot)
        return cluster

    @pytest.fixture
    def check(self, cluster, run):
        """Check the organization that is on, and expect this of the API alone."""

        def call(exit: int, id: str, *words: str, options: tuple[str, ...] = (), **env: str):
            before = trace(cluster)
            on = ("--org", str(cluster.organizations["on"]))
            answer = run("check", *on, "--format", "json", *options, env=env)
            if exit:
                refused(cluster, answer, exit, id, *words)
            assert answer.returncode == exit, answer.stdout
            api = areas_of(answer.stdout)["api"]
            bad = {it["id"] for it in api if it["state"] in ("fail", "unknown")}
            assert bad == ({id} if exit else set())
            assert exit or ids_by(answer.stdout, "LSA891") == [id]
            assert trace(cluster) == before
            assert writes(cluster) == []

        return call

    def test_it_answers(self, check) -> None:
        check(0, "LSA891")

    def test_a_url_that_is_the_user_interface(self, cluster, check) -> None:
        check(3, "LSA814", "web page", "--url", options=("--url", f"{cluster.url}/login"))

    def test_a_url_that_is_none(self, cluster, run) -> None:
        answer = run("check", "--url", "ftp://x")
        assert answer.returncode in (2, 3)
        assert "LSA801" in answer.stdout + answer.stderr

    def test_a_url_where_nobody_listens(self, check) -> None:
        what = "-n langsmith deployment/langsmith-backend 1984:1984"
        past = f"kubectl --context practice port-forward {what}"
        options = ("--url", "http://127.0.0.1:1")
        check(5, "LSA805", past, "--url http://127.0.0.1:1984", options=options)

    def test_a_key_that_nobody_knows(self, check) -> None:
        wrong = "lsv2_pt_00000000000000000000000000000000_0000000000"
        check(3, "LSA811", "LANGSMITH_API_KEY", LANGSMITH_API_KEY=wrong)

    def test_a_key_of_somebody_who_is_no_admin(self, cluster, check) -> None:
        check(3, "LSA821", "organization:manage", LANGSMITH_API_KEY=cluster.viewer_key)

    def test_a_key_of_another_organization(self, cluster, check) -> None:
        words = (
            "The key is of organization",
            f"--org {cluster.organizations['off']}; or use a key",
        )
        check(3, "LSA812", *words, LANGSMITH_API_KEY=cluster.keys.service)

    def test_an_endpoint_that_is_not_there(self, cluster, run) -> None:
        """What was measured already is not told to be checked."""

        class Another(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                there = self.path.startswith("/api/v1/orgs/current/info")
                answer = {"id": str(cluster.organizations["on"])} if there else {"detail": "no"}
                self.send_response(200 if there else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        def ask() -> CompletedProcess[str]:
            with ThreadingHTTPServer(("127.0.0.1", 0), Another) as server:
                threading.Thread(target=server.serve_forever, daemon=True).start()
                url = ("--url", f"http://127.0.0.1:{server.server_port}")
                answer = run("check", "--org", str(cluster.organizations["on"]), *url)
                server.shutdown()
                return answer

        words = "have to be live in the backend: langsmith-audit run"
        refused(cluster, ask(), 3, "LSA824", words)
        answer = run("run", "--yes", "--all", "--force", "--skip", "audit_api")
        assert answer.returncode == 0, answer.stderr
        refused(cluster, ask(), 3, "LSA824", "leads to something else than this backend")

    def test_no_key_at_all(self, check) -> None:
        check(5, "LSA892", LANGSMITH_API_KEY="")

    def test_a_certificate_that_is_not_trusted_until_it_is(self, cluster, check, tmp_path) -> None:
        certificate, key = self_signed(tmp_path)
        url = ("--url", cluster.langsmith.serve_tls(certificate, key))
        check(5, "LSA808", "not trusted", "--ca-file", options=url)
        check(0, "LSA891", options=(*url, "--ca-file", str(certificate)))

    def test_it_stalls(self, cluster, check) -> None:
        cluster.langsmith.delay = 90
        check(5, "LSA807", "no complete answer within 4 seconds", options=("--connect-limit", "2"))


class TestARunWithoutProof:
    """A key or an address that can never prove the result stops a run before it begins."""

    def test_a_key_that_nobody_knows(self, staged) -> None:
        wrong = "lsv2_pt_00000000000000000000000000000000_0000000000"
        staged.refuses(3, "LSA811", "make a new key", LANGSMITH_API_KEY=wrong)

    def test_a_key_of_somebody_who_is_no_admin(self, staged) -> None:
        key = staged.cluster.viewer_key
        staged.refuses(3, "LSA821", "organization:manage", LANGSMITH_API_KEY=key)

    def test_a_url_that_is_the_user_interface(self, staged) -> None:
        staged.refuses(3, "LSA814", "web page", options=("--url", f"{staged.cluster.url}/login"))

    def test_unless_the_proof_is_left_out(self, staged) -> None:
        key = {"LANGSMITH_API_KEY": staged.cluster.viewer_key}
        answer = staged.run(*ALL, "--skip", "audit_api", **key)
        assert answer.returncode == 0, answer.stderr
        assert "LSA907" in answer.stderr


class TestTimeLimits:
    def test_the_api_server_stalls_for_helm(self, staged) -> None:
        staged.cluster.kubernetes.faults.stall()
        answer = staged.run("check", "--format", "json", "--connect-limit", "2")
        refused(staged.cluster, answer, 5, "LSA114", "did not answer within 6 seconds")
        assert answer.stdout.count('"id": "LSA114"') == 1

    def test_the_api_server_stalls_for_us(self, staged) -> None:
        cluster = staged.cluster
        cluster.kubernetes.faults.delay(0.3)
        check = in_background(cluster, "check", "--connect-limit", "3")
        requests = cluster.kubernetes.requests
        wait_for(lambda: any(one.resource == "deployments" for one in list(requests)))
        cluster.kubernetes.faults.stall()
        told, _ = check.communicate(timeout=120)
        cluster.kubernetes.faults.clear()
        assert check.returncode == 3  # the values are known to be wrong
        assert "LSA208" in told
        assert "did not answer within 3 seconds" in told

    def test_the_database_stalls_at_the_login(self, staged, monkeypatch) -> None:
        kubernetes, port = staged.cluster.kubernetes, staged.cluster.postgres.port
        with Wire(port, word=b"user\0", fault="silence") as wire:
            pod_port = kubernetes.port_handler
            monkeypatch.setattr(
                kubernetes,
                "port_handler",
                lambda pod, port: ("127.0.0.1", wire.port) if port == 5432 else pod_port(pod, port),
            )
            staged.refuses(5, "LSA523", "within 2 seconds", options=("--connect-limit", "2"))

    def test_a_row_is_locked_by_somebody(self, cluster, run) -> None:
        before = rows(cluster)
        with row_locked(cluster, "null"):
            answer = run(*ALL, "--lock-limit", "1")
        refused(cluster, answer, 9, "LSA541", "within 1 seconds", "changed: +.*values.yaml")
        assert rows(cluster) == before
        check = run("check")
        assert "LSA692" not in check.stdout, "no pod is older than an update that was not made"
        assert run(*ALL).returncode == 0
        assert rows(cluster)["null"][0] == {"can_use_audit_logs": True}

    def test_the_upgrade_takes_too_long(self, cluster, run) -> None:
        before = rows(cluster)
        cluster.kubernetes.faults.fail_pods({}, "NotReady")
        answer = run(*ALL, "--upgrade-limit", "3")
        refused(
            cluster, answer, 9, "LSA127", r"within 3 seconds \(--upgrade-limit\)", "status failed"
        )
        assert rows(cluster) == before
        assert revisions(cluster) == {"langsmith 1 deployed", "langsmith 2 failed"}
        cluster.kubernetes.faults.clear()
        refused(cluster, run(*ALL), 3, "LSA151", NOTHING)
        back = cluster.run_helm("rollback", "langsmith", "1", "-n", "langsmith", "--wait")
        assert back.returncode == 0, back.stderr
        assert run(*ALL).returncode == 0

    def test_the_rollout_takes_too_long(self, cluster, run) -> None:
        assert run("run", "--yes", "--org", str(cluster.organizations["on"])).returncode == 0
        off = ("--org", str(cluster.organizations["off"]))
        pods = backend_pods(cluster)
        cluster.kubernetes.faults.fail_pods({}, "NotReady")
        answer = run("run", "--yes", *off, "--rollout-limit", "2")
        words = (
            "not done within 2 seconds",
            "kubectl --context practice rollout status",
            "changed: +1 organ",
        )
        refused(cluster, answer, 9, "LSA603", *words)
        cluster.kubernetes.faults.clear()
        cluster.kubernetes.until(lambda: not pods & backend_pods(cluster), timeout=60)
        answer = run("run", "--yes", *off)
        assert answer.returncode == 0, answer.stderr
        assert "was left unfinished" in answer.stderr

    def test_a_second_run_at_the_same_time(self, cluster, run) -> None:
        with row_locked(cluster, "null"):
            first = in_background(cluster, *ALL, "--lock-limit", "90")
            try:
                wait_for(lambda: waiting_for_a_lock(cluster))
                answer = run(*ALL)
                refused(cluster, answer, 3, "LSA903", "langsmith-audit runs", NOTHING)
            except BaseException:
                first.kill()
                raise
        told, _ = first.communicate(timeout=120)
        assert first.returncode == 0, told
