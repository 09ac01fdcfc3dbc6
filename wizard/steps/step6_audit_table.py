"""Step 6: the audit_logs table is there (`psql -c "\\dt audit_logs"`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from wizard.records.changes import Observation
from wizard.records.findings import Finding, State, failed, passed
from wizard.steps.organizations import by_hand
from wizard.steps.rights import DATABASE
from wizard.steps.step import Access, Step

if TYPE_CHECKING:
    from wizard.systems.access import Systems


class AuditTable(Step):
    """Asks the catalogue: `\\dt audit_logs` exits 0 also when there is no such table."""

    name: ClassVar[str] = "audit_table"
    title: ClassVar[str] = "The audit_logs table"
    access: ClassVar[tuple[Access, ...]] = (
        *DATABASE,
        Access("sql", "select", "audit_logs"),
    )
    ahead: ClassVar[tuple[str, ...]] = ("database",)
    proof: ClassVar[bool] = True

    def observe(self, systems: Systems) -> Observation:
        """The table, where it is and about how much is in it."""
        if by_hand.asked(systems):
            message = "Not looked at: --database manual reads no database"
            return Observation((Finding("LSA549", State.SKIP, self.title, message),), right=True)
        database = systems.database
        identity = database.identity()
        subject = f"database {identity.database}"
        table = systems.audit_table
        if table is None:
            finding = failed(
                "LSA792",
                subject,
                "There is no table audit_logs",
                f"PostgreSQL {identity.server_version}",
                next_step="look at the migrations: kubectl logs job/"
                f"{systems.installation.backend.name}-migrations "
                f"-n {systems.installation.namespace}",
            )
            return Observation((finding,), right=False, blocked=True)
        size = "its size is not known: it was never analysed"
        if table.estimated_rows is not None:
            size = f"about {table.estimated_rows} rows"
            size += f", newest {table.newest:%Y-%m-%d %H:%M:%S} UTC" if table.newest else ""
        evidence = [f"{table.schema}.audit_logs, PostgreSQL {identity.server_version}"]
        evidence += [size, database.login.evidence]
        message = "The table audit_logs is there"
        return Observation((passed("LSA791", subject, message, *evidence),), right=True)
