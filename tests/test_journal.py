"""The journal: registered before the act, readable after a torn end, private."""

import stat

import pytest

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.changes import Change, Done, Exact, Reversible
from wizard.records.journal import Journal, last_update, runs, unfinished
from wizard.records.lock import locked
from wizard.target import Place

PLACE = Place("https://cluster.example", "langsmith", "langsmith")
OTHER = Place("https://cluster.example", "langsmith", "second")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def change(step: str, **register: object) -> Change:
    exact = (Exact("sql", "UPDATE …", ("a",)),)
    return Change(
        step, ("one",), exact, {"p": "1"}, "effect", Reversible.YES, "why", "undo", register
    )


def test_a_run_is_told_in_order_and_privately(state) -> None:
    journal = Journal.begin(PLACE)
    journal.intent(change("values_file", before="x"))
    journal.done("values_file", Done("written", ("evidence",), {"backup": "b"}))
    journal.end(Exit.OK)
    run = runs()[0]
    assert [entry["event"] for entry in run.entries] == ["begin", "intent", "done", "end"]
    assert run.place == PLACE.as_json()
    assert run.changed == ("values_file",)
    assert run.ended
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((run.folder / "journal.ndjson").stat().st_mode) == 0o600


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_a_torn_last_line_is_passed_over(cut: int) -> None:
    journal = Journal.begin(PLACE)
    journal.intent(change("organizations", pods=["p"]))
    path = journal.folder / "journal.ndjson"
    path.write_bytes(path.read_bytes()[:-cut])
    assert [entry["event"] for entry in runs()[0].entries] == ["begin"]


def test_a_change_without_an_end_is_unfinished() -> None:
    assert unfinished(PLACE) is None
    journal = Journal.begin(PLACE)
    assert unfinished(PLACE) is None
    journal.intent(change("values_file"))
    found = unfinished(PLACE)
    assert found
    assert found.id == journal.run
    assert unfinished(OTHER) is None
    journal.end(Exit.OK)
    assert unfinished(PLACE) is None


def test_the_last_update_is_known_until_a_restart_followed() -> None:
    journal = Journal.begin(PLACE)
    journal.intent(change("organizations", pods=["old"]))
    registered = last_update(PLACE)
    assert registered
    assert registered.pods == {"old"}
    undo = {"pods": ["old", "older"], "committed_at": "2026-01-01T00:00:00+00:00"}
    journal.done("organizations", Done("done", (), undo))
    committed = last_update(PLACE)
    assert committed
    assert committed.pods == {"old", "older"}
    assert committed.at == "2026-01-01T00:00:00+00:00"
    assert last_update(OTHER) is None
    journal.intent(change("backend_restart"))
    assert last_update(PLACE) == committed
    journal.done("backend_restart", Done("restarted"))
    assert last_update(PLACE) is None


def test_a_state_folder_that_cannot_be_written_is_told(state, monkeypatch) -> None:
    state.write_text("a file where the folder should be")
    with pytest.raises(Problem) as told:
        Journal.begin(PLACE)
    assert told.value.id == "LSA902"
    with pytest.raises(Problem) as told, locked(PLACE):
        pass
    assert told.value.id == "LSA902"


def test_two_runs_on_one_release_exclude_each_other() -> None:
    with locked(PLACE):
        with pytest.raises(Problem) as told, locked(PLACE):
            pass
        assert told.value.id == "LSA903"
        with locked(OTHER):
            pass
    with locked(PLACE):
        pass
