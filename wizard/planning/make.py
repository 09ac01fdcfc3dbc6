"""Makes the plan's document from a proposal.

It says what the plan was made from (chart, values files, where every answer came from), what tells
its target from every other one (names alone do not), and each step's change with every
precondition, and no plain hash of a secret.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from wizard import __version__
from wizard.engine.look import where
from wizard.engine.overview import duration_of
from wizard.engine.propose import Proposal
from wizard.engine.rights import ROLE, asked, needed
from wizard.options import BY_NAME, Kind
from wizard.planning.approval import MARK
from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.records.changes import (
    Change,
    Consent,
    Fact,
    FactKind,
    Part,
    content_of,
    facts,
    fingerprint,
)
from wizard.records.plan import (
    SCHEMA_VERSION,
    Answer,
    Created,
    Inputs,
    Keyed,
    Lacking,
    Plan,
    PlannedChange,
    PlannedPart,
    PlannedStep,
    Precondition,
    Rights,
    Tool,
    ValuesFile,
    Where,
    is_fingerprint,
)
from wizard.settings import Settings
from wizard.steps.procedure import STEPS, the_step
from wizard.steps.upgrade.chart import chart_reference
from wizard.steps.upgrade.server_check import REFUSED
from wizard.systems.access import Systems
from wizard.systems.kubernetes.rbac import roles_text
from wizard.systems.redact import redact


@dataclass(frozen=True)
class Header:
    """What a person says about a plan."""

    lasts: timedelta
    ticket: str = ""
    reason: str = ""
    needs_approval: bool = False


def plan_document(
    systems: Systems,
    settings: Settings,
    proposal: Proposal,
    header: Header,
    keyed: Keyed | None = None,
) -> Plan:
    """The plan as it is written down and shown; `keyed` is that of a plan to compare with."""
    now = datetime.now(UTC)
    keyed = keyed or Keyed.fresh()
    inputs = plan_inputs(systems, settings, proposal.changes, keyed)
    changes = proposal.changes
    steps = _steps(systems, proposal, inputs, keyed)
    exit = _exit(proposal.exit, steps)
    return Plan(
        schema_version=SCHEMA_VERSION,
        tool=Tool("langsmith-audit", __version__),
        created=Created(_iso(now), _user(), socket.gethostname()),
        expires_at=_iso(now + header.lasts),
        ticket=header.ticket,
        reason=header.reason,
        needs_approval=header.needs_approval,
        target=plan_where(systems),
        inputs=inputs,
        fingerprint_key=keyed.key,
        no_changes=not changes and exit == Exit.OK,
        order=tuple(change.step for change in changes),
        changes=sum(len(change.items) for change in changes),
        rollouts=sum(the_step(change.step).rolls for change in changes),
        exit_code=int(exit),
        steps=steps,
        mark=_mark(systems) if changes else "",
        cannot_be_known=tuple(
            line for change in changes for line in the_step(change.step).cannot_be_known
        ),
        checks=tuple(
            f"step {number}: {step.title}"
            for number, step in enumerate(STEPS, 1)
            if step.name not in systems.target.skip
        ),
        rights=_rights(systems, changes),
    )


def _rights(systems: Systems, changes: Sequence[Change]) -> Rights:
    """What the changes need, as the API server answers whoever makes the plan."""
    told = asked(systems, needed(systems, changes))
    lacks = [right for right, granted in told.items() if granted is False]
    return Rights(
        granted=tuple(right.words for right, granted in told.items() if granted),
        lacking=tuple(right.words for right in lacks),
        not_told=tuple(right.words for right, granted in told.items() if granted is None),
        role=roles_text(lacks, ROLE) if lacks else "",
    )


def _steps(
    systems: Systems, proposal: Proposal, inputs: Inputs, keyed: Keyed
) -> tuple[PlannedStep, ...]:
    changes = proposal.changes
    by_step = {change.step: at for at, change in enumerate(changes)}
    found = []
    for number, step in enumerate(STEPS, 1):
        seen, at = proposal.seen[step.name], by_step.get(step.name)
        change = None
        if at is not None:
            earlier: tuple[Change, ...] = changes[:at]
            change = planned_change(systems, changes[at], earlier, inputs.chart_digest, keyed)
        found.append(PlannedStep(number, step.name, step.title, seen.right, seen.findings, change))
    return tuple(found)


def _exit(exit: Exit, steps: Sequence[PlannedStep]) -> Exit:
    """Whether the plan can be carried out: not with a write that the API server refuses."""
    checks = (check for step in steps if step.change for check in step.change.server_checks)
    refused = any(check.outcome == REFUSED for check in checks)
    return Exit.FAILED if refused and exit == Exit.OK else exit


def _mark(systems: Systems) -> str:
    backend = systems.installation.backend
    mark = f"annotation {MARK} on {backend.kind} {backend.name}"
    return f"{mark}, and a Lease that is gone when it ends"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


HERE = frozenset({"yes", "no_input"})
"""Answers to questions of this invocation alone."""


def plan_inputs(
    systems: Systems, settings: Settings, changes: tuple[Change, ...], keyed: Keyed
) -> Inputs:
    """The inputs; of the values files their keyed hashes only. What cannot be read is empty."""
    version = helm = ""
    with suppress(Problem):
        version = systems.target.chart_version or systems.release.chart_version
    digest, none = chart_digest(systems, version)
    with suppress(Problem):
        helm = systems.helm.version
    return Inputs(
        chart=systems.target.chart,
        chart_version=version,
        chart_digest=digest,
        no_digest=none,
        helm=helm,
        values=_values(systems, changes, keyed),
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


def _values(systems: Systems, changes: Sequence[Change], keyed: Keyed) -> tuple[ValuesFile, ...]:
    try:
        layers = systems.values_layers
    except Problem:  # the step that looks at the files says so
        return ()
    becomes = {name: to for change in changes for name, to in change.moves.items()}
    return tuple(
        ValuesFile(str(path), before, keyed.of(after) if after else before)
        for path, data in layers
        for before, after in [(keyed.of(fingerprint(data)), becomes.get(content_of(path)))]
    )


CHEAP = (FactKind.ROW,)
"""What has nothing secret behind it, and comes in thousands."""


def planned_change(
    systems: Systems, change: Change, earlier: Sequence[Change], digest: str, keyed: Keyed
) -> PlannedChange:
    """The change with everything that a reviewer and `apply` need."""
    return PlannedChange(
        items=change.items,
        details=change.details,
        exact=change.exact,
        preconditions=tuple(
            replace(it, parts=() if it.after else planned_parts(parts_of(change, it.name), keyed))
            for it in rests_on(systems, change, earlier, digest, keyed)
        ),
        effect=change.effect,
        risk=change.risk,
        expected=change.expected,
        duration=duration_of(systems, change.step),
        reversible=change.reversible,
        because=change.because,
        undo=change.undo,
        after=change.after,
        server_checks=the_step(change.step).tried(systems, change),
        by_hand=change.by_hand,
        consents=tuple(_lacking(consent) for consent in change.consents),
        rendered=change.rendered,
    )


def rests_on(
    systems: Systems, change: Change, earlier: Sequence[Change], digest: str, keyed: Keyed
) -> tuple[Precondition, ...]:
    """What the change rests on, as a plan holds it; what `earlier` ones move is after them.

    That are its own facts as they are now, and the chart's digest.
    """
    found = dict(change.preconditions)
    if change.exact:  # without it others make it; this tool only waits
        if the_step(change.step).by_helm:
            told = {"helm": f"version {systems.helm.major}", "chart digest": digest}
            found |= facts(FactKind.HELM, {name: value for name, value in told.items() if value})
        if change.expected is not None:
            found["expected rows"] = Fact(FactKind.ROWS, str(change.expected))
    return tuple(_one(name, fact, earlier, keyed) for name, fact in found.items())


def also_now(change: Change, earlier: Sequence[Change], keyed: Keyed) -> tuple[Precondition, ...]:
    """What the change itself does not rest on any more, and a plan of it may have."""
    return tuple(_one(name, fact, earlier, keyed) for name, fact in change.besides.items())


def parts_of(change: Change, name: str) -> Mapping[str, Part]:
    """What is behind one of the facts of a change."""
    fact = change.preconditions.get(name) or change.besides.get(name)
    return fact.parts if fact else {}


def planned_parts(parts: Mapping[str, Part], keyed: Keyed) -> tuple[PlannedPart, ...]:
    """The parts as a plan holds them: of what may be secret a keyed hash; one alone has none."""
    told = {at: part for at, part in parts.items() if at}
    with ThreadPoolExecutor() as threads:
        values = threads.map(
            lambda it: keyed.of(fingerprint(it.value)) if it.private else it.value, told.values()
        )
        return tuple(PlannedPart(at, value) for at, value in zip(told, values, strict=True))


def _one(name: str, fact: Fact, earlier: Sequence[Change], keyed: Keyed) -> Precondition:
    """The fact as a plan holds it: a fingerprint only as a keyed hash."""

    def hashed(value: str) -> str:
        return keyed.of(value, cheap=fact.kind in CHEAP) if is_fingerprint(value) else value

    for before in reversed(earlier):
        if name in before.moves:
            becomes = hashed(before.moves[name]) or None
            return Precondition(name, becomes, before.step, kind=fact.kind.value)
    return Precondition(name, hashed(fact.value), kind=fact.kind.value)


def _lacking(consent: Consent) -> Lacking:
    told = consent.refusal
    return Lacking(consent.option, told.id, told.what, told.detail, told.next_step)


SYSTEM = "kube-system"
"""Its uid is what Kubernetes people take for a cluster's identity; it is never made anew."""


