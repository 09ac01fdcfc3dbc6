"""The walks run, plan and check from end to end, without a terminal, on the practice cluster."""

from __future__ import annotations

import difflib
import json
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import requests
from leftovers import (
    CommandLines,
    backend,
    backend_env,
    backend_pods,
    entries,
    kept_texts,
    refused,
    rows,
    secrets_of,
    told_secrets,
    trace,
    writes,
)
from reports import areas_of, ids_by

from wizard.engine.look import all_findings, closing, nothing_to_do
from wizard.practice.cluster import PracticeCluster, Snapshot
from wizard.practice.scenarios.tools import settled
from wizard.problems import Exit
from wizard.records.changes import Observation
from wizard.records.findings import Finding, State
from wizard.records.report import verdict
from wizard.steps.procedure import STEPS
from wizard.systems.kubernetes.cluster import DEPLOYMENTS, Cluster

VARIABLES = {"AUDIT_LOGS_ENABLED": "true", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS": "true"}
BOTH = list(VARIABLES)
NAMES = [step.name for step in STEPS]
ALL = ("run", "--yes", "--all")


def api_status(cluster: PracticeCluster, name: str) -> int:
    now = datetime.now(UTC)
    times = {
        "start_time": (now - timedelta(days=1)).isoformat(),
        "end_time": (now + timedelta(minutes=1)).isoformat(),
    }
    organization = {"X-Organization-Id": str(cluster.organizations[name])}
    headers = {"X-API-Key": cluster.api_key, **organization}
    url = f"{cluster.url}/api/v1/audit-logs"
    return requests.get(url, params=times, headers=headers, timeout=60).status_code


def added_lines(before: str, after: str) -> list[str]:
    """The lines that were added; fails when any other line changed."""
    found = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in found if line.startswith(("-", "?"))]
    return [line[2:].strip() for line in found if line.startswith("+")]


def assert_all_done(cluster: PracticeCluster, before) -> None:
    """Every step's own trace: file, revision, Deployment, rows, API."""
    assert added_lines(before.values.decode(), cluster.values.read_text()) == [
        "- name: AUDIT_LOGS_ENABLED",
        'value: "true"',
        "- name: DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS",
        'value: "true"',
    ]
    after = trace(cluster)
    assert after.revisions == {"langsmith 1 superseded", "langsmith 2 deployed"}
    assert backend_env(cluster).items() >= VARIABLES.items()
    for name in ("personal", "on"):
        assert after.rows[name] == before.rows[name]
    for name in ("off", "null", "empty"):
        kept = before.rows[name][0] or {}
        assert after.rows[name][0] == {**kept, "can_use_audit_logs": True}
    assert len({after.rows[name][1] for name in ("off", "null", "empty")}) == 1
    assert [api_status(cluster, name) for name in ("off", "null", "empty")] == [200] * 3


EVIDENCE = (
    r"CHART langsmith-0\.12\.33, APP VERSION 0\.12\.72, revision 1, status deployed",
    r'\+ +- name: AUDIT_LOGS_ENABLED\n +\+ +value: "true"',
    r"helm upgrade langsmith langchain/langsmith --namespace langsmith --version 0\.12\.33",
    r"Revision 1 → 2 of release langsmith",
    r"Meridian Freight \(3f1c\S+\): can_use_audit_logs is false → true",
    r"O'Rourke & Daughters \(8b7d\S+\): config is NULL → true",
    r"committed 20\S+ \S+ UTC, then read back",
    r"2 new pods are ready\n +pod langsmith-backend-\S+: ready, started 20",
    r"public\.audit_logs, PostgreSQL \d+",
    r"says can_use_audit_logs: yes\n +200 with 10 events",
    r"newest: \w+, class_uid 6003, \d+ \w+ ago",
)


