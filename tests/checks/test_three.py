"""Each check has a test in which it passes, one in which it finds something, one in which it is
unknown: a check without them is named here. Where it can find nothing, it is said why."""

import ast
from pathlib import Path

import pytest

from wizard.checks.areas import AREAS

WELL, DEAD = "test_all_is_well", "test_nothing_is_green_where_nobody_answers"
CLOSED = "test_nothing_is_green_where_the_database_is_not_reached"
NO_RIGHT = "test_without_a_right_nothing_is_green"
NO_SECRETS = "test_without_the_right_to_helms_secrets_it_is_unknown"
NO_RELEASE = "test_without_the_right_to_read_the_release_it_is_unknown"
NO_API = "test_nothing_is_green_where_the_api_has_an_error"
EVENT = "test_an_event_that_is_strict"

THREE: dict[str, dict[str, tuple[str, str, str]]] = {
    "target": {
        "LSA230": (WELL, "- what does not answer is unknown", DEAD),
        "LSA231": (WELL, "test_nobody_verifies_the_server", DEAD),
        "LSA232": (WELL, "test_a_cluster_that_the_chart_does_not_take", DEAD),
        "LSA233": ("test_the_end_of_the_login", "test_a_login_that_ends_soon", DEAD),
        "LSA234": (WELL, "test_a_clock_that_is_another_than_the_api_servers", DEAD),
        "LSA235": (
            "test_goes_with_the_cluster",
            "test_was_made_for_four_versions",
            "test_is_not_there",
        ),
    },
    "release": {
        "LSA101": (WELL, "test_it_has_no_audit_logs", DEAD),
        "LSA181": (
            WELL,
            "test_a_failed_upgrade_is_a_failed_release_a_failed_hook_and_a_failed_revision",
            NO_SECRETS,
        ),
        "LSA182": ("test_the_lines_that_are_supported", "test_it_is_out_of_support_too", DEAD),
        "LSA183": (
            WELL,
            "test_a_failed_upgrade_is_a_failed_release_a_failed_hook_and_a_failed_revision",
            NO_SECRETS,
        ),
        "LSA184": (
            WELL,
            "test_a_failed_upgrade_is_a_failed_release_a_failed_hook_and_a_failed_revision",
            NO_SECRETS,
        ),
        "LSA186": (WELL, "test_an_owner_is_told_with_its_marks", DEAD),
        "LSA187": (WELL, "test_a_variable_that_was_set_by_hand", DEAD),
    },
    "values": {
        "LSA391": (
            WELL,
            "test_the_release_lacks_them",
            "test_a_file_that_cannot_be_read_is_green_nowhere",
        ),
        "LSA381": (WELL, "test_variables_that_the_live_backend_has_alone", NO_RELEASE),
        "LSA382": (WELL, "test_a_variable_twice", NO_RELEASE),
        "LSA383": (WELL, "test_a_value_that_is_not_quoted", NO_RELEASE),
        "LSA384": (WELL, "test_the_live_backend_is_another", NO_RELEASE),
        "LSA385": (
            WELL,
            "test_what_the_files_would_change",
            "test_a_file_that_cannot_be_read_is_green_nowhere",
        ),
    },
    "workload": {
        "LSA401": (WELL, "test_the_template_lacks_them", NO_RIGHT),
        "LSA610": (WELL, "test_a_pod_without_the_variables_that_the_template_has", NO_RIGHT),
        "LSA691": (WELL, "test_pods_that_are_older_than_the_last_update", NO_RIGHT),
        "LSA611": (WELL, "test_a_pod_that_is_not_ready", NO_RIGHT),
        "LSA612": (WELL, "test_a_restart_is_told_with_its_reason", NO_RIGHT),
        "LSA613": (WELL, "test_another_image_than_the_charts", NO_RIGHT),
        "LSA614": (WELL, "test_a_quota", NO_RIGHT),
        "LSA615": (
            WELL,
            "test_a_budget_that_lets_no_rollout_evict",
            "test_a_budget_that_lets_no_rollout_evict",
        ),
        "LSA616": (WELL, "test_a_paused_backend", NO_RIGHT),
    },
    "organizations": {
        "LSA560": (WELL, "test_a_table_that_is_not_langsmiths", CLOSED),
        "LSA591": (WELL, "test_a_stored_false", CLOSED),
        "LSA561": (WELL, "test_a_stored_false", CLOSED),
        "LSA562": (WELL, "test_a_config_that_is_no_object", CLOSED),
        "LSA563": (WELL, "test_one_without_a_value_of_its_own", CLOSED),
        "LSA565": (
            "test_is_compared_with_the_check_before",
            "test_is_compared_with_the_check_before",
            "test_is_not_known_without_the_database",
        ),
        "LSA564": (WELL, "test_is_another_than_what_is_stored", CLOSED),
    },
    "table": {
        "LSA791": ("test_the_table_itself", "test_the_table_itself", "test_the_table_itself"),
        "LSA701": (WELL, "test_another_schema_than_the_backends", CLOSED),
        "LSA702": (WELL, "test_columns_that_are_not_there", CLOSED),
        "LSA703": (
            WELL,
            "- what may not be read is unknown",
            "test_what_may_not_be_read_is_unknown_and_what_rests_on_it_not_run",
        ),
        "LSA704": (WELL, "- a figure: no number of rows is wrong", CLOSED),
        "LSA705": (WELL, "test_without_an_index", CLOSED),
        "LSA706": (WELL, "test_the_last_entry_is_no_look_at_the_log", CLOSED),
        "LSA707": (WELL, "test_a_silence_longer_than_usual", CLOSED),
        "LSA708": (WELL, "- a figure: no growth is wrong", CLOSED),
        "LSA709": (WELL, "test_how_far_back_it_goes", CLOSED),
    },
    "api": {
        "LSA859": (
            WELL,
            "- without a key all of it is unknown",
            "test_nothing_is_green_without_a_key",
        ),
        "LSA860": (WELL, "test_the_address_and_the_key", NO_API),
        "LSA861": (
            "test_the_end_of_the_certificate",
            "test_the_end_of_the_certificate",
            NO_API,
        ),
        "LSA862": (WELL, "- a key that is not known is told as LSA811, in LSA860's place", NO_API),
        "LSA863": (
            "test_the_end_of_the_key",
            "test_the_end_of_the_key",
            "test_a_key_that_is_not_listed_or_cannot_be",
        ),
        "LSA864": (WELL, "test_the_permission", NO_API),
        "LSA865": (
            "test_what_bars_the_organization",
            "test_what_bars_the_organization",
            NO_API,
        ),
        "LSA866": (WELL, "test_the_servers_own_word", NO_API),
        "LSA867": ("test_the_end_of_the_licence", "test_the_end_of_the_licence", NO_API),
        "LSA868": (
            WELL,
            "test_another_version_than_the_releases",
            "test_another_version_than_the_releases",
        ),
        "LSA891": (WELL, "test_a_log_that_does_not_answer", "test_a_log_that_does_not_answer"),
        "LSA869": (WELL, "test_an_event_that_comes_twice", NO_API),
        "LSA870": (WELL, "test_an_event_of_another_shape", NO_API),
        "LSA871": (EVENT, WELL, NO_API),
        "LSA872": (EVENT, "test_times_in_two_units", NO_API),
        "LSA873": (WELL, "test_looks_at_the_log_are_no_news", NO_API),
        "LSA874": (WELL, "test_a_slow_answer", NO_API),
        "LSA875": (
            WELL,
            "test_an_event_that_is_not_in_the_table",
            "test_a_table_that_cannot_be_read",
        ),
        "LSA876": ("test_keeps_up_or_not", "test_keeps_up_or_not", "test_is_not_known"),
    },
}
"""By area and check, the tests of test_AREA.py in which it passes, finds something, and is unknown;
`-` and the reason where there is none."""


def test_each_check_has_three() -> None:
    assert {area: [*rows] for area, rows in THREE.items()} == {
        area.name: [check.id for check in area.checks] for area in AREAS
    }


@pytest.mark.parametrize("area", THREE)
def test_they_are_there(area: str) -> None:
    file = Path(__file__).with_name(f"test_{area}.py")
    tree = ast.walk(ast.parse(file.read_text()))
    tests = {it.name for it in tree if isinstance(it, ast.FunctionDef)}
    named = {name for row in THREE[area].values() for name in row}
    assert [it for it in sorted(named) if it not in tests and not it.startswith("- ")] == []
    passes, _, unknown = zip(*THREE[area].values(), strict=True)
    assert not any(it.startswith("-") for it in (*passes, *unknown))
