"""Each way to the database with nothing but a kubeconfig; also on any cluster, with --live."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from wizard.practice.cluster import PracticeCluster

pytestmark = pytest.mark.live

WAYS = [
    "direct",
    # On the practice cluster, test_ways_in.py goes these ways through the whole procedure.
    *(pytest.param(way, marks=pytest.mark.live_only) for way in ("auto", "exec", "pod")),
]
SKIP = "values_file,helm_upgrade,backend_restart,audit_api"
"""What has nothing to do with the database, and takes a real cluster a minute."""


def configs(cluster: Any) -> dict[str, Any]:
    """What the organizations' configs hold, by id."""
    if not isinstance(cluster, PracticeCluster):
        return {id: json.loads(text or "null") for id, text in cluster.stored().items()}
    with cluster.connect() as connection:
        rows = connection.execute("SELECT id::text, config FROM organizations").fetchall()
        return dict(rows)


def credentials(cluster: Any) -> dict[str, str]:
    """The bundled PostgreSQL's own login."""
    secret = cluster.kubernetes.get("Secret", cluster.namespace, "langsmith-postgres")
    names = {"PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "db"}
    data = {name: secret["data"][f"postgres_{key}"] for name, key in names.items()}
    return {name: base64.b64decode(text).decode() for name, text in data.items()}


@contextlib.contextmanager
def forwarded(cluster: Any) -> Iterator[dict[str, str]]:
    """The variables of a libpq that comes through `kubectl port-forward`."""
    argv = ["kubectl", "port-forward", "service/langsmith-postgres", ":5432"]
    with subprocess.Popen(
        [*argv, "--namespace", cluster.namespace],
        env=cluster.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as kubectl:
        try:
            assert kubectl.stdout is not None
            said = re.search(r"127\.0\.0\.1:(\d+)", kubectl.stdout.readline())
            assert said
            yield {"PGHOST": "127.0.0.1", "PGPORT": said[1], **credentials(cluster)}
        finally:
            kubectl.terminate()


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_listed_changed_and_put_back(cluster: Any, run: Any, way: str) -> None:
    before = configs(cluster)
    env = {"LANGSMITH_AUDIT_DATABASE": way, "LANGSMITH_AUDIT_SKIP": SKIP}
    with forwarded(cluster) if way == "direct" else contextlib.nullcontext({}) as more:
        env |= more
        listed = run("orgs", "--format", "ndjson", env=env)
        done = run("run", "--yes", "--all", env=env)
        after = configs(cluster)
        undone = run("undo", "--yes", env=env)
    walks = (listed, done, undone)
    assert [one.returncode for one in walks] == [0, 0, 0], [one.stderr for one in walks]
    assert {json.loads(line)["id"] for line in listed.stdout.splitlines()} == set(before)
    changed = {id for id in before if after[id] != before[id]}
    assert changed
    assert all(after[id]["can_use_audit_logs"] is True for id in changed)
    assert configs(cluster) == before
    assert credentials(cluster)["PGPASSWORD"] not in "".join(
        one.stdout + one.stderr for one in walks
    )
    pods = cluster.kubernetes.list("Pod", cluster.namespace)
    ours = [pod for pod in pods if pod["metadata"]["name"].startswith("langsmith-audit-")]
    assert [pod for pod in ours if "deletionTimestamp" not in pod["metadata"]] == []
