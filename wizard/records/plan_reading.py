"""Reads plans: also stale and expired ones, those of another place, and of newer minor versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wizard.files import read_file
from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.records.changes import FactKind
from wizard.records.plan import SCHEMA_VERSION, Plan, PlannedStep
from wizard.records.plan_json import ID, from_plain, parse, plan_id

GENERATION = "generation"
"""The kind of a precondition that only plans of schema version 1.0 have."""
_BEGINNINGS = {
    "content of ": FactKind.FILE,
    "release ": FactKind.RELEASE,
    "deployed ": FactKind.RELEASE,
    "scale of ": FactKind.SCALE,
    "row ": FactKind.ROW,
    "generation of ": GENERATION,
}
"""The kinds that are gone by, as preconditions of plans before schema version 1.2 tell them."""
LARGEST = 64 * 1024 * 1024
"""Bytes; a plan over a hundred thousand organizations has a quarter of that."""


@dataclass(frozen=True)
class Reading:
    """A plan that was read.

    Attributes:
        id: SHA-256 of what it says, computed here.
        data: the file's bytes, as they were signed.
        document: the whole JSON document, with what this version does not know.
        newer: it is of a newer minor version than this one knows.
        altered: the id in the file is not the one of what the file says.
    """

    plan: Plan
    id: str
    data: bytes
    document: Mapping[str, Any]
    newer: bool
    altered: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the plan has to know first."""
        notes = []
        if self.altered:
            notes.append("This plan was altered: its id is not the one of what it says.")
        if self.newer:
            version = self.plan.schema_version
            notes.append(
                f"This plan is of schema version {version}, newer than {SCHEMA_VERSION}, which is "
                "known here: what is new in it is not shown."
            )
        return tuple(notes)


def read_plan(path: Path) -> Reading:
    """The plan in a file.

    Raises:
        Problem: LSA910 it cannot be read or is no plan, LSA911 it is of another major version.
    """
    try:
        data = read_file(path, LARGEST)
    except OSError as error:
        raise _not_read(path, error.strerror or "it cannot be opened") from None
    try:
        document = parse(data)
        newer = _version(document, path)
        plan = from_plain(Plan, document)
        times = map(datetime.fromisoformat, (plan.created.at, plan.expires_at))
        if any(it.tzinfo is None for it in times):
            raise ValueError("a time in it has no time zone")
        plan = replace(plan, steps=tuple(map(_with_kinds, plan.steps)))
        id = plan_id(document)
    except ValueError as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise _not_read(path, f"it is no plan: {why.removeprefix('it is no plan: ')}") from None
    return Reading(plan, id, data, document, newer, document.get(ID) != id)


def _with_kinds(step: PlannedStep) -> PlannedStep:
    """Give the preconditions of an earlier plan's step the kinds that it does not tell."""
    if step.change is None or all(it.kind for it in step.change.preconditions):
        return step
    known = []
    for it in step.change.preconditions:
        told = (kind for words, kind in _BEGINNINGS.items() if it.name.startswith(words))
        known.append(replace(it, kind=it.kind or next(told, "")))
    return replace(step, change=replace(step.change, preconditions=tuple(known)))


def _version(document: Mapping[str, Any], path: Path) -> bool:
    """Whether the version is a newer minor one of our major."""
    match = re.fullmatch(r"(\d{1,6})\.(\d{1,6})", str(document.get("schema_version")))
    if not match:
        raise ValueError("it has no schema_version")
    major, minor = (int(number) for number in SCHEMA_VERSION.split("."))
    if int(match[1]) != major:
        tool = document.get("tool")
        made_by = str(tool.get("version")) if isinstance(tool, Mapping) else ""
        if not re.fullmatch(r"[\w.+-]{1,40}", made_by):
            made_by = "not told"
        raise Problem(
            "LSA911",
            f"The plan is of schema version {match[0]}; this version reads {major}.x",
            on=f"file {path}",
            next_step=f"use the langsmith-audit that made it, version {made_by}, or make "
            "a new plan",
            exit=Exit.REFUSED,
        )
    return int(match[2]) > minor


def _not_read(path: Path, why: str) -> Problem:
    return Problem(
        "LSA910",
        f"The plan cannot be read: {why}",
        on=f"file {path}",
        next_step="name a file that langsmith-audit plan -o FILE wrote",
        exit=Exit.USAGE,
    )
