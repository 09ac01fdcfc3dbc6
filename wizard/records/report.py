"""The result of a health check, area by area, as every format has it.

The document is an object of objects and arrays that may grow: a new minor `schema_version` only
adds members. `exit_code` and `verdict` are the same in every format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from wizard import __version__
from wizard.problems import Exit
from wizard.record import dataclass, field
from wizard.records.findings import Finding, State, Suppressed

SCHEMA = "1.0"
MEANING = {
    Exit.OK: "fine",
    Exit.FAILED: "a check failed",
    Exit.WARNED: "warnings",
    Exit.UNKNOWN: "not everything could be checked",
}
"""What an exit code of a look says in words."""
ORDER = (State.FAIL, State.UNKNOWN, State.WARN, State.NOT_RUN, State.INFO, State.SKIP, State.PASS)
"""The states, the worst first."""


MEASURES = {
    "newest_event_timestamp_seconds": "When the newest event of the audit log was recorded",
    "shared_organizations": "Shared organizations",
    "table_rows": "Rows of audit_logs, by the planner's estimate",
    "export_timestamp_seconds": "Through when the export of the log has come (--events-state)",
    "certificate_expiry_timestamp_seconds": "When the certificate of LangSmith's address ends",
}
"""What is measured of an installation, in base units, and what it is."""


@dataclass(frozen=True)
class Area:
    """One area of the check: what a person sees as one thing.

    Attributes:
        name: how `--only` and machines call it (`release`).
        title: how a person calls it (`The Helm release`).
        findings: in the order of the checks; of one check there may be several, one a subject.
    """

    name: str
    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Report:
    """What one health check of one target has found.

    Attributes:
        target: the facts by which a person knows it; `context`, `api_server`, `namespace`, …
        areas: all that were asked for, in order, also those in which nothing could be looked at.
        exit: the exit code, the same in all formats.
        checked_at: when it began (UTC); `duration_s` how long it took, in seconds.
        remarks: what the counts do not say, sentences without their end.
        ended: why it did not come to its end; empty when it did.
        measures: what was measured, by the names in MEASURES.
        fail_on_warn: whether warnings alone make an exit code of their own.
    """

    target: Mapping[str, str]
    areas: tuple[Area, ...]
    exit: Exit
    checked_at: datetime
    duration_s: float
    remarks: tuple[str, ...] = ()
    ended: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    fail_on_warn: bool = False

    @property
    def name(self) -> str:
        """The installation in a few words, as lists of several and machines tell it from others."""
        place = f"{self.target.get('namespace') or '?'}/{self.target.get('release') or '?'}"
        return self.target.get("name") or place

    @property
    def findings(self) -> Iterator[Finding]:
        """All of them, in order, the suppressed ones too."""
        return (finding for area in self.areas for finding in area.findings)

    @property
    def counted(self) -> list[Finding]:
        """Those that the verdict rests on: all but the suppressed ones."""
        return [finding for finding in self.findings if finding.suppressed is None]

    @property
    def checks(self) -> dict[str, State]:
        """Each check's id with the worst state of what it found, suppressed findings left out."""
        worst: dict[str, State] = {}
        for it in self.counted:
            before = worst.get(it.check or it.id, State.PASS)
            worst[it.check or it.id] = min(before, it.state, key=ORDER.index)
        return worst

    @property
    def counts(self) -> dict[State, int]:
        """How many findings are in each state, the suppressed ones left out."""
        counted = Counter(finding.state for finding in self.counted)
        return {state: counted[state] for state in State}

    @property
    def left_out(self) -> list[str]:
        """The areas of which nothing was looked at, by name."""
        only = {State.SKIP}
        return [it.name for it in self.areas if {found.state for found in it.findings} == only]

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        if self.ended:
            return "not finished"
        if self.exit == Exit.OK and self.counts[State.WARN]:
            return "fine, but for warnings"
        return MEANING.get(self.exit, "not finished")

    def as_json(self) -> dict[str, Any]:
        """The document, as `--format json` has it."""
        suppressed = sum(it.suppressed is not None for it in self.findings)
        counts = {state.value: number for state, number in self.counts.items()}
        return {
            "schema_version": SCHEMA,
            "tool": {"name": "langsmith-audit", "version": __version__},
            "checked_at": self.checked_at.isoformat(timespec="milliseconds"),
            "duration_s": round(self.duration_s, 3),
            "target": dict(self.target),
            "exit_code": int(self.exit),
            "verdict": self.verdict,
            "ended": self.ended,
            "fail_on": "warn" if self.fail_on_warn else "fail",
            "summary": {**counts, "suppressed": suppressed},
            "remarks": list(self.remarks),
            "measures": dict(self.measures),
            "areas": [
                {
                    "name": area.name,
                    "title": area.title,
                    "findings": [_finding(it, area.name) for it in area.findings],
                }
                for area in self.areas
            ],
        }


def _finding(finding: Finding, area: str) -> dict[str, Any]:
    hidden = finding.suppressed
    return {
        "area": area,
        "check": finding.check or finding.id,
        **finding.as_json(),
        "duration_s": round(finding.duration_s, 3),
        "since": finding.since,
        "because": finding.because,
        "suppressed": hidden and {"reason": hidden.reason, "until": hidden.until},
    }


def report_of(document: Mapping[str, Any], name: str) -> Report:
    """The report that a document of ours tells, as that of the installation of this name.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    return Report(
        {**document["target"], "name": name},
        tuple(
            Area(it["name"], it["title"], tuple(map(_finding_of, it["findings"])))
            for it in document["areas"]
        ),
        Exit(document["exit_code"]),
        datetime.fromisoformat(document["checked_at"]),
        float(document["duration_s"]),
        tuple(document["remarks"]),
        document["ended"],
        dict(document["measures"]),
        document["fail_on"] == "warn",
    )


def _finding_of(told: Mapping[str, Any]) -> Finding:
    names = ("id", "subject", "message", "next_step", "check", "duration_s", "since", "because")
    hidden = told["suppressed"]
    return Finding(
        **{name: told[name] for name in names},
        state=State(told["state"]),
        evidence=tuple(told["evidence"]),
        suppressed=Suppressed(hidden["reason"], hidden["until"]) if hidden else None,
    )


def verdict(findings: Iterable[Finding], *, fail_on_warn: bool = False) -> Exit:
    """The exit code that findings amount to; nothing checked is never fine."""
    states = {finding.state for finding in findings if finding.suppressed is None}
    if State.FAIL in states:
        return Exit.FAILED
    if states & {State.UNKNOWN, State.NOT_RUN} or not states & {State.PASS, State.WARN}:
        return Exit.UNKNOWN
    if State.WARN in states and fail_on_warn:
        return Exit.WARNED
    return Exit.OK


WORST = (
    Exit.TERMINATED, Exit.INTERRUPTED, Exit.UNEXPECTED, Exit.FAILED, Exit.USAGE, Exit.UNKNOWN,
    Exit.WARNED,
)  # fmt: skip
"""Of several installations the one that comes first here decides."""


def worst(exits: Iterable[Exit]) -> Exit:
    """The exit code of several checks."""
    found = set(exits)
    return next((it for it in WORST if it in found), max(found, default=Exit.OK))
