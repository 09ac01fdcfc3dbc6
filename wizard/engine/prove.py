"""The proof (`check --prove`): make and delete one tag key, and find both events in the audit log.

It is the one thing of a check that writes, so it is asked for. The tag key has a name of its own,
is noted in the state folder before it is made, and is deleted whatever happens; what a killed proof
left is deleted by the next one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.files import read_file, write_private
from wizard.problems import Exit, Problem
from wizard.records.event import at, resources_of
from wizard.records.findings import Finding, State, failed, from_problem, passed
from wizard.records.report import Area
from wizard.records.state import Lock, made_private, refuse_foreign, told_as_problem
from wizard.settings import Place
from wizard.systems.access import Systems
from wizard.systems.calls import poll

if TYPE_CHECKING:
    from wizard.systems.langsmith.api import LangSmithApi
    from wizard.systems.langsmith.tag_keys import Workspace

CHECK, TITLE = "LSA881", "an operation made now is in the audit log"
PREFIX = "langsmith-audit-proof-"
EARLIER = timedelta(seconds=5)
"""How far before the server's own time the log is read: each pod has a clock of its own."""
NOT_MADE = frozenset(
    {"LSA804", "LSA805", "LSA811", "LSA812", "LSA813", "LSA815", "LSA820", "LSA825"}
)
"""Answers by which nothing was made; after any other one it may be there."""
PASSING = frozenset({"LSA806", "LSA807", "LSA810", "LSA816", "LSA819"})
"""What may be over at the next look."""
NEEDS = "the key needs workspaces:manage in this workspace; --workspace ID names another"
LARGEST = 10_000


