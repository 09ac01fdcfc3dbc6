"""What helm tells: its version, releases, their values and manifests; nothing is changed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.helm import process
from wizard.systems.helm.errors import Call, other_driver
from wizard.systems.helm.records import Release, Revision, read_release, read_revision, took

KNOWN_MAJORS = (3, 4)
VERSION_LIMIT = 10.0
CONNECT_LIMIT = 10.0
READ_FACTOR = 3
"""helm reads whole releases, half a megabyte each: it gets this times the limit to connect."""
ALL_REVISIONS = 10_000
INSTALL = "Install helm 3 or 4: https://helm.sh/docs/intro/install/"


R = TypeVar("R")


@dataclass
class HelmReads:
    """helm on one cluster, as far as it only reads."""

    binary: Path
    version: str
    major: int
    kubeconfig: Path | None = None
    context: str | None = None
    read_limit: float = CONNECT_LIMIT * READ_FACTOR

    @classmethod
    def find(
        cls,
        *,
        kubeconfig: Path | None,
        context: str | None,
        binary: str = "helm",
        connect_limit: float = CONNECT_LIMIT,
    ) -> Self:
        """The helm on PATH (or at the path `binary`), its major version known.

        Raises:
            Problem: not there, cannot be run, or of a major other than 3 and 4.
        """
        path = shutil.which(binary)
        if path is None:
            raise Problem("LSA111", "There is no helm on PATH", on=binary, next_step=INSTALL)
        call = Call("helm version", path)
        try:
            argv = [path, "version", "--template", "{{.Version}}"]
            answer = process.read(argv, call, limit=VERSION_LIMIT)
        except Problem as problem:
            if problem.id != "LSA131":
                raise
            raise Problem(
                "LSA112",
                "helm is there and cannot tell its version",
                on=path,
                next_step=INSTALL,
                detail=problem.detail,
            ) from None
        match = re.search(r"v?(\d+)\.\d+\.\d+\S*", answer)
        if match is None or int(match[1]) not in KNOWN_MAJORS:
            raise Problem(
                "LSA113",
                f"This helm is of a version that is not known here: {answer.strip()[:60] or '?'}",
                on=path,
                next_step=INSTALL,
            )
        return cls(
            Path(path),
            match[0].removeprefix("v"),
            int(match[1]),
            kubeconfig,
            context,
            read_limit=connect_limit * READ_FACTOR,
        )

    def releases(self, namespace: str | None) -> list[Release]:
        """All releases of a namespace (None: of all), in every state (`pending-*`, `failed`)."""
        everything = ["--all"] if self.major == 3 else []
        where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
        on = f"namespace {namespace}" if namespace else "all namespaces"
        argv = ["list", *where, *everything, "--max", "0"]
        return self._rows(argv, Call("helm list", on), read_release)

    def release(self, name: str, namespace: str) -> Release:
        """One release, in whatever state.

        Raises:
            Problem: there is none of that name; the message names those that are there.
        """
        found = self.releases(namespace)
        for release in found:
            if release.name == name:
                return release
        raise no_release(name, namespace, ", ".join(each.name for each in found) or "none")

    def user_values(self, name: str, namespace: str, revision: int = 0) -> dict[str, Any]:
        """The values that the user gave (`helm get values`); they hold secrets.

        Here and below the newest revision is read where none is named; helm then looks at all.
        """
        return self._values(name, namespace, of(revision))

    def computed_values(self, name: str, namespace: str, revision: int = 0) -> dict[str, Any]:
        """The values with the chart's defaults (`helm get values --all`); they hold secrets."""
        return self._values(name, namespace, ["--all", *of(revision)])

    def manifest(self, name: str, namespace: str, revision: int = 0) -> str:
        """The deployed manifest, without hooks; its Secrets hold secrets."""
        argv = ["get", "manifest", name, "--namespace", namespace, *of(revision)]
        return self._read(argv, Call("helm get manifest", on_release(name, namespace)))

    def last_took(self, name: str, namespace: str) -> float | None:
        """Seconds from the last deployment's begin to the end of its last hook Job.

        None where no hook ended, or nothing tells.
        """
        argv = ["status", name, "--namespace", namespace]
        answer = self._json(argv, Call("helm status", on_release(name, namespace)))
        return took(answer) if isinstance(answer, dict) else None

    def hooks(self, name: str, namespace: str, revision: int = 0) -> str:
        """The hooks of the deployed release, which run at each upgrade."""
        argv = ["get", "hooks", name, "--namespace", namespace, *of(revision)]
        return self._read(argv, Call("helm get hooks", on_release(name, namespace)))

    def history(self, name: str, namespace: str) -> list[Revision]:
        """The revisions that are kept, oldest first."""
        argv = ["history", name, "--namespace", namespace, "--max", str(ALL_REVISIONS)]
        call = Call("helm history", on_release(name, namespace))
        return self._rows(argv, call, read_revision)

    def _values(self, name: str, namespace: str, flags: list[str]) -> dict[str, Any]:
        argv = ["get", "values", name, "--namespace", namespace, *flags]
        values = self._json(argv, Call("helm get values", on_release(name, namespace)))
        return values if isinstance(values, dict) else {}

    def _cluster_flags(self) -> list[str]:
        flags = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return flags + (["--kube-context", self.context] if self.context else [])

    def _read(
        self, argv: list[str], call: Call, *, limit: float | None = None, stdin: bytes = b""
    ) -> str:
        whole = [str(self.binary), *argv, *self._cluster_flags()]
        return process.read(whole, call, limit=limit or self.read_limit, stdin=stdin)

    def _rows(self, argv: list[str], call: Call, read: Callable[[Mapping[str, Any]], R]) -> list[R]:
        rows = self._json(argv, call)
        try:
            return [read(row) for row in rows or ()]
        except (TypeError, KeyError, ValueError, AttributeError):
            raise unreadable(call) from None

    def _json(self, argv: list[str], call: Call) -> Any:
        text = self._read([*argv, "--output", "json"], call)
        try:
            return json.loads(text)
        except ValueError:
            raise unreadable(call) from None


def of(revision: int) -> list[str]:
    """The flag that names a revision; none for the newest."""
    return ["--revision", str(revision)] if revision else []


def unreadable(call: Call) -> Problem:
    """The answer of helm is not what it should be."""
    return Problem(
        "LSA129",
        f"{call.did} gave an answer that cannot be read",
        on=call.on,
        next_step="run the command by hand; a helm plugin or wrapper may have changed its output",
    )


def on_release(name: str, namespace: str) -> str:
    """The release, as problems name it."""
    return f"release {name} in namespace {namespace}"


def no_release(name: str, namespace: str, there: str = "") -> Problem:
    """The Problem of a release that is none; `there` are those that are, where that is known."""
    others = f" (releases there: {there})" if there else ""
    return Problem(
        "LSA118",
        f"There is no release {name} in namespace {namespace}{others}",
        on=f"release {name} in namespace {namespace}",
        next_step=f"{other_driver()}name it with --release and --namespace; helm list "
        "--all-namespaces shows the releases of the cluster",
        exit=Exit.FAILED,
    )
