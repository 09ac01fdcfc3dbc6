"""What is hidden from a health check's verdict, and what of that is said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from wizard.problems import Problem
from wizard.records.findings import Finding, State, Suppressed
from wizard.records.report import Area, verdict
from wizard.records.suppressions import Suppression, suppressed, suppressions

TODAY = date(2026, 11, 29)
FOUND = (
    Finding("LSA102", State.FAIL, "release langsmith", "too old", check="LSA101"),
    Finding("LSA587", State.WARN, "organizations of langsmith", "a false", check="LSA591"),
    Finding("LSA791", State.PASS, "database postgres", "there", check="LSA791"),
)


def judged(*several: Suppression, whole: bool = True) -> tuple[list, int]:
    areas = suppressed((Area("one", "One", FOUND),), several, TODAY, whole=whole)
    found = [finding for area in areas for finding in area.findings]
    return [it for it in found if it.suppressed or it.id.startswith("LSA96")], verdict(found)


@pytest.mark.parametrize("id", ["LSA102", "LSA101"])
@pytest.mark.parametrize("subject", ["*", "release *", "release langsmith"])
def test_a_finding_is_hidden_by_its_id_or_its_checks_and_its_subject(id, subject) -> None:
    (hidden,), exit = judged(Suppression(id, "next quarter", subject, date(2026, 12, 31)))
    assert hidden.suppressed == Suppressed("next quarter", "2026-12-31")
    assert exit == 0


@pytest.mark.parametrize(
    ("one", "id"),
    [
        (Suppression("LSA102", "x", "release other"), "LSA962"),
        (Suppression("LSA102", "x", "release"), "LSA962"),
        (Suppression("LSA103", "x"), "LSA962"),
        (Suppression("LSA791", "x"), "LSA962"),  # what is well needs none
        (Suppression("LSA102", "x", until=date(2026, 11, 28)), "LSA963"),
    ],
)
def test_one_that_hides_nothing_is_said(one, id) -> None:
    (told,), exit = judged(one)
    assert (told.id, told.state, exit) == (id, State.WARN, 3)
    assert told.subject == one.where


def test_it_holds_through_its_last_day() -> None:
    (hidden,), _ = judged(Suppression("LSA102", "x", until=TODAY))
    assert hidden.suppressed


def test_none_is_called_unused_by_a_check_that_did_not_look_at_all() -> None:
    assert judged(Suppression("LSA103", "x"), whole=False) == ([], 3)


def test_the_file_and_the_flag_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "suppressions.toml"
    file.write_text(
        '[[suppress]]\nid = "LSA587"\nreason = "the sandbox = off"\n'
        'subject = "organizations of *"\nuntil = 2026-12-31\n'
        '[[suppress]]\nid = "LSA102"\nreason = "ask a@b.example"\n'
    )
    typed = ("LSA587:organizations of *=the sandbox = off@2026-12-31", "LSA102=ask a@b.example")
    (first, second, *others) = suppressions(file, typed)
    assert [(it.id, it.subject, it.reason, it.until) for it in (first, second)] == [
        (it.id, it.subject, it.reason, it.until) for it in others
    ]
    assert first.until == date(2026, 12, 31)
    assert first.where == f"{file}, suppression 1"


@pytest.mark.parametrize(
    "text",
    ["LSA587", "LSA587=", "587=x", "LSA587:=x", "=x", "LSA587=x@2026-13-01"],
)
def test_a_flag_that_cannot_be_understood_is_refused(text) -> None:
    with pytest.raises(Problem) as caught:
        suppressions(None, [text])
    assert (caught.value.id, caught.value.exit) == ("LSA961", 2)


@pytest.mark.parametrize(
    "text",
    [
        "[[suppress", "x = 1", "suppress = 1", '[[suppress]]\nid = "LSA587"',
        '[[suppress]]\nid = "LSA587"\nreason = " "', '[[suppress]]\nid = "587"\nreason = "x"',
        '[[suppress]]\nid = "LSA587"\nreason = "x"\nuntil = "soon"',
        '[[suppress]]\nid = "LSA587"\nreason = "x"\nuntil = 2026-12-31T10:00:00',
        '[[suppress]]\nid = "LSA587"\nreason = "x"\nname = "y"', "suppress = [1]", "\xff",
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_understood_is_refused(tmp_path: Path, text) -> None:
    file = tmp_path / "suppressions.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(Problem) as caught:
        suppressions(file, ())
    assert (caught.value.id, caught.value.exit) == ("LSA961", 2)
    assert str(file) in caught.value.on


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be read"):
        suppressions(tmp_path / "none.toml", ())
