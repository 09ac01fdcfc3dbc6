"""The packaged chart: what tells one from another that was published under the same version."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from wizard.problems import Problem
from wizard.systems import helm_process
from wizard.systems.helm_errors import Call

LIMIT = 120.0
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
            helm_process.read(argv, call, limit=LIMIT)
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
