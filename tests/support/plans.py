"""Plans for tests: one of the practice cluster, and what is done to it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wizard.records import plan
from wizard.records.plan_json import plan_id

Document = dict[str, Any]

DEAR = dict(plan._COST)
"""What a hash of a plan costs where no test says otherwise."""


def cheapen() -> None:
    """From now on, in this process and its forks, a plan's hashes cost little.

    They are meant to be dear, and are a third of a plan's whole time; test_plan holds what they
    cost, and the forks and the tests make and compare all others alike.
    """
    plan._COST["n"] = 4


def change(document: Document, edit: Callable[[Document], object], *, id: bool = True) -> Document:
    """A copy with an edit; its id is made anew unless it shall not fit."""
    copied = copy.deepcopy(document)
    edit(copied)
    return {**copied, "id": plan_id(copied)} if id else copied


def written(document: Document, path: Path) -> Path:
    """The document in a file."""
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def by_step(document: Document) -> dict[str, Document]:
    """The changes by the names of their steps."""
    return {step["name"]: step["change"] for step in document["steps"] if step["change"]}


def preconditions(document: Document, step: str) -> dict[str, Document]:
    """A step's preconditions by name."""
    return {one["name"]: one for one in by_step(document)[step]["preconditions"]}
