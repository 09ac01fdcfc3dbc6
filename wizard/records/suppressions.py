"""Findings that do not count, each with a reason and, if it is wanted, its last day.

A file has one table each (TOML): `[[suppress]]` with `id`, `reason`, and optionally `subject` (a
pattern with `*` and `?`) and `until` (a day); `--skip-finding ID[:subject]=REASON[@until]` says the
same. One that matches nothing, and one whose day is over, are findings themselves: what is hidden
is never hidden silently, and what is mended does not stay hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from wizard.files import read_file
from wizard.problems import Exit, Problem
from wizard.record import dataclass, replace
from wizard.records.findings import Finding, State, Suppressed
from wizard.records.report import Area

LARGEST = 1_000_000
"""Bytes of a file."""
_TYPED = re.compile(
    r"(?P<id>LSA\d{3})(?::(?P<subject>[^=]+))?=(?P<reason>.*?\S)(?:@(?P<until>\d{4}-\d\d-\d\d))?"
)
_ID = re.compile(r"LSA\d{3}")
NOT_LOOKED = {"LSA907", "LSA908", "LSA960"}
"""What is found where something was left out, or could not be looked at."""
MATCHED = frozenset({State.FAIL, State.UNKNOWN, State.WARN, State.INFO})
"""What can be suppressed: what is well needs it not, what was not run was not seen."""


@dataclass(frozen=True)
class Suppression:
    """One suppression.

    Attributes:
        id: of a finding, or of a check with all that it finds.
        subject: a pattern that the finding's subject matches as a whole.
        until: the last day on which it holds; None for good.
        where: who says so: a file with the number of its table, or the flag.
    """

    id: str
    reason: str
    subject: str = "*"
    until: date | None = None
    where: str = "--skip-finding"

    @property
    def what(self) -> str:
        """The id, with the pattern where there is one."""
        return self.id if self.subject == "*" else f"{self.id}:{self.subject}"

    def matches(self, finding: Finding) -> bool:
        """Whether it is about this finding."""
        about = self.id in (finding.id, finding.check) and finding.state in MATCHED
        return about and fnmatchcase(finding.subject, self.subject)


def suppressions(path: Path | None, typed: Iterable[str]) -> tuple[Suppression, ...]:
    """Those of the file, then those of the command line.

    Raises:
        Problem: LSA961, one cannot be understood, or the file cannot be read.
    """
    return (*(_of_file(path) if path else ()), *map(_of_flag, typed))


def _of_flag(text: str) -> Suppression:
    found = _TYPED.fullmatch(text.strip())
    if not found:
        raise _refused(
            f"option --skip-finding {text}", "it is not ID[:subject]=REASON[@YYYY-MM-DD]"
        )
    where = "option --skip-finding"
    until = _day(found["until"], where) if found["until"] else None
    return Suppression(found["id"], found["reason"], found["subject"] or "*", until)


def _of_file(path: Path) -> Iterator[Suppression]:
    import tomllib

    try:
        data = tomllib.loads(read_file(path, LARGEST).decode("utf-8"))
    except OSError as error:
        raise _refused(f"file {path}", f"it cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise _refused(f"file {path}", "it is not TOML") from None
    tables = data.get("suppress")
    if set(data) - {"suppress"} or not isinstance(tables, list):
        raise _refused(f"file {path}", "it has something else than [[suppress]] tables")
    for number, table in enumerate(tables, 1):
        yield _of_table(table, f"{path}, suppression {number}")


def _of_table(table: Any, where: str) -> Suppression:
    if not isinstance(table, Mapping) or set(table) - {"id", "reason", "subject", "until"}:
        raise _refused(where, "it has something else than id, reason, subject and until")
    texts = {name: table.get(name, default) for name, default in
             (("id", ""), ("reason", ""), ("subject", "*"))}  # fmt: skip
    if not all(isinstance(text, str) and text.strip() for text in texts.values()):
        raise _refused(where, "id, reason and subject are texts, and the first two are needed")
    if not _ID.fullmatch(texts["id"]):
        raise _refused(where, f"{texts['id']!r} is not the id of a finding")
    told = table.get("until")
    return Suppression(**texts, until=None if told is None else _day(told, where), where=where)


def _day(told: Any, where: str) -> date:
    if isinstance(told, date) and not isinstance(told, datetime):
        return told
    try:
        return date.fromisoformat(str(told))
    except ValueError:
        raise _refused(where, "until is no day (YYYY-MM-DD)") from None


def _refused(where: str, why: str) -> Problem:
    return Problem(
        "LSA961", f"A suppression cannot be understood: {why}", on=where, exit=Exit.USAGE
    )


_EXPIRED = "mend what it hid, or give it another day"
_UNUSED = "take it out, or give the subject as the finding has it"


def suppressed(
    areas: Sequence[Area], several: Sequence[Suppression], today: date, *, whole: bool
) -> tuple[Area, ...]:
    """The areas with what is suppressed marked so, and an area of what is wrong with suppressions.

    None is called unused by a check that was not `whole`, or could not look at all.
    """
    valid = [it for it in several if it.until is None or today <= it.until]
    used: set[int] = set()
    marked = tuple(
        replace(area, findings=tuple(_marked(area.findings, valid, used))) for area in areas
    )
    marked = _with_dependents(marked)
    left = {it.id for area in marked for it in area.findings if not it.suppressed} & NOT_LOOKED
    told = [
        _about("LSA963", it, f"{it.id} ended on {it.until}, and hides nothing any more", _EXPIRED)
        for it in several
        if it.until and today > it.until
    ]
    if whole and not left:
        told += [
            _about("LSA962", it, f"{it.what} matches nothing: it can go", _UNUSED)
            for at, it in enumerate(valid)
            if at not in used
        ]
    own = (Area("suppressions", "The suppressions", tuple(told)),) if told else ()
    return (*marked, *own)


def _with_dependents(areas: tuple[Area, ...]) -> tuple[Area, ...]:
    """What was not looked at because of a suppressed finding alone does not count either."""
    found = [it for area in areas for it in area.findings]
    counting = {it.id for it in found if not it.suppressed}
    why = {it.id: it.suppressed for it in found if it.suppressed and it.id not in counting}
    return tuple(
        replace(
            area,
            findings=tuple(
                replace(it, suppressed=why[it.because]) if it.because in why else it
                for it in area.findings
            ),
        )
        for area in areas
    )


def _marked(
    findings: Iterable[Finding], several: Sequence[Suppression], used: set[int]
) -> Iterator[Finding]:
    for finding in findings:
        matching = [at for at, it in enumerate(several) if it.matches(finding)]
        used.update(matching)
        if not matching:
            yield finding
            continue
        first = several[matching[0]]
        until = first.until.isoformat() if first.until else ""
        yield replace(finding, suppressed=Suppressed(first.reason, until))


def _about(id: str, it: Suppression, what: str, step: str) -> Finding:
    message, evidence = f"The suppression of {what}", (f"reason: {it.reason}",)
    return Finding(id, State.WARN, it.where, message, evidence, step, check=id)
