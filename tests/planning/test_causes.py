"""Why a plan is refused: what was done comes first, its consequences are in the table."""

from types import SimpleNamespace

import pytest

from wizard.planning.causes import WIDEST, cause, told
from wizard.planning.differences import Difference

ID = "c2a95e17-7d34-4b8f-b6e1-0f4d8a6c3b72"
CHANGE = SimpleNamespace(details=(f"Tidewater Research ({ID}): can_use_audit_logs is not set",))
PLAN = SimpleNamespace(planned=((None, CHANGE),))
WRITTEN = "written at 2026-11-29 16:43:00 UTC"
FOUND = (
    Difference("content of /a/values.yaml", "1", "2", WRITTEN, kind="file"),
    Difference("content of /a/values.yaml", "3", "4", WRITTEN, kind="file"),
    Difference("scale of Deployment x", "2", "3", "kubectl at 16:44", kind="scale"),
    Difference(f"row {ID}", "hmac", "not among what would be changed", kind="row"),
    Difference("expected rows", "3", "2"),
    Difference("the exact SQL", "UPDATE\\nx" + " y" * 200, "UPDATE\nx"),
)  # fmt: skip


def test_each_cause_is_told_once_and_no_consequence():
    assert cause(PLAN, FOUND) == (
        "6 things are not as planned: values.yaml edited at 2026-11-29 16:43:00 UTC · "
        "replicas 2 → 3 by kubectl at 16:44 · Tidewater Research needs no change now"
    )
    assert cause(PLAN, FOUND[4:]) == "2 things are not as planned"
    done = Difference("step 4", "UPDATE organizations", "nothing to do")
    assert cause(PLAN, [done]) == "1 thing is not as planned: step 4 has nothing left to do"


def test_more_causes_than_a_line_has_room_for_are_counted():
    many = [Difference(f"row {n}", "a", "b", kind="row") for n in range(6)]
    assert cause(PLAN, many).endswith("3 was changed · and 2 more")


@pytest.mark.parametrize("at", range(len(FOUND)))
def test_a_row_of_the_table_is_one_line_with_the_name_beside_the_id(at):
    row = told(PLAN, FOUND)[at]
    assert "\n" not in row.planned + row.now
    assert "\\n" not in row.planned
    assert len(row.planned) <= WIDEST
    assert ("Tidewater Research" in row.what) == (ID in row.what)


def test_two_long_texts_are_shown_from_where_they_differ() -> None:
    long = "helm upgrade " + "--values a.yaml " * 40
    moved = Difference("the exact command line", f"{long}--timeout 1800s", f"{long}--wait")
    (row,) = told(PLAN, [moved])
    assert row.planned.startswith("…")
    assert (row.planned[-15:], row.now[-6:]) == ("--timeout 1800s", "--wait")
