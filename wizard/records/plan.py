"""What a plan holds. The JSON Schema of the same is templates/plan.schema.json.

A plan goes to people who may not read what it was made from. It therefore has keyed hashes, which
tell the same from different, and only within one plan, and no plain hash of a values file: the same
file would have the same hash in every plan, and who knows all of a file but one short password
could try passwords as fast as SHA-256 goes. The key is drawn anew for each plan and is in it,
because another machine must be able to compare; so each try is made expensive instead (scrypt,
16 MiB). What holds no secret and comes in thousands (rows) is hashed fast.

The id is the SHA-256 of the document without its member `id`, as canonical JSON. A new minor
schema version only adds members; one of another major version is neither shown nor applied.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
import secrets
from datetime import datetime
from typing import Any

from wizard.record import dataclass
from wizard.records.changes import Exact, ObjectDiff, Reversible
from wizard.records.findings import Finding
from wizard.records.plan_json import plan_id, to_plain

SCHEMA_VERSION = "1.2"
"""Major and minor. A new minor adds members; what it adds may be passed over by a reader."""


@dataclass(frozen=True)
class Tool:
    """What made the plan."""

    name: str
    version: str


@dataclass(frozen=True)
class Created:
    """When (ISO 8601, UTC), by whom and where the plan was made."""

    at: str
    by: str
    host: str


@dataclass(frozen=True)
class Where:
    """What the plan is for, and what tells it from every other place.

    Attributes:
        cluster_uid: of the namespace kube-system.
        namespace_uid: of the release's namespace.
        system_identifier: PostgreSQL's own number of the server.
        organizations_oid: the object id of the table `organizations`.
        unread: what of these could not be read, a line each, with the reason; it is empty then.
    """

    context: str
    api_server: str
    namespace: str
    release: str
    revision: str = ""
    chart: str = ""
    cluster_uid: str = ""
    namespace_uid: str = ""
    database: str = ""
    system_identifier: str = ""
    organizations_oid: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValuesFile:
    """A values file by its keyed hashes; `after` is `before` where nothing is edited."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Answer:
    """What was told, and where it came from; `value` is null for a secret."""

    name: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Inputs:
    """What the plan was made from.

    Attributes:
        chart_digest: `sha256:…` of the packaged chart; empty with the reason in `no_digest`.
        helm: the version of helm.
    """

    chart: str
    chart_version: str
    chart_digest: str
    no_digest: str
    helm: str
    values: tuple[ValuesFile, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class PlannedPart:
    """A part of a precondition: its place, and its value or a keyed hash of it."""

    name: str
    value: str


@dataclass(frozen=True)
class Precondition:
    """Something that has to be as it was seen.

    Attributes:
        name: what it is of (`pod template of Deployment langsmith-backend`).
        value: as it was seen, or a keyed hash of it; null when only a step before it tells.
        after: the step after which it is so; empty when it is so now.
        parts: what a hash is of, so that what moved can be named (since 1.1).
        kind: what kind of thing it is, see `wizard.records.changes.FactKind` (since 1.2).
    """

    name: str
    value: str | None
    after: str = ""
    parts: tuple[PlannedPart, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Duration:
    """How many seconds a step is expected to take, and what says so."""

    seconds: int
    source: str


@dataclass(frozen=True)
class ServerCheck:
    """What the API server said to a write that it was asked only to check (`dryRun=All`).

    Attributes:
        outcome: `accepted`, or with the reason in `because`: `refused` when the write itself would
            be, `not simulated` when it could not be tried.
    """

    what: str
    outcome: str
    because: str = ""


@dataclass(frozen=True)
class Lacking:
    """A yes that the plan still lacks: the option that gives it, and what is at stake."""

    option: str
    id: str
    what: str
    detail: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True)
class PlannedChange:
    """A change of one step; see `wizard.records.changes.Change`.

    Attributes:
        expected: how many rows or objects it writes; null where that is not counted.
        duration: null when no history tells.
    """

    items: tuple[str, ...]
    exact: tuple[Exact, ...]
    preconditions: tuple[Precondition, ...]
    effect: str
    reversible: Reversible
    because: str
    undo: str
    details: tuple[str, ...] = ()
    after: str = ""
    risk: str = ""
    expected: int | None = None
    duration: Duration | None = None
    server_checks: tuple[ServerCheck, ...] = ()
    consents: tuple[Lacking, ...] = ()
    by_hand: str = ""
    rendered: tuple[ObjectDiff, ...] = ()


@dataclass(frozen=True)
class PlannedStep:
    """One step: what was seen, and what would be changed."""

    number: int
    name: str
    title: str
    right: bool
    findings: tuple[Finding, ...]
    change: PlannedChange | None


@dataclass(frozen=True)
class Rights:
    """The rights in Kubernetes that the changes need, asked for whoever made the plan.

    Making a plan needs none of them; applying it does.

    Attributes:
        granted: those that the API server grants, a line each.
        lacking: those that it does not grant: whoever applies the plan needs them.
        not_told: those that it gave no answer about.
        role: the Role (and ClusterRole) that grants what is lacking, as YAML; empty for nothing.
    """

    granted: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    not_told: tuple[str, ...] = ()
    role: str = ""


@dataclass(frozen=True)
class Plan:
    """A whole plan.

    Attributes:
        needs_approval: whether `apply` demands `--approve` with its id.
        fingerprint_key: what the keyed hashes are made with, see `wizard.records.plan`.
        order: the steps that change something, in the order in which they do.
        changes: the number of single changes.
        rollouts: how often the backend's pods are replaced.
        exit_code: 0, or why the plan is not complete.
        mark: what `apply` writes besides the changes, so that nobody applies the plan again.
        cannot_be_known: what no look at the systems tells beforehand.
        checks: what is looked at after the changes.
        rights: what whoever applies it needs in the cluster.
    """

    schema_version: str
    tool: Tool
    created: Created
    expires_at: str
    ticket: str
    reason: str
    needs_approval: bool
    target: Where
    inputs: Inputs
    fingerprint_key: str
    no_changes: bool
    order: tuple[str, ...]
    changes: int
    rollouts: int
    exit_code: int
    steps: tuple[PlannedStep, ...]
    mark: str
    cannot_be_known: tuple[str, ...]
    checks: tuple[str, ...]
    rights: Rights = Rights()

    @property
    def planned(self) -> tuple[tuple[PlannedStep, PlannedChange], ...]:
        """The steps that change something, with their changes."""
        return tuple((step, step.change) for step in self.steps if step.change)

    @property
    def consents(self) -> tuple[Lacking, ...]:
        """What needs a yes of its own before the plan can be carried out."""
        return tuple(consent for _, change in self.planned for consent in change.consents)

    @property
    def numbers(self) -> dict[str, int]:
        """Each step's number by its name."""
        return {step.name: step.number for step in self.steps}

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return now >= datetime.fromisoformat(self.expires_at)

    def document(self) -> dict[str, Any]:
        """The plan as JSON data, with its id."""
        body = to_plain(self)
        return {"id": plan_id(body), **body}


def as_text(document: dict[str, Any]) -> str:
    """A plan's JSON as it is written to a file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


_COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def is_fingerprint(text: str) -> bool:
    """Whether it is a SHA-256 as steps give it (hex)."""
    return bool(_FINGERPRINT.fullmatch(text))


@dataclass(frozen=True)
class Keyed:
    """The hashes of one plan; `key` is 32 bytes in hexadecimal."""

    key: str

    @classmethod
    def fresh(cls) -> Keyed:
        """The hashes of a new plan."""
        return cls(secrets.token_hex(32))

    def of(self, fingerprint: str, *, cheap: bool = False) -> str:
        """The keyed hash of a SHA-256; `cheap` where nothing secret is behind it."""
        key, data = self.key.encode(), fingerprint.encode()
        if cheap:
            return "hmac-sha256:" + hmac.new(key, data, hashlib.sha256).hexdigest()
        return "scrypt:" + _costly(key, data)


@functools.cache
def _costly(key: bytes, data: bytes) -> str:
    """The dear hash, once a value: steps rest on the same ones, and parts say `false` often."""
    return hashlib.scrypt(data, salt=key, **_COST).hex()


SHORT = 12
"""Characters of an id or a hash that are enough to tell it from others."""


def short(text: str) -> str:
    """A hash cut to what tells it from others; any other text as it is."""
    kind, _, hash = text.partition(":")
    return f"{kind}:{hash[:SHORT]}…" if kind in ("scrypt", "hmac-sha256") else text
