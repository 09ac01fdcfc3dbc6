"""What step 4 says of organizations: one by one, or the first wrong ones and a sum.

More than are told one by one are counted, fingerprinted and streamed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.record import replace
from wizard.records.findings import Finding, State, failed, passed
from wizard.records.journal import IN_DOUBT
from wizard.records.rows import INLINE, RowsFile

if TYPE_CHECKING:
    from pathlib import Path

    from wizard.systems.access import Systems
    from wizard.systems.postgres.model import Enabled, Limits, Organization
    from wizard.systems.postgres.organizations import Shown


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


MOVED = "moved"
"""What a journal's entry calls the columns and keys that the database itself changed besides."""


def moved_too(names: Sequence[str]) -> tuple[str, ...]:
    """What the database itself changed in the rows too, for a person; nothing where nothing."""
    return (f"changed in these rows by the database itself: {', '.join(names)}",) if names else ()


STORED, NEEDY, WRONG = "stored", "needy", "wrong"
"""Kinds of organizations, as `Database.show` takes them."""


def new_file() -> str:
    """Where undo will find the prior states, beside the journal; a run may try more than once."""
    return f"organizations-{os.urandom(3).hex()}.ndjson"


def kind(systems: Systems, *, by_default: bool) -> str:
    """Which shared organizations --all or --only-off mean."""
    told = systems.target.selection
    return STORED if by_default or told.only_off else NEEDY


def counted(systems: Systems, *, by_default: bool) -> tuple[int, int, int, int]:
    """How many shared organizations are chosen by --all or --only-off, on, needy, and unfit."""
    counts = {str(state): n for state, n in systems.organization_counts.shared.items()}
    on, off, default, wrong = (counts[name] for name in ("on", "off", "default", "wrong shape"))
    told = systems.target.selection
    if told.only_off:
        return off, 0, off, 0
    return on + off + default + wrong, on, off + default * (not by_default), wrong


def first(systems: Systems, which: str, limit: int) -> list[Organization]:
    """The first organizations of a kind."""
    return held(systems, systems.database.show(which, limit=limit))


def held(systems: Systems, shown: Shown) -> list[Organization]:
    """The shown organizations, one by one."""
    from wizard.systems.postgres.organizations import ids

    wanted = [id for marks in shown.batches() for id in ids(marks)]
    return systems.database.organizations_by_id(wanted)


def few_or_many(systems: Systems, shown: Shown) -> Sequence[Organization] | Shown:
    """The organizations themselves while they are few enough for the journal."""
    if shown.count > INLINE:
        return shown
    return sorted(held(systems, shown), key=lambda it: (it.display_name, it.id))


def enable_many(systems: Systems, shown: Shown, path: Path) -> tuple[Enabled, Mapping[str, Any]]:
    """Run the transaction; what undo needs is in the file before its commit, with what tells it."""
    file = RowsFile(path)
    try:
        return systems.database.enable_shown(shown, file, **limits(systems)), file.told
    except Problem as problem:
        if problem.id != IN_DOUBT:
            path.unlink()
        raise
    finally:
        file.close()


def limits(systems: Systems) -> Limits:
    """The limits that the target names."""
    target = systems.target
    return {"lock_limit": target.lock_limit, "accept_moved": target.accept_trigger}


def pods(systems: Systems, *, afresh: bool = False) -> list[str]:
    """Uids of the backend's pods, which know the config before this; `afresh`: at this moment."""
    if afresh:
        systems.workload.afresh()
    return [pod.uid for pod in systems.workload.pods()]
