"""`langsmith-audit check`: the health check. It reads only."""

from __future__ import annotations

import argparse
import time

from wizard.checks.areas import AREAS
from wizard.engine.answers import Answers
from wizard.engine.checking import Walk
from wizard.engine.look import tell_unread_history, where
from wizard.formats import FORMATS, show
from wizard.formats.check import check_page
from wizard.problems import Exit
from wizard.records.report import Report, verdict
from wizard.systems.access import Systems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The report's format, and what counts as failed."""
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument(
        "--fail-on", choices=("fail", "warn"), default="fail", help="exit 4 on warnings only"
    )


def main(args: argparse.Namespace) -> Exit:
    """Look at everything and report."""
    began = time.monotonic()
    answers = Answers(args.settings, may_ask=False)
    with Systems(answers.locate(), by_labels=True) as systems:
        walk = Walk(systems, AREAS)
        walk.run()
        areas, facts = walk.areas(), where(systems)
    tell_unread_history()
    found = [finding for area in areas for finding in area.findings]
    report = Report(
        facts,
        areas,
        verdict(found, fail_on_warn=args.fail_on == "warn"),
        walk.sight.now,
        time.monotonic() - began,
        tuple(walk.sight.remarks),
    )
    show(check_page(report), args.format)
    return report.exit
