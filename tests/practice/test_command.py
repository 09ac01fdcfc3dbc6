"""`langsmith-audit practice`: the cluster as a process of its own, and nothing left behind."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wizard.practice import command
from wizard.practice.scenarios.tools import GROUPS, SCENARIOS, listing
from wizard.practice.serve import MARK, write_env
from wizard.problems import Problem

LIMIT = 90
PRACTICE = [sys.executable, "-m", "wizard", "practice"]

posix = pytest.mark.skipif(os.name != "posix", reason="signals and sh")


@pytest.fixture
def place(open_folder, helm3):
    """The environment of a newcomer: helm on PATH, and a folder for temporary files to look at."""
    tools = open_folder / "bin"
    tools.mkdir()
    (tools / "helm").symlink_to(helm3)
    temporary = open_folder / "tmp"
    temporary.mkdir()
    temporary.chmod(0o777)
    return {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(temporary),
    }


def left(place):
    return [path.name for path in Path(place["TMPDIR"]).glob("lsa-*")]


def wait_for(condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def practice(place, *arguments):
    return subprocess.run(
        [*PRACTICE, *arguments],
        env=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


def start(place, *arguments):
    return subprocess.Popen(
        [*PRACTICE, *arguments],
        env=place,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def until(process, words):
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it never said {words!r}")


def test_the_wizards_exit_code_is_handed_on_and_nothing_stays(place):
    answer = practice(place, "--", "--no-such-option")
    assert answer.returncode == 2, answer.stderr
    assert "--no-such-option" in answer.stderr
    assert "is ready after" in answer.stderr
    assert left(place) == []


def test_a_cluster_that_is_kept_and_stopped(place):
    answer = practice(place, "--keep", "--no-wizard", "--scenario", "fullname-override")
    assert answer.returncode == 0, answer.stderr
    assert "Scenario fullname-override. fullnameOverride is set" in answer.stderr
    (name,) = left(place)
    home = Path(place["TMPDIR"]) / name
    assert stat.S_IMODE((home / "env").stat().st_mode) == 0o600
    inside = subprocess.run(
        ["sh", "-c", f". {home}/env; helm list --short; langsmith-audit --version; env"],
        env={**place, "HELM_NAMESPACE": "elsewhere"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert inside.stdout.startswith("langsmith\nlangsmith-audit "), inside.stderr
    assert "HELM_NAMESPACE" not in inside.stdout
    stopped = practice(place, "--stop", str(home))
    assert stopped.returncode == 0, stopped.stderr
    assert left(place) == []
    again = practice(place, "--stop", str(home))
    assert again.returncode == 2
    assert "LSA957" in again.stderr


@posix
def test_a_kept_cluster_whose_process_was_killed_can_be_cleaned_up(place):
    assert practice(place, "--keep", "--no-wizard").returncode == 0
    (name,) = left(place)
    home = Path(place["TMPDIR"]) / name
    os.kill(int((home / MARK).read_text()), signal.SIGKILL)
    wait_for(lambda: not command._answers(home))
    assert practice(place, "--stop", str(home)).returncode == 0
    assert left(place) == []


@posix
@pytest.mark.parametrize(
    ("name", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
@pytest.mark.parametrize("when", ["coming up", "PostgreSQL listens"])
def test_ended_while_it_comes_up_it_leaves_nothing(place, name, code, when):
    process = start(place, "--yes")
    until(process, when)
    os.kill(process.pid, name)
    assert process.wait(LIMIT) == code
    process.stderr.close()
    wait_for(lambda: left(place) == [])


@posix
def test_terminated_while_the_wizard_runs_it_leaves_nothing(place, open_folder):
    python = open_folder / "bin" / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *"-m wizard run"*) echo here >&2; exec sleep 600;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    code = (
        "import sys; from wizard.cli import main; "
        f"sys.executable = {str(python)!r}; sys.exit(main(['practice']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=place,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(process, "here")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(LIMIT) == 143
    process.stderr.close()
    assert left(place) == []


def test_a_part_that_fails_is_told_as_a_problem(place, open_folder):
    helm = open_folder / "bin" / "helm"
    helm.unlink()
    helm.write_text(
        "#!/bin/sh\n[ \"$1\" = version ] && echo v3.1.2 && exit\necho 'no' >&2\nexit 1\n"
    )
    helm.chmod(0o755)
    answer = practice(place, "--yes")
    assert answer.returncode == 5, answer.stderr
    assert "LSA956" in answer.stderr
    assert left(place) == []


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Problem) as caught:
        command._need_extra()
    assert caught.value.id == "LSA906"


def test_a_folder_of_somebody_else_is_never_removed(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(Problem):
        command.stop(tmp_path)
    assert (tmp_path / "mine").exists()


@posix
def test_the_env_file_survives_any_value(tmp_path):
    file = tmp_path / "env"
    odd = 'it\'s "$HOME" `x` \\ and\nmore'
    write_env(file, {"PATH": f"/a b{os.pathsep}/usr/bin", "ODD": odd})
    code = "import os, json; print(json.dumps([os.environ['ODD'], os.environ['PATH']]))"
    answer = subprocess.run(
        ["sh", "-c", f'. {file}; exec {sys.executable} -c "$0"', code],
        env={"PATH": os.environ["PATH"], "HELM_X": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    assert json.loads(answer.stdout) == [odd, f"/a b:{os.environ['PATH']}"]


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_list_is_folded_and_has_every_scenario_under_a_heading(columns):
    lines = listing(columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert {line.split()[0] for line in lines if re.match(r"  \S", line)} == {*SCENARIOS}
    assert [line for line in lines if re.match(r"\S", line)] == [*GROUPS.values()]
    assert lines[0] in GROUPS.values()


def test_a_run_that_fails_says_how_its_evidence_is_kept(place):
    failed = practice(place, "--scenario", "missing-right", "--yes")
    assert failed.returncode == 5
    assert "The wizard ended with 5; with --keep its pods, logs and journal stay" in failed.stderr
    assert left(place) == []


def test_scenarios_are_listed_and_a_wrong_name_is_told(place):
    listed = practice(place, "--list")
    assert listed.returncode == 0
    assert "\n\nhelm was cut short, or is at work\n  pending-install  " in listed.stdout
    wrong = practice(place, "--scenario", "pending-upgade")
    assert wrong.returncode == 2
    assert "LSA958" in wrong.stderr
    assert "pending-upgrade" in wrong.stderr
    assert left(place) == []
