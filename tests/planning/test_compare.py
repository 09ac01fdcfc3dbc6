"""`plan --compare`: what a new plan would do differently from the approved one."""

from __future__ import annotations

import json
from dataclasses import replace

from leftovers import secrets_of, told_secrets, trace, writes
from plans import by_step, written

from wizard.practice.scenarios.tools import patch_backend


def test_the_same_and_then_not(cluster, run, tmp_path) -> None:
    answer = run("plan", "--all", "--format", "json")
    plan = written(json.loads(answer.stdout), tmp_path / "plan.json")
    same = run("plan", "--compare", str(plan), "--format", "json")
    assert same.returncode == 0, same.stdout + same.stderr
    document = json.loads(same.stdout)
    assert (document["same"], document["differences"]) == (True, [])

    with cluster.connect() as connection:
        connection.execute(
            "INSERT INTO organizations (id, display_name, is_personal, config)"
            " VALUES (gen_random_uuid(), 'new', false, '{}')"
        )
    cluster.values.write_text(cluster.values.read_text() + "# more\n")
    note = {"metadata": {"annotations": {"team": "audit"}}}
    patch_backend(cluster, {"spec": {"template": note}})
    before = trace(cluster)
    cluster.kubernetes.requests.clear()
    file = tmp_path / "new.json"
    other = run("plan", "--compare", str(plan), "--upgrade-limit", "900", "-o", str(file))
    assert other.returncode == 6, other.stderr
    for words in (
        "expected rows\n      approved: 3\n           now: 4",
        f"content of {cluster.values}",
        "changed by: written at 20",
        "--timeout 900s",
        "answer upgrade_limit",
        "pod template of Deployment langsmith-backend: metadata.annotations.team\n"
        '      approved: none\n           now: "audit"',
        f"things differ from plan {json.loads(plan.read_text())['id'][:12]}",
    ):
        assert words in other.stdout, other.stdout
    assert len(by_step(json.loads(file.read_text()))["organizations"]["details"]) == 4
    assert told_secrets(secrets_of(cluster), [other.stdout, other.stderr, same.stdout]) == set()
    after = trace(cluster)
    assert after == replace(before, backend=after.backend)  # its pods come up meanwhile
    assert writes(cluster) == []

    refused = run("plan", "--compare", str(plan), "--format", "html")
    assert (refused.returncode, "a comparison is text or json" in refused.stderr) == (2, True)
