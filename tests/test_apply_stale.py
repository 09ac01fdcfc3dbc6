"""A plan that is stale in one thing is refused before any write, and the refusal names it."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from subprocess import CompletedProcess
from typing import Any

import pytest
from plans import Document, by_step, change, preconditions, written
from traces import backend, entries, in_background, refused, revisions, rows, started, trace, writes

from wizard.cli import main
from wizard.practice.cluster import PracticeCluster
from wizard.systems.cluster import DEPLOYMENTS, SECRETS, Cluster

NAMESPACE, BACKEND = "langsmith", "langsmith-backend"
RELEASE = "sh.helm.release.v1.langsmith.v1"

Move = Callable[[PracticeCluster], object]


@pytest.fixture(scope="module")
def planned(shared_cluster) -> Document:
    """A plan of the practice cluster as it came up."""
    cluster, snapshot = shared_cluster
    cluster.restore(snapshot)
    answer = started(cluster, ("plan", "--all", "--format", "json"))
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def patch(cluster: PracticeCluster, body: dict[str, Any]) -> None:
    live = Cluster.connect(cluster.kubeconfig, None)
    live.patch(DEPLOYMENTS, BACKEND, NAMESPACE, body)
    live.close()


def release(edit: Callable[[dict], object]) -> Move:
    """Edit what helm keeps of the release, and nothing else."""

    def move(cluster: PracticeCluster) -> None:
        live = Cluster.connect(cluster.kubeconfig, None)
        data = live.get(SECRETS, RELEASE, NAMESPACE)["data"]["release"]
        kept = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
        edit(kept)
        packed = base64.b64encode(gzip.compress(json.dumps(kept).encode()))
        body = {"data": {"release": base64.b64encode(packed).decode()}}
        live.patch(SECRETS, RELEASE, NAMESPACE, body)
        live.close()

    return move


def deployment(**spec: Any) -> Move:
    return lambda cluster: patch(cluster, {"spec": spec})


def annotated(name: str, value: str) -> Move:
    return lambda cluster: patch(cluster, {"metadata": {"annotations": {name: value}}})


def image(cluster: PracticeCluster) -> None:
    name = backend(cluster)["spec"]["template"]["spec"]["containers"][0]["name"]
    containers = [{"name": name, "image": "langchain/langsmith-backend:other"}]
    patch(cluster, {"spec": {"template": {"spec": {"containers": containers}}}})


def made_anew(cluster: PracticeCluster) -> None:
    """The same Deployment, deleted and created again."""
    body = backend(cluster)
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        body["metadata"].pop(name, None)
    live = Cluster.connect(cluster.kubeconfig, None)
    live.delete(DEPLOYMENTS, BACKEND, NAMESPACE)
    cluster.kubernetes.until(lambda: not gone(cluster), timeout=30)
    live.create(DEPLOYMENTS, NAMESPACE, body)
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


def ids(name: str) -> Callable[[PracticeCluster], str]:
    return lambda cluster: f"row {cluster.organizations[name]}"


KEY = "UPDATE organizations SET config = config || '{\"more\": 1}' WHERE id = %(id)s"
STALE: dict[str, tuple[Move, str]] = {
    "release revision": (release(lambda it: it.update(version=7)), "release revision +1 +7"),
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
    "uid": (made_anew, "uid of Deployment langsmith-backend"),
    "generation": (
        deployment(minReadySeconds=1), "generation of Deployment .* langsmith-audit at 20"
    ),
    "image": (image, "image of Deployment .*langchain/langsmith-backend:other"),
    "owner": (
        annotated("argocd.argoproj.io/tracking-id", "audit:apps/x"),
        r"owner of Deployment .*Argo CD \(application audit\)",
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


@pytest.fixture
def apply(cluster, monkeypatch, capfd) -> Callable[..., CompletedProcess[str]]:
    """`langsmith-audit apply --yes …` in this process: there are many, and none writes."""
    for name in [name for name in os.environ if name.startswith("HELM_")]:
        monkeypatch.delenv(name)
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> CompletedProcess[str]:
        code = main(["apply", "--yes", *arguments])
        return CompletedProcess(arguments, code, *capfd.readouterr())

    return call


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


def edited(step: str, kind: str) -> Callable[[Document], None]:
    """Another command than the one that would be run."""

    def edit(document: Document) -> None:
        exact = next(it for it in by_step(document)[step]["exact"] if it["kind"] == kind)
        exact["text"] = exact["text"].replace("langsmith", "longsmith").replace("true", "false")

    return edit


def precondition(step: str, name: str, value: str) -> Callable[[Document], None]:
    return lambda document: preconditions(document, step)[name].update(value=value)


def target(name: str) -> Callable[[Document], None]:
    return lambda document: document["target"].update({name: "another"})


OTHER: dict[str, tuple[Callable[[Document], object], str, str]] = {
    **{
        f"target {name}": (target(name), "LSA918", rf"{name.replace('_', ' ')} +another")
        for name in ("cluster_uid", "namespace_uid", "database", "system_identifier",
                     "organizations_oid")
    },
    "server": (
        lambda it: it["target"].update(cluster_uid="", namespace_uid="", api_server="https://x"),
        "LSA918",
        "api server +https://x +https://127",
    ),
    "command line": (edited("helm_upgrade", "argv"), "LSA920", "exact command line of helm"),
    "SQL": (edited("organizations", "sql"), "LSA920", "exact SQL of organizations"),
    "edit": (edited("values_file", "diff"), "LSA920", "exact edit of values_file"),
    "rendered": (
        lambda it: by_step(it)["helm_upgrade"]["rendered"][0].update(lines=["~ other"]),
        "LSA920",
        "rendered difference of Deployment langsmith-backend.* ~ other",
    ),
    "helm": (precondition("helm_upgrade", "helm", "version 4"), "LSA920", "helm +version 4 +"),
    "chart digest": (
        precondition("helm_upgrade", "chart digest", "sha256:" + "0" * 64), "LSA920", "chart digest"
    ),
    "database": (precondition("organizations", "database", "x on 1"), "LSA920", "database +x on 1"),
    "table": (precondition("organizations", "table", "x, oid 1"), "LSA920", "table +x, oid 1"),
    "an answer": (
        lambda it: it["inputs"]["answers"].append({"name": "force", "value": "yes", "origin": "x"}),
        "LSA921",
        "force",
    ),
    "expired": (
        lambda it: it.update(expires_at="2026-01-01T00:00:00+00:00"), "LSA913", "2026-01-01"
    ),
    "not complete": (lambda it: it.update(exit_code=3), "LSA914", "not complete"),
    "newer": (lambda it: it.update(schema_version="1.9"), "LSA912", "knows more"),
    "without approval": (lambda it: it.update(needs_approval=True), "LSA915", "approved by its id"),
}  # fmt: skip


def test_every_precondition_of_a_plan_has_its_test(planned) -> None:
    found = {
        re.sub(r"^(uid|generation|image|owner|row)\b.*", r"\1", one["name"])
        for change in by_step(planned).values()
        for one in change["preconditions"]
    }
    found = {re.sub(r"^content of .*", "content of the values file", name) for name in found}
    assert found <= set(STALE) | set(OTHER)


@pytest.mark.parametrize(("edit", "id", "named"), OTHER.values(), ids=OTHER)
def test_a_plan_of_something_else_is_refused(
    cluster, planned, apply, tmp_path, edit, id, named
) -> None:
    cluster.kubernetes.requests.clear()
    answer = apply(str(written(change(planned, edit), tmp_path / "plan.json")))
    refused(cluster, answer, 7, id, named)
    assert writes(cluster) == []
    assert entries(cluster) == []


def test_what_was_altered_or_not_approved_is_refused(planned, apply, tmp_path) -> None:
    altered = change(planned, lambda it: it.update(ticket="other"), id=False)
    answer = apply(str(written(altered, tmp_path / "altered.json")))
    assert (answer.returncode, "LSA912" in answer.stderr) == (7, True)
    plan = str(written(planned, tmp_path / "plan.json"))
    for id in ("0" * 12, planned["id"][:11], ""):
        answer = apply(plan, "--approve", id)
        assert (answer.returncode, "LSA915" in answer.stderr) == (7, True)
    answer = apply(plan, "--signature", plan)
    assert (answer.returncode, "go together" in answer.stderr) == (2, True)


def keygen(*arguments: object) -> None:
    subprocess.run(["ssh-keygen", *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen")
def test_a_signature_counts_for_this_very_file_and_an_allowed_signer(
    cluster, planned, apply, tmp_path
) -> None:
    plan = written(planned, tmp_path / "plan.json")
    for name in ("ann", "eve"):
        keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
    allowed = tmp_path / "allowed"
    allowed.write_text("ann@example.org " + (tmp_path / "ann.pub").read_text())
    file(cluster)  # so that nothing is applied in the end

    def apply_signed(by: str, namespace: str = "langsmith-audit-plan") -> CompletedProcess[str]:
        (tmp_path / "plan.json.sig").unlink(missing_ok=True)
        keygen("-Y", "sign", "-n", namespace, "-f", tmp_path / by, plan)
        return verified()

    def verified() -> CompletedProcess[str]:
        signature = tmp_path / "plan.json.sig"
        return apply(str(plan), "--signature", str(signature), "--allowed-signers", str(allowed))

    answer = apply_signed("ann")
    assert "Signed by ann@example.org" in answer.stderr
    assert "LSA920" in answer.stderr
    plan.write_text(plan.read_text() + " ")
    assert (verified().returncode, "Signed" in verified().stderr) == (7, False)
    for by, namespace in (("eve", "langsmith-audit-plan"), ("ann", "file")):
        answer = apply_signed(by, namespace)
        refused(cluster, answer, 7, "LSA916")


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
