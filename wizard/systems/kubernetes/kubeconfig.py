"""The kubeconfig as kubectl and helm read it: which contexts there are, and which one is meant.

It is resolved here, in `server` and in `credentials`, not by the kubernetes package: that one read
some fifty set-ups otherwise than helm beside it, wrote client keys to the temporary folder, and
took most of a check's imports.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wizard.files import read_file
from wizard.problems import Exit, Problem
from wizard.record import dataclass, field
from wizard.resources import yaml_loader

LARGEST = 16 * 1024 * 1024
"""Bytes of a kubeconfig; one of a thousand clusters has a third of that."""
LARGEST_PEM = 1024 * 1024
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Entry:
    """A named cluster or user, and the file that it stands in: relative paths are from there.

    Attributes:
        kind: the list of the file, `clusters` or `users`.
        body: what it says; it holds secrets.
    """

    kind: str
    name: str
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    file: Path = Path()

    def text(self, key: str) -> str:
        """A text; empty where there is none.

        Raises:
            Problem: it is a number, a list or a mapping, which helm does not take either.
        """
        value = self.body.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        raise self.unusable(key, "is no text", "put it in quotes")

    def part(self, key: str) -> Mapping[str, Any] | None:
        """A mapping; None where there is none."""
        value = self.body.get(key)
        if value is None or isinstance(value, Mapping):
            return value
        raise self.unusable(key, "is no mapping", "mend the file")

    def path(self, key: str) -> Path:
        """A path, from the folder of the entry's file where it is relative."""
        return self.file.parent / self.text(key)

    def bytes(self, key: str) -> bytes:
        """What `KEY-data` has in base64, or the file at `KEY`; nothing where both are empty.

        Raises:
            Problem: both are there, or it cannot be read.
        """
        data, path = self.text(f"{key}-data"), self.text(key)
        if data and path:
            raise self.unusable(
                key, f"stands beside {key}-data, which helm refuses", f"take {key} out"
            )
        try:
            if data:
                return base64.b64decode(data, validate=True)
            return read_file(self.path(key), LARGEST_PEM) if path else b""
        except OSError as error:
            why = f"names {self.path(key)}, which cannot be read: {error.strerror}"
            raise self.unusable(key, why, "name the right file") from None
        except ValueError:
            raise self.unusable(f"{key}-data", "is no base64", "write it anew") from None

    def unusable(self, key: str, why: str, next_step: str) -> Problem:
        """The Problem of one of its fields."""
        what = f"{self.kind}[name={self.name}].{self.kind[:-1]}" + (f".{key}" if key else "")
        return Problem(
            "LSA213",
            f"In the kubeconfig {what} {why}",
            on=str(self.file),
            next_step=f"{next_step}; then try: kubectl auth whoami",
            exit=Exit.USAGE,
        )


@dataclass(frozen=True)
class ContextInfo:
    """One context: its names, its API server, its namespace, and whether it is the current one.

    Attributes:
        server: the API server's URL as it is shown and recorded, without any secret.
        credentials: how the user logs in, in words.
    """

    name: str
    server: str
    namespace: str
    user: str
    current: bool
    credentials: str = ""
    cluster_entry: Entry = Entry("clusters", "")
    user_entry: Entry = Entry("users", "")


@dataclass(frozen=True)
class Kubeconfig:
    """The merged kubeconfig files; empty when there is none.

    Attributes:
        paths: the files that exist, as KUBECONFIG lists them.
        current: the current context; the first file that sets one decides, as for kubectl.
    """

    paths: tuple[Path, ...]
    contexts: tuple[ContextInfo, ...]
    current: str


def read_kubeconfig(path: Path | None) -> Kubeconfig:
    """The given file, else those of KUBECONFIG, else `~/.kube/config`.

    Raises:
        Problem: a file cannot be read or is not a kubeconfig, or `path` is not there.
    """
    paths = tuple(candidate for candidate in _candidates(path) if _there(candidate))
    if path is not None and not paths:
        raise no_kubeconfig(path)
    documents = [(each, _parse(each)) for each in paths]
    told = (document.get("current-context") for _, document in documents)
    current = str(next(filter(None, told), ""))
    clusters, users = _merged(documents, "clusters"), _merged(documents, "users")
    contexts = tuple(
        _context(name, entry.body, clusters, users, current)
        for name, entry in _merged(documents, "contexts").items()
    )
    return Kubeconfig(paths, contexts, current)


