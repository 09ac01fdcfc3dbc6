"""The walk of the health check: every way out has its report, and each check its time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from wizard.checks.check import Area, Check, Sight
from wizard.engine import checking
from wizard.engine.checking import Terms, checked
from wizard.problems import Exit, Problem
from wizard.records.findings import Finding, State, passed
from wizard.records.report import Report
from wizard.settings import settings_from, target_from
from wizard.systems.calls import logged


def good(id: str) -> Callable[[Sight], Finding]:
    return lambda _: passed(id, "it", "is well")


def bad(problem: Problem) -> Callable[[Sight], Iterator[Finding]]:
    def look(_: Sight) -> Iterator[Finding]:
        yield passed("LSA101", "it", "is well so far")
        raise problem

    return look


def report_of(*several: Check, **terms: object) -> Report:
    target = target_from(settings_from({"skip": ["audit_api"]}, {}))
    areas = (Area("one", "One", several),)
    return checked(lambda: target, Terms(areas, **terms)).report


def states(report: Report) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for it in report.findings:
        found.setdefault(it.check, []).append((it.id, it.state.value))
    return found


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks alone: no cluster is read ahead, or told of."""
    monkeypatch.setattr(checking, "where", lambda _systems, at_once: {"at_once": str(at_once)})
    monkeypatch.setattr(checking, "_read_ahead", lambda *_: None)


def test_a_problem_is_told_once_and_what_needs_it_is_not_run() -> None:
    problem = Problem("LSA204", "no way", on="the API server", next_step="x")
    report = report_of(
        Check("LSA1", "first", bad(problem)),
        Check("LSA2", "second", bad(problem)),
        Check("LSA3", "third", good("LSA3"), needs=("LSA1",)),
        Check("LSA4", "fourth", good("LSA4"), needs=("LSA3",)),
        Check("LSA5", "fifth", good("LSA5")),
        Check("LSA6", "left out", good("LSA6"), step="audit_api"),
        Check("LSA7", "and so this", good("LSA7"), needs=("LSA6",)),
    )
    assert states(report) == {
        "LSA1": [("LSA204", "unknown")],
        "LSA2": [("LSA908", "not-run")],
        "LSA3": [("LSA908", "not-run")],
        "LSA4": [("LSA908", "not-run")],
        "LSA5": [("LSA5", "pass")],
        "LSA6": [("LSA907", "skip")],
        "LSA7": [("LSA908", "skip")],
    }
    assert report.exit == Exit.UNKNOWN
    assert "because of LSA204" in next(it.message for it in report.findings if it.check == "LSA3")


def test_a_check_that_does_not_come_back_is_named_and_the_rest_goes_on() -> None:
    over = threading.Event()

    def look(_: Sight) -> Finding:
        with logged("http", "GET https://slow.example/x?api_key=hunter2"):
            over.wait(30)
        return passed("LSA1", "it", "came too late")

    report = report_of(Check("LSA1", "slow", look, limit=0.2), Check("LSA2", "quick", good("LSA2")))
    over.set()
    assert states(report) == {"LSA1": [("LSA960", "unknown")], "LSA2": [("LSA2", "pass")]}
    (late,) = [it for it in report.findings if it.check == "LSA1"]
    assert "within 0.2 seconds" in late.message
    assert any("slow.example" in line for line in late.evidence)
    assert not any("hunter2" in line for line in late.evidence)
    assert (report.exit, report.ended) == (Exit.UNKNOWN, "")


def test_the_limit_of_all_ends_it_with_what_was_not_run() -> None:
    over = threading.Event()

    def look(_: Sight) -> Finding:
        over.wait(30)
        return passed("LSA2", "it", "came too late")

    report = report_of(
        Check("LSA1", "quick", good("LSA1")),
        Check("LSA2", "slow", look),
        Check("LSA3", "after it", good("LSA3")),
        limit=1.0,
    )
    over.set()
    assert states(report) == {
        "LSA1": [("LSA1", "pass")],
        "LSA2": [("LSA960", "unknown")],
        "LSA3": [("LSA908", "not-run")],
    }
    assert report.exit == Exit.UNKNOWN
    assert report.ended == "the time limit of 1 s is over"
    assert report.target == {"at_once": "True"}


@pytest.mark.parametrize(
    ("number", "exit"), [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED)]
)
def test_a_signal_ends_it_with_what_was_found(number, exit) -> None:
    from wizard.console.interrupts import unwinding

    over = threading.Event()

    def look(_: Sight) -> Finding:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
        over.wait(30)
        return passed("LSA2", "it", "came too late")

    with unwinding():
        report = report_of(Check("LSA1", "quick", good("LSA1")), Check("LSA2", "interrupted", look))
    over.set()
    assert states(report) == {"LSA1": [("LSA1", "pass")], "LSA2": [("LSA908", "not-run")]}
    assert report.exit == exit
    assert report.verdict == "not finished"


def test_what_is_wrong_with_the_invocation_has_its_report_too() -> None:
    problem = Problem(
        "LSA201", "no kubeconfig", on="~/.kube/config", next_step="x", exit=Exit.USAGE
    )

    def locate() -> object:
        raise problem

    areas = (
        Area("one", "One", (Check("LSA1", "a", good("LSA1")), Check("LSA2", "b", good("LSA2")))),
    )
    found = checked(locate, Terms(areas))
    assert found.problem is problem
    assert (found.report.exit, found.report.ended) == (Exit.USAGE, "no kubeconfig")
    assert states(found.report) == {
        "LSA1": [("LSA201", "unknown")],
        "LSA2": [("LSA908", "not-run")],
    }
    assert found.report.checks == {"LSA1": State.UNKNOWN, "LSA2": State.NOT_RUN}


def test_a_defect_is_no_finding() -> None:
    def look(_: Sight) -> Finding:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        report_of(Check("LSA1", "defect", look))
