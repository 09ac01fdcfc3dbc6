"""Step 4 with `--database manual`: a DBA runs the SQL, and the API tells what came of it.

The database is never connected to. The SQL is handed over and the run ends; the next run goes on
with the restart, after which the server's own word shows whether the SQL was run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from wizard.files import write_private
from wizard.records.changes import Change, Done, Exact, FactKind, Observation, Reversible, facts
from wizard.records.findings import Finding, State, failed, passed
from wizard.steps.organizations.last_update import last_update

if TYPE_CHECKING:
    from wizard.steps.step import Watch
    from wizard.systems.access import Systems

WHO = "a DBA"
STATEMENT_LIMIT = 30.0
FILE = "organizations.sql"
SAYS = "SELECT … before (keep it), then NOTICE: N of N organizations changed, then COMMIT"


def asked(systems: Systems) -> bool:
    """Whether the database is to be left to a DBA."""
    return systems.target.database == "manual"


def missing(systems: Systems) -> tuple[str, ...]:
    """Which organizations, unless the server's own word is yes."""
    made = systems.target.selection.made
    return () if made or (systems.already_served and not systems.target.force) else ("org",)


def observe(systems: Systems) -> Observation:
    """What the API says of the chosen organizations; what is stored cannot be known."""
    update = last_update(systems.place)
    if update and update.by_hand and update.by_hand == _selection(systems):
        return _waiting(update.run, update.at)
    ids = systems.target.selection.organization_ids()
    if not ids:
        return _unknown(systems)
    findings = tuple(_says(id, on=systems.says_of(id)) for id in ids)
    return Observation(findings, right=all(it.state is State.PASS for it in findings))


def propose(systems: Systems, pods: list[str]) -> Change | None:
    """The script, handed over; nothing while it waits for a DBA, or when all is right."""
    if not systems.target.selection.made or observe(systems).right:
        return None
    from wizard.systems.postgres.by_hand import enable_by_hand
    from wizard.systems.postgres.ways_in.choose import PUBLIC

    ids, told = systems.target.selection.organization_ids(), systems.target.selection
    schema = systems.installation.database.schema or PUBLIC
    text = enable_by_hand(
        schema,
        ids,
        only_off=told.only_off,
        lock_limit=systems.target.lock_limit,
        statement_limit=STATEMENT_LIMIT,
    )
    every = "with a stored false" if told.only_off else "that is shared"
    which = f"{len(ids)} organization{'s' * (len(ids) != 1)}" if ids else f"every one {every}"
    return Change(
        step="organizations",
        items=(f"hand over the SQL that sets can_use_audit_logs true: {which}",),
        details=(
            "what is stored now cannot be known: the database is not read",
            f"it should report: {SAYS}",
        ),
        exact=(Exact("sql", text),),
        preconditions=facts(FactKind.DATABASE, {"table": f"{schema}.organizations"}),
        effect="this tool changes nothing in the database; the run ends here, until a DBA has run "
        "the SQL and langsmith-audit run is started again",
        reversible=Reversible.YES,
        because="the SQL shows the prior values first",
        undo="a DBA puts the prior values back",
        register={"by_hand": list(_selection(systems)), "pods": pods},
        by_hand=WHO,
    )


def apply(change: Change, watch: Watch) -> Done:
    """Keep a copy of the script beside the journal."""
    path = watch.backup(FILE)
    write_private(path, change.exact[0].text.encode())
    return Done(
        "The SQL was handed over, for a DBA to run",
        (f"a copy: {path}", f"it should report: {SAYS}"),
        {**change.register, "sql": str(path)},
    )


def _selection(systems: Systems) -> tuple[str, ...]:
    told = systems.target.selection
    if told.ids:
        return tuple(sorted(str(id) for id in systems.target.selection.organization_ids()))
    return ("--all",) if told.all else ("--only-off",) if told.only_off else ()


def _waiting(run: str, at: str) -> Observation:
    finding = Finding(
        "LSA551",
        State.UNKNOWN,
        "the chosen organizations",
        f"Their SQL was handed over on {at[:10]} at {at[11:19]} UTC; whether a DBA has run it "
        "shows when the pods are restarted",
        (f"run {run}",),
        "langsmith-audit run goes on, once a DBA has run it",
    )
    return Observation((finding,), right=True)


def _unknown(systems: Systems) -> Observation:
    subject = f"organizations of {systems.release.name}"
    served = systems.already_served
    message = "What is stored for them cannot be known: --database manual reads no database"
    if served and systems.served:
        own = systems.served.organization
        message += f". The server has audit logs for {own.display_name}, the key's own"
    right = served and not systems.target.selection.made and not systems.target.force
    finding = Finding("LSA550", State.INFO if right else State.UNKNOWN, subject, message)
    return Observation((finding,), right=right)


def _says(id: UUID, *, on: bool | None) -> Finding:
    subject = f"organization {id}"
    if on:
        return passed("LSA552", subject, "The server says that audit logs are on for it")
    if on is None:
        message = (
            "What is stored cannot be known (--database manual), nor can this key ask about it"
        )
        return Finding("LSA550", State.UNKNOWN, subject, message)
    return failed(
        "LSA553",
        subject,
        "The server says that audit logs are off for it",
        next_step="langsmith-audit run hands over the SQL for a DBA",
    )
