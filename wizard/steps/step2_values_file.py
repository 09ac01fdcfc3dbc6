"""Step 2: the two variables under `backend.deployment.extraEnv` of values.yaml.

The way back is the copy that was kept beside the journal, put back byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from wizard.problems import Problem
from wizard.record import dataclass
from wizard.records.changes import (
    Change,
    Done,
    Exact,
    FactKind,
    Observation,
    Reversible,
    content_of,
    facts,
    fingerprint,
)
from wizard.records.findings import Finding, State, failed, passed
from wizard.records.runs import Made
from wizard.steps.server_default import cannot_be_told, does_without
from wizard.steps.step import Access, Step, Watch, before_all, cannot, not_ours, nothing

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.values.model import LayeredEdit


@dataclass(frozen=True)
class _Edit:
    path: Path
    before: bytes
    after: bytes


class ValuesFile(Step):
    """Edits the one file of the layers that decides; every other byte stays as it is."""

    name: ClassVar[str] = "values_file"
    title: ClassVar[str] = "The values file"
    access: ClassVar[tuple[Access, ...]] = (
        Access("file", "read", "the values files"),
        Access("file", "write", "the values file that is edited, and its folder", changes=True),
    )
    asks: ClassVar[tuple[str, ...]] = ("values",)
    atomic: ClassVar[bool] = True
    files_alone: ClassVar[bool] = True
    registers: ClassVar[tuple[str, ...]] = ("path", "before", "after")

    def missing(self, systems: Systems) -> tuple[str, ...]:
        """The values files, unless the release has the variables or the server does without."""
        told = systems.target.values or systems.target.gitops
        if told or not systems.lacking or does_without(systems):
            return ()
        return ("values",)

    def observe(self, systems: Systems) -> Observation:
        """Whether the files give the backend both variables."""
        if not systems.target.values:
            return self._without_files(systems)
        edit = systems.values_edit
        subject = f"values file {edit.path}"
        if edit.edit.outcome == "noop":
            message = "The values give the backend both variables"
            return Observation((passed("LSA391", subject, message, edit.why),), right=True)
        if does_without(systems):
            message = "Lacks the variables or one of them; the server has audit logs without"
            return Observation((Finding("LSA393", State.INFO, subject, message),), right=True)
        if edit.edit.outcome == "refuse":
            it = edit.edit
            where = f"{edit.path}:{it.line}" if it.line else str(edit.path)
            refusal = failed(it.finding, where, it.message, edit.why, next_step=it.next_step)
            return Observation((refusal,), right=False, blocked=True)
        return Observation((self._lacking(systems, edit, subject),), right=False)

    def _lacking(self, systems: Systems, edit: LayeredEdit, subject: str) -> Finding:
        """A warning where the backend runs with the variables: only an upgrade drops them.

        Unknown where the backend cannot be looked at: a newer server does without.
        """
        names = " and ".join(edit.edit.names)
        step = "langsmith-audit plan shows the edit; langsmith-audit run makes it"
        message = f"The values lack {names}"
        live: bool | None = None
        with suppress(Problem):
            live = not systems.lacking_live
        if live is None or (not live and cannot_be_told(systems)):
            message += "; whether the server needs it cannot be told"
            return Finding("LSA392", State.UNKNOWN, subject, message, (edit.why,), step)
        if live:
            message += "; the backend has it until the next helm upgrade"
            return Finding("LSA392", State.WARN, subject, message, (edit.why,), step)
        return failed("LSA392", subject, message, edit.why, next_step=step)

    def propose(self, systems: Systems, pending: Sequence[Change]) -> Change | None:  # noqa: ARG002
        """The edit, as a unified diff."""
        if not systems.target.values:
            return None
        layered = systems.values_edit
        if layered.edit.outcome not in ("insert", "update") or does_without(systems):
            return None
        from wizard.systems.values.diff import keys_only, unified_diff

        before = dict(systems.values_layers)[layered.path]
        diff = keys_only(unified_diff(before, layered.edit.data, layered.path.name))
        verb = "correct" if layered.edit.outcome == "update" else "add"
        return Change(
            step=self.name,
            items=tuple(f'{layered.path}: {verb} {n}="true"' for n in layered.edit.names),
            exact=(Exact("diff", diff),),
            preconditions=facts(FactKind.FILE, {content_of(layered.path): fingerprint(before)}),
            moves={content_of(layered.path): fingerprint(layered.edit.data)},
            risk="none: nothing reads the file before the next helm upgrade",
            effect="none on the cluster; the file is the source of the next helm upgrade",
            reversible=Reversible.YES,
            because="a copy of the file is kept beside the journal",
            undo=f"put the copy back at {layered.path}",
            register={
                "path": str(layered.path.absolute()),
                "before": fingerprint(before),
                "after": fingerprint(layered.edit.data),
            },
            payload=_Edit(layered.path, before, layered.edit.data),
        )

    def apply(self, systems: Systems, change: Change, watch: Watch) -> Done:  # noqa: ARG002
        """Write the file atomically, with a copy beside the journal."""
        from wizard.systems.values.files import write_values

        edit: _Edit = change.payload
        backup = watch.backup(edit.path.name)
        write_values(edit.path, before=edit.before, after=edit.after, backup=backup)
        added = len(edit.after) - len(edit.before)
        lines = edit.after.count(b"\n") - edit.before.count(b"\n")
        return Done(
            f"{edit.path} has both variables ({lines:+d} lines)",
            (f"{added:+d} bytes, every other byte as it was", f"copy of the old file: {backup}"),
            {**change.register, "backup": str(backup)},
            advice=f"commit {edit.path}: without the two variables the next helm upgrade takes "
            "them away again",
        )

    def way_back(self, systems: Systems, made: Sequence[Made], watch: Watch) -> Change | Finding:  # noqa: ARG002
        """The copy put back, where the file still has the bytes that the run wrote."""
        return file_way_back(made)

    def undo(self, systems: Systems, change: Change, watch: Watch) -> Done:  # noqa: ARG002
        """Write the file as it was."""
        return put_file_back(change, watch)

    def _without_files(self, systems: Systems) -> Observation:
        subject = "values files"
        if systems.unread:
            message = "No values file was named, and what the release has cannot be read"
            hint = "name it: -f FILE or LANGSMITH_AUDIT_VALUES"
            return Observation(
                (Finding("LSA394", State.UNKNOWN, subject, message, (), hint),), right=False
            )
        if not systems.lacking:
            message = "No values file was named; the release has both variables"
            return Observation((Finding("LSA394", State.SKIP, subject, message),), right=True)
        if does_without(systems):
            message = "No values file was named, and none is needed: the server has audit logs"
            return Observation((Finding("LSA393", State.INFO, subject, message),), right=True)
        message = "No values file was named, so it was not looked at"
        hint = "name it: -f FILE or LANGSMITH_AUDIT_VALUES"
        skipped = Finding("LSA394", State.SKIP, subject, message, (), hint)
        return Observation((skipped,), right=False)


STEP = "values_file"


def file_way_back(made: Sequence[Made]) -> Change | Finding:
    """The copy put back, where the file still has the bytes that the run wrote."""
    path = Path(made[-1].register["path"])
    subject = f"values file {path}"
    try:
        now = _read(path)
    except Problem as problem:
        return not_ours(subject, problem.what)
    moves = ((it.register["before"], it.register["after"]) for it in reversed(made))
    wanted = before_all(moves, fingerprint(now))
    if wanted is None:
        return not_ours(subject, "it was changed since the run wrote it")
    if wanted == fingerprint(now):
        return _tidy(path) or nothing(subject, "it has the bytes from before the run")
    copy = copy_with(made[-1].folder, wanted)
    if copy is None:
        return cannot(
            subject,
            "the copy beside the journal is gone or was changed",
            next_step="take the two variables out by hand, or put your own copy back",
        )
    return _change(path, now, copy)


def put_file_back(change: Change, watch: Watch) -> Done:
    """Write the file as it was, with a copy of what is there now beside this run's journal."""
    from wizard.systems.values.files import remove_leftovers, write_values

    if change.payload is None:
        path = Path(change.register["path"])
        return Done(f"{remove_leftovers(path)} removed beside {path}", (), dict(change.register))
    path, now, before = change.payload
    backup = watch.backup(path.name)
    write_values(path, before=now, after=before, backup=backup)
    evidence = f"copy of what was there until now: {backup}"
    return Done(
        f"{path} has its {len(before)} bytes from before the run",
        (evidence,),
        {**change.register, "backup": str(backup)},
    )


