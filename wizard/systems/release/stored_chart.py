"""The chart that a release holds itself: taken out of its record, and packaged again.

helm keeps the chart's metadata, templates, files and default values with every revision
(helm/helm, pkg/storage/driver), but not its subcharts; LangSmith's chart has none.

It is packaged beside the journals, under a name made of its content: the command line of a plan or
of an undo names it. Its `.helmignore` is left out: what it ignores was left out when the release
was made. A chart with subcharts is refused.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from wizard.problems import Exit, Problem
from wizard.systems.helm.records import Release, Upgrade
from wizard.systems.release.manifest import CHART, documents
from wizard.systems.release.records import document_of, name_of

if TYPE_CHECKING:
    from wizard.systems.helm.client import Helm
    from wizard.systems.kubernetes.cluster import Cluster

IGNORING = ".helmignore"


def stored_chart(cluster: Cluster, release: Release) -> Mapping[str, Any]:
    """The chart as the release's newest revision holds it.

    Raises:
        Problem: there is no such record, it may not be read, or the chart is not whole.
    """
    found = document_of(cluster, release.namespace, release.name, release.revision)
    if found is None:
        where = name_of(release.name, release.revision)
        raise _unusable(release, f"helm's record {where} cannot be read through the API")
    try:
        chart: dict[str, Any] = found["chart"]
        whole = chart["metadata"]["version"] == release.chart_version and chart["templates"]
    except (KeyError, TypeError):
        raise _unusable(release, "the release's record cannot be read") from None
    if not whole:
        raise _unusable(release, "the release's record does not hold the deployed chart")
    if chart["metadata"].get("dependencies"):
        raise _unusable(release, "the chart has subcharts, which helm does not keep")
    return chart


def packaged(chart: Mapping[str, Any], folder: Path, release: Release) -> Path:
    """The chart as a .tgz in `folder`, readable by this user alone; the same bytes every time.

    Raises:
        Problem: a file of the chart would lie outside of it, or the package cannot be written.
    """
    try:
        content = _archive(chart, release)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _unusable(release, "the release's record cannot be read") from None
    path = folder / f"{CHART}-{hashlib.sha256(content).hexdigest()[:12]}.tgz"
    try:
        handle, draft = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except OSError as error:
        raise _unusable(release, f"it cannot be written: {error.strerror}", folder) from None
    return path


def _archive(chart: Mapping[str, Any], release: Release) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for name, data in sorted(_files(chart, release)):
            member = tarfile.TarInfo(f"{chart['metadata']['name']}/{name}")
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _files(chart: Mapping[str, Any], release: Release) -> Iterator[tuple[str, bytes]]:
    """Every file of the chart; JSON is YAML, and helm reads it as such."""
    yield "Chart.yaml", json.dumps(chart["metadata"]).encode()
    yield "values.yaml", json.dumps(chart.get("values") or {}).encode()
    if chart.get("schema"):
        yield "values.schema.json", base64.b64decode(chart["schema"])
    for file in (*chart["templates"], *(chart.get("files") or ())):
        name = str(file["name"])
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "\\" in name:
            raise _unusable(release, "a file of the chart lies outside of it")
        if name != IGNORING:  # what it would leave out was left out already
            yield name, base64.b64decode(file.get("data") or "")


def make_sure(
    helm: Helm, chart: Path, release: Release, *, values: Mapping[str, Any], deployed: str
) -> None:
    """Make sure that the chart renders what is deployed from the deployed values.

    `deployed` is the release's manifest with its hooks. A document that is another one at every
    rendering (a fresh certificate, a random name) is matched by the template it comes from.

    Raises:
        Problem: it renders something else, or nothing.
    """
    with tempfile.TemporaryDirectory(prefix="langsmith-audit-") as folder:  # this user's alone
        given = Path(folder) / "values.json"
        try:
            given.touch(mode=0o600)
            given.write_text(json.dumps(values), encoding="utf-8")
        except OSError as error:
            why = f"the deployed values cannot be handed to helm: {error.strerror}"
            raise _unusable(release, why, Path(folder)) from None
        version, where = release.chart_version, release.namespace
        upgrade = Upgrade(release.name, where, str(chart), version, (given,))
        _check(helm, upgrade, deployed, release)


def _check(helm: Helm, upgrade: Upgrade, deployed: str, release: Release) -> None:
    old, new = _documents(deployed), _documents(helm.template(upgrade))
    if old == new:
        return
    again = _documents(helm.template(upgrade))
    gone, come = old - new, new - old
    random = new - again
    if Counter(source for source, _ in gone.elements()) != Counter(
        source for source, _ in (come & random).elements()
    ):
        names = sorted({source or "(no template)" for source, _ in (*gone, *(come - random))})
        raise _unusable(release, "it does not render what is deployed", detail=tuple(names))


def _documents(manifest: str) -> Counter[tuple[str, str]]:
    return Counter((source, text.strip()) for source, text in documents(manifest))


def _unusable(
    release: Release, why: str, folder: Path | None = None, detail: tuple[str, ...] = ()
) -> Problem:
    return Problem(
        "LSA419",
        f"The chart that the release holds cannot be used: {why}",
        on=f"folder {folder}" if folder else release.on,
        next_step=f"name chart {release.chart_version} with --chart: a repository that has it, an "
        "oci:// URL, a folder or a .tgz file",
        exit=Exit.FAILED,
        detail=detail,
    )
