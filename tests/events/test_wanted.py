"""The filters, and the documented operations by version and category."""

from collections import Counter
from itertools import accumulate

import pytest
from event_log import OPERATIONS
from events import EVENT

from wizard.events.range import range_of
from wizard.events.wanted import (
    CATEGORIES,
    Wanted,
    category_of,
    documented,
    refuse_unknown,
    workspace_id,
)
from wizard.problems import Exit, Problem
from wizard.records.event import EPOCH

RANGE = range_of("now", "now", EPOCH)
ORIGINAL = {"user_id": "v", "ls_user_id": "w", "api_key_id": "c"}
SEEN = EVENT | {"unmapped": {"original_audit_log": ORIGINAL}}


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"operations": ("delete_role", "create_api_key")}, True),
        ({"operations": ("delete_role",)}, False),
        ({"actor": "u"}, True),
        ({"actor": "c"}, True),
        ({"actor": "v"}, True),
        ({"actor": "w"}, True),
        ({"actor": "None"}, False),
        ({"resource": "r"}, True),
        ({"resource": "c"}, False),
        ({"status": "success"}, True),
        ({"status": "failure"}, False),
        ({"status": "success", "actor": "x"}, False),
    ],
)
def test_filters(filters: dict, passes: bool) -> None:
    wanted = Wanted(RANGE, **filters)
    assert wanted.takes(SEEN) is passes
    assert wanted.sifts is bool(filters.keys() - {"operations"})


@pytest.mark.parametrize("odd", [{}, {"actor": None, "api": [], "resources": "r", "status": 4}])
def test_an_event_of_another_shape_passes_no_filter_and_breaks_none(odd: dict) -> None:
    assert Wanted(RANGE).takes(odd)
    for name in ("actor", "resource", "status"):
        assert not Wanted(RANGE, **{name: "r"}).takes(odd)


def test_the_documented_operations_by_version() -> None:
    counted = Counter(version for version, _ in documented().values())
    sums = dict(zip(counted, accumulate(counted.values()), strict=True))
    assert sums == {"0.12.33": 32, "0.12.34": 73, "0.13.3": 74, "0.13.32": 102, "0.13.37": 117,
                    "0.15.0-rc.1": 329}  # fmt: skip
    assert {category for _, category in documented().values()} == set(CATEGORIES)
    assert documented()["get_audit_logs"] == ("0.15.0-rc.1", "others")
    assert category_of("create_api_key") == "api_keys"
    assert category_of("invite_user_to_org") == "users"
    assert category_of("one_from_next_year") == "others"
    assert set(OPERATIONS) <= set(documented())


def test_an_unknown_operation_is_refused_with_what_is_close() -> None:
    refuse_unknown(["create_api_key"], documented())
    refuse_unknown(["whatever"], ())  # a server without a list decides by itself
    with pytest.raises(Problem) as caught:
        refuse_unknown(["create_apikey"], documented())
    assert (caught.value.id, caught.value.exit) == ("LSA831", Exit.USAGE)
    assert "did you mean create_api_key," in caught.value.next_step
    with pytest.raises(Problem) as caught:
        refuse_unknown(["%%%"], documented())
    assert "explain operations" in caught.value.next_step


def test_a_workspace_is_a_uuid() -> None:
    assert workspace_id(" 3F1C2B8E-5a47-4d0c-9c3e-7b1f64a2d905 ").hex.startswith("3f1c")
    with pytest.raises(Problem, match="no workspace's id"):
        workspace_id("ours")