def copy_with(folder: Path, wanted: str) -> Path | None:
    """The copy in a run's folder whose content has this fingerprint."""
    for path in sorted(folder.glob("[0-9][0-9]-*")):
        try:
            if fingerprint(path.read_bytes()) == wanted:
                return path
        except OSError:
            continue
    return None


def _read(path: Path) -> bytes:
    from wizard.systems.values.files import read_values

    return read_values(path)


def _tidy(path: Path) -> Change | None:
    """Removing what a process that was killed left beside the file; none where nothing is."""
    from wizard.systems.values.files import leftovers

    found = leftovers(path)
    if not found:
        return None
    unchanged = fingerprint(_read(path))
    return Change(
        step=STEP,
        items=tuple(f"remove {each}: a new content that was not put in place" for each in found),
        exact=(),
        preconditions=facts(FactKind.FILE, {f"sha256 of {path}": unchanged}),
        effect="none: nothing reads these files, but they hold what the values file holds",
        reversible=Reversible.NO,
        because="they are of no use",
        undo="nothing to put back",
        register={"path": str(path), "before": unchanged, "after": unchanged},
    )


def _change(path: Path, now: bytes, copy: Path) -> Change:
    from wizard.systems.values.diff import keys_only, unified_diff

    before = copy.read_bytes()
    return Change(
        step=STEP,
        items=(f"{path}: put back the copy of {len(before)} bytes from before the run",),
        exact=(Exact("diff", keys_only(unified_diff(now, before, path.name))),),
        preconditions=facts(FactKind.FILE, {f"sha256 of {path}": fingerprint(now)}),
        effect="none on the cluster; the file is the source of the next helm upgrade",
        reversible=Reversible.YES,
        because="a copy of what is there now is kept beside this run's journal",
        undo=f"put that copy back at {path}",
        register={
            "path": str(path),
            "before": fingerprint(now),
            "after": fingerprint(before),
        },
        payload=(path, now, before),
    )
