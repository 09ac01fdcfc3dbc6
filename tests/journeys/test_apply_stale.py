"""A plan that is stale in one thing is refused before any write, and the refusal names it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from leftovers import backend, entries, in_background, refused, revisions, rows, trace, writes
from plans import by_step, written

from wizard.commands.apply import IDENTITY
from wizard.practice.chart_repository import packaged
from wizard.practice.cluster import PracticeCluster
from wizard.practice.langsmith_store import plant
from wizard.practice.postgres import PracticePostgres
from wizard.systems.kubernetes.cluster import DEPLOYMENTS, NAMESPACES, SECRETS, Cluster

NAMESPACE, BACKEND = "langsmith", "langsmith-backend"
RELEASE = "sh.helm.release.v1.langsmith.v1"

Move = Callable[[PracticeCluster], object]


def patch(cluster: PracticeCluster, body: dict[str, Any]) -> None:
    live = Cluster.connect(cluster.kubeconfig, None)
    live.patch(DEPLOYMENTS, BACKEND, NAMESPACE, body)
    live.close()


def release(edit: Callable[[dict], object], name: str = RELEASE) -> Move:
    """Edit what helm keeps of the release, and nothing else."""

    def move(cluster: PracticeCluster) -> None:
        live = Cluster.connect(cluster.kubeconfig, None)
        data = live.get(SECRETS, name, NAMESPACE)["data"]["release"]
        kept = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
        edit(kept)
        packed = base64.b64encode(gzip.compress(json.dumps(kept).encode()))
        body = {"data": {"release": base64.b64encode(packed).decode()}}
        live.patch(SECRETS, name, NAMESPACE, body)
        live.close()

    return move


def recorded_again(revision: int) -> Move:
    """Keep the release under a later revision, in a Secret of its own, as helm does."""

    def move(cluster: PracticeCluster) -> None:
        kept = cluster.kubernetes.get("Secret", NAMESPACE, RELEASE)
        about = kept["metadata"]
        name = RELEASE.removesuffix("1") + str(revision)
        labels = {**about["labels"], "version": str(revision)}
        again = {"metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}
        body = {key: kept[key] for key in ("apiVersion", "kind", "type", "data")} | again
        cluster.kubernetes.acting_as("helm").create(body)
        release(lambda it: it.update(version=revision), name)(cluster)

    return move


def deployment(**spec: Any) -> Move:
    return lambda cluster: patch(cluster, {"spec": spec})


def annotated(name: str, value: str) -> Move:
    return lambda cluster: patch(cluster, {"metadata": {"annotations": {name: value}}})


def template(**parts: Any) -> Move:
    return deployment(template=parts)


def variable(name: str, value: str) -> Move:
    containers = [{"name": "backend", "env": [{"name": name, "value": value}]}]
    return template(spec={"containers": containers})


def image(cluster: PracticeCluster) -> None:
    name = backend(cluster)["spec"]["template"]["spec"]["containers"][0]["name"]
    containers = [{"name": name, "image": "langchain/langsmith-backend:other"}]
    patch(cluster, {"spec": {"template": {"spec": {"containers": containers}}}})


def made_anew(cluster: PracticeCluster, **more: str) -> None:
    """The same Deployment, deleted and created again; its selector with `more` labels."""
    body = backend(cluster)
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        body["metadata"].pop(name, None)
    for labels in (
        body["spec"]["selector"]["matchLabels"],
        body["spec"]["template"]["metadata"]["labels"],
    ):
        labels |= more
    live = Cluster.connect(cluster.kubeconfig, None)
    live.delete(DEPLOYMENTS, BACKEND, NAMESPACE)
    cluster.kubernetes.until(lambda: not gone(cluster), timeout=30)
    live.create(DEPLOYMENTS, NAMESPACE, body)
    live.close()


def queue_scaled(cluster: PracticeCluster) -> None:
    """Another workload of the release, by hand."""
    live = Cluster.connect(cluster.kubeconfig, None)
    live.patch(DEPLOYMENTS, "langsmith-queue", NAMESPACE, {"spec": {"replicas": 5}})
    live.close()


def gone(cluster: PracticeCluster) -> bool:
    return cluster.kubernetes.get("Deployment", NAMESPACE, BACKEND) is not None


def sql(statement: str, name: str = "off") -> Move:
    def move(cluster: PracticeCluster) -> None:
        with cluster.connect() as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            connection.execute(statement, {"id": cluster.organizations[name]})

    return move


def file(cluster: PracticeCluster) -> None:
    cluster.values.write_text(cluster.values.read_text() + "# another word\n")


def right(verb: str, resource: str) -> Move:
    return lambda cluster: cluster.kubernetes.faults.forbid(verb, resource)


def edited(old: str, new: str) -> Move:
    """The values file, edited by somebody else."""

    def move(cluster: PracticeCluster) -> None:
        text = cluster.values.read_text()
        assert old in text
        cluster.values.write_text(text.replace(old, new, 1))

    return move


def without_address(cluster: PracticeCluster) -> None:
    """The load balancer's address is taken away, and helm 3 would wait for it in vain."""
    cluster.kubernetes.faults.no_load_balancer()
    for service in cluster.kubernetes.list("Service", NAMESPACE):
        if service["spec"].get("type") == "LoadBalancer":
            cluster.kubernetes.apply({**service, "status": {"loadBalancer": {}}})


