"""What is stored for the organizations, beside what the server says itself."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.checks.check import Check, Sight
from wizard.checks.words import counted
from wizard.problems import Problem
from wizard.records.findings import Finding, State, passed
from wizard.steps.organizations import by_hand
from wizard.steps.procedure import the_step
from wizard.steps.server_default import on_by_default

ROWS, API = the_step("organizations"), the_step("audit_api")


def stored(sight: Sight) -> Iterator[Finding]:
    """The chosen organizations, or all, are stored as on."""
    yield from sight.observed(ROWS).findings


def right_table(sight: Sight) -> Finding:
    """The table is LangSmith's own, and all of it may be read."""
    if by_hand.asked(sight.systems):
        message = "Not looked at: --database manual reads no database"
        return Finding("LSA549", State.SKIP, _all(sight), message)
    database, table = sight.systems.database, sight.systems.database.table
    subject = f"{table.schema}.organizations"
    evidence = [database.login.evidence]
    if table.unread:
        evidence.append(f"may not be read, and is not needed: {', '.join(table.unread)}")
    if table.triggers:
        evidence.append(f"triggers: {', '.join(table.triggers)}")
    message = "It is LangSmith's table, and every row of it can be read"
    return passed("LSA560", subject, message, *evidence)


def none_off(sight: Sight) -> Finding:
    """No shared organization has a stored false."""
    off = _counts(sight).get("off", 0)
    if not off:
        return passed("LSA561", _all(sight), "No shared organization has a stored false")
    if any(it.id == "LSA587" for it in sight.observed(ROWS).findings):
        return Finding("LSA561", State.SKIP, _all(sight), "It is told already (LSA587)")
    have = "has" if off == 1 else "have"
    message = (
        f"{counted(off, 'shared organization')} {have} a stored false, which wins over all else"
    )
    step = "turn them on where that is wanted: langsmith-audit run --only-off"
    state = State.INFO if sight.systems.target.selection.ids else State.WARN
    return Finding("LSA561", state, _all(sight), message, (), step)


def shapes(sight: Sight) -> Finding:
    """Every config is an object, as the documented UPDATE wants it."""
    wrong = _counts(sight).get("wrong shape", 0)
    if not wrong:
        return passed("LSA562", _all(sight), "Every stored config is an object, or none")
    message = f"{counted(wrong, 'organization')} with a config that is no JSON object"
    step = "langsmith-audit orgs lists them; the documented UPDATE would make an array of it"
    return Finding("LSA562", State.WARN, _all(sight), message, (), step)


def by_default(sight: Sight) -> Finding:
    """Organizations without a stored value have audit logs as well."""
    default = _counts(sight).get("default", 0)
    if not default:
        return passed("LSA563", _all(sight), "Every shared organization has a value of its own")
    goes = f"{counted(default, 'shared organization')} without a stored value: the server decides"
    if on_by_default(sight.systems):
        return passed("LSA563", _all(sight), f"{goes}, and has audit logs on by default")
    step = "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS is for new ones: langsmith-audit run --all"
    return Finding("LSA563", State.INFO, _all(sight), goes, (), step)


def more(sight: Sight) -> Finding:
    """No organization was made since the check before that nobody has looked at."""
    from wizard.records.history import measured_last

    systems, counts = sight.systems, _counts(sight)
    have = sum(counts.values())
    sight.measures["shared_organizations"] = have
    place = (systems.cluster.server, systems.target.namespace, systems.target.release)
    before, at = measured_last(place, "shared_organizations")
    if before is None:
        message = f"{counted(have, 'shared organization')}, which no earlier check here has counted"
        return passed("LSA565", _all(sight), message)
    when = f"at the check of {at:%Y-%m-%d %H:%M} UTC"
    if have <= before:
        message = f"{counted(have, 'shared organization')}, no more than {when}"
        return passed("LSA565", _all(sight), message)
    message = f"{counted(have - int(before), 'shared organization')} more than {when}"
    evidence = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    step = "langsmith-audit orgs lists them: see whether audit logs are wanted for the new ones"
    return Finding("LSA565", State.INFO, _all(sight), message, (f"now: {evidence}",), step)


def agrees(sight: Sight) -> Finding:
    """The server's own word is what the table has."""
    systems = sight.systems
    if not systems.target.api_key:
        message = "Not asked: there is no API key"
        return Finding("LSA564", State.SKIP, _all(sight), message)
    try:
        served = systems.served
    except Problem as problem:  # it is told with the API
        message = f"Not looked at: the API does not answer ({problem.id})"
        return Finding("LSA908", State.NOT_RUN, _all(sight), message, because=problem.id)
    assert served  # noqa: S101 - there is a key
    own = served.organization
    subject = f"organization {own.display_name} ({own.id})"
    rows = systems.database.organizations_by_id([own.id])
    if not rows:
        return Finding(
            "LSA564",
            State.FAIL,
            subject,
            "The API's organization is not in this database: they are not of one LangSmith",
            (f"the API is {served.url}", systems.database.login.evidence),
            "see whether the URL, the key and the database are of one installation",
        )
    state, says = rows[0].state.value, own.can_use_audit_logs
    evidence = (f"stored: {state}", f"the server says: {own.said}")
    if says is None or state not in ("on", "off"):
        message = f"Stored is {state}, and the server says {own.said}: nothing contradicts"
        return Finding("LSA564", State.INFO, subject, message, evidence)
    if (state == "on") == says:
        return passed("LSA564", subject, "The server's own word is what is stored", *evidence)
    message = f"Stored is {state}, and the server still says {'on' if says else 'off'}"
    step = f"restart the backend, which keeps what it read: {systems.workload.restart_command}"
    return Finding("LSA564", State.FAIL, subject, message, evidence, step)


def _counts(sight: Sight) -> dict[str, int]:
    """Shared organizations by what is stored."""
    return {str(state): n for state, n in sight.systems.organization_counts.shared.items()}


def _all(sight: Sight) -> str:
    return f"organizations of {sight.systems.release.name}"


READ = ("LSA230",)
TABLE = ("LSA230", "LSA560")
CHECKS = (
    Check("LSA560", "the table is LangSmith's own", right_table, ROWS.access, READ, ROWS.name),
    Check("LSA591", "audit logs are stored as on", stored, (), (), ROWS.name),
    Check("LSA561", "no organization has a stored false", none_off, (), TABLE, ROWS.name),
    Check("LSA562", "every config is an object", shapes, (), TABLE, ROWS.name),
    Check("LSA563", "those without a value have them on", by_default, (), TABLE, ROWS.name),
    Check("LSA565", "no more organizations than before", more, (), TABLE, ROWS.name),
    Check("LSA564", "the server's word is what is stored", agrees, (), TABLE, API.name),
)
