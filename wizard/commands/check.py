"""`langsmith-audit check`: the health check. It reads only."""

from __future__ import annotations

import argparse

from wizard.engine.answers import Answers
from wizard.engine.look import all_findings, look, tell_unread_history, verdict, where
from wizard.formats import FORMATS, show
from wizard.formats.check import check_page
from wizard.problems import Exit
from wizard.steps.procedure import STEPS, TITLES
from wizard.systems.access import Systems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The report's format, and what counts as failed."""
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument(
        "--fail-on", choices=("fail", "warn"), default="fail", help="exit 4 on warnings only"
    )


def main(args: argparse.Namespace) -> Exit:
    """Look at every step and report."""
    answers = Answers(args.settings, may_ask=False)
    with Systems(answers.locate(), by_labels=True) as systems:
        seen = look(systems, STEPS)
        exit = verdict(all_findings(seen), fail_on_warn=args.fail_on == "warn")
        facts = where(systems)
    tell_unread_history()
    show(check_page(facts, TITLES, seen, exit), args.format)
    return exit
