"""What a step saw, what it proposes, and what it did.

Of an upgrade that is also what it would change in the rendered objects, without any secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from wizard.problems import Problem
from wizard.record import dataclass, field
from wizard.records.findings import Finding, State


class Reversible(StrEnum):
    """Whether a change can be put back."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True)
class Observation:
    """What a step saw.

    Attributes:
        findings: the same ones that `check` reports.
        right: nothing is left to do for this step.
        blocked: the step cannot be made right by this tool; nothing after it may be changed.
        underway: it becomes right by itself; nothing is to be done for it but to wait.
        remark: what the last line of a report must say of it; a part of a sentence.
    """

    findings: tuple[Finding, ...]
    right: bool
    blocked: bool = False
    underway: bool = False
    remark: str = ""

    @property
    def left_out(self) -> bool:
        """Whether nothing of it was looked at."""
        return {finding.state for finding in self.findings} == {State.SKIP}


@dataclass(frozen=True)
class Exact:
    """Exactly what will be done: an argv, an SQL statement with its parameters, or a diff."""

    kind: str
    text: str
    parameters: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same as plans and journals hold it."""
        return {"kind": self.kind, "text": self.text, "parameters": list(self.parameters)}


def rendered_diff(objects: Sequence[ObjectDiff]) -> tuple[Exact, ...]:
    """The rendered difference as one diff, an object after the other; none when there is none."""
    lines = [line for it in objects for line in (f"@@ rendered: {it.title} @@", *it.lines)]
    return (Exact("diff", "\n".join(lines)),) if lines else ()


@dataclass(frozen=True)
class Consent:
    """Something beyond the documented change that needs a yes of its own; `--yes` is none.

    Attributes:
        option: the switch in `wizard.options` that gives it beforehand, and its question.
        refusal: what is at stake, with its details; raised where nobody may be asked.
        instead: a switch that makes the change another one, which needs no yes; asked first.
    """

    option: str
    refusal: Problem = field(compare=False)
    instead: str = ""

    def as_json(self) -> dict[str, Any]:
        """The consent as plans hold it."""
        told = self.refusal
        return {"option": self.option, "id": told.id, "what": told.what, "detail": [*told.detail]}


@dataclass(frozen=True)
class Part:
    """A part of what a change rests on.

    Attributes:
        value: as it is.
        private: the value may be a secret.
        by: who set it last and when; empty where nothing tells.
    """

    value: str = field(repr=False)
    private: bool = False
    by: str = ""


class FactKind(StrEnum):
    """What a change rests on.

    OBJECT: which object the workload is, and whose. SPEC: what of its `spec` is neither the pod
    template nor the scale. RELEASE: what helm has recorded. HELM: what helm would do it with.
    EDITS: what was changed beside helm. ROWS: how many rows, and a fingerprint of all of them.
    """

    FILE = "file"
    RELEASE = "release"
    HELM = "helm"
    EDITS = "edits"
    OBJECT = "object"
    TEMPLATE = "template"
    SPEC = "spec"
    SCALE = "scale"
    DATABASE = "database"
    ROW = "row"
    ROWS = "rows"


@dataclass(frozen=True)
class Fact:
    """Something that a change rests on.

    Attributes:
        value: as it is, or the fingerprint of its parts.
        parts: what is behind it, by the names of places (one alone has none), in memory only: it
            holds secrets.
    """

    kind: FactKind
    value: str
    parts: Mapping[str, Part] = field(default_factory=dict, repr=False, compare=False)


Facts = Mapping[str, Fact]
"""Facts by their names."""


def facts(kind: FactKind, values: Mapping[str, str]) -> Facts:
    """Facts of one kind by their names and values."""
    return {name: Fact(kind, value) for name, value in values.items()}


@dataclass(frozen=True)
class Change:
    """A change that a step proposes.

    Attributes:
        step: the step's name.
        items: the single changes in it, a line each; a plan counts these.
        details: what the items consist of, a line each.
        exact: what will be run or written.
        preconditions: what the change rests on.
        besides: what it does not rest on now, and a plan of the same change may have.
        effect: what it does to the running system.
        reversible, because, undo: whether, why, and how it is put back.
        register: what undo will need and is known beforehand (plain JSON, no secret); it is in
            the journal before the change is made.
        after: the step that has to happen first, when it has not happened yet.
        consents: what needs a yes of its own and does not have it yet.
        by_hand: who makes the change outside this tool; the run hands it over and ends there.
        risk: what can go wrong, and what it would mean.
        moves: names of preconditions that this change moves, each with what it becomes; empty
            where only the change itself tells.
        expected: how many rows or objects it writes, where that is counted.
        rendered: what the chart renders otherwise than it is deployed.
        manifest: all that the chart renders, in memory only: it holds secrets.
        payload: what `apply` needs, in memory only.
    """

    step: str
    items: tuple[str, ...]
    exact: tuple[Exact, ...]
    preconditions: Facts
    effect: str
    reversible: Reversible
    because: str
    undo: str
    register: Mapping[str, Any] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    after: str = ""
    consents: tuple[Consent, ...] = ()
    by_hand: str = ""
    risk: str = ""
    moves: Mapping[str, str] = field(default_factory=dict)
    besides: Facts = field(default_factory=dict)
    expected: int | None = None
    rendered: tuple[ObjectDiff, ...] = ()
    manifest: str = field(default="", repr=False, compare=False)
    payload: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Done:
    """What a change did, its evidence, and what undo will need (plain JSON, no secret).

    Attributes:
        advice: what a person has still to do with it; told at the end of the run.
        stays: what is not as it was before a run, although all that this tool changed was put back.
    """

    summary: str
    evidence: tuple[str, ...] = ()
    undo: Mapping[str, Any] = field(default_factory=dict)
    stays: str = ""
    advice: str = ""


class DiffState(StrEnum):
    """What becomes of an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    NOISE = "noise"


@dataclass(frozen=True)
class ObjectDiff:
    """One object that the chart renders otherwise than it is deployed.

    Attributes:
        state: `noise` where all of the difference is another one at every rendering (a fresh
            certificate, a random name).
        lines: a changed place each, `+`, `-` or `~` first; values that may be secret are left out.
        hook: it is a hook of the release.
        ours: the difference is the two variables and nothing else.
    """

    kind: str
    namespace: str
    name: str
    state: DiffState
    lines: tuple[str, ...] = ()
    hook: bool = False
    ours: bool = False

    @property
    def title(self) -> str:
        """The object and what becomes of it, in a line."""
        hook = "hook " if self.hook else ""
        what = f"{hook}{self.kind} {self.name}"
        if self.state is DiffState.NOISE:
            return f"{what}: differs at every rendering (noise)"
        return f"{what}: {self.state.value}{', only the two variables' if self.ours else ''}"


def beyond(differences: Iterable[ObjectDiff]) -> tuple[ObjectDiff, ...]:
    """The differences that are neither the two variables nor noise."""
    return tuple(it for it in differences if not it.ours and it.state is not DiffState.NOISE)


def content_of(path: Path) -> str:
    """The name of the precondition that a file is as it was."""
    return f"content of {path}"


def fingerprint(content: bytes | str) -> str:
    """SHA-256 of bytes or text, in hexadecimal."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def fingerprint_of(facts: Any) -> str:
    """SHA-256 of plain data, whatever the order of its keys."""
    return fingerprint(json.dumps(facts, sort_keys=True, default=str))
