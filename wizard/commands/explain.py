"""`langsmith-audit explain [ID]`: the catalogue of findings, offline.

`explain operations` lists what LangSmith records, by the article's categories and by chart version.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

from wizard.arguments import OPERATIONS
from wizard.console.output import for_programs
from wizard.problems import Entry, Exit, Problem, catalogue


def main(args: argparse.Namespace) -> int:
    """Print one entry, or the list of all.

    Raises:
        Problem: there is no such entry, or the pages cannot be written.
    """
    if args.output:
        return _written(Path(args.output))
    if args.id == OPERATIONS:
        sys.stdout.write(_operations())
        return Exit.OK
    entries = catalogue()
    if not args.id and args.format == "html":
        from wizard.formats.catalogue import whole

        for_programs().write(whole(entries))
        return Exit.OK
    if not args.id:
        for entry in entries.values():
            sys.stdout.write(f"{entry.id}  {entry.title}\n")
        return Exit.OK
    id = f"LSA{args.id}" if args.id.isdecimal() else args.id.upper()
    found = entries.get(id)
    if not found:
        raise Problem(
            "LSA905",
            f"The catalogue has no finding {args.id!r}",
            on="the catalogue of findings",
            next_step="langsmith-audit explain lists them all",
            exit=Exit.USAGE,
        )
    if args.format == "html":
        from wizard.formats.catalogue import page

        for_programs().write(page(found))
        return Exit.OK
    sys.stdout.write(_page(found))
    return Exit.OK


def _written(folder: Path) -> int:
    from wizard.formats.catalogue import pages

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages(catalogue()):
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Problem(
            "LSA904",
            f"The pages cannot be written: {error.strerror}",
            on=f"folder {folder}",
            next_step="name another folder: --output FOLDER",
            exit=Exit.USAGE,
        ) from None
    return Exit.OK


def _operations() -> str:
    """The documented operations by category, and by the chart version they came with."""
    from wizard.events.wanted import CATEGORIES, documented

    versions = list(dict.fromkeys(version for version, _ in documented().values()))
    sums, total = [], 0
    for version in versions:
        total += sum(found == version for found, _ in documented().values())
        sums.append(f"{total} at {version}")
    text = f"LangSmith's documentation names {total} operations: {', '.join(sums)}.\n"
    for category, title in CATEGORIES.items():
        text += f"\n{title}\n"
        for version in versions:
            names = [it for it, told in documented().items() if told == (version, category)]
            if names:
                text += textwrap.fill(
                    ", ".join(sorted(names)), 98, initial_indent=f"  {version:<13}",
                    subsequent_indent=" " * 15, break_on_hyphens=False,
                ) + "\n"  # fmt: skip
    return text


def _page(entry: Entry) -> str:
    parts = [
        ("", entry.meaning),
        ("What to do next", entry.next_step),
        ("Source", entry.source),
    ]
    text = f"{entry.id}  {entry.title}\n"
    for head, body in parts:
        text += f"\n{head}\n" if head else "\n"
        text += textwrap.fill(body, 78, initial_indent="  ", subsequent_indent="  ") + "\n"
    return text