def test_one_command_does_all_of_it_and_once_more_does_nothing(cluster, run, helm) -> None:
    cluster.use_helm(helm)
    before = trace(cluster)
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    for pattern in EVIDENCE:
        assert re.search(pattern, answer.stderr), pattern
    assert_all_done(cluster, before)

    settled(cluster)  # the last of the old pods is counted off in the Deployment's status
    done = trace(cluster)
    cluster.kubernetes.requests.clear()
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    assert "Nothing to do" in answer.stdout
    assert trace(cluster) == done
    assert writes(cluster) == []

    answer = run("check", "--format", "json")
    report = json.loads(answer.stdout)
    assert (answer.returncode, report["exit_code"]) == (0, 0)
    states = {finding["state"] for area in report["areas"] for finding in area["findings"]}
    assert "pass" in states <= {"pass", "info", "skip"}
    assert trace(cluster) == done
    assert writes(cluster) == []


def test_chosen_organizations_are_changed_and_no_others(cluster, run) -> None:
    before = rows(cluster)
    url = f"{cluster.url}/o/{cluster.organizations['empty']}/settings"
    answer = run("run", "--yes", "--org", url, "--org", str(cluster.organizations["null"]))
    assert answer.returncode == 0, answer.stderr
    after = rows(cluster)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"empty", "null"}
    answer = run("run", "--yes", "--only-off")
    assert answer.returncode == 0, answer.stderr
    assert {name for name, row in rows(cluster).items() if row != after[name]} == {"off"}


def steps_of(document: str) -> dict[str, dict]:
    found = {step["name"]: step for step in json.loads(document)["steps"]}
    assert list(found) == NAMES
    return found


def test_a_plan_names_every_change_exactly_and_leaves_no_trace(cluster, run, tmp_path) -> None:
    before = trace(cluster)
    file = tmp_path / "plan.json"
    answer = run("plan", "--all", "-o", str(file), "--detailed-exitcode")
    assert answer.returncode == 6, answer.stderr
    text = answer.stdout
    for variable in BOTH:
        assert f'add {variable}="true"' in text
        assert re.search(rf"\+ +- name: {variable}", text)
    argv = (
        "helm upgrade langsmith langchain/langsmith --namespace langsmith "
        f"--version 0.12.33 --values {cluster.values} --wait --timeout 1800s "
        "--kube-context practice"
    )
    assert argv in text
    assert "UPDATE public.organizations" in text
    for name in ("off", "null", "empty"):
        assert f"parameter: {cluster.organizations[name]}" in text
    assert f"parameter: {cluster.organizations['personal']}" not in text
    assert (
        "kubectl --context practice rollout restart deployment/langsmith-backend -n langsmith"
        in text
    )
    assert (
        "5 changes in 4 steps, 2 rollouts of the backend (1 with --one-rollout). "
        "Nothing was changed."
    ) in text

    steps = steps_of(file.read_text())
    changes = {name: step["change"] for name, step in steps.items() if step["change"]}
    assert list(changes) == ["values_file", "helm_upgrade", "organizations", "backend_restart"]
    assert sum(len(change["items"]) for change in changes.values()) == 5
    assert changes["helm_upgrade"]["exact"][0]["text"] == argv
    assert trace(cluster) == before
    assert writes(cluster) == []
    assert not (cluster.home / "state").exists()


