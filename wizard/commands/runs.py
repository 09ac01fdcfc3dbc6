"""`langsmith-audit runs`: what was done from this machine, and what was left unfinished."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from wizard.console.output import folded, for_programs
from wizard.formats.yaml import as_yaml
from wizard.problems import Exit
from wizard.records.journal import Run, runs
from wizard.records.runs import made, state, the_run, undone_by
from wizard.safe import safe


def main(args: argparse.Namespace) -> int:
    """List the runs, newest first, or show one."""
    found = runs()
    chosen = [the_run(args.run, found)] if args.run else list(reversed(found))
    told = [_summary(run, found) for run in chosen]
    if args.run:
        told[0]["entries"] = list(chosen[0].entries)
    if args.format in ("json", "yaml"):
        document = {"schema_version": "1.0", "runs": told}
        as_text = as_yaml if args.format == "yaml" else lambda it: json.dumps(it, indent=2) + "\n"
        for_programs().write(as_text(document))
        return Exit.OK
    lines = _one(told[0]) if args.run else _table(told, wide=args.format == "wide")
    at = lines[0].find(HEAD[-1]) if lines and not args.run else 4
    sys.stdout.write("".join(folded(safe(it), sys.stdout, " " * at) + "\n" for it in lines))
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


HEAD = ("RUN", "AGE", "STATE", "RELEASE", "CHANGED")


WIDE = ("BEGAN", "API SERVER")
"""What `-o wide` tells besides."""


def _table(told: Sequence[dict[str, Any]], *, wide: bool) -> list[str]:
    """The runs as rows under a head, the last column uncut; nothing where there are none."""
    rows = [HEAD, *map(_row, told)] if told else []
    if wide and rows:
        more = [WIDE, *((str(it["began"])[:19], str(it["target"].get("server"))) for it in told)]
        rows = [(*row[:-1], *added, row[-1]) for row, added in zip(rows, more, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    place = run["target"]
    where = f"{place.get('namespace', '?')}/{place.get('release', '?')}"
    steps = ", ".join(run["changed"]) or "nothing"
    undoes = f"puts back {run['undoes']}: " if run["undoes"] else ""
    return run["run"], _age(run["began"]), run["state"], where, undoes + steps


def _age(began: object) -> str:
    """How long ago, as kubectl says it; `?` where the journal does not tell."""
    try:
        ago = (datetime.now(UTC) - datetime.fromisoformat(str(began))).total_seconds()
    except (ValueError, TypeError):
        return "?"
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if ago >= 2 * size:
            return f"{int(ago // size)}{unit}"
    return f"{max(int(ago), 0)}s"


def _one(run: dict[str, Any]) -> list[str]:
    place = run["target"]
    where = f"{place.get('release', '?')} in namespace {place.get('namespace', '?')}"
    lines = [f"run {run['run']}, {run['state']}, {_age(run['began'])} ago: release {where}"]
    lines.append(f"  API server {place.get('server', '?')}")
    lines += [
        f"  {it['at']}  {it['step']}: {it['outcome']}. {it['summary']}".rstrip()
        for it in run["changes"]
    ]
    lines += [f"  put back by {run['undone_by']}"] if run["undone_by"] else []
    lines.append(f"  journal: {run['journal']}")
    if run["changed"] and not run["undone_by"]:
        lines.append(f"  put it back: langsmith-audit undo {run['run']}")
    return lines
