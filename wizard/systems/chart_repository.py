"""The user's helm repositories: adding or refreshing the one that a chart comes from."""

from __future__ import annotations

from pathlib import Path

from wizard.problems import Problem
from wizard.systems import helm_process
from wizard.systems.helm_errors import Call

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
        helm_process.read(argv, Call(what, on), limit=LIMIT)
    except Problem as problem:
        raise Problem(
            "LSA190",
            f"{what} did not succeed",
            on=on,
            next_step="see that the URL can be reached from here; --repo-url names another, and "
            "--chart a chart that is at hand (a folder, a .tgz, an oci:// URL)",
            detail=problem.detail or (problem.what,),
        ) from None
