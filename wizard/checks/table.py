"""The table audit_logs: where it is, what it is made of, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from wizard.checks.check import Check, Sight
from wizard.checks.words import counted, size, span
from wizard.problems import Problem
from wizard.records.findings import Finding, State, passed
from wizard.steps.procedure import the_step
from wizard.steps.step import Access
from wizard.systems.postgres.audit_log import COLUMNS
from wizard.systems.postgres.audit_state import COUNTED, Entries, Entry

TABLE = the_step("audit_table")
OWN_READS = frozenset({"get_audit_logs"})
"""What a look at the log itself leaves in it, from 0.15 on."""
KEPT = 400
"""Days that LangSmith keeps entries (the "Audit logs" page)."""
LARGE = 1_000_000
"""Rows from which an index matters."""
UNUSUAL = 3.0
"""A silence so many times as long as the longest one before it is told."""
QUIET = 3_600.0
"""Seconds of silence that are nothing unusual anywhere."""
FEW = 10
"""Fewer entries than this tell nothing of what is usual."""


def there(sight: Sight) -> Iterator[Finding]:
    """The table is there."""
    yield from sight.observed(TABLE).findings


def schema(sight: Sight) -> Finding:
    """It is in the schema of the organizations that the backend uses."""
    table, login = sight.systems.audit_table, sight.systems.database.login
    assert table  # noqa: S101 - told to the type checker
    own = sight.systems.database.table.schema
    if table.schema == own:
        return passed("LSA701", login.subject, f"It is in the organizations' schema, {own}")
    return Finding(
        "LSA701",
        State.FAIL,
        login.subject,
        f"It is in schema {table.schema}, and the organizations are in {own}",
        (f"POSTGRES_SCHEMA of the backend: {login.schema or 'not set'}",),
        "see which schema the migrations ran in, and that POSTGRES_SCHEMA names it",
    )


def columns(sight: Sight) -> Finding:
    """It has the columns that the API's own schema names."""
    table = sight.systems.audit_table
    assert table  # noqa: S101 - told to the type checker
    subject = f"{table.schema}.audit_logs"
    missing = [name for name in COLUMNS if name not in table.columns]
    if not missing:
        return passed("LSA702", subject, "It has every column that the API's schema names")
    return Finding(
        "LSA702",
        State.WARN,
        subject,
        f"It lacks columns that the API's schema names: {', '.join(missing)}",
        (f"columns: {', '.join(table.columns)}",),
        "see whether the migrations of this version have run; the API may answer all the same",
    )


def readable(sight: Sight) -> Finding:
    """This login may read it."""
    table, login = sight.systems.audit_table, sight.systems.database.login
    assert table  # noqa: S101 - told to the type checker
    subject = f"{table.schema}.audit_logs"
    if table.readable and not table.unread:
        return passed("LSA703", subject, f"User {login.user} may read it")
    lacking = "any of it" if not table.readable else f"its columns {', '.join(table.unread)}"
    return Finding(
        "LSA703",
        State.UNKNOWN,
        subject,
        f"User {login.user} may not read {lacking}: what is in there is not known",
        (),
        f"GRANT SELECT ON {table.schema}.audit_logs TO {login.user}; a migration that makes the "
        "table anew takes grants away (ALTER DEFAULT PRIVILEGES keeps them)",
    )


def rows(sight: Sight) -> Finding:
    """About how many rows it has, and how large it is."""
    table, state = sight.systems.audit_table, sight.systems.audit_state
    assert table  # noqa: S101 - told to the type checker
    subject = f"{table.schema}.audit_logs"
    told = f"{size(state.size)} with its indexes"
    if state.entries and state.entries.rows is not None:
        return passed("LSA704", subject, f"{counted(state.entries.rows, 'row')}, {told}")
    if table.estimated_rows is None:
        message = f"It has {told}; how many rows is not known, since it was never analysed"
        step = f"ANALYZE {table.schema}.audit_logs, or leave it to autovacuum"
        return Finding("LSA704", State.INFO, subject, message, (), step)
    return passed("LSA704", subject, f"About {counted(table.estimated_rows, 'row')}, {told}")


def index(sight: Sight) -> Finding:
    """An index finds the newest entries."""
    table, state = sight.systems.audit_table, sight.systems.audit_state
    assert table  # noqa: S101 - told to the type checker
    subject = f"{table.schema}.audit_logs"
    if state.indexed:
        return passed("LSA705", subject, "An index finds the newest entries at once")
    large = (table.estimated_rows or 0) >= LARGE
    message = "No index begins with request_time, or with organization_id and request_time"
    step = "ask LangChain's support: each reading of the log looks at the whole table"
    shown = State.WARN if large else State.INFO
    return Finding("LSA705", shown, subject, message, (), step if large else "")


