"""Where helm has a chart from: the user's repositories, and the packaged chart's digest.

The repository that a chart comes from is added or refreshed; the digest tells one package from
another that was published under the same version.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from wizard.problems import Problem
from wizard.systems.helm import process
from wizard.systems.helm.errors import Call

LIMIT = 120.0
"""Seconds that one helm command may take."""

MISSING, STALE = "LSA119", "LSA120"


def alias_of(chart: str) -> str:
    """The repository's alias in `ALIAS/CHART`; empty for a URL, a folder or a file."""
    alias, slash, name = chart.partition("/")
    plain = slash and alias and name and "/" not in name and "://" not in chart
    local = chart.startswith((".", "~", "/")) or Path(chart).exists()
    return alias if plain and not local else ""


def refresh(helm: Path, chart: str, url: str, *, add: bool) -> None:
    """`helm repo add` where the alias is not known, and `helm repo update`.

    Raises:
        Problem: helm could do neither; its own words are in the detail.
    """
    alias = alias_of(chart)
    if add:
        _run([str(helm), "repo", "add", alias, url], f"repository {alias} ({url})")
    _run([str(helm), "repo", "update", alias], f"repository {alias}")


def _run(argv: list[str], on: str) -> None:
    what = " ".join(["helm", *argv[1:3]])
    try:
        process.read(argv, Call(what, on), limit=LIMIT)
    except Problem as problem:
        raise Problem(
            "LSA190",
            f"{what} did not succeed",
            on=on,
            next_step="see that the URL can be reached from here; --repo-url names another, and "
            "--chart a chart that is at hand (a folder, a .tgz, an oci:// URL)",
            detail=problem.detail or (problem.what,),
        ) from None


FETCH_LIMIT = 120.0
"""Seconds to fetch it."""


def chart_digest(helm: Path, chart: str, version: str) -> str:
    """`sha256:…` of the packaged chart; fetched into a folder that is removed again.

    Raises:
        Problem: helm cannot fetch it, or the chart is a folder and so is not packaged.
    """
    call = Call("helm pull", f"chart {chart} {version}", chart, version)
    given = Path(chart)
    if given.is_dir():
        raise _none(call, "the chart is a folder")
    with tempfile.TemporaryDirectory(prefix="langsmith-audit-") as folder:
        found = [given] if given.is_file() else []
        if not found:
            argv = [str(helm), "pull", chart, "--version", version, "--destination", folder]
            process.read(argv, call, limit=FETCH_LIMIT)
            found = list(Path(folder).glob("*.tgz"))
        try:
            return "sha256:" + hashlib.sha256(found[0].read_bytes()).hexdigest()
        except (OSError, IndexError):
            raise _none(call, "the package cannot be read") from None


def _none(call: Call, why: str) -> Problem:
    return Problem(
        "LSA919",
        f"The chart's digest cannot be had: {why}",
        on=call.on,
        next_step="package the chart (helm package) and name the file with --chart",
    )
