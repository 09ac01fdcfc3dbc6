"""`langsmith-audit runs`: what was done from this machine, and what was left unfinished."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from wizard.console.output import for_programs
from wizard.problems import Exit
from wizard.records.journal import Run, runs
from wizard.records.runs import made, state, the_run, undone_by
from wizard.safe import safe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and the output's format."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="one run in full, by its id")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(args: argparse.Namespace) -> int:
    """List the runs, newest first, or show one."""
    found = runs()
    chosen = [the_run(args.run, found)] if args.run else list(reversed(found))
    told = [_summary(run, found) for run in chosen]
    if args.run:
        told[0]["entries"] = list(chosen[0].entries)
    if args.format == "json":
        for_programs().write(json.dumps({"schema_version": "1.0", "runs": told}, indent=2) + "\n")
        return Exit.OK
    lines = _one(told[0]) if args.run else [_line(run) for run in told]
    sys.stdout.write("".join(safe(line) + "\n" for line in lines))
    if not told:
        sys.stdout.write("No runs were made from here.\n")
    return Exit.OK


def _summary(run: Run, all_runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "run": run.id,
        "state": str(state(run, all_runs)),
        "target": dict(run.place),
        "began": run.entries[0]["at"] if run.entries else None,
        "changed": list(run.changed),
        "changes": [
            {"step": it.step, "at": it.at, "outcome": str(it.outcome), "summary": it.summary}
            for it in made(run)
        ],
        "undoes": run.undoes or None,
        "undone_by": undone_by(run, all_runs) or None,
        "journal": str(run.folder / "journal.ndjson"),
    }


def _line(run: dict[str, Any]) -> str:
    place = run["target"]
    where = f"{place.get('release', '?')} in {place.get('namespace', '?')}"
    steps = ", ".join(run["changed"]) or "changed nothing"
    undoes = f"puts back {run['undoes']}: " if run["undoes"] else ""
    return f"{run['run']}  {run['state']:<10}  {where}  {undoes}{steps}"


def _one(run: dict[str, Any]) -> list[str]:
    lines = [_line(run), f"  API server {run['target'].get('server', '?')}"]
    lines += [
        f"  {it['at']}  {it['step']}: {it['outcome']}. {it['summary']}".rstrip()
        for it in run["changes"]
    ]
    lines += [f"  put back by {run['undone_by']}"] if run["undone_by"] else []
    return [*lines, f"  journal: {run['journal']}"]
