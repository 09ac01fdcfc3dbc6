"""What helm sees in practice: the environment, its home, and a chart repository on loopback."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import tarfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from wizard.resources import templates

APP_VERSIONS = {
    "0.12.32": "0.12.70",
    "0.12.33": "0.12.72",
    "0.13.37": "0.13.37",
    "0.16.5": "0.16.37",
}
"""The chart versions that are offered, and the app version of each, as in the real repository."""

FOREIGN = ("HELM_", "KUBE", "LANGSMITH", "LANGCHAIN", "PG")
"""Variables that would lead a tool elsewhere start like this."""


def led_to(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, in which helm, kubectl and langsmith-audit see the cluster."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**mine, **settings}


@dataclass(frozen=True)
class HelmHome:
    """Where helm finds `langchain`, apart from the helm of who works on this machine."""

    folder: Path

    @property
    def repositories(self) -> Path:
        """The file with the repositories and their aliases."""
        return self.folder / "config" / "repositories.yaml"

    @property
    def index(self) -> Path:
        """The index of `langchain`, as helm last fetched it."""
        return self.folder / "cache" / "repository" / "langchain-index.yaml"

    def settings(self) -> dict[str, str]:
        """The variables that lead helm here."""
        return {
            "HELM_CACHE_HOME": str(self.folder / "cache"),
            "HELM_CONFIG_HOME": str(self.folder / "config"),
            "HELM_DATA_HOME": str(self.folder / "data"),
            "HELM_REPOSITORY_CONFIG": str(self.repositories),
            "HELM_REPOSITORY_CACHE": str(self.index.parent),
        }

    def keep(self) -> dict[Path, bytes]:
        """The repositories and the index as they are now."""
        return {file: file.read_bytes() for file in (self.repositories, self.index)}

    def put_back(self, kept: Mapping[Path, bytes]) -> None:
        """Make them again what `keep` gave, and forget charts that were fetched since."""
        for file in self.index.parent.glob("*.tgz"):
            file.unlink()
        for file, content in kept.items():
            file.write_bytes(content)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: ARG002 - the base's signature
        return


class ChartRepository:
    """Packages the chart into `folder` and serves it at `url`; the index lists what is offered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.offered: frozenset[str] = frozenset()
        self._entries: dict[str, dict[str, Any]] = {}
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Package, write the index, and serve both."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._entries = {chart: self._entry(chart, app) for chart, app in APP_VERSIONS.items()}
        self.offer(APP_VERSIONS)
        handler = functools.partial(_Quiet, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="charts", daemon=True).start()

    @property
    def known(self) -> frozenset[str]:
        """Every version that it could offer."""
        return frozenset(self._entries)

    def offer(self, versions: Iterable[str]) -> None:
        """List exactly these versions in the index, as after a repository was pruned."""
        self.offered = frozenset(versions)
        # JSON is YAML, and helm reads it as such.
        (self.folder / "index.yaml").write_text(json.dumps(self.index()), encoding="utf-8")

    def index(self) -> dict[str, Any]:
        """The index with the versions that are offered."""
        listed = [entry for version, entry in self._entries.items() if version in self.offered]
        return {
            "apiVersion": "v1",
            "entries": {"langsmith": listed},
            "generated": datetime.now(UTC).isoformat(),
        }

    def stop(self) -> None:
        """Close the port; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _entry(self, chart_version: str, app_version: str) -> dict[str, Any]:
        content = packaged(chart_version, app_version)
        name = f"langsmith-{chart_version}.tgz"
        (self.folder / name).write_bytes(content)
        return {
            "apiVersion": "v2",
            "name": "langsmith",
            "version": chart_version,
            "appVersion": app_version,
            "type": "application",
            "created": datetime.now(UTC).isoformat(),
            "digest": hashlib.sha256(content).hexdigest(),
            "urls": [name],
        }


def packaged(
    chart_version: str, app_version: str, *, changed: tuple[bytes, bytes] = (b"", b"")
) -> bytes:
    """The practice chart as `helm package --version --app-version` would pack it.

    `changed` replaces a text in all files, as in a version that is published again.
    """
    chart = templates() / "practice" / "chart"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=3) as archive:
        for path in sorted(path for path in chart.rglob("*") if path.is_file()):
            content = path.read_bytes()
            if path == chart / "Chart.yaml":
                content = _with_versions(content.decode(), chart_version, app_version).encode()
            content = content.replace(*changed) if changed[0] else content
            member = tarfile.TarInfo(f"langsmith/{path.relative_to(chart).as_posix()}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _with_versions(text: str, chart_version: str, app_version: str) -> str:
    versions = {"version": chart_version, "appVersion": json.dumps(app_version)}
    for key, version in versions.items():
        text = re.sub(rf"^{key}:.*$", f"{key}: {version}", text, flags=re.MULTILINE)
    return text
