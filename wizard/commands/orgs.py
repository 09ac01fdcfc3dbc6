"""`langsmith-audit orgs`: the organizations and what is stored about audit logs. It reads only.

Rows are written as their pages come, so that memory does not grow with their number.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from wizard.console.output import folded, for_programs
from wizard.console.paper import Paper
from wizard.console.waiting import Waiting
from wizard.engine.answers import Answers
from wizard.engine.look import tell_remarks, where
from wizard.problems import Exit
from wizard.safe import safe, safe_json
from wizard.steps.step4_organizations import Organizations
from wizard.systems.access import Systems, not_understood

if TYPE_CHECKING:
    from uuid import UUID

    from wizard.systems.postgres.model import Organization

PAGES = (50, 10_000)
"""Rows of the first page, which comes at once, and of the others, which shall be few."""
FIELDS = ("id", "display_name", "is_personal", "state", "stored", "config_shape")
_LAYOUT, _WIDE = "{:<36}  {:<11}  {:<8}  ", "{:<7}  {:<7}  "
"""The columns of every list, and those of a wide one besides; the name comes last."""

Rows = Iterable["Organization"]


def main(args: argparse.Namespace) -> Exit:
    """List the organizations; the summary goes to standard error.

    Raises:
        Problem: the database cannot be reached or read, or an id of `--org` is in no row.
    """
    answers = Answers(args.settings, may_ask=False)
    with Systems(answers.locate()) as systems:
        if args.search and systems.target.selection.ids:
            raise not_understood("--search", "it cannot be combined with --org")
        seen: Counter[str] = Counter()
        with Waiting("reading the organizations"):
            rows = _organizations(systems, args.search)
            # The first one is fetched: what goes wrong does so before a word is written.
            found = _counted(chain([*islice(rows, 1)], rows), seen)
        _WRITERS[args.format](found, _about(systems) if args.format in ("json", "yaml") else {})
        sys.stdout.flush()
        login = systems.database.login
        told = [f"{_summary(seen)}; {safe(login.subject)}", safe(login.evidence)]
        if not systems.target.selection.ids and (order := systems.database.order(args.search)):
            told.append(order)
        sys.stderr.write("".join(f"{folded(line, sys.stderr)}\n" for line in told))
        tell_remarks(systems)
    return Exit.OK


def _about(systems: Systems) -> dict[str, str]:
    """The target, with the database and the way to it."""
    login = systems.database.login
    return {**where(systems), "database": login.subject, "database_evidence": login.evidence}


def _organizations(systems: Systems, search: str) -> Iterator[Organization]:
    selection = systems.target.selection
    if selection.ids:
        yield from Organizations().chosen(systems)
        return
    after: tuple[str, UUID] | None = None
    limit, later = PAGES
    while True:
        page = systems.database.organizations(
            search=search,
            after=after,
            limit=limit,
            only_off=selection.only_off,
            include_personal=not (selection.all or selection.only_off),
        )
        yield from page
        sys.stdout.flush()
        if len(page) < limit:
            return
        after, limit = (page[-1].display_name, page[-1].id), later


def _counted(organizations: Iterator[Organization], seen: Counter[str]) -> Iterator[Organization]:
    for organization in organizations:
        seen["personal" if organization.is_personal else organization.state.value] += 1
        yield organization


def _summary(seen: Counter[str]) -> str:
    total = seen.total()
    counted = f"{total} organization{'s' if total != 1 else ''}"
    order = ("on", "off", "default", "wrong shape", "personal")
    parts = [f"{seen[name]} {name}" for name in order if seen[name]]
    return f"{counted}: {', '.join(parts)}" if parts else counted


def _record(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization.key,
        "display_name": organization.display_name,
        "is_personal": organization.is_personal,
        "state": organization.state.value,
        "stored": organization.value if organization.present else None,
        "config_shape": organization.shape,
    }


def _line(organization: Organization) -> str:
    return safe_json(json.dumps(_record(organization), ensure_ascii=False))


def _write_text(organizations: Rows, _target: dict[str, str], *, wide: bool = False) -> None:
    """Rows under a head, in a terminal with quiet ids; `wide` ones with what is stored."""
    line = _LAYOUT + (_WIDE if wide else "") + "{}\n"
    heads = ("ID", "STATE", "PERSONAL", *(("CONFIG", "STORED") if wide else ()), "NAME")
    heading = line.format(*heads)
    if Paper(sys.stdout).styled and os.environ.get("TERM") != "dumb":
        line = line.replace("{:<36}", "\x1b[2m{:<36}\x1b[0m")
    for it in organizations:
        sys.stdout.write(heading)
        heading = ""
        told = [it.key, it.state.value, "yes" if it.is_personal else "no"]
        if wide:
            told += [it.shape, safe(str(it.value)) if it.present else "nothing"]
        sys.stdout.write(line.format(*told, safe(it.display_name)))


def _write_ndjson(organizations: Rows, _target: dict[str, str]) -> None:
    out = for_programs()
    for organization in organizations:
        out.write(_line(organization) + "\n")


def _write_json(organizations: Rows, target: dict[str, str]) -> None:
    about = json.dumps({"schema_version": "1.0", "target": target}, ensure_ascii=False)
    out = for_programs()
    out.write(safe_json(about)[:-1] + ', "organizations": [')
    comma = "\n"
    for organization in organizations:
        out.write(comma + _line(organization))
        comma = ",\n"
    out.write("\n]}\n")


def _write_csv(organizations: Rows, _target: dict[str, str]) -> None:
    """Names as they are shown on a terminal, with control characters as escapes.

    A cell that a spreadsheet would take for a formula begins with an apostrophe, which it drops.
    """
    rows = csv.writer(for_programs(), lineterminator="\n")
    rows.writerow(FIELDS)
    for organization in organizations:
        record = _record(organization)
        record["display_name"] = safe(organization.display_name)
        record["is_personal"] = str(organization.is_personal).lower()
        rows.writerow(_cell(record[name]) for name in FIELDS)


def _cell(value: Any) -> Any:
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
    return f"'{value}" if formula else value


def _write_yaml(organizations: Rows, target: dict[str, str]) -> None:
    from wizard.formats.yaml import as_yaml

    out = for_programs()
    out.write(as_yaml({"schema_version": "1.0", "target": target}))
    lines = map(as_yaml, ([_record(it)] for it in organizations))
    first = next(lines, "")
    out.write(f"organizations:{' []' if not first else ''}\n{first}")
    out.writelines(lines)


_WRITERS: dict[str, Callable[[Rows, dict[str, str]], None]] = {
    "text": _write_text,
    "wide": partial(_write_text, wide=True),
    "json": _write_json,
    "yaml": _write_yaml,
    "ndjson": _write_ndjson,
    "csv": _write_csv,
}
