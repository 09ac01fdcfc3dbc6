"""What there is to do, from one look."""

import pytest

from wizard.console.stages import Stand, in_words
from wizard.engine.overview import in_the_way, stages, to_do
from wizard.records.changes import Observation
from wizard.records.findings import Finding, State, failed, passed
from wizard.steps.procedure import STEPS

FINE = Observation((passed("LSA101", "it", "It is right"),), right=True)
WRONG = Observation((failed("LSA392", "it", "It is wrong"),), right=False)
STUCK = Observation((failed("LSA102", "it", "Too old"),), right=False, blocked=True)
OUT = Observation((Finding("LSA907", State.SKIP, "it", "Left out"),), right=True)


def seen(**others: Observation) -> dict[str, Observation]:
    return {step.name: others.get(step.name, FINE) for step in STEPS}


def stands(found, todo):
    return {step.name: it.stand for step, it in zip(STEPS, stages(found, todo), strict=True)}


def test_pods_are_restarted_after_an_update_unless_the_upgrade_comes_after_it():
    found = seen(values_file=WRONG, helm_upgrade=WRONG, organizations=WRONG, audit_api=WRONG)
    four = ("values_file", "helm_upgrade", "organizations", "backend_restart")
    assert to_do(found, one_rollout=False) == four
    assert to_do(found, one_rollout=True) == four[:3]
    assert to_do(seen(organizations=WRONG), one_rollout=True) == four[2:]
    assert to_do(seen(audit_api=WRONG), one_rollout=False) == ()


def test_what_is_under_way_is_waited_for_and_not_done_again():
    rolling = Observation(
        (failed("LSA694", "it", "A rollout is on"),), right=False, blocked=False, underway=True
    )
    found = seen(backend_restart=rolling, audit_api=WRONG)
    assert to_do(found, one_rollout=False) == ()
    lines = {step.name: it for step, it in zip(STEPS, stages(found, ()), strict=True)}
    assert lines["backend_restart"].stand is lines["audit_api"].stand is Stand.LATER
    assert lines["backend_restart"].message == "waited for at the end; now: A rollout is on"


def test_each_step_stands_as_it_is():
    found = seen(organizations=WRONG, audit_api=WRONG, audit_table=OUT)
    todo = to_do(found, one_rollout=False)
    lines = {step.name: it for step, it in zip(STEPS, stages(found, todo), strict=True)}
    assert {name: it.stand for name, it in lines.items()} == {
        "chart_version": Stand.RIGHT,
        "values_file": Stand.RIGHT,
        "helm_upgrade": Stand.RIGHT,
        "organizations": Stand.TODO,
        "backend_restart": Stand.TODO,
        "audit_table": Stand.LEFT_OUT,
        "audit_api": Stand.LATER,
    }
    assert lines["backend_restart"].message == "to be done after step 4"
    assert lines["audit_api"].message == "asked again at the end; now: It is wrong"
    assert stands(seen(audit_api=WRONG), ())["audit_api"] is Stand.OPEN


def test_the_worst_is_told_once_with_how_many_are_like_it():
    many = Observation(
        (
            passed("LSA591", "organization a", "Is on"),
            failed("LSA596", "organization b", "Is off"),
            failed("LSA596", "organization c", "Is off"),
            Finding("LSA587", State.WARN, "all", "A stored false"),
        ),
        right=False,
    )
    line = stages(seen(organizations=many), ("organizations",))[3]
    assert line.message == "Is off (and 1 more like it)"
    assert [it.id for it in line.more] == ["LSA587"]


@pytest.mark.parametrize(
    ("stuck", "waits"),
    [
        ("values_file", "Steps 3 to 7 wait for this."),
        ("audit_table", "Step 7 waits for this."),
        ("audit_api", ""),
    ],
)
def test_what_stands_in_the_way_is_told_with_what_waits_for_it(stuck, waits):
    assert in_the_way(seen(**{stuck: STUCK})) == ([*STUCK.findings], waits)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9.2, "10 s"), (72, "1 min 12 s"), (179, "2 min 59 s"), (200, "3 minutes")],
)
def test_times_are_told_as_people_say_them(seconds, words):
    assert in_words(seconds) == words
