"""`langsmith-audit values FILE…`: the second step alone, without a cluster.

Each file stands for itself. The diff is shown; only `--write` writes. The exit code tells whether a
person has to do something: 0 when every file is right, was written, or has its diff shown; 3 when
one was refused or could not be written, or with `--check` has to be edited; 2 when one is missing
or unreadable.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.safe import safe
from wizard.systems.values.diff import keys_only, unified_diff
from wizard.systems.values.edit import edit, given_to_helm
from wizard.systems.values.files import read_values, write_values
from wizard.systems.values.model import Edit, Outcome

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Result:
    """What became of one file.

    Attributes:
        confirmed: helm itself has read the edited file, and has of it what was meant.
        bare: the diff is shown with the values of others in it.
    """

    file: str
    edit: Edit
    before: bytes = b""
    written: bool = False
    confirmed: bool = False
    exit: Exit = Exit.OK
    bare: bool = False

    def as_line(self) -> dict[str, Any]:
        """The facts of one ndjson line."""
        made = self.edit
        return {
            "file": self.file,
            "outcome": made.outcome.value,
            "finding": made.finding,
            "line": made.line,
            "message": made.message,
            "lines_added": made.lines_added,
            "tokens_replaced": made.tokens_replaced,
        }

    def as_json(self) -> dict[str, Any]:
        """The facts of one file in the JSON document."""
        return {
            **self.as_line(),
            "next_step": self.edit.next_step,
            "names": list(self.edit.names),
            "written": self.written,
            "confirmed_by_helm": self.confirmed,
            "diff": self.diff(),
        }

    def diff(self) -> str:
        """The unified diff; empty when nothing changes."""
        whole = unified_diff(self.before, self.edit.data, self.file)
        return whole if self.bare else keys_only(whole)

    def said(self) -> str:
        """What was done, or is to be done, in words."""
        done = _DONE[self.edit.outcome]
        return done if self.written or self.edit.outcome not in _CHANGED else f"to be {done}"


_HELM = {
    True: "helm reads it as it was meant",
    False: "helm was not asked: it is not on PATH, or the file is not one that it is given",
}
_CHANGED = (Outcome.INSERT, Outcome.UPDATE)
_DONE = {
    Outcome.INSERT: "added",
    Outcome.UPDATE: "replaced",
    Outcome.NOOP: "already set",
    Outcome.REFUSE: "refused",
}
_WORSE = (Exit.OK, Exit.FAILED, Exit.UNKNOWN, Exit.USAGE)
"""A file that could not be read outweighs one that was refused."""


def main(args: argparse.Namespace) -> int:
    """Edit each file, or show how; one bad file never stops the others."""
    written: list[str] = []
    try:
        return _all(args, written)
    except OSError:  # of standard output
        if written:
            return Exit.STOPPED
        raise


def _all(args: argparse.Namespace, written: list[str]) -> int:
    results: list[Result] = []
    worst = Exit.OK
    for file in args.files:
        result = replace(_one(file, write=args.write), bare=args.show_values)
        written += [file] if result.written else []
        if args.check and result.edit.outcome in _CHANGED:
            result = replace(result, exit=Exit.FAILED)
        worst = max(worst, result.exit, key=_WORSE.index)
        if args.format == "ndjson":
            sys.stdout.write(json.dumps(result.as_line()) + "\n")
        elif args.format == "text":
            sys.stdout.write("".join(_text(result)))
        else:
            results.append(result)
    if args.format == "json":
        document = {"schema_version": SCHEMA_VERSION, "files": [it.as_json() for it in results]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()
    return int(worst)


def _one(file: str, *, write: bool) -> Result:
    try:
        before = read_values(Path(file))
    except Problem as problem:
        return Result(file, _refusal(problem), exit=problem.exit)
    made = edit(before)
    if made.outcome is Outcome.REFUSE:
        return Result(file, made, before, exit=Exit.FAILED)
    if not write or made.outcome is Outcome.NOOP:
        return Result(file, made, before)
    from wizard.systems.helm.values_file import confirm

    try:
        meant = given_to_helm(made.data)
        confirmed = meant is not None and confirm(made.data, meant, file)
        write_values(Path(file), before=before, after=made.data, backup=_backup(file, before))
    except Problem as problem:
        return Result(file, _refusal(problem, before), before, exit=problem.exit)
    return Result(file, made, before, written=True, confirmed=confirmed)


def _backup(file: str, before: bytes) -> Path:
    """Where the old content is kept: beside the journals, under its own checksum."""
    import hashlib

    from wizard.records.state import made_private

    name = f"{hashlib.sha256(before).hexdigest()[:16]}-{Path(file).name[-100:]}"
    return made_private("values") / name


def _refusal(problem: Problem, data: bytes = b"") -> Edit:
    what, step = problem.what, problem.next_step
    return Edit(Outcome.REFUSE, data, problem.id, None, what, step, 0, 0, ())


def _text(result: Result) -> Iterator[str]:
    made = result.edit
    where = f"{result.file}:{made.line}" if made.line else result.file
    yield safe(f"{where}: {result.said()}  {made.message}  {made.finding}") + "\n"
    if made.next_step:
        yield safe(f"  next: {made.next_step.replace('FILE', result.file)}") + "\n"
    if made.outcome in _CHANGED:
        yield safe(result.diff(), lines=True)
        if not result.written:
            yield "  not written; --write writes it\n"
        else:
            yield f"  written; {_HELM[result.confirmed]}\n"
