"""The plan as a document: what is in it, what is not, and what reads it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path

import jsonschema
import plans
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leftovers import secrets_of, told_secrets, trace, writes
from plans import by_step, change, preconditions, written

from wizard.cli import main
from wizard.problems import Problem
from wizard.records import plan as plan_file
from wizard.records.changes import Change, Done, FactKind, Reversible
from wizard.records.findings import Finding, State
from wizard.records.journal import Journal
from wizard.records.plan import Keyed
from wizard.records.plan_json import canonical, parse, plan_id
from wizard.records.plan_reading import read_plan
from wizard.records.runs import expected_seconds
from wizard.resources import template
from wizard.settings import Place
from wizard.systems.helm.records import took

SCHEMA = json.loads(template("plan.schema.json"))
HEADER = ("--ticket", "CHG-1234", "--reason", "audit", "--expires", "12h")


def validate(document: dict) -> None:
    checker = jsonschema.Draft202012Validator(
        SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    checker.validate(document)


def test_each_guess_at_a_hash_costs_what_it_should(monkeypatch) -> None:
    monkeypatch.setattr(plan_file, "_COST", plans.DEAR)
    told = "scrypt:612483a59d800fb21049a236d494ce014c8ab963a6f074586278e36a1d518f18"
    assert Keyed("0f" * 32).of("ab" * 32) == told  # 16,384 rounds of 1,024 bytes, once for all
    dear = hashlib.scrypt(b"ab" * 32, salt=b"0f" * 32, n=2**14, r=8, p=1, dklen=32)
    assert told.endswith(dear.hex())


def test_a_plan_holds_what_a_review_needs(cluster, run, tmp_path) -> None:
    before = trace(cluster)
    answer = run("plan", "--all", *HEADER, "-o", str(tmp_path / "plan.json"))
    assert answer.returncode == 0, answer.stderr
    text = (tmp_path / "plan.json").read_text()
    document = json.loads(text)
    validate(document)
    assert document["id"] == plan_id(document)
    assert document["ticket"] == "CHG-1234"
    made = datetime.fromisoformat(document["created"]["at"])
    assert datetime.fromisoformat(document["expires_at"]) - made == timedelta(hours=12)

    target, inputs = document["target"], document["inputs"]
    system = cluster.kubernetes.get("Namespace", None, "kube-system")
    assert target["cluster_uid"] == system["metadata"]["uid"]
    assert target["unread"] == []
    assert all(text for name, text in target.items() if name != "unread")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", inputs["chart_digest"])
    (file,) = inputs["values"]
    assert file["before"] != file["after"]
    origins = {answer["name"]: answer["origin"] for answer in inputs["answers"]}
    assert origins["all"] == "flag --all"
    assert origins["values"] == "variable LANGSMITH_AUDIT_VALUES"
    assert {"name": "api_key", "value": None, "origin": "variable LANGSMITH_API_KEY"} in (
        inputs["answers"]
    )

    upgrade = preconditions(document, "helm_upgrade")
    name = "Deployment langsmith-backend"
    assert upgrade["release revision"] == {
        "name": "release revision", "value": "1", "after": "", "parts": [], "kind": "release"
    }  # fmt: skip
    assert upgrade[f"owner of {name}"]["value"] == "Helm release langsmith"
    rights = document["rights"]
    assert "patch deployments.apps in namespace langsmith" in rights["granted"]
    assert (rights["lacking"], rights["not_told"], rights["role"]) == ([], [], "")
    edited = upgrade[f"content of {cluster.values}"]
    assert edited == {
        "name": f"content of {cluster.values}", "value": file["after"], "after": "values_file",
        "parts": [], "kind": "file",
    }  # fmt: skip
    restart = preconditions(document, "backend_restart")
    assert restart[f"pod template of {name}"]["after"] == "helm_upgrade"
    assert restart[f"pod template of {name}"]["value"] is None
    rows = preconditions(document, "organizations")
    assert rows["expected rows"]["value"] == "3"
    assert {f"row {cluster.organizations[it]}" for it in ("off", "null", "empty")} <= set(rows)
    told = [it for step in by_step(document).values() for it in step["preconditions"]]
    assert {it["kind"] for it in told} == {*FactKind}
    checks = [it for step in by_step(document).values() for it in step["server_checks"]]
    assert [check["outcome"] for check in checks] == ["accepted", "accepted"]
    duration = by_step(document)["helm_upgrade"]["duration"]
    assert duration["seconds"] > 0
    assert duration["source"].startswith("revision 1 took as long")

    assert told_secrets(secrets_of(cluster), [text, answer.stdout, answer.stderr]) == set()
    assert "after step 3" in answer.stdout
    assert writes(cluster) == []
    assert trace(cluster) == before


def test_what_cannot_be_simulated_or_read_is_said(cluster, run) -> None:
    cluster.kubernetes.faults.forbid("get", "namespaces")
    cluster.kubernetes.faults.forbid("create", "selfsubjectaccessreviews")
    cluster.kubernetes.faults.forbid("patch", "deployments")
    answer = run("plan", "--all", "--format", "json")
    document = json.loads(answer.stdout)
    validate(document)
    assert document["target"]["cluster_uid"] == ""
    assert [line.split(":")[0] for line in document["target"]["unread"]] == [
        "cluster uid", "namespace uid"
    ]  # fmt: skip
    checks = [it for step in by_step(document).values() for it in step["server_checks"]]
    assert {check["outcome"] for check in checks} == {"not simulated"}
    assert all("LSA207" in check["because"] for check in checks)
    rights = document["rights"]
    assert rights["granted"] == rights["lacking"] == []
    assert "patch deployments.apps in namespace langsmith" in rights["not_told"]


def test_a_plan_with_a_write_that_is_refused_is_not_complete(cluster, run) -> None:
    cluster.kubernetes.faults.deny("patch", "deployments", "no limits", webhook="policy.example")
    answer = run("plan", "--all", "--format", "json")
    assert answer.returncode == 3, answer.stderr
    document = json.loads(answer.stdout)
    validate(document)
    checks = [it for step in by_step(document).values() for it in step["server_checks"]]
    assert {check["outcome"] for check in checks} == {"refused"}
    assert all("no limits" in check["because"] for check in checks)
    assert writes(cluster) == []


def test_every_object_that_would_change_is_tried(cluster, run) -> None:
    text = "commonLabels: {team: audit}\nqueue: {deployment: {replicas: 2}}\n"
    before = cluster.values.read_text()
    assert before.count("\nqueue:\n  deployment:\n    replicas: 1\n") == 1
    whole = before.replace("\nqueue:\n  deployment:\n    replicas: 1\n", "\n") + text
    cluster.values.write_text(whole)
    cluster.kubernetes.faults.forbid("patch", "configmaps")
    cluster.kubernetes.faults.deny("patch", "services", "no labels", webhook="policy.example")
    answer = run("plan", "--all", "--accept-drift", "--format", "json")
    assert answer.returncode == 3, answer.stderr
    document = json.loads(answer.stdout)
    validate(document)
    upgrade = by_step(document)["helm_upgrade"]
    backend, *others = upgrade["server_checks"]
    assert backend["outcome"] == "accepted"
    wanted = [it for it in upgrade["rendered"] if not it["ours"] and it["state"] != "noise"]
    tried = {it["what"].removesuffix(" as rendered"): it for it in others}
    assert list(tried) == [f"{it['kind']} {it['name']}" for it in wanted]
    assert tried["Deployment langsmith-backend"]["outcome"] == "accepted"
    assert tried["StatefulSet langsmith-postgres"]["outcome"] == "accepted"
    assert tried["Secret langsmith-secrets"]["outcome"] == "accepted"
    told = {
        kind: {
            (it["outcome"], it["because"]) for what, it in tried.items() if what.startswith(kind)
        }
        for kind in ("Service ", "ConfigMap ", "Job ")
    }
    assert {outcome for outcome, _ in told["Service "]} == {"refused"}
    assert all("no labels" in because for _, because in told["Service "])
    assert {outcome for outcome, _ in told["ConfigMap "]} == {"not simulated"}
    assert all("LSA207" in because for _, because in told["ConfigMap "])
    assert told["Job "] == {("not simulated", "a hook is deleted and made anew")}
    assert told_secrets(secrets_of(cluster), [answer.stdout, answer.stderr]) == set()
    assert writes(cluster) == []


def test_the_schema_and_the_code_know_the_same_members() -> None:
    classes = {"Plan": SCHEMA, **SCHEMA["$defs"]}
    for name, schema in classes.items():
        kind = getattr(plan_file, name)
        known = [field.name for field in fields(kind)]
        if name == "Finding":  # a health check's report has more of it
            known = list(Finding("LSA101", State.PASS, "", "").as_json())
        assert list(schema["properties"]) == (["id", *known] if name == "Plan" else known)


@pytest.fixture(scope="module")
def document() -> dict:
    """A plan without changes."""
    plan = plan_file.Plan(
        schema_version="1.0",
        tool=plan_file.Tool("langsmith-audit", "9.9"),
        created=plan_file.Created("2026-01-01T00:00:00+00:00", "ann", "host"),
        expires_at="2026-01-08T00:00:00+00:00",
        ticket="",
        reason="",
        needs_approval=False,
        target=plan_file.Where("c", "https://k", "n", "r"),
        inputs=plan_file.Inputs("x/y", "1.0.0", "", "why", "3.19.0", (), ()),
        fingerprint_key="0" * 64,
        no_changes=True,
        order=(),
        changes=0,
        rollouts=0,
        exit_code=0,
        steps=(),
        mark="",
        cannot_be_known=(),
        checks=(),
    )
    return plan.document()


def test_a_plan_is_read_back_as_it_was_written(document, tmp_path) -> None:
    validate(document)
    reading = read_plan(written(document, tmp_path / "p"))
    assert reading.plan.document() == document
    assert (reading.newer, reading.altered, reading.notes) == (False, False, ())


def test_an_altered_plan_and_one_of_a_newer_minor_version_are_told(document, tmp_path) -> None:
    def newer(it: dict) -> None:
        it |= {"schema_version": "1.7", "new": {"more": [1]}}

    reading = read_plan(written(change(document, newer), tmp_path / "p"))
    assert (reading.newer, reading.altered) == (True, False)
    altered = change(document, lambda it: it.update(reason="another"), id=False)
    assert read_plan(written(altered, tmp_path / "p")).altered


def test_a_plan_from_before_preconditions_had_a_kind_is_read_with_them(document, tmp_path) -> None:
    names = ("release status", "content of v.yaml", "scale of Deployment b", "row 1", "helm")
    planned = {
        **dict.fromkeys(("effect", "because", "undo"), "it"),
        "items": ["it"], "exact": [], "reversible": "yes",
        "preconditions": [{"name": it, "value": "1", "after": ""} for it in names],
    }  # fmt: skip
    step = {"number": 2, "name": "values_file", "title": "it", "right": False, "findings": []}
    earlier = {"schema_version": "1.1", "steps": [{**step, "change": planned}]}
    reading = read_plan(written(change(document, lambda it: it.update(earlier)), tmp_path / "p"))
    ((_, found),) = reading.plan.planned
    assert [it.kind for it in found.preconditions] == ["release", "file", "scale", "row", ""]
    assert not reading.altered


REFUSED = {
    "nothing": b"",
    "not UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "no version": b"{}",
    "a member twice": b'{"schema_version": "1.0", "schema_version": "1.0"}',
    "a number that is none": b'{"schema_version": NaN}',
    "nested too deeply": b'{"a":' + b"[" * 200_000,
    "only a version": b'{"schema_version": "1.0"}',
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_no_plan_is_refused(data, tmp_path) -> None:
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(Problem) as raised:
        read_plan(tmp_path / "p")
    assert raised.value.id == "LSA910"


def test_another_major_version_and_a_missing_file_are_refused(document, tmp_path) -> None:
    other = change(document, lambda it: it.update(schema_version="2.0"))
    with pytest.raises(Problem, match=r"schema version 2\.0") as raised:
        read_plan(written(other, tmp_path / "p"))
    assert (raised.value.id, raised.value.exit) == ("LSA911", 7)
    assert "9.9" in raised.value.next_step
    with pytest.raises(Problem) as raised:
        read_plan(tmp_path / "nowhere")
    assert raised.value.id == "LSA910"


@pytest.mark.parametrize(
    ("member", "value"),
    [("steps", {}), ("changes", "5"), ("changes", True), ("created", None), ("expires_at", "soon"),
     ("expires_at", "2026-01-01T00:00:00"), ("target", {"context": "c"}), ("steps", [1])],
)  # fmt: skip
def test_a_member_of_another_type_is_refused(document, tmp_path, member, value) -> None:
    bad = change(document, lambda it: it.update({member: value}))
    with pytest.raises(Problem) as raised:
        read_plan(written(bad, tmp_path / "p"))
    assert raised.value.id == "LSA910"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_values))
def test_layout_and_order_make_no_difference_to_the_id(data) -> None:
    text = json.dumps(dict(reversed(data.items())), indent=3, ensure_ascii=True)
    again = parse(text.encode())
    assert canonical(again) == canonical(data)
    assert plan_id(again | {"id": "x"}) == plan_id(data)


def test_keyed_hashes_tell_the_same_from_different_within_one_plan_only() -> None:
    one, other = Keyed.fresh(), Keyed.fresh()
    for cheap in (False, True):
        assert one.of("a", cheap=cheap) == Keyed(one.key).of("a", cheap=cheap)
        assert one.of("a", cheap=cheap) != one.of("b", cheap=cheap)
        assert one.of("a", cheap=cheap) != other.of("a", cheap=cheap)


def test_show_needs_no_cluster(document, tmp_path: Path, capsys) -> None:
    newer = change(document, lambda it: it.update(schema_version="1.99"))
    altered = change(newer, lambda it: it.update(reason="another"), id=False)
    assert main(["show", str(written(altered, tmp_path / "p"))]) == 0
    told = capsys.readouterr().out
    for words in ("was altered", "newer than", "expired at 2026-01-08", "Nothing to do"):
        assert words in told
    assert main(["show", str(tmp_path / "p"), "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == altered
    assert "was altered" in shown.err


def test_how_long_a_step_takes_is_told_by_earlier_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path))
    place, other = Place("https://k", "n", "r"), Place("https://k", "n", "other")
    assert expected_seconds(place, "values_file") is None
    began = time.monotonic()
    for at in (place, place, other):
        journal = Journal.begin(at)
        planned = Change("values_file", (), (), {}, "", Reversible.YES, "", "")
        journal.intent(planned)
        journal.done("values_file", Done("done"))
    seconds, count = expected_seconds(place, "values_file") or (-1, 0)
    assert (0 <= seconds <= time.monotonic() - began + 0.5, count) == (True, 2)  # rounded
    assert expected_seconds(place, "helm_upgrade") is None


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ({}, None),
        ({"info": {"last_deployed": "2026-01-01T00:00:00Z"}, "hooks": []}, None),
        ({"info": {"last_deployed": "soon"}, "hooks": [{"last_run": {"completed_at": "x"}}]}, None),
        (
            {
                "info": {"last_deployed": "2026-01-01T00:00:00.123456789Z"},
                "hooks": [
                    {"last_run": {"completed_at": "2026-01-01T00:00:33.123456789Z"}},
                    {"last_run": {"completed_at": "2026-01-01T01:00:02+01:00"}},
                    {},
                ],
            },
            33.0,
        ),
    ],
)
def test_how_long_helm_took_is_told_by_its_hooks(status, seconds) -> None:
    assert took(status) == seconds
