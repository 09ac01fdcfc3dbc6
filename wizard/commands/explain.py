"""`langsmith-audit explain [ID]`: the catalogue of findings, offline."""

from __future__ import annotations

import argparse
import sys
import textwrap

from wizard.problems import Entry, Exit, Problem, catalogue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The finding's id; all are listed without one."""
    parser.add_argument("id", nargs="?", metavar="ID", help="a finding's id, such as LSA101")


def main(args: argparse.Namespace) -> int:
    """Print one entry, or the list of all.

    Raises:
        Problem: there is no such entry.
    """
    entries = catalogue()
    if not args.id:
        for entry in entries.values():
            sys.stdout.write(f"{entry.id}  {entry.title}\n")
        return Exit.OK
    found = entries.get(args.id.upper())
    if not found:
        raise Problem(
            "LSA905",
            f"The catalogue has no finding {args.id!r}",
            on="the catalogue of findings",
            next_step="langsmith-audit explain",
            exit=Exit.USAGE,
        )
    sys.stdout.write(_page(found))
    return Exit.OK


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
