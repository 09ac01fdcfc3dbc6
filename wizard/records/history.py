"""What earlier health checks of a target have found, in the state folder.

Beside each other lie what was found last, each finding with the time since when it is so, and a
line a check of how many were in which state. Both are written under a lock, so that of two checks
at once each finds the other's.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from wizard.files import open_private, read_file, write_private
from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.records.findings import Finding, State
from wizard.records.report import Area, Report
from wizard.records.state import (
    Lock,
    made_private,
    refuse_foreign,
    state_folder,
    told_as_problem,
)

LEFT = (State.SKIP, State.NOT_RUN)
KEPT, ROOM = 2_000, 200
"""Lines that are kept, and how many more there may be until the oldest go."""
LARGEST = 4_000_000
WAIT, PAUSE = 5.0, 0.02
"""Seconds that a check waits for another one to have written, and between two looks."""


@dataclass(frozen=True)
class Seen:
    """One check, as it is remembered.

    Attributes:
        at: when it began (ISO 8601, UTC).
        counts: how many findings were in each state.
        measures: see `wizard.records.report.MEASURES`.
    """

    at: str
    exit: int
    counts: Mapping[str, int]
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Past:
    """What was before this check.

    Attributes:
        last: when the one before was; empty where none is known.
        well: when all was well last; empty where that was never seen.
        checks: those that are kept, the oldest first, this one with them.
    """

    last: str = ""
    well: str = ""
    checks: tuple[Seen, ...] = ()


def remembered(report: Report, *, whole: bool) -> tuple[Report, Past]:
    """The report with the times since when all of it is so, and what was before.

    What it has found is kept for the next one; of a check that did not come to its end nothing is.
    `whole` says whether everything was looked at.

    Raises:
        Problem: LSA902, LSA940: the state folder cannot be used.
    """
    if report.ended or not report.target.get("api_server"):
        return report, Past()
    folder = made_private("checks")
    name = _name([report.target.get(name, "") for name in ("api_server", "namespace", "release")])
    with told_as_problem(folder), _held(f"check-{name}"):
        last = _read(folder / f"{name}.json")
        known = last.get("states") or {}
        dated = _dated(report, known)
        # What was not looked at keeps what is known of it.
        looked = (it for it in dated.findings if it.state not in LEFT)
        well = report.exit == Exit.OK and whole
        now = _text(report.checked_at)
        document = {
            "at": now,
            "well": now if well else last.get("well") or "",
            "states": known | {_key(it): (it.state.value, it.since) for it in looked},
        }
        log = folder / f"{name}.ndjson"
        _append(log, report)
        checks = tuple(_lines(log))
        _replace(folder / f"{name}.json", json.dumps(document))
        if len(checks) > KEPT + ROOM:
            kept = checks[-KEPT:]
            _replace(log, "".join(_line(it.at, it.exit, it.counts, it.measures) for it in kept))
    past = Past(str(last.get("at") or ""), str(last.get("well") or ""), checks)
    if report.exit != Exit.OK and past.well:
        at = datetime.fromisoformat(past.well)
        remark = f"All was well last on {at:%A, %Y-%m-%d %H:%M} UTC"
        dated = replace(dated, remarks=(*dated.remarks, remark))
    return dated, past


def measured_last(place: Iterable[str], measure: str) -> tuple[float | None, datetime]:
    """What was measured last of a target (API server, namespace, release), and when.

    None where it is not known, or cannot be read: who keeps the check says why.
    """
    log = state_folder() / "checks" / f"{_name(place)}.ndjson"
    with contextlib.suppress(OSError, Problem):
        for seen in reversed([*_lines(log)]):
            if measure in seen.measures:
                return seen.measures[measure], datetime.fromisoformat(seen.at)
    return None, datetime.now(UTC)


def changed(report: Report) -> Report:
    """The report with those findings alone that were otherwise, or not there, a check before.

    What was not looked at has not changed: of that nothing is known.
    """
    now = _text(report.checked_at)

    def new(finding: Finding) -> bool:
        return finding.since in ("", now) and finding.state not in LEFT

    areas = (Area(it.name, it.title, tuple(filter(new, it.findings))) for it in report.areas)
    return replace(report, areas=tuple(areas))


def _name(place: Iterable[str]) -> str:
    """What the files of a target are called."""
    return sha256("\n".join(place).encode()).hexdigest()[:24]


def _key(finding: Finding) -> str:
    return f"{finding.check or finding.id} {finding.subject}"


def _dated(report: Report, before: Mapping[str, Any]) -> Report:
    now = _text(report.checked_at)

    def since(finding: Finding) -> str:
        state, at = before.get(_key(finding)) or ("", now)
        return str(at) if state == finding.state.value else now

    areas = (
        Area(it.name, it.title, tuple(replace(f, since=since(f)) for f in it.findings))
        for it in report.areas
    )
    return replace(report, areas=tuple(areas))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


@contextlib.contextmanager
def _held(name: str) -> Iterator[None]:
    """Hold the lock; who waits for it longer than WAIT is told."""
    lock, end = Lock(name), time.monotonic() + WAIT
    while not lock.acquire():
        if time.monotonic() > end:
            raise Problem(
                "LSA902",
                "Another check holds the history of this target; this one is not kept in it",
                on=str(lock.path),
            )
        time.sleep(PAUSE)
    try:
        yield
    finally:
        lock.release()


def _read(path: Path) -> dict[str, Any]:
    """What was found last; nothing where there is none, or it is torn."""
    if not path.exists():
        return {}
    refuse_foreign(path)
    try:
        found = json.loads(read_file(path, LARGEST))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lines(path: Path) -> Iterator[Seen]:
    refuse_foreign(path)
    for line in read_file(path, LARGEST).splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):  # torn by a kill
            it = json.loads(line)
            yield Seen(str(it["at"]), int(it["exit"]), dict(it["counts"]), dict(it["measures"]))


def _append(path: Path, report: Report) -> None:
    counts = {state.value: number for state, number in report.counts.items()}
    line = _line(_text(report.checked_at), int(report.exit), counts, report.measures)
    with os.fdopen(open_private(path, os.O_RDWR), "r+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
            file.write(b"\n" if torn else b"")
        file.write(line.encode())


def _line(at: str, exit: int, counts: Mapping[str, int], measures: Mapping[str, float]) -> str:
    told = {"at": at, "exit": exit, "counts": dict(counts), "measures": dict(measures)}
    return json.dumps(told, separators=(",", ":")) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write it beside and rename it, for its owner alone."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    write_private(beside, text.encode())
    beside.replace(path)
