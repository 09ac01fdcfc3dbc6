"""What step 4 says of organizations: one by one, or the first wrong ones and a sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.records.findings import Finding, State, failed, passed

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.database import Organization

SHOWN = 20
"""More organizations than this are counted, not listed."""


def finding_of(organization: Organization, *, by_default: bool) -> Finding:
    """What is stored for one organization, and what that means."""
    subject = f"organization {label(organization)}"
    if organization.is_personal:
        return failed(
            "LSA594",
            subject,
            "A personal organization: audit logs are for shared ones, so it is left alone",
            next_step="leave it out of --org",
        )
    if organization.state == "wrong shape":
        return failed(
            "LSA595",
            subject,
            "Its config is no JSON object; the documented UPDATE would destroy it",
            next_step="mend the config by hand first, with LangChain's support",
        )
    if organization.state == "on":
        return passed("LSA591", subject, "Audit logs are stored as on")
    if not needs_it(organization, by_default=by_default):
        message = f"{organization.prior.told()}; the server's default is on"
        return Finding("LSA598", State.INFO, subject, message)
    return failed(
        "LSA596",
        subject,
        f"Audit logs are not on: {organization.prior.told()}",
        next_step="langsmith-audit plan shows the UPDATE; langsmith-audit run does it",
    )


def summed(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The wrong ones by name up to a limit, and one finding that counts them all."""
    wrong = [it for it in findings if it.state is State.FAIL]
    on = sum(it.state is State.PASS for it in findings)
    return (*wrong[:SHOWN], sum_of(on, len(findings), right=not wrong))


def sum_of(on: int, number: int, *, right: bool) -> Finding:
    """How many of the chosen ones are on."""
    subject = "the chosen organizations"
    message = f"{on} of {number} chosen organizations have audit logs stored as on"
    if right:
        return passed("LSA591", subject, message)
    return failed("LSA596", subject, message, next_step="langsmith-audit run changes them")


def with_way(findings: tuple[Finding, ...], systems: Systems) -> tuple[Finding, ...]:
    """The findings, with the way to the database and its reason as evidence of the first."""
    first, *others = findings
    evidence = (*first.evidence, systems.database.login.evidence)
    return (replace(first, evidence=evidence), *others)


def needs_it(organization: Organization, *, by_default: bool) -> bool:
    """Whether a stored true is missing that the server's default does not make up for."""
    return organization.state != "on" and not (by_default and organization.state == "default")


def is_unfit(organization: Organization) -> bool:
    """Whether it may not be changed at all."""
    return organization.is_personal or organization.state == "wrong shape"


def label(organization: Organization) -> str:
    """An organization as findings and plans call it."""
    return f"{organization.display_name} ({organization.id})"