def newest(sight: Sight) -> Finding:
    """How long ago the last entry was made; own reads left out."""
    subject, found = _entries(sight)
    others = _others(found.last)
    if not others:
        message = "Nothing is in it but looks at the log" if found.last else "Nothing is in it yet"
        step = "do something that is recorded in LangSmith (make an API key), and check again"
        return Finding("LSA706", State.INFO, subject, message, (), step)
    last = others[0]
    ago = span((found.now - last.at).total_seconds())
    return passed(
        "LSA706", subject, f"The last entry is {ago} old: {last.operation}", f"id {last.uid}"
    )


def usual(sight: Sight) -> Finding:
    """The silence since the last entry is no longer than usual."""
    subject, found = _entries(sight)
    others = _others(found.last)
    if len(others) < FEW:
        message = f"What is usual cannot be told from {counted(len(others), 'entry', 'entries')}"
        return Finding("LSA707", State.SKIP, subject, message)
    silent = (found.now - others[0].at).total_seconds()
    longest = max((a.at - b.at).total_seconds() for a, b in pairwise(others))
    evidence = f"longest silence between the last {len(others)} entries: {span(longest)}"
    if silent <= max(QUIET, UNUSUAL * longest):
        message = f"Silent for {span(silent)}, which is usual"
        return passed("LSA707", subject, message, evidence)
    return Finding(
        "LSA707",
        State.WARN,
        subject,
        f"Nothing was recorded for {span(silent)}, which is longer than usual",
        (evidence,),
        "do something that is recorded in LangSmith (make an API key), and check again",
    )


def growth(sight: Sight) -> Finding:
    """How much the last day has added."""
    subject, found = _entries(sight)
    table, state = sight.systems.audit_table, sight.systems.audit_state
    more = " or more" if found.day >= COUNTED else ""
    told = f"{counted(found.day, 'entry', 'entries')}{more} in the last 24 hours"
    evidence = []
    if table and table.estimated_rows:
        each = state.size / table.estimated_rows
        evidence = [f"about {size(each * found.day)} a day, at {size(each)} an entry"]
    return passed("LSA708", subject, told, *evidence)


def retention(sight: Sight) -> Finding:
    """How far back it goes."""
    subject, found = _entries(sight)
    if found.oldest is None:
        return Finding("LSA709", State.SKIP, subject, "Nothing is in it yet")
    days = (found.now - found.oldest).total_seconds() / 86_400
    message = f"It goes back {span(days * 86_400)}, to {found.oldest:%Y-%m-%d}"
    if days <= KEPT + 1:
        return passed("LSA709", subject, f"{message}; LangSmith keeps {KEPT} days")
    message += f", beyond the {KEPT} days that LangSmith keeps"
    step = "nothing, where that is wanted; else see whether what deletes old entries runs"
    return Finding("LSA709", State.INFO, subject, message, (), step)


def _entries(sight: Sight) -> tuple[str, Entries]:
    """The entries, with their subject.

    Raises:
        Problem: they cannot be read.
    """
    state, table = sight.systems.audit_state, sight.systems.audit_table
    schema = table.schema if table else ""
    whose = sight.systems.organization
    subject = f"{schema}.audit_logs" + (f", organization {whose}" if whose else "")
    if state.unread:
        raise state.unread
    if state.entries is None:
        raise Problem(
            "LSA795",
            "What is in audit_logs cannot be read: a column is missing, or may not be read",
            on=subject,
        )
    return subject, state.entries


def _others(last: Sequence[Entry]) -> list[Entry]:
    """Those that are no look at the log itself."""
    return [entry for entry in last if entry.operation not in OWN_READS]


THERE, READ = ("LSA791",), ("LSA791", "LSA703")
SQL = (*TABLE.access, Access("sql", "select", "organizations"))
CHECKS = (
    Check("LSA791", "the table audit_logs is there", there, TABLE.access, step=TABLE.name),
    Check("LSA701", "it is in the backend's schema", schema, SQL, THERE, TABLE.name),
    Check("LSA702", "it has the documented columns", columns, (), THERE, TABLE.name),
    Check("LSA703", "the login may read it", readable, (), THERE, TABLE.name),
    Check("LSA704", "its rows and its size", rows, (), THERE, TABLE.name),
    Check("LSA705", "an index finds the newest entries", index, (), THERE, TABLE.name),
    Check("LSA706", "the age of its last entry", newest, (), READ, TABLE.name),
    Check("LSA707", "no longer silence than usual", usual, (), READ, TABLE.name),
    Check("LSA708", "what the last day has added", growth, (), READ, TABLE.name),
    Check("LSA709", "how far back it goes", retention, (), READ, TABLE.name),
)
