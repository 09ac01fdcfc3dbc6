"""`langsmith-audit runs`: what was done from this machine, and what was left unfinished."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from wizard.exits import Exit
from wizard.records.journal import Run, runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The output's format."""
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(args: argparse.Namespace) -> int:
    """List the runs, newest first."""
    found = [_summary(run) for run in reversed(runs())]
    if args.format == "json":
        sys.stdout.write(json.dumps({"schema_version": "1.0", "runs": found}, indent=2) + "\n")
        return Exit.OK
    for run in found:
        place = run["target"]
        where = f"{place.get('release', '?')} in {place.get('namespace', '?')}"
        steps = ", ".join(run["changed"]) or "changed nothing"
        sys.stdout.write(f"{run['run']}  {run['state']:<10}  {where}  {steps}\n")
    if not found:
        sys.stdout.write("No runs were made from here.\n")
    return Exit.OK


def _summary(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "state": "ended" if run.ended else "unfinished",
        "target": dict(run.place),
        "changed": list(run.changed),
        "journal": str(run.folder / "journal.ndjson"),
    }
