"""psql in a pod: the bundled PostgreSQL's, or one of our own.

In the bundled PostgreSQL pod it has the pod's own user, database and client. Source: Enabling Audit
Logs in Self-Hosted LangSmith, Verification (kubectl exec … -- psql).

A pod of our own is for a database that only the cluster can reach. It runs the chart's own
PostgreSQL image, has its password from the Secret that the backend names, and is removed when the
block ends. Should this process be killed, the pod ends at its deadline, and the next one removes
what is left of it. Between two looks it stays, as does which reading of a password was accepted.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wizard.problems import Exit, Problem
from wizard.record import replace
from wizard.systems.calls import poll
from wizard.systems.postgres.model import Login
from wizard.systems.redact import redact

if TYPE_CHECKING:
    from wizard.systems.kubernetes.cluster import Cluster
    from wizard.systems.kubernetes.exec import PodCommand
    from wizard.systems.postgres.model import Login
    from wizard.systems.postgres.ways_in.stored import StoredUrl
    from wizard.systems.release.installation import Installation, PostgresImage


CONTAINER = "psql"
LABEL = "app.kubernetes.io/managed-by"
OURS = "langsmith-audit"
DEADLINE = 1800
"""Seconds after which the cluster itself ends the pod."""
START_LIMIT = 120.0
"""Seconds within which the image must be there and the pod ready."""
CERTIFICATES = "/certificates"
_USER = 65534


PSQL = "exec psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=verbose"
"""No file of settings, no question, no decoration; it ends at the first refused statement."""

SETTINGS = """unset PGOPTIONS PGSERVICE
export PGAPPNAME=langsmith-audit PGCLIENTENCODING=UTF8 LC_MESSAGES=C
"""


SHELL = (
    SETTINGS
    + r"""decode() {
  rest=$1; done=
  while [ -n "$rest" ]; do
    case $rest in
      %[0-9A-Fa-f][0-9A-Fa-f]*)
        tail=${rest#???}; code=${rest%"$tail"}
        done=$done$(printf "\\$(printf %03o "0x${code#%}")"); rest=$tail ;;
      *) tail=${rest#?}; done=$done${rest%"$tail"}; rest=$tail ;;
    esac
  done
  printf %s "$done"
}
login=${URL#"$BEFORE"}
PGPASSWORD=${login%"$AFTER"}
if [ "$1" = "URL-decoded" ]; then PGPASSWORD=$(decode "$PGPASSWORD"); else PGUSER=$PLAINUSER; fi
export PGPASSWORD PGUSER
unset URL
"""
    + PSQL
)
"""What runs in the pod: the password is cut out of the stored URL there, and read as `$1` says."""


@contextlib.contextmanager
def pod_login(
    cluster: Cluster, installation: Installation, stored: StoredUrl, patience: float
) -> Iterator[tuple[str, Login]]:
    """The name of a pod that is there for the time of the block, and the login of a psql in it.

    `patience` is for a pod that no node takes, in seconds.

    Raises:
        Problem: LSA584, the chart names no image; LSA585, the pod does not become ready; or it
            may not be created.
    """
    from wizard.systems.kubernetes.cluster import PODS

    image, namespace = installation.image, installation.namespace
    if image is None:
        raise _no_image(namespace)
    _must(cluster, namespace)
    _remove_leftovers(cluster, namespace)
    name = f"langsmith-audit-{secrets.token_hex(4)}"
    with _removed(cluster, name, namespace):
        cluster.create(PODS, namespace, manifest(name, image, installation, stored))
        _await_ready(cluster, name, namespace, patience)

        def psql(reading: str) -> PodCommand:
            return cluster.command(name, namespace, CONTAINER, ["sh", "-c", SHELL, "sh", reading])

        first, other = stored.reading, stored.otherwise
        way = Login(
            schema=installation.database.schema,
            via=f"psql in a pod of its own, {name}",
            why="as --database asks",
            psql=lambda: psql(first),
            reading=first,
        )
        if other:
            plain = replace(way, reading=other.reading, psql=lambda: psql(other.reading))
            way = replace(way, otherwise=plain)
        yield name, way


def still_runs(cluster: Cluster, name: str, namespace: str) -> bool:
    """Whether the pod is there, and not ended by its deadline or by somebody else."""
    from wizard.systems.kubernetes.cluster import PODS

    pod = cluster.get(PODS, name, namespace) or {}
    gone = (pod.get("metadata") or {}).get("deletionTimestamp")
    return not gone and (pod.get("status") or {}).get("phase") == "Running"


@contextlib.contextmanager
def _removed(cluster: Cluster, name: str, namespace: str) -> Iterator[None]:
    """The pod is gone after the block, however the block ends."""
    from wizard.systems.kubernetes.cluster import PODS

    try:
        yield
    except BaseException:
        with contextlib.suppress(Problem):  # what ended the block is the news
            cluster.delete(PODS, name, namespace)
        raise
    else:
        cluster.delete(PODS, name, namespace)


def _must(cluster: Cluster, namespace: str) -> None:
    """Refuse before anything is created, when it could not be used or removed again."""
    from wizard.systems.kubernetes.cluster import PODS
    from wizard.systems.kubernetes.errors import Call, Forbidden

    for verb, subresource in (("create", ""), ("delete", ""), ("create", "exec")):
        if not cluster.allowed(verb, PODS, namespace, subresource=subresource):
            resource = f"pods/{subresource}" if subresource else "pods"
            raise Forbidden(Call(verb, resource, "", "", namespace))


def manifest(
    name: str, image: PostgresImage, installation: Installation, stored: StoredUrl
) -> dict[str, Any]:
    """The pod: one container that waits until it is told to run psql."""
    volumes, mounts = _certificates(installation)
    locked = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    resources = {"cpu": "100m", "memory": "128Mi"}
    container = {
        "name": CONTAINER,
        "image": image.name,
        "command": ["sleep", str(DEADLINE)],
        "env": _environment(installation, stored),
        "resources": {"requests": resources, "limits": resources},
        "securityContext": locked,
        "volumeMounts": mounts,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {LABEL: OURS, "app.kubernetes.io/name": OURS}},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [dict(one) for one in image.pull_secrets],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": volumes,
        },
    }


def _environment(installation: Installation, stored: StoredUrl) -> list[dict[str, Any]]:
    reference = installation.database
    plain = {
        "BEFORE": stored.before,
        "AFTER": stored.after,
        "PGHOST": stored.host,
        "PGPORT": str(stored.port),
        "PGUSER": stored.user,
        "PLAINUSER": (stored.otherwise or stored).user,
        "PGDATABASE": stored.dbname,
        "PGCONNECT_TIMEOUT": "10",
        "HOME": "/nonexistent",
        **_tls(installation, stored),
    }
    source = {"secretKeyRef": {"name": reference.secret, "key": reference.key}}
    told = [{"name": name, "value": value} for name, value in plain.items()]
    return [{"name": "URL", "valueFrom": source}, *told]


def _tls(installation: Installation, stored: StoredUrl) -> dict[str, str]:
    from wizard.systems.postgres.ways_in.stored import libpq_options

    reference = installation.database
    told: dict[str, str] = {}
    if reference.authority:
        told |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": f"{CERTIFICATES}/authority/ca.crt"}
    if reference.client:
        told |= {"PGSSLCERT": f"{CERTIFICATES}/client/client.crt"}
        told |= {"PGSSLKEY": f"{CERTIFICATES}/client/client.key"}
    options = libpq_options(stored.parameters)
    if "sslmode" in options:
        told["PGSSLMODE"] = options["sslmode"]
    return told


def _certificates(installation: Installation) -> tuple[list[Any], list[Any]]:
    """The volumes with certificates, and where they are mounted."""
    reference = installation.database
    wanted = (
        ("authority", reference.authority, ("ca.crt",)),
        ("client", reference.client, ("client.crt", "client.key")),
    )
    volumes, mounts = [], []
    for name, keys, files in wanted:
        if keys is None:
            continue
        items = [
            {"key": key, "path": file, "mode": 0o640}
            for key, file in zip(keys.keys, files, strict=True)
        ]
        volumes.append({"name": name, "secret": {"secretName": keys.secret, "items": items}})
        mounts.append({"name": name, "mountPath": f"{CERTIFICATES}/{name}", "readOnly": True})
    return volumes, mounts


def _await_ready(cluster: Cluster, name: str, namespace: str, patience: float) -> None:
    """Wait for the pod; one that no node takes for `patience`, unless a node is on its way."""
    from wizard.systems.kubernetes.cluster import PODS
    from wizard.systems.kubernetes.events import events_about, node_comes

    status: dict[str, Any] = {}
    hopeless, seconds = patience, 0.0
    for seconds in poll(START_LIMIT):
        status = (cluster.get(PODS, name, namespace) or {}).get("status") or {}
        conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
        if conditions.get("Ready") == "True":
            return
        if status.get("phase") in ("Failed", "Succeeded"):
            break
        if seconds > hopeless and conditions.get("PodScheduled") == "False":
            hopeless = START_LIMIT
            if not node_comes(lambda: events_about(cluster, namespace, [name])):
                break
    raise _not_ready(name, namespace, status, seconds)


def _remove_leftovers(cluster: Cluster, namespace: str) -> None:
    """Pods of runs that were killed, once their deadline has ended them."""
    from wizard.systems.kubernetes.cluster import PODS

    for pod in cluster.list(PODS, namespace, labels=f"{LABEL}={OURS}"):
        if (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            cluster.delete(PODS, pod["metadata"]["name"], namespace)


def _no_image(namespace: str) -> Problem:
    return Problem(
        "LSA584",
        "The release names no PostgreSQL image for a pod",
        on=f"release in namespace {namespace}",
        next_step="set images.postgresImage, or log in another way: --database direct",
        exit=Exit.FAILED,
    )


def _not_ready(name: str, namespace: str, status: dict[str, Any], seconds: float) -> Problem:
    waiting = [
        f"{state.get('reason', '')} {state.get('message', '')}".strip()
        for one in status.get("containerStatuses") or ()
        if (state := (one.get("state") or {}).get("waiting"))
    ]
    told = [
        f"{one.get('reason', '')} {one.get('message', '')}".strip()
        for one in status.get("conditions") or ()
        if one.get("status") == "False" and one.get("message")
    ]
    return Problem(
        "LSA585",
        f"The pod for psql was not ready within {seconds:.0f} seconds; it was removed again",
        on=f"pod {name} in namespace {namespace}",
        next_step="see whether the cluster can pull the chart's PostgreSQL image and has room",
        detail=tuple(redact(line) for line in dict.fromkeys(waiting + told))[:5],
    )


BUNDLED_SHELL = (
    SETTINGS
    + """export PGPASSWORD="${PGPASSWORD-$POSTGRES_PASSWORD}"
export PGUSER="${POSTGRES_USER:-postgres}"
export PGDATABASE="${POSTGRES_DB:-$PGUSER}"
"""
    + PSQL
)
"""What runs in the pod. The password is the pod's own variable and never leaves the pod."""


def exec_login(cluster: Cluster, installation: Installation, *, why: str) -> Login:
    """The login of a psql in the pod; nothing is started yet.

    Raises:
        Problem: LSA583, the release has no PostgreSQL of its own.
    """
    bundled, namespace = installation.postgres, installation.namespace
    if bundled is None:
        raise Problem(
            "LSA583",
            "There is no PostgreSQL pod to run psql in: the release's database is external",
            on=f"release in namespace {namespace}",
            next_step="leave --database out: it goes where the stored URL says; or --database "
            "direct from where the database can be reached, or pod from inside the cluster",
            exit=Exit.FAILED,
        )
    return Login(
        schema=installation.database.schema,
        via=f"psql in pod {bundled.pod}",
        why=why,
        psql=lambda: cluster.command(
            bundled.pod, namespace, bundled.container, ["sh", "-c", BUNDLED_SHELL]
        ),
    )


REFUSED = "LSA524"


class Lasting:
    """What one run keeps of its way to the database; `close` removes the pod."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._way: Login | None = None
        self._pod = ""
        self._accepted: Login | None = None
        self._refused: tuple[tuple[str, ...], Problem] | None = None

    @contextlib.contextmanager
    def known(self, login: Login) -> Iterator[Login]:
        """The login with the reading of its password that was accepted before.

        So none fails at each look; and what a server has refused is not tried again.

        Raises:
            Problem: LSA524, of this same login before.
        """
        key = (login.via, login.user, login.password)
        if self._refused and self._refused[0] == key:
            raise self._refused[1]
        other, before = login.otherwise, self._accepted
        if other and before:
            same = other if before.reading == other.reading else login
            login = replace(same, why=before.why, otherwise=None)
        try:
            yield login
        except Problem as problem:
            if problem.id == REFUSED and login.reading:
                self._refused = key, problem
            raise

    def accepted(self, login: Login) -> None:
        """Note the login that was let in."""
        self._accepted = login

    def close(self) -> None:
        """Remove what is open."""
        self._way = None
        self._open.close()

    def pod(
        self, cluster: Cluster, installation: Installation, stored: StoredUrl, patience: float
    ) -> Login:
        """The login through the pod, a new one when there is none or its deadline has ended it.

        Raises:
            Problem: see `pod_login`.
        """
        if self._way is None or not still_runs(cluster, self._pod, installation.namespace):
            self.close()
            self._pod, self._way = self._open.enter_context(
                pod_login(cluster, installation, stored, patience)
            )
        return self._way
