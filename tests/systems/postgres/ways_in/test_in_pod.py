"""The way in by a pod of its own: what it is, that it goes away, and whose password it has."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from databases import refused
from leftovers import OURS

from wizard.practice.cluster import NAMESPACE, PracticeCluster
from wizard.settings import settings_from, target_from
from wizard.systems.access import Systems
from wizard.systems.postgres.ways_in import in_pod
from wizard.systems.postgres.ways_in.stored import parse_stored_url
from wizard.systems.release.installation import PostgresImage, SecretKeys

ENV = {"LANGSMITH_AUDIT_DATABASE": "pod"}


def ours(cluster: PracticeCluster) -> list[dict[str, Any]]:
    """The pods of this tool that are there."""
    pods = cluster.kubernetes.list("Pod", NAMESPACE)
    return [pod for pod in pods if pod["metadata"]["labels"].get(in_pod.LABEL) == OURS_LABEL]


OURS_LABEL = in_pod.OURS


def created(cluster: PracticeCluster) -> int:
    """How many pods this tool created."""
    requests = list(cluster.kubernetes.requests)
    return sum(
        (one.verb, one.resource, one.subresource) == ("create", "pods", "")
        and one.user_agent.startswith(OURS)
        for one in requests
    )


def test_it_is_there_for_the_time_of_the_command(cluster, run) -> None:
    answer = run("orgs", env=ENV)
    assert answer.returncode == 0, answer.stderr
    assert "psql in a pod of its own" in answer.stderr
    assert created(cluster) == 1
    assert ours(cluster) == []
    assert cluster.postgres.password not in repr(list(cluster.kubernetes.requests))


def test_it_is_removed_when_the_login_does_not_work(cluster, run) -> None:
    with cluster.connect() as connection:
        connection.execute("ALTER ROLE postgres PASSWORD 'another'")
    try:
        answer = run("orgs", env=ENV)
    finally:
        cluster.postgres.stop()
        trusting(cluster)
    assert answer.returncode == 5
    assert "LSA524" in answer.stderr
    assert created(cluster) == 1
    assert ours(cluster) == []


def trusting(cluster: PracticeCluster) -> None:
    """Put the password back from within, with the door open for a moment."""
    file = cluster.postgres.data / "pg_hba.conf"
    plain = file.read_text()
    file.write_text("host all all 127.0.0.1/32 trust\n")
    cluster.postgres.start()
    password = cluster.postgres.password
    with cluster.connect() as connection:
        connection.execute(f"ALTER ROLE postgres PASSWORD '{password}'".encode())
        file.write_text(plain)
        connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_it_is_removed_when_the_command_is_stopped(cluster, number, code) -> None:
    with cluster.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE organizations IN ACCESS EXCLUSIVE MODE")
        argv = [sys.executable, "-m", "wizard", "orgs"]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = subprocess.Popen(argv, env=cluster.environment() | ENV, **quiet)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with cluster.connect() as watch:
            while not (watch.execute(waiting).fetchone() or (0,))[0]:
                assert command.poll() is None
        assert len(ours(cluster)) == 1
        command.send_signal(number)
        assert command.wait(30) == code
        holder.execute("ROLLBACK")
    assert ours(cluster) == []


def test_an_image_that_cannot_be_pulled(cluster, run, monkeypatch) -> None:
    cluster.kubernetes.faults.fail_pods({in_pod.LABEL: in_pod.OURS}, "ImagePullBackOff")
    monkeypatch.setattr(in_pod, "START_LIMIT", 1.0)
    with systems_of(cluster, monkeypatch) as systems, refused("LSA585") as caught:
        _ = systems.database
    assert "ImagePull" in " ".join(caught.value.detail)
    assert ours(cluster) == []


def test_a_pod_that_no_node_takes_is_told_after_the_patience(cluster, run) -> None:
    cluster.kubernetes.faults.fail_pods({in_pod.LABEL: in_pod.OURS}, "Unschedulable")
    answer = run("orgs", env=ENV | {"LANGSMITH_AUDIT_PATIENCE": "0.5"})
    assert answer.returncode == 5, answer.stderr
    assert re.search(r"LSA585(.|\n)*Unschedulable", answer.stdout + answer.stderr), answer.stderr
    assert ours(cluster) == []


@pytest.mark.parametrize(
    ("verb", "subresource"), [("create", ""), ("delete", ""), ("create", "exec")]
)
def test_without_a_right_nothing_is_created(cluster, run, verb, subresource) -> None:
    cluster.kubernetes.faults.forbid(verb, "pods", subresource)
    answer = run("orgs", env=ENV)
    assert answer.returncode == 5, answer.stderr
    assert "LSA207" in answer.stderr
    assert f"{verb} pods" in answer.stderr
    assert created(cluster) == 0


def systems_of(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Systems:
    """The systems of the practice cluster in this process."""
    env = cluster.environment() | ENV
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Systems(target_from(settings_from({}, env)))


@pytest.fixture
def systems(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    with systems_of(cluster, monkeypatch) as systems:
        yield systems


def test_what_the_pod_may_do(systems, cluster) -> None:
    _ = systems.database
    (pod,) = ours(cluster)
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "docker.io/postgres:14.7"
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["activeDeadlineSeconds"] == in_pod.DEADLINE
    assert container["resources"]["limits"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (url,) = [one for one in container["env"] if one["name"] == "URL"]
    reference = systems.installation.database
    assert url["valueFrom"] == {"secretKeyRef": {"name": reference.secret, "key": reference.key}}
    assert cluster.postgres.password not in json.dumps(pod)


def test_one_pod_serves_every_look_and_is_made_again_when_it_is_gone(cluster, monkeypatch) -> None:
    from wizard.systems.kubernetes.cluster import PODS

    with systems_of(cluster, monkeypatch) as systems:
        first = systems.database.organization_counts()
        systems.forget()
        assert systems.database.organization_counts() == first
        assert created(cluster) == 1
        (pod,) = ours(cluster)
        systems.forget()
        systems.cluster.delete(PODS, pod["metadata"]["name"], NAMESPACE)
        assert systems.database.organization_counts() == first
        assert (created(cluster), len(ours(cluster))) == (2, 1)
    assert ours(cluster) == []


def test_what_a_killed_run_left_behind_is_removed(systems, cluster) -> None:
    left = in_pod.manifest(
        "langsmith-audit-left",
        PostgresImage("docker.io/postgres:14.7"),
        systems.installation,
        parse_stored_url("u:p@db:5432/x"),
    )
    cluster.kubernetes.faults.clear()
    left["metadata"]["namespace"] = NAMESPACE
    from wizard.systems.kubernetes.cluster import PODS

    systems.cluster.create(PODS, NAMESPACE, left)
    systems.cluster.patch(PODS, "langsmith-audit-left/status", NAMESPACE, FAILED)
    _ = systems.database
    assert "langsmith-audit-left" not in [pod["metadata"]["name"] for pod in ours(cluster)]


FAILED = {"status": {"phase": "Failed"}}


def test_certificates_are_mounted_where_the_release_has_them(systems) -> None:
    reference = dataclasses.replace(
        systems.installation.database,
        authority=SecretKeys("ca", ("bundle.pem",)),
        client=SecretKeys("mtls", ("tls.crt", "tls.key")),
    )
    installation = dataclasses.replace(systems.installation, database=reference)
    stored = parse_stored_url("u:p@db:5432/x")
    pod = in_pod.manifest("n", PostgresImage("i"), installation, stored)
    sources = [volume["secret"] for volume in pod["spec"]["volumes"]]
    assert [(one["secretName"], len(one["items"])) for one in sources] == [("ca", 1), ("mtls", 2)]
    env = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert env["PGSSLMODE"] == "verify-full"
    assert env["PGSSLKEY"] == "/certificates/client/client.key"


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("u:plain@db:5432/x", "plain"),
        ("u:p@ss/w?r#d%41:e@db:5432/x?sslmode=require", "p@ss/w?r#dA:e"),
        ("u%41:p@ss/w?r#d%4:e@db:5432/x?sslmode=require", "p@ss/w?r#d%4:e"),
        ("u:a$b`c'd\"e\\f *g@db/x", "a$b`c'd\"e\\f *g"),
        ("postgres://u:p%40ss%2Fw%3Frd%25@db:5432/x", "p@ss/w?rd%"),
        ("postgresql+psycopg://u%20v:%C3%A9%5C%27@db/x", "é\\'"),
        ("postgres://u:100%@db/x", "100%"),
    ],
)
@pytest.mark.parametrize("shell", [["sh"], ["bash", "--posix"]], ids="-".join)
def test_the_password_is_cut_out_as_it_is_parsed_here(shell, url, password) -> None:
    stored = parse_stored_url(url)
    assert stored.password == password
    script = in_pod.SHELL.replace(in_pod.PSQL, 'printf "%s %s" "$PGUSER" "$PGPASSWORD"')
    plain = (stored.otherwise or stored).user
    env = {"URL": url, "BEFORE": stored.before, "AFTER": stored.after, "PATH": "/usr/bin:/bin"}
    env |= {"PGUSER": stored.user, "PLAINUSER": plain}
    for one in filter(None, (stored, stored.otherwise)):
        argv = [*shell, "-c", script, "sh", one.reading]
        answer = subprocess.run(argv, env=env, capture_output=True, check=True)
        assert answer.stdout.decode() == f"{one.user} {one.password}"


def test_the_stored_secret_of_practice_needs_this(cluster) -> None:
    secret = cluster.kubernetes.get("Secret", NAMESPACE, "langsmith-postgres")
    assert secret
    stored = base64.b64decode(secret["data"]["connection_url"]).decode()
    assert "://" not in stored
    assert "@/" in stored