def _there(path: Path) -> bool:
    """Whether a file is there, or cannot be looked at for another reason, which reading tells."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def choose(config: Kubeconfig, context: str | None) -> ContextInfo:
    """The named context, else the current one.

    Raises:
        Problem: no such context, or none is named and none is current; the message names the
            contexts that there are.
    """
    there = ", ".join(info.name for info in config.contexts) or "none"
    name = context or config.current
    files = os.pathsep.join(str(path) for path in config.paths)
    if not name:
        raise Problem(
            "LSA211",
            f"The kubeconfig has no current context (contexts there: {there})",
            on=files,
            next_step="name one with --context, or: kubectl config use-context NAME",
            exit=Exit.USAGE,
        )
    for info in config.contexts:
        if info.name == name and info.server:
            return info
    known = any(info.name == name for info in config.contexts)
    raise Problem(
        "LSA203",
        f"The context {name} names a cluster without a server"
        if known
        else f"There is no context {name} (contexts there: {there})",
        on=files,
        next_step="name another with --context; kubectl config get-contexts lists them",
        exit=Exit.USAGE,
    )


def no_kubeconfig(path: Path | None) -> Problem:
    """The Problem of a kubeconfig that is not there, with the places that were looked at."""
    looked = ", ".join(str(candidate) for candidate in _candidates(path))
    how = "--kubeconfig" if path else "KUBECONFIG" if os.environ.get("KUBECONFIG") else "default"
    return Problem(
        "LSA201",
        f"There is no kubeconfig at {looked} ({how}), and this is not a pod of a cluster",
        on=looked,
        next_step="name the file with --kubeconfig or KUBECONFIG",
        exit=Exit.USAGE,
    )


def in_pod() -> bool:
    """Whether this process runs in a pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").exists()


def _candidates(path: Path | None) -> list[Path]:
    if path is not None:
        return [path.expanduser()]
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    named = [Path(part).expanduser() for part in dict.fromkeys(listed)]
    return named or [Path("~/.kube/config").expanduser()]


def _parse(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = read_file(path, LARGEST).decode()
        document = yaml.load(text, Loader=yaml_loader())  # noqa: S506 - a safe loader, the fast one
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8 text") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise _unreadable(path, f"it is not YAML{where}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unreadable(path, "it is YAML, but no kubeconfig")
    return document


def _unreadable(path: Path, why: str) -> Problem:
    return Problem(
        "LSA202",
        f"The kubeconfig cannot be read: {why}",
        on=str(path),
        next_step="mend the file or name another with --kubeconfig; try: kubectl config view",
        exit=Exit.USAGE,
    )


def _merged(documents: list[tuple[Path, dict[str, Any]]], many: str) -> dict[str, Entry]:
    """The entries of all files by name; the first file that has a name wins."""
    found: dict[str, Entry] = {}
    for path, document in documents:
        entries = document.get(many) or []
        if not isinstance(entries, list):
            raise _unreadable(path, f"{many} is no list")
        here: dict[str, Entry] = {}
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise _unreadable(path, f"an entry of {many} is no mapping")
            name, body = str(entry.get("name") or ""), entry.get(many[:-1]) or {}
            if name in here:
                raise _unreadable(path, f"{many} has two entries {name}")
            if not isinstance(body, Mapping):
                raise _unreadable(path, f"{many[:-1]} {name} is no mapping")
            here[name] = Entry(many, name, body, path.absolute())
        found = {**here, **found}
    return found


def _context(
    name: str,
    body: Mapping[str, Any],
    clusters: Mapping[str, Entry],
    users: Mapping[str, Entry],
    current: str,
) -> ContextInfo:
    cluster, user = str(body.get("cluster") or ""), str(body.get("user") or "")
    server, login = clusters.get(cluster), users.get(user) or Entry("users", user)
    somebody = f", as {login.body['as']}" if login.body.get("as") else ""
    return ContextInfo(
        name,
        shown(str((server.body.get("server") if server else "") or "")),
        str(body.get("namespace") or "default"),
        user,
        name == current,
        _kind(login.body) + somebody,
        server or Entry("clusters", cluster),
        login,
    )


def shown(server: str) -> str:
    """A server's URL without what may be secret in it: user, password, query and fragment."""
    scheme, slashes, rest = server.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
    except ValueError:
        return "a server whose URL cannot be read"
    return f"{scheme}{slashes}{parts.netloc.rpartition('@')[2]}{parts.path}"


def _kind(user: Mapping[str, Any]) -> str:
    """How the user proves who they are; never the proof itself."""
    plugin = user.get("exec")
    if isinstance(plugin, Mapping):
        return f"credential plugin {plugin.get('command', '?')}"
    provider = user.get("auth-provider")
    if isinstance(provider, Mapping):
        return f"auth provider {provider.get('name', '?')}"
    if user.get("token") or user.get("tokenFile"):
        return "token"
    if user.get("client-certificate") or user.get("client-certificate-data"):
        return "client certificate"
    return "password" if user.get("username") else "no credentials"