def another_schema(cluster: PracticeCluster) -> None:
    """The same table, moved to where only the search path finds it."""
    with cluster.connect() as connection:
        connection.execute("CREATE SCHEMA other")
        connection.execute("ALTER TABLE organizations SET SCHEMA other")
        connection.execute("ALTER DATABASE postgres SET search_path = other, public")


KEY = "UPDATE organizations SET config = config || '{\"more\": 1}' WHERE id = %(id)s"
STALE: dict[str, tuple[Move, str]] = {
    "release revision": (recorded_again(7), "release revision +1 +7"),
    "release status": (
        release(lambda it: it["info"].update(status="failed")), "release status +deployed +failed"
    ),
    "deployed chart": (
        release(lambda it: it["chart"]["metadata"].update(version="0.12.34")),
        r"deployed chart +langsmith-0\.12\.33 +langsmith-0\.12\.34",
    ),
    "deployed values": (
        release(lambda it: it["config"].update(more=1)), "deployed values +scrypt:"
    ),
    "deployed manifest": (
        release(lambda it: it.update(manifest=it["manifest"] + "\n# more\n")),
        "deployed manifest +scrypt:",
    ),
    "uid": (made_anew, "uid of Deployment langsmith-backend +[0-9a-f-]+ +[0-9a-f-]+ .* at 20"),
    "selector": (
        lambda it: made_anew(it, half="other"),
        "selector of Deployment langsmith-backend: half +not set +\"other\" +langsmith-audit at 20",
    ),
    "pod template": (
        template(metadata={"annotations": {"team": "audit"}}),
        "pod template of Deployment langsmith-backend: metadata.annotations.team +"
        'not set +"audit" +langsmith-audit at 20',
    ),
    "pod template, a variable": (
        variable("LOG_LEVEL", "hunter2hunter2"),
        r"pod template of \S+ \S+: containers\[backend\]\.env\[LOG_LEVEL\]\.value"
        r" +(not set|scrypt:\S+) +scrypt:\S+ +langsmith-audit at 20",
    ),
    "rollout strategy": (
        deployment(minReadySeconds=1),
        "rollout strategy of Deployment langsmith-backend: minReadySeconds +not set +1 "
        " +langsmith-audit at 20",
    ),
    "scale": (
        deployment(replicas=3), "scale of Deployment langsmith-backend +2 +3 +langsmith-audit at 20"
    ),
    "pause": (
        deployment(paused=True),
        "pause of Deployment langsmith-backend +not paused +paused +langsmith-audit at 20",
    ),
    "image": (image, "image of Deployment .*langchain/langsmith-backend:other +langsmith-audit at"),
    "owner": (
        annotated("argocd.argoproj.io/tracking-id", "audit:apps/x"),
        r"owner of Deployment .*Argo CD \(application audit\) +langsmith-audit at 20",
    ),
    "exact command line": (
        without_address, "exact command line of helm_upgrade .* --wait --timeout 1800s"
    ),
    "exact SQL": (another_schema, r"exact SQL of organizations +UPDATE public\..* UPDATE other\."),
    "table": (
        another_schema, r"table +public\.organizations, oid (\d+) +other\.organizations, oid \1"
    ),
    "exact edit": (
        edited("    extraEnv:\n", "    extraEnv:\n      - {name: OTHER, value: x}\n"),
        "exact edit of values_file",
    ),
    "edits beside helm": (
        queue_scaled, r"edits beside helm +none +Deployment langsmith-queue: spec\.replicas"
    ),
    "content of the values file": (file, r"content of \S+values.yaml .* written at 20"),
    "right to patch deployments": (right("patch", "deployments"), "patch deployments"),
    "right to create secrets": (right("create", "secrets"), "create secrets"),
    "right to update secrets": (right("update", "secrets"), "update secrets"),
    "right to create jobs": (right("create", "jobs"), "create jobs"),
    "right to delete jobs": (right("delete", "jobs"), "delete jobs"),
    "server check": (
        lambda it: it.kubernetes.faults.deny("patch", "deployments", "no limits", webhook="x"),
        "server check of step 3 .*no limits",
    ),
    "row": (sql(KEY), "row 3f1c.*another part of its config"),
    "expected rows": (
        sql("UPDATE organizations SET config = '{\"can_use_audit_logs\": true}' WHERE id = %(id)s"),
        "expected rows +3 +2",
    ),
    "row that is gone": (sql("DELETE FROM organizations WHERE id = %(id)s"), "No organization"),
    "row that is personal": (
        sql("UPDATE organizations SET is_personal = true WHERE id = %(id)s"), "personal"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("move", "named"), STALE.values(), ids=STALE)
def test_what_moved_is_named_and_nothing_is_written(cluster, planned, apply, tmp_path, move, named):
    plan = written(planned, tmp_path / "plan.json")
    move(cluster)
    before = trace(cluster)
    cluster.kubernetes.requests.clear()
    answer = apply(str(plan))
    refused(cluster, answer, 7, "LSA920", named, "changed: +nothing")
    assert writes(cluster) == []
    after = trace(cluster)
    assert after == replace(before, backend=after.backend)
    assert entries(cluster) == []


@contextlib.contextmanager
def republished(cluster: PracticeCluster, old: bytes, new: bytes) -> Iterator[None]:
    """The planned chart version is published again, with other content."""
    path = cluster.repository.folder / "langsmith-0.12.33.tgz"
    before = path.read_bytes()
    path.write_bytes(packaged("0.12.33", "0.12.72", changed=(old, new)))
    yield
    path.write_bytes(before)


def moved_namespace(cluster: PracticeCluster, name: str) -> None:
    """A namespace, deleted and made again with all that was in it, as from a backup."""
    before = cluster.kubernetes.snapshot()
    live = Cluster.connect(cluster.kubeconfig, None)
    live.delete(NAMESPACES, name, None)
    cluster.kubernetes.until(
        lambda: cluster.kubernetes.get("Namespace", None, name) is None, timeout=30
    )
    live.close()
    cluster.kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    anew = cluster.kubernetes.snapshot().objects["", "namespaces"]
    cluster.kubernetes.restore(
        replace(before, objects={**before.objects, ("", "namespaces"): anew})
    )


@contextlib.contextmanager
def other_server(cluster: PracticeCluster, folder: Path) -> Iterator[None]:
    """Another PostgreSQL server under the same address and login, with the same rows."""
    server = PracticePostgres(folder / "postgres", password=cluster.postgres.password)
    server.start()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        plant(connection, cluster.keys, "salt")
    own, cluster.postgres.port = cluster.postgres.port, server.port
    try:
        yield
    finally:
        cluster.postgres.port = own
        server.stop()


def other_database(cluster: PracticeCluster) -> None:
    """The backend's connection URL leads to a copy of the database."""
    with psycopg.connect(cluster.postgres.dsn("template1"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS elsewhere WITH (FORCE)")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'"
        )
        connection.execute("CREATE DATABASE elsewhere TEMPLATE postgres")
    live = Cluster.connect(cluster.kubeconfig, None)
    kept = live.get(SECRETS, "langsmith-postgres", NAMESPACE)["data"]["connection_url"]
    url = base64.b64decode(kept).decode()
    assert url.endswith("/postgres")
    other = base64.b64encode(f"{url.removesuffix('postgres')}elsewhere".encode()).decode()
    live.patch(SECRETS, "langsmith-postgres", NAMESPACE, {"data": {"connection_url": other}})
    live.close()


def made_again(cluster: PracticeCluster) -> None:
    """The same table with the same rows, dropped and created."""
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE kept (LIKE organizations INCLUDING ALL)")
        connection.execute("INSERT INTO kept SELECT * FROM organizations")
        connection.execute("DROP TABLE organizations CASCADE")
        connection.execute("ALTER TABLE kept RENAME TO organizations")


@dataclass(frozen=True)
class Staging:
    """What a move of the surroundings needs; `until_the_end` is undone after the test."""

    cluster: PracticeCluster
    folder: Path
    helm4: Path
    until_the_end: contextlib.ExitStack


AROUND: dict[str, tuple[Callable[[Staging], object], str, str]] = {
    "cluster_uid": (
        lambda it: moved_namespace(it.cluster, "kube-system"), "LSA918", "cluster uid +0000"
    ),
    "namespace_uid": (
        lambda it: moved_namespace(it.cluster, NAMESPACE), "LSA918", "namespace uid +[0-9a-f-]{36}"
    ),
    "database": (
        lambda it: other_database(it.cluster), "LSA918", "database +postgres +elsewhere"
    ),
    "system_identifier": (
        lambda it: it.until_the_end.enter_context(other_server(it.cluster, it.folder)),
        "LSA918",
        r"system identifier +\d+ +\d+",
    ),
    "organizations_oid": (
        lambda it: made_again(it.cluster), "LSA918", r"organizations oid +\d+ +\d+"
    ),
    "helm": (lambda it: it.cluster.use_helm(it.helm4), "LSA920", "helm +version 3 +version 4"),
    "chart digest": (
        lambda it: it.until_the_end.enter_context(
            republished(it.cluster, b"There is no schema", b"No schema is there")
        ),
        "LSA920",
        "chart digest +sha256:[0-9a-f]+ +sha256:",
    ),
    "rendered difference": (
        lambda it: it.until_the_end.enter_context(
            republished(it.cluster, b"Seconds: 30", b"Seconds: 77")
        ),
        "LSA920",
        "rendered difference of Deployment langsmith-backend.*30.*77",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("move", "id", "named"), AROUND.values(), ids=AROUND)
def test_another_target_tool_or_chart_is_named(
    cluster, planned, apply, helm4, open_folder, tmp_path, move, id, named
) -> None:
    plan = written(planned, tmp_path / "plan.json")
    before = trace(cluster)
    with contextlib.ExitStack() as until_the_end:
        move(Staging(cluster, open_folder, helm4, until_the_end))
        cluster.kubernetes.requests.clear()
        refused(cluster, apply(str(plan)), 7, id, named, "changed: +nothing")
        assert writes(cluster) == []
    assert entries(cluster) == []
    assert trace(cluster).values == before.values


def test_what_does_not_answer_is_not_told_as_moved(cluster, planned, apply, tmp_path) -> None:
    plan = written(planned, tmp_path / "plan.json")
    before = trace(cluster)
    cluster.postgres.stop()
    cluster.kubernetes.requests.clear()
    try:
        answer = apply(str(plan))
    finally:
        cluster.postgres.start()
    refused(cluster, answer, 5, "LSA918", "cannot be read", "same plan again", "changed: +nothing")
    assert "another target" not in answer.stdout + answer.stderr
    assert writes(cluster) == []
    assert trace(cluster) == before


def test_without_the_uids_another_address_is_another_target(cluster, run, apply, tmp_path) -> None:
    cluster.kubernetes.faults.forbid("get", "namespaces")
    plan = tmp_path / "plan.json"
    made = run("plan", "--all", "-o", str(plan))
    assert made.returncode == 0, made.stdout
    named = cluster.kubeconfig.read_text().replace("127.0.0.1", "localhost")
    cluster.kubeconfig.write_text(named)
    answer = apply(str(plan))
    refused(cluster, answer, 7, "LSA918", "api server +https://127.0.0.1:[0-9]+ +https://localhost")
    assert writes(cluster) == []


def test_every_precondition_of_a_plan_has_its_move(planned) -> None:
    found = {
        re.sub(
            r"^(uid|pod template|rollout strategy|selector|scale|pause|image|owner|row)\b.*",
            r"\1",
            one["name"],
        )
        for change in by_step(planned).values()
        for one in change["preconditions"]
    }
    found = {re.sub(r"^content of .*", "content of the values file", name) for name in found}
    assert found <= set(STALE) | set(AROUND)
    assert set(IDENTITY) <= set(AROUND)


def test_each_step_looks_at_its_own_preconditions_right_before_it(
    cluster, planned, tmp_path
) -> None:
    plan = written(planned, tmp_path / "plan.json")
    before = rows(cluster)
    quick = cluster.kubernetes.times
    cluster.kubernetes.times = replace(quick, job=0.5)
    process = in_background(cluster, "apply", "--yes", str(plan))
    cluster.kubernetes.until(
        lambda: any("langsmith 2" in it for it in revisions(cluster)), timeout=60
    )
    sql(KEY)(cluster)
    told, _ = process.communicate(timeout=120)
    cluster.kubernetes.times = quick
    assert process.returncode == 9, told
    assert "LSA920" in told
    assert "row 3f1c" in told
    assert "Revision 1 → 2" in told
    assert {name for name, row in rows(cluster).items() if row != before[name]} == {"off"}
    done = [entry["step"] for entry in entries(cluster) if entry["event"] == "done"]
    assert done == ["values_file", "helm_upgrade"]
