"""The values file: the copy that was kept beside the journal, put back byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact, Reversible
from wizard.records.findings import Finding
from wizard.steps.back.told import cannot, not_ours, nothing
from wizard.steps.fingerprint import fingerprint

if TYPE_CHECKING:
    from wizard.records.run_states import Made
    from wizard.steps.base import Watch

STEP = "values_file"


def way_back(made: Sequence[Made]) -> Change | Finding:
    """The copy put back, where the file still has the bytes that the run wrote."""
    path = Path(made[-1].register["path"])
    subject = f"values file {path}"
    try:
        now = _read(path)
    except Problem as problem:
        return not_ours(subject, problem.what)
    wanted = _before(made, fingerprint(now))
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


def undo(change: Change, watch: Watch) -> Done:
    """Write the file as it was, with a copy of what is there now beside this run's journal."""
    from wizard.systems.values_yaml import remove_leftovers, write_values

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


def _before(made: Sequence[Made], now: str) -> str | None:
    """The content's fingerprint before all of these changes; None when it is not ours."""
    for each in reversed(made):
        if now == each.register["after"]:
            now = each.register["before"]
        elif now != each.register["before"]:
            return None
    return now


def _read(path: Path) -> bytes:
    from wizard.systems.values_yaml import read_values

    return read_values(path)


def _tidy(path: Path) -> Change | None:
    """Removing what a process that was killed left beside the file; none where nothing is."""
    from wizard.systems.values_yaml import leftovers

    found = leftovers(path)
    if not found:
        return None
    unchanged = fingerprint(_read(path))
    return Change(
        step=STEP,
        items=tuple(f"remove {each}: a new content that was not put in place" for each in found),
        exact=(),
        preconditions={f"sha256 of {path}": unchanged},
        effect="none: nothing reads these files, but they hold what the values file holds",
        reversible=Reversible.NO,
        because="they are of no use",
        undo="nothing to put back",
        register={"path": str(path), "before": unchanged, "after": unchanged},
    )


def _change(path: Path, now: bytes, copy: Path) -> Change:
    from wizard.systems.values_yaml import unified_diff
    from wizard.systems.values_yaml.keys_only import keys_only

    before = copy.read_bytes()
    return Change(
        step=STEP,
        items=(f"{path}: put back the copy of {len(before)} bytes from before the run",),
        exact=(Exact("diff", keys_only(unified_diff(now, before, path.name))),),
        preconditions={f"sha256 of {path}": fingerprint(now)},
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
