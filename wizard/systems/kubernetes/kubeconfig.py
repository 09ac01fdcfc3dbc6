"""The kubeconfig as kubectl and helm read it: which contexts there are, and which one is meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from wizard.files import read_file
from wizard.problems import Exit, Problem

LARGEST = 16 * 1024 * 1024
"""Bytes of a kubeconfig; one of a thousand clusters has a third of that."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class ContextInfo:
    """One context: its names, its API server, its namespace, and whether it is the current one.

    Attributes:
        server: the API server's URL as it is shown and recorded, without any secret.
        headers: what asks the API server to act as somebody else (`as` in the kubeconfig).
    """

    name: str
    server: str
    namespace: str
    user: str
    current: bool
    credentials: str = ""
    headers: tuple[tuple[str, str], ...] = ()


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
    paths = tuple(candidate for candidate in _candidates(path) if candidate.exists())
    if path is not None and not paths:
        raise no_kubeconfig(path)
    documents = [_parse(each) for each in paths]
    current = next((d["current-context"] for d in documents if d.get("current-context")), "")
    clusters = _merged(documents, "clusters", "cluster")
    users = _merged(documents, "users", "user")
    contexts = tuple(
        _context(name, body, clusters, users, str(current))
        for name, body in _merged(documents, "contexts", "context").items()
    )
    return Kubeconfig(paths, contexts, str(current))


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
            next_step="Name one with --context, or: kubectl config use-context NAME",
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
        next_step="Name another with --context; kubectl config get-contexts lists them",
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
        next_step="Name the file with --kubeconfig or KUBECONFIG",
        exit=Exit.USAGE,
    )


def in_pod() -> bool:
    """Whether this process runs in a pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").exists()


def _candidates(path: Path | None) -> list[Path]:
    if path is not None:
        return [path.expanduser()]
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part).expanduser() for part in listed] or [Path("~/.kube/config").expanduser()]


def _parse(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(read_file(path, LARGEST).decode())
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8 text") from None
    except yaml.YAMLError as error:
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
        next_step="Mend the file or name another with --kubeconfig; try: kubectl config view",
        exit=Exit.USAGE,
    )


def _merged(documents: list[dict[str, Any]], many: str, one: str) -> dict[str, dict[str, Any]]:
    """The entries of all files by name; the first file that has a name wins."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        entries = document.get(many)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and "name" in entry:
                body = entry.get(one)
                found.setdefault(str(entry["name"]), dict(body) if isinstance(body, dict) else {})
    return found


def _context(
    name: str,
    body: Mapping[str, Any],
    clusters: Mapping[str, Mapping[str, Any]],
    users: Mapping[str, Mapping[str, Any]],
    current: str,
) -> ContextInfo:
    cluster, user = str(body.get("cluster") or ""), str(body.get("user") or "")
    login = users.get(user, {})
    somebody = f", as {login['as']}" if login.get("as") else ""
    return ContextInfo(
        name,
        shown(str(clusters.get(cluster, {}).get("server") or "")),
        str(body.get("namespace") or "default"),
        user,
        name == current,
        _kind(login) + somebody,
        _impersonation(login),
    )


def shown(server: str) -> str:
    """A server's URL without what may be secret in it: user, password, query and fragment."""
    scheme, slashes, rest = server.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
    except ValueError:
        return "a server whose URL cannot be read"
    return f"{scheme}{slashes}{parts.netloc.rpartition('@')[2]}{parts.path}"


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers of `as`, `as-uid`, `as-groups` and `as-user-extra`.

    Source: Kubernetes documentation, "User impersonation". The kubernetes package ignores these
    keys, which kubectl and helm follow: without them we would act with more rights than meant.
    """
    if not user.get("as"):
        return ()
    told = [("Impersonate-User", str(user["as"]))]
    told += [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    told += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    for key, texts in (user.get("as-user-extra") or {}).items():
        name = "Impersonate-Extra-" + quote(str(key).lower(), safe="")
        told += [(name, str(text)) for text in texts]
    return tuple(told)


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
