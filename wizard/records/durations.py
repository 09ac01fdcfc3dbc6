"""How long a step took in earlier runs from this machine, as their journals tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from statistics import median

from wizard.records.journal import Run, runs
from wizard.target import Place

NEWEST = 10
"""Runs further back say little about the cluster of today."""


def expected_seconds(place: Place, step: str) -> tuple[int, int] | None:
    """The median in whole seconds, and of how many runs; None where no run tells."""
    mine = [run for run in runs() if run.place == place.as_json()]
    found = [seconds for run in mine for seconds in _took(run, step)][-NEWEST:]
    return (round(median(found)), len(found)) if found else None


def _took(run: Run, step: str) -> Iterator[float]:
    began = ""
    for entry in run.entries:
        if entry.get("step") != step:
            continue
        if entry["event"] == "intent":
            began = str(entry["at"])
        elif entry["event"] == "done" and began:
            try:
                ended = datetime.fromisoformat(str(entry["at"]))
                yield (ended - datetime.fromisoformat(began)).total_seconds()
            except ValueError:
                continue
