"""The journal: registered before the act, readable after a torn end, private."""

import argparse
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from wizard.commands.runs import main as list_runs
from wizard.problems import Exit, Problem
from wizard.records import debug_log
from wizard.records.changes import Change, Done, Exact, FactKind, Reversible, facts
from wizard.records.findings import Evidence, Finding, State
from wizard.records.journal import Journal, runs, unfinished
from wizard.records.runs import made, the_run
from wizard.records.runs import state as became
from wizard.records.state import Lock
from wizard.settings import Place
from wizard.steps.organizations.last_update import last_update
from wizard.systems.calls import heard, logged

PLACE = Place("https://cluster.example", "langsmith", "langsmith")
OTHER = Place("https://cluster.example", "langsmith", "second")


@pytest.fixture(autouse=True)
def state_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def change(step: str, **register: object) -> Change:
    exact = (Exact("sql", "UPDATE …", ("a",)),)
    rests = facts(FactKind.FILE, {"p": "1"})
    return Change(step, ("one",), exact, rests, "effect", Reversible.YES, "why", "undo", register)


def test_a_run_is_told_in_order_and_privately() -> None:
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


def test_what_others_said_is_tame_and_short() -> None:
    evil = "\x1b]52;c;x\x07\u202e\x9b" + "A" * 3_000_000
    journal = Journal.begin(PLACE)
    journal.intent(change("values_file", name=evil[:7]))
    problem = Problem("LSA131", f"said: {evil}", on="x", detail=(evil, "a\r\nb\tc"))
    assert problem.detail[1] == "a\nb\tc"
    journal.failed("values_file", problem)
    kept = journal.evidence("values_file", Evidence((evil,), {"log": f"{evil}\nsecond"}))
    for path in (journal.path, kept):
        text = path.read_text()
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text), path
        assert len(text) < 10_000
    assert kept.read_text().endswith("\nsecond\n")
    assert runs()[0].entries[1]["register"]["name"] == evil[:7], "what undo needs is as it was"
    finding = Finding("LSA131", State.FAIL, "x", evil, (evil,))
    assert len(finding.message) + len(finding.evidence[0]) < 5_000


def test_torn_at_any_byte_it_tells_every_whole_line_and_goes_on() -> None:
    journal = Journal.begin(PLACE)
    journal.intent(change("values_file", name="größer"))
    journal.done("values_file", Done("written", ("evidence",), {"backup": "b"}))
    whole = journal.path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == 10]
    events = ["begin", "intent", "done"]
    for cut in range(len(whole) + 1):
        journal.path.write_bytes(whole[:cut])
        there = events[: sum(end <= cut for end in ends)]  # a line is whole without its line feed
        (run,) = runs()
        assert [entry["event"] for entry in run.entries] == there, cut
        Journal.resume(run).end(Exit.OK)
        told = [entry["event"] for entry in runs()[0].entries]
        assert told == [*there, "resume", "end"], cut
        assert journal.path.read_bytes().startswith(whole[:cut]), "nothing is written over"


def test_what_a_power_loss_leaves_of_a_line_is_passed_over() -> None:
    journal = Journal.begin(PLACE)
    with journal.path.open("ab") as file:
        file.write(b"\0" * 512)
    journal.intent(change("values_file"))
    assert [entry["event"] for entry in runs()[0].entries] == ["begin", "intent"]


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "begin"}',
        '{"event": "begin", "at": "x"}',
        '{"event": "begin", "at": "2026-01-01T00:00:00"}',
        '{"event": "begin", "at": "2026-01-01T00:00:00Z", "target": "a"}',
        '{"event": "intent", "at": "2026-01-01T00:00:00Z"}',
        '{"event": "intent", "at": "2026-01-01T00:00:00Z", "step": "s", "items": 1}',
        '{"event": ["intent"], "at": "2026-01-01T00:00:00Z", "step": "s"}',
        "[" * 100_000,
    ],
)
def test_a_damaged_run_hides_no_other(line: str, capsys) -> None:
    journal = Journal.begin(PLACE)
    journal.intent(change("values_file"))
    damaged = journal.folder.parent / "damaged"
    damaged.mkdir()
    (damaged / "journal.ndjson").write_text(line + "\n", encoding="utf-8")
    last = unfinished(PLACE)
    assert last and last.id == journal.run
    assert list_runs(argparse.Namespace(run=None, format="text")) == Exit.OK
    told = capsys.readouterr().out
    assert journal.run in told
    assert re.search(r"^damaged +\?  +unchanged  ", told, re.MULTILINE)


