"""`langsmith-audit show`: a plan as it was made. It needs neither the cluster nor the database."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from wizard.formats import show
from wizard.formats.brief import show_plan
from wizard.formats.plan import plan_page
from wizard.problems import Exit
from wizard.records.plan_json import ID
from wizard.records.plan_reading import read_plan
from wizard.safe import safe


def main(args: argparse.Namespace) -> Exit:
    """Show the plan; a stale, expired or foreign one too.

    Raises:
        Problem: the file is no plan, or of another major version.
    """
    reading = read_plan(Path(args.plan))
    notes = list(reading.notes)
    if reading.plan.expired(datetime.now(UTC)):
        notes.append(f"This plan expired at {reading.plan.expires_at}.")
    if args.format == "json":  # as it is; what there is to say of it goes to standard error
        sys.stderr.writelines(f"! {safe(line)}\n" for line in notes)
        show(plan_page(reading.plan, reading.document), args.format)
    else:
        document = {**reading.document, ID: reading.id}
        page = plan_page(reading.plan, document, notes)
        show_plan(reading.plan, page, args.format, details=args.details, file=args.plan)
    return Exit.OK
