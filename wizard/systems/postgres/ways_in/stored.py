"""The URL that LangSmith itself logs in with, and the login that it makes.

The credentials come from the Secret and key that the live backend names (`POSTGRES_DATABASE_URI`),
never from a guess; so do the certificates that the release has for its database.

The chart encodes nothing; LangChain's page on external PostgreSQL has people encode what is special
in a password, and the backend decodes it. So without a scheme, as it mostly is, there may be two
readings. Source: chart values `postgres.external.connectionUrl` and the Secret
`<fullname>-postgres`.

Where the URL names a Service of the cluster, it is a port-forward: through the Kubernetes API to
the port of a pod behind it, into a local socket that only this process uses.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from wizard.files import PRIVATE, write_private
from wizard.problems import Exit, Problem
from wizard.record import dataclass, field, replace
from wizard.systems.postgres.model import Login

if TYPE_CHECKING:
    from wizard.systems.kubernetes.cluster import Cluster
    from wizard.systems.postgres.model import Login
    from wizard.systems.release.installation import Installation, SecretKeys


def stored_url(cluster: Cluster, installation: Installation) -> StoredUrl:
    """The parts of the stored URL.

    Raises:
        Problem: the Secret or its key is not there, or the URL is of no use here.
    """
    from wizard.systems.kubernetes.cluster import SECRETS

    reference, where = installation.database, installation.namespace
    secret = cluster.get(SECRETS, reference.secret, where)
    encoded = ((secret or {}).get("data") or {}).get(reference.key)
    if not encoded:
        raise Problem(
            "LSA580",
            f"Secret {reference.secret} has no key {reference.key}"
            if secret
            else f"There is no Secret {reference.secret}",
            on=f"Secret {reference.secret} in namespace {where}",
            next_step="log in another way: --database direct with PGHOST and the like",
            exit=Exit.FAILED,
        )
    return parse_stored_url(base64.b64decode(encoded).decode("utf-8", "replace"))


def login_of(
    stored: StoredUrl,
    installation: Installation,
    *,
    via: str,
    why: str = "",
    host: str = "",
    port: int = 0,
    certificates: Mapping[str, str] | None = None,
    forwarded: bool = False,
) -> Login:
    """The login as the stored URL says, or through another host and port, in both its readings.

    Certificates from the release stand for the paths of the URL, which are paths in its pods.
    """
    told = certificates or {}
    options = {"sslmode": told.get("sslmode", ""), **libpq_options(stored.parameters)}
    options |= {name: file for name, file in told.items() if name != "sslmode"}
    options = {name: value for name, value in options.items() if value}
    if host:  # what the URL says of TLS and addresses is for the way from inside the cluster
        inside = ("ssl", "hostaddr", "target_session_attrs")
        options = {name: v for name, v in options.items() if not name.startswith(inside)}
        options["sslmode"] = "prefer"
    login = Login(
        host=host or stored.host,
        port=port or stored.port,
        user=stored.user,
        password=stored.password,
        dbname=stored.dbname,
        options=options,
        schema=installation.database.schema,
        via=via,
        why=why,
        forwarded=forwarded,
        reading=stored.reading,
    )
    other = stored.otherwise
    if other is None:
        return login
    literal = replace(
        login,
        user=other.user,
        password=other.password,
        dbname=other.dbname,
        reading=other.reading,
    )
    return replace(login, otherwise=literal)


_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)
_PLACE = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:/(?P<dbname>[^/?#@]*))?"
    r"(?:\?(?P<query>(?:[A-Za-z_]+=[^&]*(?:&|$))*))?"
)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
DECODED, LITERAL = "URL-decoded", "as it is stored"
_LIBPQ = re.compile(
    r"channel_binding|gssencmode|hostaddr|krbsrvname|passfile|require_auth|ssl[a-z]+"
    r"|ssl_m(?:ax|in)_protocol_version|target_session_attrs"
)
_ON = "Secret with LangSmith's PostgreSQL URL"


@dataclass(frozen=True)
class StoredUrl:
    """The parts of a stored connection URL.

    Attributes:
        before, after: the text around the password, as it is stored.
        reading: how user and password are read, `DECODED` or `LITERAL`.
        otherwise: the other reading, where there are two.
    """

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    dbname: str
    parameters: Mapping[str, str] = field(repr=False)
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)
    reading: str = LITERAL
    otherwise: StoredUrl | None = field(default=None, repr=False)


def parse_stored_url(text: str) -> StoredUrl:
    """Take a stored URL apart; user and password are decoded where there is something to decode.

    That is how the backend reads them. Without a scheme they may also be meant literally
    (`otherwise`): `ls:p%40ss@…` is `p@ss`, or rarely that text itself.

    The host is what follows the last `@` after which only host, port, database and parameters
    come, so that a password may hold `@ / ? # % :`. The text itself is never in a message.

    Raises:
        Problem: LSA520 when it is not understood, LSA521 when it has no password.
    """
    text = text.strip()
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    login, place = _split(rest)
    user, _, password = login.partition(":")
    if not user:
        raise _not_understood()
    if not password:
        raise _no_password()
    before, after = (
        text[: len(text) - len(rest)] + login.partition(":")[0] + ":",
        rest[len(login) :],
    )
    port = int(place["port"] or 5432)
    if not 0 < port < 65536:
        raise _not_understood()
    literal = StoredUrl(
        user=user,
        password=password,
        host=(place["host"] or "").strip("[]"),
        port=port,
        dbname=place["dbname"] or user,
        parameters=dict(parse_qsl(place["query"] or "", keep_blank_values=True)),
        before=before,
        after=after,
    )
    if not scheme and not _ESCAPE.search(login):
        return literal
    return replace(
        literal,
        user=unquote(user),
        password=unquote(password),
        dbname=place["dbname"] or unquote(user),
        reading=DECODED,
        otherwise=None if scheme else literal,
    )


def libpq_options(parameters: Mapping[str, str]) -> dict[str, str]:
    """The URL parameters that libpq knows, `ssl=…` of other drivers as `sslmode`.

    Startup options are left out (poolers refuse them), and so are limits: those are our own.
    """
    options = {name: value for name, value in parameters.items() if _LIBPQ.fullmatch(name)}
    ssl = parameters.get("ssl", "").lower()
    if ssl and "sslmode" not in options:
        options["sslmode"] = {"true": "require", "false": "disable"}.get(ssl, ssl)
    return options


def _split(text: str) -> tuple[str, Mapping[str, str | None]]:
    """User and password, and the parts of the place; a place with a database is preferred."""
    bare: tuple[str, Mapping[str, str | None]] | None = None
    at = text.rfind("@")
    while at >= 0:
        place = _PLACE.fullmatch(text, at + 1)
        if place and place["dbname"]:
            return text[:at], place.groupdict()
        if place and bare is None:
            bare = text[:at], place.groupdict()
        at = text.rfind("@", 0, at)
    if bare is None:
        raise _not_understood()
    return bare


def _not_understood() -> Problem:
    return Problem(
        "LSA520",
        "the stored PostgreSQL URL is not understood",
        on=_ON,
        next_step="check that it reads user:password@host:5432/database; "
        "or log in another way with --database direct",
        exit=Exit.FAILED,
    )


def _no_password() -> Problem:
    return Problem(
        "LSA521",
        "the stored PostgreSQL URL has no password: LangSmith logs in with a cloud identity (IAM)",
        on=_ON,
        next_step="log in as a database role of your own with --database direct",
    )


@dataclass(frozen=True)
class Place:
    """A Service, and the port of a ready pod behind it."""

    service: str
    pod: str
    namespace: str
    port: int


def behind(cluster: Cluster, installation: Installation, stored: StoredUrl) -> Place | None:
    """The pod behind the Service that the stored host names; none when it names no Service."""
    from wizard.systems.kubernetes.cluster import PODS, SERVICES

    name, _, rest = stored.host.partition(".")
    if rest and ".svc" not in f".{rest}." and rest != installation.namespace:
        return None
    namespace = rest.split(".")[0] if rest else installation.namespace
    service = cluster.get(SERVICES, name, namespace)
    selector = ((service or {}).get("spec") or {}).get("selector")
    if not service or not selector:
        return None
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    ready = [pod for pod in cluster.list(PODS, namespace, labels=labels) if _ready(pod)]
    if not ready:
        raise Problem(
            "LSA582",
            f"No pod behind Service {name} is ready, so the database cannot be reached",
            on=f"Service {name} in namespace {namespace}",
            next_step=f"kubectl get pods -n {namespace} -l {labels}",
        )
    pod = ready[0]
    port = _pod_port(service, stored, pod)
    return Place(name, pod["metadata"]["name"], namespace, port)


def _ready(pod: Mapping[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False  # it stays listed, and ready, until its grace is over
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(it["type"] == "Ready" and it["status"] == "True" for it in conditions)


def _pod_port(service: Mapping[str, Any], stored: StoredUrl, pod: Mapping[str, Any]) -> int:
    ports = service["spec"].get("ports") or ()
    entry: Mapping[str, Any] = next((it for it in ports if it["port"] == stored.port), {})
    wanted = entry.get("targetPort", stored.port)
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == wanted:
                return int(port["containerPort"])
    return stored.port


@contextlib.contextmanager
def forwarded(
    cluster: Cluster, installation: Installation, stored: StoredUrl, place: Place
) -> Iterator[Login]:
    """The login through a port-forward that is open for the time of the block."""
    external = installation.database.external  # it may want TLS, which no Unix socket has
    with (
        cluster.forward(place.pod, place.namespace, place.port, tcp=external) as local,
        certificates(cluster, installation) as files,
    ):
        via = f"port-forward to pod {place.pod}"
        why = f"the stored URL names Service {place.service}"
        way = partial(login_of, stored, installation, via=via, why=why, forwarded=True)
        try:
            if external:
                yield way(port=local.port, certificates={**files, "hostaddr": local.host})
            else:
                yield way(host=str(local.directory), port=5432)
        except Problem:
            if local.problem:  # libpq only sees that its socket was closed
                raise local.problem from None
            raise


@contextlib.contextmanager
def certificates(cluster: Cluster, installation: Installation) -> Iterator[dict[str, str]]:
    """libpq's options for them, in private files that are gone after the block.

    On Linux they lie in memory alone. The server's certificate is then verified with its name,
    unless the stored URL says otherwise.

    Raises:
        Problem: LSA586, a Secret that the release names, or a key in it, is not there.
    """
    reference, namespace = installation.database, installation.namespace
    options: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        if reference.authority:
            data = _secret_data(cluster, namespace, reference.authority)
            options |= {"sslrootcert": _file(stack, data[0]), "sslmode": "verify-full"}
        if reference.client:
            certificate, key = _secret_data(cluster, namespace, reference.client)
            options |= {"sslcert": _file(stack, certificate), "sslkey": _file(stack, key)}
        yield options


def _secret_data(cluster: Cluster, namespace: str, keys: SecretKeys) -> list[bytes]:
    from wizard.systems.kubernetes.cluster import SECRETS

    data = (cluster.get(SECRETS, keys.secret, namespace) or {}).get("data") or {}
    for key in keys.keys:
        if not data.get(key):
            raise Problem(
                "LSA586",
                f"Secret {keys.secret} has no key {key} with the certificate for the database",
                on=f"Secret {keys.secret} in namespace {namespace}",
                next_step="log in another way: --database direct with PGHOST, PGSSLROOTCERT, "
                "PGSSLCERT and the like",
                exit=Exit.FAILED,
            )
    return [base64.b64decode(data[key]) for key in keys.keys]


PREFIX = "langsmith-audit-"


def _file(stack: contextlib.ExitStack, data: bytes) -> str:
    """The path of a private file with these bytes, until the stack ends; libpq wants a file."""
    if sys.platform == "linux":
        handle = os.memfd_create(PREFIX)
        stack.callback(os.close, handle)
        os.fchmod(handle, PRIVATE)
        os.write(handle, data)
        return f"/proc/{os.getpid()}/fd/{handle}"  # not self: the driver may be a child
    sweep()
    folder = tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")
    path = Path(stack.enter_context(folder), "pem")
    write_private(path, data)
    return str(path)


def sweep() -> None:
    """Remove the folders of such files whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        process = folder.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid() and process.isdecimal() and _gone(int(process)):
                shutil.rmtree(folder)


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
