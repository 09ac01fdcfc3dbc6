"""No secret of the cluster is in anything that runs leave behind, or on a command line."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from leftovers import CommandLines, secrets_of, told_secrets

ALL = ("run", "--yes", "--all")


def texts(folder: Path) -> dict[str, str]:
    """Every file in the folder, but for the copies of the values file."""
    return {
        str(path): path.read_bytes().decode("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-values.yaml")
    }


@pytest.mark.parametrize("way", ["port-forward", "exec"])
def test_nothing_left_behind_holds_a_secret(cluster, run, tmp_path, way) -> None:
    secrets = secrets_of(cluster)
    assert len(secrets) >= 8
    plan = tmp_path / "plan.json"
    env = {"LANGSMITH_AUDIT_DATABASE": way}
    with CommandLines() as lines:
        answers = [
            run("plan", "--all", "-o", str(plan), env=env),
            run(*ALL, env=env),
            run("undo", "--yes", env=env),
            run("runs", "--format", "json", env=env),
        ]
    assert [it.returncode for it in answers] == [0, 0, 0, 0], [it.stderr for it in answers]
    state = cluster.home / "state"
    found = {**texts(state), str(plan): plan.read_text()}
    logs = [text for name, text in found.items() if name.endswith("debug.log")]
    assert len(logs) == 2
    sql = "sql organizations" if way == "port-forward" else "sql (psql) organizations"
    for what in ("helm upgrade langsmith", "kubernetes GET /api", "exit 0", sql, "http GET"):
        assert what in logs[0] + logs[1]
    assert any("helm upgrade langsmith" in line for line in lines.seen) or not lines.seen
    for name, text in found.items():
        assert told_secrets(secrets, [text]) == set(), name
    told = [text for it in answers for text in (it.stdout, it.stderr)]
    assert told_secrets(secrets, [*told, *lines.seen]) == set()
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (state / "runs").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
