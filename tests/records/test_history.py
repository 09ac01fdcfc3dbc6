"""What a health check remembers of those before it, also where several write at once."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from sample_reports import AT, MEASURES, finding, sample, well

from wizard.problems import Exit, Problem
from wizard.records import history
from wizard.records.findings import State
from wizard.records.history import changed, remembered
from wizard.records.report import Area, Report

PLACE = {"api_server": "https://a", "namespace": "langsmith", "release": "langsmith"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "checks"


def at(hours: float, report: Report, **place: str) -> Report:
    moment = AT + timedelta(hours=hours)
    return replace(report, checked_at=moment, target=PLACE | place)


def since(report: Report) -> dict[str, str]:
    return {it.id: it.since[11:16] for it in report.findings}


def test_each_finding_tells_since_when_it_is_so() -> None:
    first, past = remembered(at(0, well()), whole=True)
    assert (past.last, past.well, len(past.checks)) == ("", "", 1)
    assert since(first) == {"LSA101": "05:17"}
    second, past = remembered(at(1, sample()), whole=True)
    assert (past.last[11:16], past.well[11:16]) == ("05:17", "05:17")
    assert since(second) == {
        "LSA101": "05:17",
        **dict.fromkeys(
            ("LSA821", "LSA811", "LSA587", "LSA175", "LSA907", "LSA908", "LSA822"), "06:17"
        ),
    }
    third, past = remembered(at(2, sample()), whole=True)
    assert since(third) == since(second) | {"LSA907": "07:17", "LSA908": "07:17"}  # not looked at
    assert [it.exit for it in past.checks] == [0, 3, 3]
    assert past.checks[-1].counts["fail"] == 2
    assert past.checks[-1].measures == MEASURES


def test_only_what_has_changed_is_left() -> None:
    remembered(at(0, sample()), whole=True)
    again, _ = remembered(at(1, sample()), whole=True)
    assert [it.id for it in changed(again).findings] == []  # what was not looked at neither
    mended, _ = remembered(at(2, well()), whole=True)
    assert [it.id for it in changed(mended).findings] == []
    other = replace(well(), areas=(Area("api", "x", (finding("LSA821", State.PASS, "plain"),)),))
    other, _ = remembered(at(3, other), whole=False)
    assert [it.id for it in changed(other).findings] == ["LSA821"]


def test_when_all_was_well_last_is_told_while_it_is_not() -> None:
    remembered(at(0, well()), whole=True)
    remembered(at(1, well()), whole=False)  # not all of it
    report, past = remembered(at(30, sample()), whole=True)
    assert report.remarks == ("All was well last on Monday, 2026-08-31 05:17 UTC",)
    assert past.last[:16] == "2026-08-31T06:17"
    assert remembered(at(31, well()), whole=True)[0].remarks == ()


def test_what_was_not_looked_at_keeps_what_is_known(state: Path) -> None:
    remembered(at(0, sample()), whole=True)
    part = replace(sample(), areas=sample().areas[:1])
    remembered(at(1, part), whole=False)
    report, _ = remembered(at(2, sample()), whole=True)
    assert since(report)["LSA821"] == "05:17"


def test_targets_are_apart_and_what_did_not_end_is_not_kept(state: Path) -> None:
    remembered(at(0, sample()), whole=True)
    _, past = remembered(at(1, sample(), release="other"), whole=True)
    assert past.last == ""
    for report in (sample(ended="it was stopped"), replace(sample(), target={"namespace": "x"})):
        assert remembered(report, whole=True) == (report, history.Past())
    assert len(list(state.glob("*.ndjson"))) == 2
    for path in state.iterdir():
        assert path.stat().st_mode & 0o077 == 0


def write(number: int) -> int:
    for turn in range(5):
        remembered(at(number + turn / 10, sample()), whole=True)
    return number


def test_of_many_at_once_none_is_lost(state: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as processes:
        assert sorted(processes.map(write, range(8))) == list(range(8))
    (log,) = state.glob("*.ndjson")
    told = [json.loads(line)["at"] for line in log.read_text().splitlines()]
    assert len(told) == len(set(told)) == 40
    assert sorted(it.suffix for it in state.iterdir()) == [".json", ".ndjson"]


def test_a_torn_line_costs_itself_alone(state: Path) -> None:
    remembered(at(0, sample()), whole=True)
    (log,) = state.glob("*.ndjson")
    log.write_text(log.read_text() + '{"at": "torn')
    (last,) = state.glob("*.json")
    last.write_text('{"at": ')
    _, past = remembered(at(1, sample()), whole=True)
    assert (past.last, [it.exit for it in past.checks]) == ("", [3, 3])
    _, past = remembered(at(2, sample()), whole=True)
    assert (past.last[11:16], len(past.checks)) == ("06:17", 3)


def test_the_oldest_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 3)
    monkeypatch.setattr(history, "ROOM", 2)
    lengths = [len(remembered(at(n, sample()), whole=True)[1].checks) for n in range(9)]
    assert lengths == [1, 2, 3, 4, 5, 6, 4, 5, 6]


def test_what_others_may_have_written_is_not_believed(state: Path) -> None:
    remembered(at(0, sample()), whole=True)
    (last,) = state.glob("*.json")
    last.chmod(0o666)
    with pytest.raises(Problem) as refused:
        remembered(at(1, sample()), whole=True)
    assert (refused.value.id, refused.value.exit) == ("LSA940", Exit.UNKNOWN)


def test_a_check_tells_what_has_changed(cluster, run) -> None:
    first = run("check", "--since-last")
    assert (first.returncode, "No earlier check" in first.stderr) == (3, True)
    answer = run("check", "--since-last", "-q")
    assert answer.returncode == 3
    assert len(answer.stdout.splitlines()) <= 2  # the verdict alone
    assert answer.stderr == ""
    with cluster.connect() as database:
        database.execute("ALTER TABLE audit_logs RENAME TO gone")
    answer = run("check", "--since-last", "-q")
    assert "LSA792" in answer.stdout
    assert "✗ The values lack" not in answer.stdout
    document = json.loads(run("check", "--format", "json").stdout)
    told = {it["id"]: it["since"] for area in document["areas"] for it in area["findings"]}
    assert told["LSA392"] < told["LSA792"] < document["checked_at"]


def test_a_check_without_a_folder_for_it_says_so_and_goes_on(cluster, run, tmp_path) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = run("check", env={"LANGSMITH_AUDIT_STATE_DIR": str(file / "in")})
    assert answer.returncode == 3
    assert "Earlier checks are not known here" in answer.stderr
