"""What a plan was made from: chart, values files, and where every answer came from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from wizard.options import BY_NAME, Kind, Settings
from wizard.problems import Problem
from wizard.records.changes import Change
from wizard.records.keyed import Keyed
from wizard.records.plan_file import Answer, Inputs, ValuesFile
from wizard.steps.base import pending
from wizard.steps.pinned import chart_reference
from wizard.systems.access import Systems
from wizard.systems.redact import redact

HERE = frozenset({"yes", "no_input"})
"""Answers to questions of this invocation alone."""


def plan_inputs(
    systems: Systems, settings: Settings, changes: tuple[Change, ...], keyed: Keyed
) -> Inputs:
    """The inputs; of the values files their keyed hashes only."""
    version = _version(systems)
    digest, none = chart_digest(systems, version)
    return Inputs(
        chart=systems.target.chart,
        chart_version=version,
        chart_digest=digest,
        no_digest=none,
        helm=_helm(systems),
        values=_values(systems, pending(changes, "values_file"), keyed),
        answers=answers_of(settings),
    )


def chart_digest(systems: Systems, version: str) -> tuple[str, str]:
    """The chart's digest, and where it cannot be had the reason."""
    if not version:
        return "", "the deployed chart version cannot be read"
    try:
        return systems.chart_digest(chart_reference(systems), version), ""
    except Problem as problem:
        return "", f"{problem.what} ({problem.id})"


def answers_of(settings: Settings) -> tuple[Answer, ...]:
    """Everything that was told, in the order of the options; secrets without their value."""
    return tuple(
        Answer(name, _shown(name, settings.values[name]), settings.origins[name])
        for name in BY_NAME
        if name in settings.values and name not in HERE
    )


def _shown(name: str, value: Any) -> Any:
    if BY_NAME[name].kind is Kind.SECRET:
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    if isinstance(value, list | tuple):
        return [_shown(name, item) for item in value]
    return value if isinstance(value, bool) else redact(str(value))


def _version(systems: Systems) -> str:
    try:
        return systems.target.chart_version or systems.release.chart_version
    except Problem:
        return ""


def _helm(systems: Systems) -> str:
    try:
        return systems.helm.version
    except Problem:
        return ""


def _values(systems: Systems, edit: Change | None, keyed: Keyed) -> tuple[ValuesFile, ...]:
    try:
        layers = systems.values_layers
    except Problem:  # the step that looks at the files says so
        return ()
    return tuple(_file(path, data, edit, keyed) for path, data in layers)


def _file(path: Path, data: bytes, edit: Change | None, keyed: Keyed) -> ValuesFile:
    before = keyed.of(hashlib.sha256(data).hexdigest())
    after = before
    if edit and edit.register["path"] == str(path.absolute()):
        after = keyed.of(edit.register["after"])
    return ValuesFile(str(path), before, after)
