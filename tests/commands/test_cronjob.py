"""The CronJob that `cronjob` prints: by the rules of Kubernetes, with rights that suffice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import forked
import pytest
import yaml
from as_pod import in_a_pod
from practice_cluster import practice

from wizard.cli import main
from wizard.practice.cluster import PracticeCluster

LEFT_OUT = ("--skip-finding", "LSA207=no Secrets")
Documents = dict[str, dict[str, Any]]


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> Documents:
    assert main(("cronjob", *options)) == 0
    found = list(yaml.safe_load_all(capsys.readouterr().out))
    assert len({it["kind"] for it in found}) == len(found)
    return {it["kind"]: it for it in found}


def container(documents: Documents) -> dict[str, Any]:
    job = documents["CronJob"]["spec"]["jobTemplate"]["spec"]
    (only,) = job["template"]["spec"]["containers"]
    return dict(only)


def test_what_is_printed_belongs_together(capsys) -> None:
    found = printed(capsys, "-n", "ls", "--name", "audit")
    assert list(found) == ["ServiceAccount", "CronJob", "Role", "RoleBinding", "PrometheusRule"]
    assert {(it["metadata"]["name"], it["metadata"]["namespace"]) for it in found.values()} == {
        ("audit", "ls")
    }
    (subject,) = found["RoleBinding"]["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "audit", "namespace": "ls"}
    pod = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "audit"
    mounted = {it["name"] for it in container(found)["volumeMounts"]}
    assert mounted == {it["name"] for it in pod["volumes"]}


def test_it_runs_one_at_a_time_and_ends(capsys) -> None:
    spec = printed(capsys)["CronJob"]["spec"]
    job = spec["jobTemplate"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 300
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 3)
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (2, 600)
    ignored, failed = job["podFailurePolicy"]["rules"]
    assert ignored["action"] == "Ignore"
    assert ignored["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert failed["action"] == "FailJob"
    codes = failed["onExitCodes"]
    assert (codes["operator"], codes["containerName"]) == ("In", "check")
    assert {1, 2, 3} <= {*codes["values"]}
    assert 5 not in codes["values"]  # it may be known a minute later
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # the policy wants that


def test_it_is_nobody_and_writes_nowhere_but_in_its_own(capsys) -> None:
    found = printed(capsys)
    pod = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    limits = container(found)["securityContext"]
    assert limits["readOnlyRootFilesystem"] is True
    assert limits["allowPrivilegeEscalation"] is False
    assert limits["capabilities"] == {"drop": ["ALL"]}
    assert container(found)["terminationMessagePath"] == "/dev/termination-log"
    state = {it["name"]: it["value"] for it in container(found)["env"]}
    assert state["LANGSMITH_AUDIT_STATE_DIR"].startswith("/state/")


def runs(schedule: str, begin: datetime, days: int) -> list[datetime]:
    """When a schedule of numbers, `*`, ranges, lists and steps is due, minute by minute."""
    minute, hour, day, month, weekday = schedule.split()

    def due(field: str, value: int) -> bool:
        for part in field.split(","):
            rows, _, step = part.partition("/")
            low, _, high = rows.partition("-")
            within = rows == "*" or int(low) <= value <= int(high or low)
            if within and (value - (0 if rows == "*" else int(low))) % int(step or 1) == 0:
                return True
        return False

    every = (begin + timedelta(minutes=n) for n in range(days * 1440))
    return [
        it for it in every
        if due(minute, it.minute) and due(hour, it.hour) and due(day, it.day)
        and due(month, it.month) and due(weekday, it.isoweekday() % 7)
    ]  # fmt: skip


def test_the_schedule_is_every_night_and_the_alert_waits_for_longer(capsys) -> None:
    found = printed(capsys)
    spec = found["CronJob"]["spec"]
    when = runs(spec["schedule"], datetime(2026, 2, 27, tzinfo=UTC), 4)
    assert [it.strftime("%d %H:%M") for it in when] == [
        "27 05:17", "28 05:17", "01 05:17", "02 05:17"
    ]  # fmt: skip
    assert spec["timeZone"] == "Etc/UTC"
    text = json.dumps(found["PrometheusRule"])
    stale = {int(it) for it in re.findall(r"> (\d+)", text)}
    assert stale == {93_600}
    assert min(stale) > (when[1] - when[0]).total_seconds()


@pytest.mark.parametrize(
    "options",
    [
        ("--schedule", "5 4 * *"),
        ("--schedule", 'x"\ny'),
        ("--name", "UPPER"),
        ("--secret", "a b"),
        ("--stale-after", "0"),
    ],
)
def test_what_no_server_takes_is_refused(options, capsys) -> None:
    assert main(("cronjob", *options)) == 2
    assert "LSA901" in capsys.readouterr().err


def test_what_the_check_in_it_would_not_take_is_refused_here(capsys) -> None:
    for options in (("--detailed-exit",), ("--skip", "values"), ("--wait", "soon")):
        assert main(("cronjob", "-n", "ls", "--", *options)) == 2
        told = capsys.readouterr()
        assert options[-1] in told.err
        assert told.out == ""
    assert main(("cronjob", "-n", "ls", "--", "--skip", "values_file")) == 0


def test_no_text_breaks_out_of_its_place(capsys) -> None:
    image = 'evil"\n  hostNetwork: true\nx: "$name ${secret} #'
    found = printed(capsys, "--image", image, "--time-zone", "A: {b}")
    assert container(found)["image"] == image
    assert found["CronJob"]["spec"]["timeZone"] == "A: {b}"


def test_the_check_in_it_is_told_what_is_told_here(capsys) -> None:
    org = "3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"
    found = printed(
        capsys, "-n", "ls", "--release", "r", "--database", "direct", "--org", org,
        "--state-claim", "history", "--kubeconfig", "/none", "--", "--fail-on", "warn",
    )  # fmt: skip
    words = container(found)["args"]
    assert words[:5] == ["check", "-n", "ls", "--release", "r"]
    assert words[words.index("--database-url-file") + 1].endswith("/database-url")
    assert words[words.index("--org") + 1] == org
    assert words[-2:] == ["--fail-on", "warn"]
    assert "--kubeconfig" not in words
    pod = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    claims = [it["persistentVolumeClaim"] for it in pod["volumes"] if it["name"] == "state"]
    assert claims == [{"claimName": "history"}]


def test_a_login_of_its_own_needs_no_secret_of_the_release(capsys) -> None:
    tier = ("--without", "secrets", "--with", "database")
    told = [
        json.dumps(printed(capsys, *tier, *more)["Role"]) for more in ((), ("--database", "direct"))
    ]
    assert ["langsmith-postgres" in it for it in told] == [True, False]
    assert '"secrets"' not in told[1]


def test_without_the_database_the_check_leaves_out_what_reads_it(capsys) -> None:
    found = printed(capsys, "--without", "database", "--url", "https://ls.example")
    words = " ".join(container(found)["args"])
    assert "--skip=organizations --skip=audit_table" in words
    assert "--url https://ls.example" in words


def test_it_is_said_that_without_secrets_each_check_is_unknown(capsys) -> None:
    told = []
    for more in ((), ("--without", "secrets"), ("--without", "secrets", "--", *LEFT_OUT)):
        assert main(("cronjob", "--url", "https://ls.example", *more)) == 0
        told.append("ends as unknown" in capsys.readouterr().out)
    assert told == [False, True, False]


def test_no_secret_is_printed(capsys, monkeypatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_never_shown")
    assert "never_shown" not in json.dumps(printed(capsys))
    assert main(("cronjob", "--alert", "file")) == 0
    rules = yaml.safe_load(capsys.readouterr().out)
    assert all(rule["alert"] and rule["expr"] for it in rules["groups"] for rule in it["rules"])
    assert main(("cronjob",)) == 0
    assert "without it: --alert file" in capsys.readouterr().out
    assert "PrometheusRule" not in printed(capsys, "--alert", "none")


# On the practice cluster


@pytest.fixture(scope="module")
def done(helm3: Path) -> Iterator[PracticeCluster]:
    with practice(helm3) as cluster:
        assert forked.call(("run", "--yes", "--all"), cluster.environment()).returncode == 0
        yield cluster


def test_the_api_server_takes_it_and_what_it_runs_ends_well(
    done: PracticeCluster, tmp_path: Path, monkeypatch, capfd
) -> None:
    here = done.environment()
    key, log = tmp_path / "api-key", tmp_path / "termination-log"
    key.write_text(here["LANGSMITH_API_KEY"])
    log.touch()
    call = in_a_pod(done, tmp_path, monkeypatch, capfd)
    code, text, err = call("cronjob", "-n", done.namespace, "--release", done.release)
    assert (code, err) == (0, "")
    found = list(yaml.safe_load_all(text))
    for document in found[:4]:
        assert done.kubernetes.apply(document)["metadata"]["uid"]
    only = [it for it in found if "rules" in it]
    done.kubernetes.faults.grant_only(only)
    words = container({it["kind"]: it for it in found})["args"]
    words[words.index("--api-key-file") + 1] = str(key)
    words[words.index("--verdict-file") + 1] = str(log)
    code, out, err = call(*words)
    assert (code, err) == (0, ""), out
    assert log.read_text().startswith(("All ", "Fine."))
    done.kubernetes.faults.forbid("list", "pods")
    code, out, err = call(*words)
    assert code == 5
    assert "LSA207" in log.read_text()