def test_everything_is_on_the_disk_before_the_change(monkeypatch) -> None:
    synced = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("tells files by /proc")
    monkeypatch.setattr("os.fsync", fsync)
    journal = Journal.begin(PLACE)
    assert {str(journal.path), str(journal.folder), str(journal.folder.parent)} <= set(synced)
    synced.clear()
    journal.intent(change("values_file"))
    assert str(journal.path) in synced


@pytest.mark.parametrize("gone", ["folder", "file"])
def test_a_journal_that_is_gone_is_not_begun_anew(gone: str) -> None:
    journal = Journal.begin(PLACE)
    shutil.rmtree(journal.folder) if gone == "folder" else journal.path.unlink()
    with pytest.raises(Problem) as told:
        journal.intent(change("values_file"))
    assert told.value.id == "LSA902"
    assert not journal.path.exists()


def test_what_became_of_a_run_is_told() -> None:
    def states() -> list[str]:
        return [str(became(run, runs())) for run in runs()]

    first = Journal.begin(PLACE)
    assert states() == ["unchanged"]
    first.intent(change("values_file", before="x"))
    assert states() == ["unfinished"]
    assert [it.outcome for it in made(runs()[0])] == ["in doubt"]
    problem = Problem("LSA401", "what", on="on", next_step="next", exit=Exit.FAILED)
    first.failed("values_file", problem)
    assert states() == ["failed"]
    first.intent(change("values_file", before="x"))
    first.done("values_file", Done("written", (), {"backup": "b"}))
    assert states() == ["unfinished"]
    first.end(Exit.OK)
    assert states() == ["done"]
    assert [it.outcome for it in made(runs()[0])] == ["failed", "done"]
    back = Journal.begin(PLACE, undoes=first.run)
    back.intent(change("values_file"))
    again = became(runs()[0], runs())
    assert again == "done", "an undo that did not come to its end has not undone"
    back.done("values_file", Done("put back"))
    back.end(Exit.OK)
    by_id = {run.id: str(became(run, runs())) for run in runs()}
    assert by_id == {first.run: "undone", back.run: "done"}
    forth = Journal.begin(PLACE, undoes=back.run)
    forth.end(Exit.OK)
    by_id = {run.id: str(became(run, runs())) for run in runs()}
    assert by_id[first.run] == "done", "the undo was undone"


def test_a_run_is_found_by_the_beginning_of_its_id() -> None:
    journal = Journal.begin(PLACE)
    assert the_run(journal.run, runs()).id == journal.run
    assert the_run(journal.run[:-1], runs()).id == journal.run
    for text in ("nonsense", ""):
        with pytest.raises(Problem) as told:
            the_run(text, runs())
        assert told.value.id == "LSA930"


def test_the_debug_log_is_redacted_bounded_and_private() -> None:
    with debug_log.kept() as note, heard(note):
        with logged("helm", "helm list --token lsv2_pt_secret"):
            pass
        with pytest.raises(ValueError, match="told"), logged("http", "GET https://u:pw@h/api"):
            raise ValueError("told")
        journal = Journal.begin(PLACE)
        for _ in range(60):
            with logged("kubernetes", "GET /" + "x" * 100_000) as call:
                call.ended = "200"
    path = journal.folder / "debug.log"
    text = path.read_text()
    assert "helm helm list --token *** → ok" in text or "lsv2" not in text
    assert "pw@" not in text
    assert "→ ValueError" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size < 200_000, "a line has its limit"


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


def test_a_state_folder_that_cannot_be_written_is_told(state_dir) -> None:
    state_dir.write_text("a file where the folder should be")
    with pytest.raises(Problem) as told:
        Journal.begin(PLACE)
    assert told.value.id == "LSA902"
    with pytest.raises(Problem) as told:
        Lock("a")
    assert told.value.id == "LSA902"
