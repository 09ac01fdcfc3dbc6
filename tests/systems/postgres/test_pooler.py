"""Behind PgBouncer in transaction mode, and on a real standby."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import World, every, fresh, refused

from wizard.practice.listening import free_port
from wizard.practice.postgres import PracticePostgres


@contextlib.contextmanager
def three_rows(postgres: PracticePostgres) -> Iterator[World]:
    with fresh(postgres) as world:
        world.table()
        for config in (None, "{}", '{"can_use_audit_logs": false}'):
            world.add(config)
        yield world


@pytest.fixture
def world(postgres: PracticePostgres) -> Iterator[World]:
    with three_rows(postgres) as world:
        yield world


@pytest.fixture
def followed(open_folder: Path) -> Iterator[World]:
    """A server that may be followed; the practice cluster's own writes as little as it can."""
    server = PracticePostgres(open_folder / "primary")
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as config:
        config.write("wal_level = replica\nmax_wal_senders = 4\n")
    server.start()
    try:
        with three_rows(server) as world:
            yield world
    finally:
        server.stop()


@pytest.fixture
def pooler(world: World, open_folder: Path) -> Iterator[Any]:
    """PgBouncer in transaction mode with two server connections, as many as a change needs."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("no pgbouncer on this machine (Debian: apt install pgbouncer)")
    port = free_port()
    server = world.server
    (open_folder / "users").write_text(f'"{server.user}" "{server.password}"\n')
    config = open_folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={server.host} port={server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {open_folder / 'users'}\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
    )
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    for file in open_folder.iterdir():
        file.chmod(0o644)
    process = subprocess.Popen(
        [program, "-q", *(["-u", "nobody"] if as_root else []), str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _listens(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def test_the_whole_change_through_pgbouncer(world: World, pooler: int) -> None:
    before = world.configs()
    with world.open(port=pooler) as database:
        assert database.identity().database == world.name
        shown = every(database, limit=2)
        done = database.enable(shown)
        assert (len(done.changes), done.notes) == (3, ())
        assert database.put_back(done.changes).restored == 3
        with (
            world.elsewhere("UPDATE organizations SET display_name = 'x'"),
            refused("LSA541"),
        ):
            database.enable(shown, lock_limit=0.3)
    assert world.configs() == before


def test_no_setting_leaks_into_the_pool(world: World, pooler: int) -> None:
    with world.open(port=pooler) as database:
        database.enable(database.organizations())
    with psycopg.connect(
        host="127.0.0.1", port=pooler, user=world.server.user, password=world.server.password,
        dbname=world.name, autocommit=True, prepare_threshold=None,
    ) as other:  # fmt: skip
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        shown = [other.execute(f"SHOW {name}").fetchone() for name in names]
    assert shown == [("0",)] * 3


def test_a_standby_is_read_and_not_written(followed: World, open_folder: Path) -> None:
    standby = _standby(followed, open_folder / "standby")
    standby.start()
    try:
        login = followed.login(host=standby.host, port=standby.port)
        replica = World(standby, followed.name)
        _await_rows(replica, 3)
        with replica.open(password=login.password) as database:
            shown = database.organizations()
            assert len(shown) == 3
            with refused("LSA538") as caught:
                database.find_organizations(writing=True)
            assert "replica" in caught.value.what
            with refused("LSA538") as caught:
                database.enable(shown)
            assert "nothing was changed" in caught.value.what
    finally:
        standby.stop()


def _standby(world: World, home: Any) -> PracticePostgres:
    """A copy of the server that follows it."""
    primary = world.server
    program = primary.bin_dir / "pg_basebackup"
    if not program.exists():
        pytest.skip(f"no pg_basebackup beside the server ({primary.bin_dir})")
    standby = PracticePostgres(home, password=primary.password)
    home.mkdir()
    home.chmod(0o711)
    subprocess.run(
        [str(program), "-D", str(standby.data), "-R", "-X", "stream", "-c", "fast", "--no-sync"],
        env=primary.psql_env(),
        check=True,
        capture_output=True,
        timeout=60,
    )
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        for path in (standby.data, *standby.data.rglob("*")):
            shutil.chown(path, "nobody")
    (standby.data / "postmaster.pid").unlink(missing_ok=True)
    return standby


def _await_rows(replica: World, wanted: int) -> None:
    for _ in range(200):
        if len(replica.sql("SELECT id FROM organizations")) == wanted:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the standby did not follow")


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "pgbouncer ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError("pgbouncer does not listen")