def plan_where(systems: Systems) -> Where:
    """The target with its identity; what cannot be read is said, and left empty."""
    names = {"context", "api_server", "namespace", "release", "revision", "chart"}
    facts: dict[str, Any] = {k: v for k, v in where(systems).items() if k in names}
    unread: list[str] = []
    namespace = systems.target.namespace
    facts["cluster_uid"] = _read(unread, "cluster uid", lambda: systems.uid_of(SYSTEM))
    facts["namespace_uid"] = _read(unread, "namespace uid", lambda: systems.uid_of(namespace))
    facts |= _database(systems, unread)
    return Where(**facts, unread=tuple(unread))


def _database(systems: Systems, unread: list[str]) -> dict[str, str]:
    try:
        identity = systems.database.identity()
        table = systems.database.find_organizations()
    except Problem as problem:
        unread.append(f"database: {problem.what} ({problem.id})")
        return {}
    if identity.system_identifier is None:
        unread.append("system identifier: this login may not read it")
    return {
        "database": identity.database,
        "system_identifier": identity.system_identifier or "",
        "organizations_oid": str(table.oid),
    }


def _read(unread: list[str], what: str, read: Callable[[], str]) -> str:
    try:
        return read()
    except Problem as problem:
        unread.append(f"{what}: {problem.what} ({problem.id})")
        return ""
