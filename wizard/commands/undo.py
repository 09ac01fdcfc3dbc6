"""`langsmith-audit undo`: put back what a run changed, newest first, where it is still there."""

from __future__ import annotations

import argparse

from wizard.console.interrupts import StopSwitch
from wizard.engine.answers import Answers
from wizard.engine.undo import Undoing
from wizard.problems import Exit
from wizard.records import debug_log
from wizard.records.journal import Run, runs
from wizard.records.runs import the_run
from wizard.settings import Settings
from wizard.systems.calls import heard


def main(args: argparse.Namespace) -> Exit:
    """Put a run back, and tell how it ended."""
    switch = StopSwitch()
    with debug_log.kept() as note, heard(note), switch.installed():
        run = the_run(args.run, runs()) if args.run else None
        if run:
            _settle(args.settings, run)
        return Undoing(Answers(args.settings), switch).put_back(run)


def _settle(settings: Settings, run: Run) -> None:
    """What the journal knows of the target need not be told again."""
    first = run.entries[0] if run.entries else {}
    told = {**run.place, "context": first.get("context"), "database": first.get("database")}
    for name in ("context", "namespace", "release", "database"):
        if told.get(name) and not settings.told(name):
            settings.put(name, told[name], f"run {run.id}")