def test_a_plan_as_json_is_one_document(cluster, run) -> None:
    answer = run("plan", "--all", "--format", "json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["schema_version"], document["changes"]) == ("1.2", 5)
    assert document["target"]["revision"] == "1"


def test_a_plan_has_no_restart_that_the_upgrade_brings_anyway(cluster, run) -> None:
    on = str(cluster.organizations["on"])
    changes = steps_of(run("plan", "--org", on, "--format", "json").stdout)
    assert [name for name in NAMES if changes[name]["change"]] == ["values_file", "helm_upgrade"]
    answer = run("run", "--yes", "--org", on)
    assert answer.returncode == 0, answer.stderr
    done = [entry["step"] for entry in entries(cluster) if entry["event"] == "done"]
    assert done == ["values_file", "helm_upgrade"]


def test_a_plan_that_cannot_be_written_says_so(cluster, run, tmp_path) -> None:
    answer = run("plan", "--all", "-o", str(tmp_path / "nowhere" / "plan.json"))
    assert answer.returncode == 2
    assert "LSA904" in answer.stderr


def test_check_before_and_where_nobody_answers(cluster, run) -> None:
    answer = run("check", "--format", "json")
    assert answer.returncode == 3
    assert ids_by(answer.stdout, "LSA391") == ["LSA392"]
    assert ids_by(answer.stdout, "LSA401")[0] == "LSA402"
    assert ids_by(answer.stdout, "LSA891") == ["LSA824"]
    assert writes(cluster) == []
    cluster.kubernetes.stop()
    answer = run("check", "--format", "json")
    assert answer.returncode == 5
    assert ids_by(answer.stdout, "LSA230") == ["LSA115"]
    areas = areas_of(answer.stdout)
    del areas["target"], areas["values"]
    own = "LSA859"  # whether there is a key, it knows without anybody
    assert {it["id"] for found in areas.values() for it in found} == {"LSA908", own}


def set_env(cluster: PracticeCluster) -> None:
    """What `kubectl set env deploy/langsmith-backend …` does, and its rollout."""
    pods = backend_pods(cluster)
    env = [{"name": name, "value": value} for name, value in VARIABLES.items()]
    container = backend(cluster)["spec"]["template"]["spec"]["containers"][0]["name"]
    template = {"spec": {"containers": [{"name": container, "env": env}]}}
    live = Cluster.connect(cluster.kubeconfig, None)
    live.patch(DEPLOYMENTS, "langsmith-backend", "langsmith", {"spec": {"template": template}})
    live.close()
    cluster.kubernetes.until(lambda: rolled(cluster, pods), timeout=60)


def rolled(cluster: PracticeCluster, old: set[str]) -> bool:
    status = backend(cluster)["status"]
    counts = [status.get(key) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    return counts == [2, 2, 2] and not old & backend_pods(cluster)


def test_a_variable_that_is_only_live_is_a_warning_until_a_run_keeps_it(cluster, run) -> None:
    set_env(cluster)
    on = ("--org", str(cluster.organizations["on"]))
    no_file = {"LANGSMITH_AUDIT_VALUES": ""}
    answer = run("check", *on, "--fail-on", "warn", "--format", "json", env=no_file)
    assert answer.returncode == 4, answer.stdout
    assert ids_by(answer.stdout, "LSA401") == ["LSA404"]
    assert ids_by(answer.stdout, "LSA391") == ["LSA394"]
    assert run("check", *on, env=no_file).returncode == 0
    assert ids_by(run("check", *on, "--format", "json").stdout, "LSA391") == ["LSA392"]

    answer = run("run", "--yes", *on)
    assert answer.returncode == 0, answer.stderr
    assert "AUDIT_LOGS_ENABLED" in cluster.run_helm("get", "values", "langsmith").stdout
    assert "AUDIT_LOGS_ENABLED" in cluster.values.read_text()
    assert run("check", *on, "--fail-on", "warn").returncode == 0


class TestTheServerHasAuditLogsByDefault:
    @pytest.fixture
    def cluster(self, newer_cluster: tuple[PracticeCluster, Snapshot]) -> PracticeCluster:
        cluster, snapshot = newer_cluster
        cluster.restore(snapshot)
        return cluster

    @pytest.mark.parametrize("name", ["on", "null", "empty"])
    def test_it_says_so_and_changes_nothing(self, cluster, run, name) -> None:
        before = trace(cluster)
        organization = ("--org", str(cluster.organizations[name]))
        answer = run("run", "--yes", *organization)
        assert answer.returncode == 0, answer.stderr
        assert "Nothing to do" in answer.stdout
        assert "LSA393" in answer.stderr
        assert "LSA403" in answer.stderr
        assert trace(cluster) == before
        assert writes(cluster) == []
        assert run("check", *organization).returncode == 0

    def test_a_stored_false_of_another_is_no_false_green(self, cluster, run) -> None:
        own, other = (("--org", str(cluster.organizations[it])) for it in ("off", "empty"))
        assert run("run", "--yes", *own).returncode == 0
        with cluster.connect() as database:
            query = "UPDATE organizations SET config = %s WHERE id = %s"
            database.execute(query, ('{"can_use_audit_logs": false}', other[1]))
        settled(cluster)
        before, counted = trace(cluster), "1 shared organization has a stored false."
        told = run("check")
        assert told.returncode == 0, told.stdout
        assert "LSA587" in told.stdout
        last = told.stdout.splitlines()[-1]
        assert last.startswith("Fine, but for warnings: ")
        assert counted in last
        assert run("check", "--fail-on", "warn").returncode == 4
        everyone = run("check", "--all")
        assert everyone.returncode == 3
        assert counted in everyone.stdout.splitlines()[-1]
        assert counted in run("check", *own).stdout.splitlines()[-1]
        assert counted in run("run", "--yes", *own).stdout.splitlines()[-1]
        for command in ("run", "plan"):
            refused(cluster, run(command, "--yes"), 2, "LSA900", "--org ID, --all or --only-off")
        assert trace(cluster) == before

    def test_it_needs_neither_a_values_file_nor_a_choice(self, cluster, run) -> None:
        no_file = {"LANGSMITH_AUDIT_VALUES": ""}
        off = ("--org", str(cluster.organizations["off"]))
        assert run("run", "--yes", *off, env=no_file).returncode == 0
        settled(cluster)
        before = trace(cluster)
        answer = run("run", "--yes", env=no_file)
        assert answer.returncode == 0, answer.stderr
        assert "Nothing to do" in answer.stdout
        assert trace(cluster) == before

    def test_a_stored_false_still_gets_steps_4_and_5_and_only_these(self, cluster, run) -> None:
        before, pods = trace(cluster), backend_pods(cluster)
        answer = run("run", "--yes", "--org", str(cluster.organizations["off"]))
        assert answer.returncode == 0, answer.stderr
        after = trace(cluster)
        assert (after.values, after.written) == (before.values, before.written)
        assert after.revisions == before.revisions
        changed = {name for name in after.rows if after.rows[name] != before.rows[name]}
        assert changed == {"off"}
        assert not pods & backend_pods(cluster)
        done = [entry["step"] for entry in entries(cluster) if entry["event"] == "done"]
        assert done == ["organizations", "backend_restart"]
        assert api_status(cluster, "off") == 200

    def test_all_means_those_that_the_default_does_not_reach(self, cluster, run) -> None:
        before = rows(cluster)
        assert run(*ALL).returncode == 0
        after = rows(cluster)
        assert {name for name in after if after[name] != before[name]} == {"off"}
        assert "Nothing to do" in run(*ALL).stdout

    def test_force_makes_the_documented_change(self, cluster, run) -> None:
        before = trace(cluster)
        answer = run(*ALL, "--force")
        assert answer.returncode == 0, answer.stderr
        assert "--version 0.13.37" in answer.stderr
        assert_all_done(cluster, before)


def test_no_secret_is_told_anywhere(cluster, run) -> None:
    secrets = secrets_of(cluster)
    assert len(secrets) >= 8
    with CommandLines() as lines:
        answers = [run("plan", "--all"), run(*ALL), run("check", "--format", "json")]
    assert [answer.returncode for answer in answers] == [0, 0, 0]
    assert any("helm upgrade langsmith" in line for line in lines.seen) or not lines.seen
    texts = [text for answer in answers for text in (answer.stdout, answer.stderr)]
    assert told_secrets(secrets, [*texts, *kept_texts(cluster), *lines.seen]) == set()
    backups = list((cluster.home / "state").rglob("*-values.yaml"))
    assert [path.stat().st_mode & 0o777 for path in backups] == [0o600]


def test_a_release_without_a_hostname_is_asked_through_a_pod(cluster, run, tmp_path) -> None:
    text = re.sub(r"^ +hostname:.*\n", "", cluster.values.read_text(), flags=re.MULTILINE)
    cluster.values.write_text(text)
    upgraded = cluster.run_helm(
        *("upgrade", "langsmith", "langchain/langsmith", "-n", "langsmith"),
        *("--version", "0.12.33", "-f", str(cluster.values), "--wait"),
    )
    assert upgraded.returncode == 0, upgraded.stderr
    answer = run(*ALL)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"http://127\.0\.0\.1:\d+ says can_use_audit_logs: yes", answer.stderr)
    cluster.kubernetes.faults.forbid("create", "pods", "portforward")
    direct = {
        "PGHOST": cluster.postgres.host,
        "PGPORT": str(cluster.postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": cluster.postgres.password,
        "PGDATABASE": "postgres",
    }
    answer = run("check", "--database", "direct", "--format", "json", env=direct)
    assert answer.returncode == 5, answer.stdout
    assert ids_by(answer.stdout, "LSA860") == ["LSA207"]
    assert ids_by(answer.stdout, "LSA791") == ["LSA791"]


def test_the_file_to_edit_among_several_is_named(cluster: PracticeCluster, run) -> None:
    first, second = cluster.home / "first.yaml", cluster.home / "second.yaml"
    shutil.copy(cluster.values, first)
    text = re.sub(r"(?m)^    extraEnv:\n(?:      .*\n)+", "", first.read_text(), count=1)
    first.write_text(text)
    second.write_text("backend:\n  deployment:\n    replicas: 2\n")
    layers = ("-f", str(first), "-f", str(second), "--accept-drift")
    for named, chosen in (((), second), (("--edit-file", str(first)), first)):
        planned = run("plan", "--all", *layers, *named)
        assert planned.returncode == 0, planned.stderr
        assert f'{chosen}: add AUDIT_LOGS_ENABLED="true"' in planned.stdout
    answer = run("plan", "--all", *layers, "--edit-file", str(cluster.values))
    refused(cluster, answer, 2, "LSA901", "is not one of the values files")


SKIPPED = ("helm_upgrade", "backend_restart", "audit_api")
LEFT = "helm_upgrade, backend_restart, audit_api"


def seen_with(state: State, *names: str) -> dict[str, Observation]:
    """All steps right, but for these."""
    return {
        name: Observation((Finding("LSA999", state if name in names else State.PASS, name, ""),),
                          right=True)
        for name in NAMES
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "exit", "changed", "done", "nothing"),
    [
        (seen_with(State.PASS), 0, True, "Done: audit logs are on, and confirmed.",
         "Nothing to do: everything is right already."),
        (seen_with(State.SKIP, *SKIPPED), 0, True,
         f"Done: what was looked at is right. Not looked at, and so not confirmed: {LEFT}.",
         f"Nothing to do: what was looked at is right already. Not looked at: {LEFT}."),
        (seen_with(State.SKIP, "chart_version"), 0, True,
         "Done: what was looked at is right. Not looked at, and so not confirmed: chart_version.",
         "Nothing to do: what was looked at is right already. Not looked at: chart_version."),
        (seen_with(State.SKIP, *NAMES), 5, True,
         "The changes were made, but not everything could be checked.", None),
        (seen_with(State.FAIL, "audit_api"), 3, True,
         "The changes were made, but a check failed.", None),
        (seen_with(State.UNKNOWN, "audit_api"), 5, False,
         "Nothing was left to change, but not everything could be checked.", None),
    ],
)  # fmt: skip
def test_a_run_ends_with_what_was_measured(seen, exit, changed, done, nothing) -> None:
    assert verdict(all_findings(seen)) == exit
    assert closing(seen, Exit(exit), changed=changed) == done
    assert nothing is None or nothing_to_do(seen) == nothing


def test_what_is_left_out_is_never_confirmed(cluster, run, tmp_path) -> None:
    skip = [word for name in SKIPPED for word in ("--skip", name)]
    plan = str(tmp_path / "plan.json")
    assert run("plan", "--all", *skip, "-o", plan).returncode == 0
    applied = run("apply", "--yes", plan)
    again = run(*ALL, *skip)
    checked = run("check", "--all", *skip)
    planned = run("plan", "--all", *skip)
    for answer in (applied, again, checked, planned):
        assert answer.returncode == 0, answer.stderr
    assert f"so not confirmed: {LEFT}" in " ".join(applied.stdout.split())
    assert applied.stderr.count("  confirmed\n") == len(NAMES) - len(SKIPPED)
    assert f"Not looked at: {LEFT}" in " ".join(again.stdout.split())
    assert again.stderr.count("  already right\n") == len(NAMES) - len(SKIPPED)
    assert checked.stdout.splitlines()[-1].endswith("Not looked at: workload, api. Exit code 0.")
    assert f"left out: {LEFT}" in " ".join(planned.stdout.split())
