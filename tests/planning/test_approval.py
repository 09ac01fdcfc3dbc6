"""A plan that is altered, expired or not approved is refused, and why is told."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from leftovers import entries, refused, writes
from plans import Document, by_step, change, preconditions, written

from wizard.records.changes import fingerprint
from wizard.records.plan import Keyed


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


ALTERED: dict[str, tuple[Callable[[Document], object], str, str]] = {
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
    "of an earlier version": (
        lambda it: by_step(it)["helm_upgrade"]["preconditions"].append(
            {"name": "generation of Deployment langsmith-backend", "value": "1", "after": ""}
        ),
        "LSA912",
        "an earlier one: it rests on a generation.*\n(.*\n)*.*next: +make a new plan",
    ),
    "without approval": (lambda it: it.update(needs_approval=True), "LSA915", "approved by its id"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "id", "named"), ALTERED.values(), ids=ALTERED)
def test_a_plan_that_says_something_else_is_refused(
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
    cluster.values.write_text(
        cluster.values.read_text() + "# another word\n"
    )  # so that nothing is applied in the end

    def apply_signed(by: str, namespace: str = "langsmith-audit-plan") -> CompletedProcess[str]:
        (tmp_path / "plan.json.sig").unlink(missing_ok=True)
        keygen("-Y", "sign", "-n", namespace, "-f", tmp_path / by, plan)
        return verified()

    def verified() -> CompletedProcess[str]:
        signature = tmp_path / "plan.json.sig"
        return apply(str(plan), "--signature", str(signature), "--allowed-signers", str(allowed))

    answer = apply_signed("ann")
    assert "Signed by ann@example.org (ED25519 key SHA256:" in answer.stderr
    public = (tmp_path / "ann.pub").read_text()
    for principals, whose in (("*@example.org,ann@example.org", "ann@example.org"),
                              ("ann,ann@example.org", "ann or ann@example.org"),
                              ("*@example.org", "one of *@example.org")):  # fmt: skip
        allowed.write_text(f"{principals} {public}")
        assert f"Signed by {whose} (ED25519" in apply_signed("ann").stderr
    allowed.write_text(f"ann@example.org {public}")
    assert "LSA920" in answer.stderr
    plan.write_text(plan.read_text() + " ")
    assert (verified().returncode, "Signed" in verified().stderr) == (7, False)
    for by, namespace in (("eve", "langsmith-audit-plan"), ("ann", "file")):
        answer = apply_signed(by, namespace)
        refused(cluster, answer, 7, "LSA916")


@pytest.mark.parametrize("data", [b"- a\n- b\n", b"7\n", b"[\n", b"null\n", b"\xff"], ids=repr)
def test_a_values_file_that_is_none_is_refused_though_the_plan_has_its_hash(
    cluster, planned, apply, tmp_path, data
) -> None:
    def signed_anew(plan: Document) -> None:
        hash = Keyed(plan["fingerprint_key"]).of(fingerprint(data))
        for file in plan["inputs"]["values"]:
            file.update(before=hash, after=hash)
        for step in by_step(plan).values():
            for it in step["preconditions"]:
                if it["name"].startswith("content of "):
                    it["value"] = hash

    cluster.values.write_bytes(data)
    answer = apply(str(written(change(planned, signed_anew), tmp_path / "plan.json")))
    assert answer.returncode == 7, answer.stderr
    assert "LSA999" not in answer.stderr
    assert cluster.values.read_bytes() == data
    assert entries(cluster) == []
