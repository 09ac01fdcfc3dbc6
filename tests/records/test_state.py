"""The state folder is ours alone, names this machine, and holds locks that end by themselves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wizard.problems import Problem
from wizard.records.journal import Journal, known_runs, runs
from wizard.records.state import Lock, machine, made_private, state_folder
from wizard.settings import Place

PLACE = Place("https://cluster.example", "langsmith", "langsmith")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")
root_alone = pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may")


@pytest.fixture(autouse=True)
def state_dir(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "above" / "state"))
    return tmp_path / "above" / "state"


def refused(act: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as told:
        act()
    return told.value


def modes(folder: Path) -> set[tuple[bool, int]]:
    found = [folder, *folder.rglob("*")]
    return {(each.is_dir(), stat.S_IMODE(each.stat().st_mode)) for each in found}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_all_of_it_is_private_whatever_the_umask(state_dir, umask) -> None:
    before = os.umask(umask)
    try:
        Journal.begin(PLACE)
        assert Lock("a").acquire()
        machine(make=True)
    finally:
        os.umask(before)
    assert modes(state_dir.parent) == {(True, 0o700), (False, 0o600)}


def test_one_that_others_could_read_is_closed(state_dir) -> None:
    journal = Journal.begin(PLACE)
    for each in (state_dir, journal.folder.parent):
        each.chmod(0o755)
    assert [run.id for run in runs()] == [journal.run]
    Journal.begin(PLACE)
    assert modes(state_dir) == {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize("at", ["state", "runs", "run", "journal"])
@pytest.mark.parametrize("how", ["others", pytest.param("owner", marks=root_alone)])
def test_what_somebody_else_may_have_written_is_refused(state_dir, at, how) -> None:
    journal = Journal.begin(PLACE)
    folder = journal.folder
    paths = {"state": state_dir, "runs": folder.parent, "run": folder, "journal": journal.path}
    if how == "owner":
        os.chown(paths[at], 12345, 12345)
    else:
        paths[at].chmod(0o720)
    told = refused(runs)
    assert (told.id, told.on) == ("LSA940", str(paths[at]))
    assert known_runs() == []
    if at in ("state", "runs"):
        assert refused(lambda: Journal.begin(PLACE)).id == "LSA940"


AS_NOBODY = """
import os, platformdirs
from wizard.problems import Problem
from wizard.records.journal import Journal, runs
os.setgid(65534), os.setuid(65534)
for act in (runs, lambda: Journal.begin(None)):
    try:
        act()
    except Problem as problem:
        print(problem.id, problem.what, problem.next_step)
"""


@root_alone
def test_one_that_a_run_with_sudo_left_is_told(open_folder, monkeypatch) -> None:
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(open_folder / "state"))
    Journal.begin(PLACE)
    command = [sys.executable, "-c", AS_NOBODY]
    lines = subprocess.check_output(command, text=True).splitlines()
    assert [line[:6] for line in lines] == ["LSA902", "LSA902"]
    assert "is root's" in lines[1]
    assert "chown -R 65534" in lines[1]


def test_a_name_that_cannot_be_is_told(tmp_path, monkeypatch) -> None:
    for name in ("x" * 300, "/".join(["y" * 200] * 30), os.fsdecode(b"z\xff")):
        monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / name))
        for act in (
            runs,
            lambda: Journal.begin(PLACE),
            lambda: machine(make=True),
            lambda: Lock("a"),
        ):
            assert refused(act).id == "LSA902", name


def test_the_machine_has_one_random_name_a_state_folder(tmp_path, monkeypatch) -> None:
    assert machine(make=False) == ""
    assert not state_folder().exists()
    first = machine(make=True)
    assert len(first) == 32
    assert machine(make=False) == machine(make=True) == first
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "other"))
    assert machine(make=True) != first


HOLD = """
import sys
from wizard.records.state import Lock
print(Lock("a").acquire(), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_by_one_process_until_it_ends() -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "True\n"
        lock = Lock("a")
        assert not lock.free()
        assert not lock.acquire()
        assert Lock("b").free()
        other.kill()
    assert lock.free()
    assert lock.acquire()
    assert not Lock("a").free()
    lock.release()
    assert Lock("a").free()


def test_a_file_system_without_locks_is_told(monkeypatch, state_dir) -> None:
    """There is none to mount here: the system call itself answers as it would there."""
    import fcntl

    def flock(handle: int, operation: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = Lock("a")
    told = refused(lock.acquire)
    assert (told.id, "Function not implemented" in told.what) == ("LSA902", True)
    monkeypatch.undo()
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(state_dir))
    assert lock.acquire(), "nothing is left that would be in the way"


def test_a_full_disk_is_told_to_make_room(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", "/dev/full/state")
    assert "make room" not in refused(lambda: made_private("runs")).next_step
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "state"))
    journal = Journal.begin(PLACE)
    journal.path.unlink()
    journal.path.symlink_to("/dev/full")
    told = refused(lambda: journal.note(a=1))
    assert told.id == "LSA902"
    assert told.next_step.startswith("make room on its disk, or set LANGSMITH_AUDIT_STATE_DIR")
    assert state_folder() == tmp_path / "state"


def test_a_home_in_the_variable_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", "~/audit")
    assert str(state_folder()) == "/home/ann/audit"
