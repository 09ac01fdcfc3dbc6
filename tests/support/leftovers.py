"""What a run leaves on a practice cluster, to be compared; and the secrets it must not tell."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import forked
import psycopg
import yaml

from wizard.practice.cluster import PracticeCluster
from wizard.practice.kubernetes.routes import Request

LIMIT = 60.0
CONNECTS = ("exec", "attach", "portforward")
REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
READING = ("get", "list", "watch")
OURS = "langsmith-audit"


@dataclass(frozen=True)
class Trace:
    """Everything that a change would show in."""

    revisions: frozenset[str]
    backend: str
    rows: dict[str, tuple[Any, str]]
    values: bytes
    written: int
    state: frozenset[str]


def trace(cluster: PracticeCluster) -> Trace:
    """The cluster, its database, its values file and the journal as they are now.

    What checks remember of each other (`checks`) is no trace of a change.
    """
    state = cluster.home / "state"
    kept = (it for it in state.rglob("*") if not {"locks", "checks"} & {*it.parts})
    found = cluster.values.stat() if cluster.values.is_file() else None
    return Trace(
        revisions=revisions(cluster),
        backend=backend(cluster)["metadata"]["resourceVersion"],
        rows=rows(cluster),
        values=cluster.values.read_bytes() if found else b"",
        written=found.st_mtime_ns if found else 0,
        state=frozenset(map(str, kept)),
    )


def revisions(cluster: PracticeCluster) -> frozenset[str]:
    """The release's revisions with their states, as helm keeps them."""
    secrets = cluster.kubernetes.list("Secret", cluster.namespace, {"owner": "helm"})
    labels = [secret["metadata"]["labels"] for secret in secrets]
    return frozenset(f"{one['name']} {one['version']} {one['status']}" for one in labels)


def backend(cluster: PracticeCluster) -> dict[str, Any]:
    """The backend's Deployment."""
    found = cluster.kubernetes.get("Deployment", cluster.namespace, "langsmith-backend")
    assert found
    return found


