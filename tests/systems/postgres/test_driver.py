"""A connection in a process of its own answers as one of this process does, and ends with it."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import World, every, fresh

from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem
from wizard.systems.postgres import driver as drivers
from wizard.systems.postgres.apart import ApartSession
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.libpq import LibpqSession


@pytest.fixture
def world(postgres: PracticePostgres) -> Iterator[World]:
    with fresh(postgres) as world:
        world.table()
        world.add('{"can_use_audit_logs": true}')
        world.add(None)
        yield world


def opened(world: World) -> Database:
    """A database whose session is in the process that was made ahead."""
    drivers._ready.append(drivers.Driver())
    database = world.open()
    assert isinstance(database._session, ApartSession)
    return database


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_it_answers_as_a_connection_of_this_process(world: World) -> None:
    with world.open() as near, opened(world) as apart_:
        assert every(apart_) == every(near)
        assert apart_.organization_counts() == near.organization_counts()
        assert apart_.identity() == near.identity()
        assert apart_.audit_logs_table() == near.audit_logs_table()


def test_it_changes_rows_as_well(world: World) -> None:
    with opened(world) as database:
        changed = database.enable(every(database)).changes
    with world.open() as database:
        assert len(changed) == 1
        assert {it.state.value for it in every(database)} == {"on"}


def test_what_the_server_refuses_is_told_as_ever(world: World) -> None:
    drivers._ready.append(driver := drivers.Driver())
    with pytest.raises(Problem) as refusal:
        world.open(password="wrong", user="nobody_here")
    assert refusal.value.id == "LSA524"
    assert refusal.value.on.startswith("database ")
    assert driver.ended
    assert ended(driver._pid)


def test_a_process_that_is_killed_is_a_lost_connection_and_the_next_one_is_our_own(
    world: World,
) -> None:
    with opened(world) as database:
        session = database._session
        assert isinstance(session, ApartSession)
        os.kill(session._driver._pid, signal.SIGKILL)
        with pytest.raises(Problem) as lost:
            database.organization_counts()
        assert lost.value.id == "LSA542"
        assert session.lost
        assert database.organization_counts().shared
        assert not isinstance(database._session, ApartSession)


def test_it_ends_with_its_session_and_unused_with_the_command(world: World) -> None:
    with opened(world) as database:
        session = database._session
        assert isinstance(session, ApartSession)
        pid = session._driver._pid
        assert not ended(pid)
    assert ended(pid)
    unused = drivers.Driver()
    unused.end()
    assert ended(unused._pid)


def test_it_ends_with_this_process_however_that_ends(world: World) -> None:
    pid_read, pid_write = os.pipe()
    child = os.fork()
    if not child:
        database = opened(world)
        assert isinstance(database._session, ApartSession)
        os.write(pid_write, str(database._session._driver._pid).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    pid = int(os.read(pid_read, 20))
    os.waitpid(child, 0)
    while not ended(pid):
        time.sleep(0.01)


def test_where_no_process_can_be_made_the_connection_is_our_own(world: World, monkeypatch) -> None:
    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    with drivers.ahead(), world.open() as database:
        assert isinstance(database._session, LibpqSession)
        assert database.organization_counts().shared