class Proof:
    """One proof, in a workspace (the first one where none is named); `within` is in seconds.

    Attributes:
        findings: what it has found so far.
    """

    def __init__(self, systems: Systems, workspace: UUID | None, within: float) -> None:
        self.findings: list[Finding] = []
        self._systems = systems
        self._chosen = workspace
        self._within = within

    @property
    def area(self) -> Area:
        """What it found, as a part of the report."""
        stopped = Finding(CHECK, State.NOT_RUN, TITLE, "It did not come to its end", check=CHECK)
        return Area("proof", "The proof", tuple(self.findings) or (stopped,))

    def make(self, say: Callable[[str], None]) -> None:
        """Make it, and clean up whatever ends it; `say` hears what is waited for.

        Raises:
            KeyboardInterrupt: a signal came; the tag key is deleted.
        """
        try:
            lock = lock_of(self._systems.place)
            if not lock.acquire():
                raise Problem(
                    "LSA883",
                    "Another proof of this release is under way on this machine",
                    on=str(lock.path),
                    next_step="wait until it has ended, then prove again",
                )
            try:
                self._sweep(self._systems.log)
                self._prove(self._systems.log, say)
            finally:
                lock.release()
        except Problem as problem:
            state = State.FAIL if problem.exit == Exit.FAILED else State.UNKNOWN
            self._add(from_problem(problem, state))

    def _prove(self, api: LangSmithApi, say: Callable[[str], None]) -> None:
        from wizard.systems.langsmith import tag_keys

        workspace, name = self._workspace(api), PREFIX + secrets.token_hex(8)
        subject = f"workspace {workspace.name} ({workspace.id})"
        note = self._note(workspace, name)
        made: tag_keys.Made | None = None
        gone: datetime | None = None
        tried = True
        try:
            try:
                made = tag_keys.make(api, workspace.id, name)
            except Problem as problem:
                tried = problem.id not in NOT_MADE
                told = problem.but(next_step=NEEDS) if problem.id == "LSA812" else problem
                raise told from None
            created = self._seen(api, "create_tag_key", made.id, made.at, say)
        finally:
            if tried:
                gone = self._remove(api, workspace.id, name, made.id if made else None, note)
            else:
                note.unlink(missing_ok=True)
        deleted = self._seen(api, "delete_tag_key", made.id, gone, say) if gone else None
        self._tell(subject, f"tag key {made.id}", created, deleted)

    def _tell(self, subject: str, made: str, created: float | None, deleted: float | None) -> None:
        lines = [
            f"{name}: {'not found' if took is None else f'found after {took:.1f} s'}"
            for name, took in (("create_tag_key", created), ("delete_tag_key", deleted))
        ]
        if created is not None and deleted is not None:
            message = "A tag key was made and deleted, and both events are in the audit log"
            self._add(passed(CHECK, subject, message, made, *lines))
        else:
            message = f"Not every event of a tag key was in the log within {self._within:g} s"
            self._add(failed("LSA882", subject, message, made, *lines))

    def _workspace(self, api: LangSmithApi) -> Workspace:
        from wizard.systems.langsmith import tag_keys

        if self._chosen:
            return tag_keys.Workspace(self._chosen, "as told")
        found = tag_keys.workspaces(api)
        if not found:
            raise Problem(
                "LSA883",
                "The key sees no workspace in which a tag key could be made",
                on=f"{api.base_url}{tag_keys.WORKSPACES}",
            )
        return found[0]

    def _seen(
        self,
        api: LangSmithApi,
        operation: str,
        id: UUID,
        since: datetime,
        say: Callable[[str], None],
    ) -> float | None:
        """After how many seconds the event was there; None where it was not within the limit."""
        within = self._within
        end = since + timedelta(seconds=within + 60)
        for waited in poll(within):
            say(f"{operation} is in the audit log")
            try:
                if _is_in(api, operation, str(id), since - EARLIER, end):
                    return waited
            except Problem as problem:
                if problem.id not in PASSING:
                    raise
        return None

    def _remove(
        self, api: LangSmithApi, workspace: UUID, name: str, id: UUID | None, note: Path
    ) -> datetime | None:
        """Delete it, and the note with it; where that cannot be, say what is left."""
        from wizard.systems.langsmith import tag_keys

        try:
            id = id or tag_keys.find(api, workspace, name)
            gone = tag_keys.delete(api, workspace, id) if id else None
        except Problem as problem:
            what = f"The tag key {name} may be left: {problem.what}"
            step = f"delete it in LangSmith (workspace {workspace}, Settings, Tags), or prove again"
            on = f"workspace {workspace}"
            self._add(Finding("LSA884", State.WARN, on, what, problem.detail, step))
            return None
        note.unlink(missing_ok=True)
        return gone

    def _note(self, workspace: Workspace, name: str) -> Path:
        """Note in the state folder what is about to be made."""
        path = made_private("proofs") / f"{name}.json"
        about = {**self._systems.place.as_json(), "workspace": str(workspace.id), "name": name}
        with told_as_problem(path):
            write_private(path, json.dumps(about).encode())
        return path

    def _sweep(self, api: LangSmithApi) -> None:
        """Delete what killed proofs of this release have left; the lock says that they are dead."""
        place = self._systems.place.as_json()
        for path in sorted(made_private("proofs").glob(f"{PREFIX}*.json")):
            with told_as_problem(path):
                refuse_foreign(path)
                try:
                    about = json.loads(read_file(path, LARGEST))
                    workspace, name = UUID(about["workspace"]), str(about["name"])
                except (ValueError, KeyError, TypeError):  # its own kill tore it: nothing was made
                    path.unlink(missing_ok=True)
                    continue
            if about.items() >= place.items():
                self._remove(api, workspace, name, None, path)

    def _add(self, finding: Finding) -> None:
        from wizard.record import replace

        self.findings.append(replace(finding, check=CHECK))


def lock_of(place: Place) -> Lock:
    """What one proof of a release on this machine holds."""
    return Lock("proof-" + sha256(json.dumps(place.as_json()).encode()).hexdigest()[:24])


def _is_in(api: LangSmithApi, operation: str, id: str, start: datetime, end: datetime) -> bool:
    """Whether an event of this operation on this object is between these times."""
    cursor, followed = None, set[str | None]()
    while cursor not in followed:
        followed.add(cursor)
        page = api.audit_logs(start=start, end=end, limit=100, cursor=cursor)
        for event in page.items:
            if at(event, "api", "operation") == operation and id in resources_of(event):
                return True
        if not page.cursor:
            return False
        cursor = page.cursor
    return False