def backend_env(cluster: PracticeCluster) -> dict[str, str]:
    """The plain variables of the live backend."""
    (container,) = backend(cluster)["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def backend_pods(cluster: PracticeCluster) -> set[str]:
    """Uids of the backend's pods that are not leaving."""
    wanted = {"app.kubernetes.io/component": "langsmith-backend"}
    return {
        pod["metadata"]["uid"]
        for pod in cluster.kubernetes.list("Pod", cluster.namespace, wanted)
        if pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
        and "deletionTimestamp" not in pod["metadata"]
    }


def rows(cluster: PracticeCluster) -> dict[str, tuple[Any, str]]:
    """Each seeded organization's config and the transaction that wrote its row."""
    names = {id: name for name, id in cluster.organizations.items()}
    if not cluster.postgres.running:
        return {}
    with cluster.connect() as connection:
        if connection.execute("SELECT to_regclass('organizations')").fetchone() == (None,):
            return {}
        found = connection.execute("SELECT id, config, xmin::text FROM organizations")
        return {names[id]: (config, xmin) for id, config, xmin in found if id in names}


def is_write(request: Request) -> bool:
    """Whether a request could change something: exec, port-forwards and reviews cannot."""
    asks = request.resource in REVIEWS or request.subresource in CONNECTS
    return request.verb not in READING and not asks and not request.dry_run


def writes(cluster: PracticeCluster) -> list[Request]:
    """The write requests that the API server took since the test began."""
    return [request for request in cluster.kubernetes.requests if is_write(request)]


def secrets_of(cluster: PracticeCluster) -> dict[str, str]:
    """Every secret of the practice cluster, by name."""
    text = cluster.values.read_text() if cluster.values.is_file() else ""
    return {**_in_values(cluster, text), **_keys(cluster)}


def _keys(cluster: PracticeCluster) -> dict[str, str]:
    return {
        "admin key": cluster.keys.admin,
        "viewer key": cluster.keys.viewer,
        "service key": cluster.keys.service,
        "database password": cluster.postgres.password,
    }


def _in_values(cluster: PracticeCluster, text: str) -> dict[str, str]:
    secret = cluster.kubernetes.get("Secret", cluster.namespace, "langsmith-secrets") or {}
    data = secret.get("data", {})
    found = {name: base64.b64decode(value).decode() for name, value in data.items()}
    try:
        config = (yaml.safe_load(text) or {}).get("config") or {}
    except (yaml.YAMLError, AttributeError):
        config = {}
    told = {name: config[name] for name in ("langsmithLicenseKey", "apiKeySalt") if name in config}
    login = config.get("basicAuth") or {}
    told |= {
        name: login[name] for name in ("initialOrgAdminPassword", "jwtSecret") if name in login
    }
    return {name: value for name, value in {**found, **told}.items() if len(value) >= 12}


def told_secrets(secrets: dict[str, str], texts: Iterable[str]) -> set[str]:
    """The names of the secrets that any of the texts holds, plain or base64."""
    whole = "\n".join(texts)
    return {
        name
        for name, value in secrets.items()
        if value in whole or base64.b64encode(value.encode()).decode() in whole
    }


def kept_texts(cluster: PracticeCluster) -> list[str]:
    """The files of the state folder, without the copies of the values file."""
    files = (cluster.home / "state").rglob("*")
    return [
        path.read_text(errors="replace")
        for path in files
        if path.is_file() and not path.name.endswith("-values.yaml")
    ]


def entries(cluster: PracticeCluster) -> list[dict[str, Any]]:
    """All lines of all journals, the oldest first; a torn line is left out."""
    found = []
    for path in sorted((cluster.home / "state" / "runs").glob("*/journal.ndjson")):
        lines = path.read_text().split("\n")
        found += [json.loads(line) for line in lines if line.endswith("}")]
    return found


def wait_for(condition: Callable[[], object], limit: float = LIMIT) -> None:
    """Wait for what no event tells: a line in a file, a lock in the database."""
    ends = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def restarted(cluster: PracticeCluster, labels: Mapping[str, str], *, once: bool = False) -> None:
    """What a kubelet tells when it has tried the containers that crash again; `once` a pod."""
    for pod in cluster.kubernetes.list("Pod", "langsmith", labels):
        for one in pod["status"].get("containerStatuses") or ():
            if "waiting" in one["state"] and not (once and one["restartCount"] > 1):
                one["restartCount"] += 1
                cluster.kubernetes.apply(pod)


@dataclass
class CommandLines:
    """The command lines of this process's descendants while the block runs (Linux)."""

    seen: set[str] = field(default_factory=set)

    def __enter__(self) -> CommandLines:
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        if sys.platform == "linux":
            self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._watch.is_alive():
            self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for pid in _descendants(os.getpid()):
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                self.seen.add(words.replace(b"\0", b" ").decode("utf-8", "replace"))


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def refused(
    cluster: PracticeCluster,
    answer: subprocess.CompletedProcess[str],
    exit: int,
    id: str,
    *words: str,
) -> None:
    """That a walk ended as documented: code, finding, words, a next step, no secret, no traceback.

    Each word is a regular expression.
    """
    told = answer.stdout + answer.stderr
    assert answer.returncode == exit, told
    assert id in told, told
    for word in words:
        assert re.search(word, told), (word, told)
    assert re.search(r"next: +\S|→ \S|\"next_step\": \"\S", told), told
    assert "Traceback" not in told
    assert told_secrets(secrets_of(cluster), [told, *kept_texts(cluster)]) == set()


NOTHING = r"changed: +nothing|Nothing was changed"
"""How a run says that it left everything as it was."""


class Staged:
    """A cluster on which something is wrong, and what must still be as it was afterwards."""

    def __init__(self, cluster: PracticeCluster) -> None:
        self.cluster = cluster
        self._before = trace(cluster)
        cluster.kubernetes.requests.clear()

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`langsmith-audit …` on the cluster, without a terminal."""
        return started(self.cluster, arguments, env)

    def refuses(
        self, exit: int, id: str, *words: str, options: Iterable[str] = (), **env: str
    ) -> None:
        """That `run --yes --all` stops as documented, and says and does nothing."""
        answer = self.run("run", "--yes", "--all", *options, **env)
        refused(self.cluster, answer, exit, id, *words, NOTHING)
        self.unchanged()

    def unchanged(self) -> None:
        """That no trace of a change is there."""
        after = trace(self.cluster)
        assert after == replace(self._before, state=after.state)
        # The run's own Lease is there while it runs, and gone afterwards.
        assert [one for one in writes(self.cluster) if one.resource != "leases"] == []
        assert self.cluster.kubernetes.list("Lease", self.cluster.namespace) == []
        assert [one for one in entries(self.cluster) if one["event"] == "done"] == []


def started(
    cluster: PracticeCluster,
    arguments: Iterable[str],
    env: dict[str, str] | None = None,
    before: Iterable[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `langsmith-audit` with these arguments, and wait for its end."""
    if not before:
        return forked.call(tuple(arguments), cluster.environment() | (env or {}))
    return subprocess.run(
        [*before, sys.executable, "-m", "wizard", *arguments],
        env=cluster.environment() | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def in_background(cluster: PracticeCluster, *arguments: str, **env: str) -> forked.Fork:
    """Start `langsmith-audit` and go on; whoever starts it ends it."""
    return forked.in_background(arguments, cluster.environment() | env)


@contextlib.contextmanager
def row_locked(cluster: PracticeCluster, name: str) -> Iterator[None]:
    """Another session's lock on an organization's row, for the time of the block."""
    with psycopg.connect(cluster.postgres.dsn("postgres")) as connection:
        id = cluster.organizations[name]
        query = "SELECT FROM organizations WHERE id = %s FOR NO KEY UPDATE"
        connection.execute(query, (id,))  # as another UPDATE would; new audit logs still go in
        yield
        connection.rollback()


def waiting_for_a_lock(cluster: PracticeCluster) -> bool:
    """Whether the tool waits for a lock in the database."""
    with cluster.connect() as connection:
        found = connection.execute(
            "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'",
            (OURS,),
        )
        return found.rowcount > 0
