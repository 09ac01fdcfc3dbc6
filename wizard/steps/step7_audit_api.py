"""Step 7: `GET /api/v1/audit-logs` with an organization admin's key returns OCSF events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from wizard.problems import Exit, Problem
from wizard.records.changes import Observation
from wizard.records.findings import Finding, State, failed, from_problem, passed
from wizard.steps.rights import BACKEND, FORWARD
from wizard.steps.step import Access, Step, Watch
from wizard.systems.calls import poll

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.langsmith.asking import Served

MILLISECONDS = 1e11
"""A time from here on cannot be in seconds."""
SETTLES = 30.0
"""Seconds within which the API must answer after a restart: old pods may still be leaving."""

LASTING = frozenset(
    {
        *("LSA801", "LSA802", "LSA803", "LSA804", "LSA808", "LSA809", "LSA811", "LSA812"),
        *("LSA813", "LSA814", "LSA815", "LSA817", "LSA818", "LSA820", "LSA821", "LSA825"),
        *("LSA892", "LSA893"),
    }
)
"""Findings that waiting does not mend: the key, the role, the address, the certificate, …"""


class AuditApi(Step):
    """The proof: what the server itself says of the organization, and a page of its log."""

    name: ClassVar[str] = "audit_api"
    title: ClassVar[str] = "The audit-logs API"
    access: ClassVar[tuple[Access, ...]] = (
        *BACKEND,
        *FORWARD,
        Access("url", "GET", "/api/v1/orgs/current/info"),
        Access("url", "GET", "/api/v1/audit-logs"),
    )
    ahead: ClassVar[tuple[str, ...]] = ("api",)
    asks: ClassVar[tuple[str, ...]] = ("api_key",)
    proof: ClassVar[bool] = True

    def missing(self, systems: Systems) -> tuple[str, ...]:
        """The API key."""
        return () if systems.target.api_key else ("api_key",)

    def observe(self, systems: Systems) -> Observation:
        """Ask the server."""
        served = systems.served
        if served is None:
            no_key = Finding(
                "LSA892",
                State.UNKNOWN,
                "the audit-logs API",
                "Not asked: there is no API key",
                next_step="set LANGSMITH_API_KEY or give --api-key-file; or --skip audit_api",
            )
            return Observation((no_key,), right=False)
        subject = f"organization {served.organization.display_name} ({served.organization.id})"
        on = "yes" if served.organization.can_use_audit_logs else "no"
        says = f"{served.url} says can_use_audit_logs: {on}"
        if served.refused:
            refused = _measured(systems, served.refused)
            state = State.FAIL if refused.exit == Exit.FAILED else State.UNKNOWN
            why, step = (says, *refused.detail), refused.next_step
            finding = Finding(refused.id, state, subject, refused.what, why, step)
            return Observation((finding,), right=False)
        return _answered(served, subject, says)

    def require(self, systems: Systems) -> None:
        """Refuse a key or an address with which the result can never be proven."""
        try:
            served = systems.served
        except Problem as problem:
            if problem.id in LASTING:
                raise
            return
        if served and served.organization.may_manage is False:
            raise Problem(
                "LSA821",
                "The key may not read audit logs: it lacks organization:manage",
                on=f"organization {served.organization.display_name} ({served.organization.id})",
                next_step="use the key of an Organization Admin or Organization Operator, or leave "
                "the proof out with --skip audit_api",
                exit=Exit.FAILED,
            )

    def confirm(self, systems: Systems, watch: Watch) -> Observation:
        """Ask until the server answers as it should, or the limit is over."""
        what = f"the API does not answer as it should yet (limit {SETTLES:.0f} s)"
        for waited in poll(SETTLES):
            try:
                seen = self.observe(systems)
            except Problem as problem:
                state = State.FAIL if problem.exit == Exit.FAILED else State.UNKNOWN
                seen = Observation((from_problem(problem, state),), right=False)
            if seen.right or LASTING & {it.id for it in seen.findings}:
                break
            watch.waiting(what, waited)
            systems.forget()
        return seen


def _answered(served: Served, subject: str, says: str) -> Observation:
    assert served.page is not None  # noqa: S101 - told to the type checker
    page = served.page
    evidence = [says, f"200 with {len(page.items)} events of the last 30 days", _newest(page.items)]
    evidence.append("a cursor leads to more" if page.cursor else "no cursor: there are no more")
    if page.problems:
        finding = failed(
            "LSA893",
            subject,
            "The events are not in the documented shape (OCSF 1.7.0 API Activity)",
            *evidence,
            *page.problems[:5],
            next_step="compare with the API reference of your version",
        )
        return Observation((finding,), right=False)
    message = "The audit-logs API answers with OCSF events" if page.items else (
        "The audit-logs API answers; nothing was recorded in the last 30 days yet"
    )  # fmt: skip
    found = passed("LSA891", subject, message, *filter(None, evidence))
    return Observation((found,), right=True)


def _measured(systems: Systems, problem: Problem) -> Problem:
    """An endpoint that is not there, with what of its reasons was looked at already."""
    if problem.id != "LSA824":
        return problem
    try:
        lacking = systems.lacking_live
    except Problem:
        return problem
    if lacking:
        step = f"{' and '.join(lacking)} first have to be live in the backend: langsmith-audit run"
        return problem.but(next_step=step)
    return problem.but(
        next_step="the chart and the variables are as they should be, so this address leads to "
        "something else than this backend: see what answers there, and give another with --url "
        "(with its base path, config.basePath)"
    )


def _newest(items: list[dict[str, object]]) -> str:
    newest = next((it for it in items if isinstance(it, dict)), None)
    if newest is None:
        return ""
    api = newest.get("api")
    operation = api.get("operation") if isinstance(api, dict) else None
    return f"newest: {operation}, class_uid {newest.get('class_uid')}, {_age(newest.get('time'))}"


def _age(time: object) -> str:
    """How long ago an event was; its unit is documented nowhere, so what is too large for seconds
    is in milliseconds.
    """
    if not isinstance(time, int | float) or isinstance(time, bool):
        return "without a time"
    seconds = time / 1000 if time > MILLISECONDS else time
    ago = datetime.now(UTC).timestamp() - seconds
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if ago >= size:
            count = int(ago // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
