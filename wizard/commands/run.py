"""`langsmith-audit run`: the wizard. Look, ask, register, change, confirm."""

from __future__ import annotations

import argparse

from wizard.console.interrupts import StopSwitch
from wizard.engine.answers import Answers
from wizard.engine.run import Onboarding
from wizard.problems import Exit
from wizard.records import debug_log
from wizard.systems.calls import heard


def main(args: argparse.Namespace) -> Exit:
    """Run the wizard, and tell how it ended."""
    switch = StopSwitch()
    with debug_log.kept() as note, heard(note), switch.installed():
        return Onboarding(Answers(args.settings), switch).run()
